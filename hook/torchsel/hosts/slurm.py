"""Slurm's nodes: lines of ``sinfo -N -h -o '%N %G %f'``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host
from torchsel.hosts.names import find_accelerator
from torchsel.hosts.words import complete, number_of_gpus, shown, unknown_gpu

_LINE = re.compile(r"(\S+)\s+(\(null\)|N/A|[^\s:=]+:\S*)(?:\s+(\S+))?\s*", re.ASCII)
_SOCKETS = re.compile(r"\([^()]*\)")
_NONE = ("(null)", "N/A", "")
_MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_LONGEST = 4096


class Resources(NamedTuple):
    """What sinfo says of a node: generic resources (``%G``) and features (``%f``)."""

    resources: str
    features: str

    def host(self) -> Host:
        """The machine; of its features only a machine type, and a GPU's name where no type says it.

        Source: slurm.schedmd.com/gres.html, ``name[:type]:count`` with sockets or indexes in brackets.

        Raises:
            ConfigError: which GPU it is, or how many, can't be told.
        """
        words = [word for word in re.split(r"[,&|]", self.features) if word not in _NONE]
        resources = "" if self.resources in _NONE else _SOCKETS.sub("", self.resources)
        gpus = tuple(gpu for resource in resources.split(",") for gpu in _gpus(resource, words))
        # a node with features of two architectures says neither
        machines = {_MACHINES[word.lower()] for word in words if word.lower() in _MACHINES}
        return complete(gpus, machine=machines.pop() if len(machines) == 1 else None)


def read_line(line: str) -> tuple[str, Resources] | None:
    """A node's name and resources; None where this is no line of sinfo's."""
    match = _LINE.fullmatch(line) if len(line) <= _LONGEST else None
    return (match[1], Resources(resources=match[2], features=match[3] or "")) if match else None


def _gpus(resource: str, features: Iterable[str]) -> list[Accelerator]:
    """Those of one resource: ``gpu``, ``gpu:4``, ``gpu:v100`` or ``gpu:v100:4``; none of any other."""
    name, *parts = (part for part in resource.split(":") if part != "no_consume")
    if name.removeprefix("gres/") != "gpu":
        return []
    # a number at the end is the count, though a type could be one, too
    count = parts.pop() if parts and parts[-1].isdigit() else "1"
    kind = ":".join(parts)
    return [_gpu(resource, kind, features)] * number_of_gpus(count)


def _gpu(resource: str, kind: str, features: Iterable[str]) -> Accelerator:
    accelerator = find_accelerator(kind) if kind else None
    if accelerator is None:
        named = {found for word in features if (found := find_accelerator(word))}
        accelerator = named.pop() if len(named) == 1 else None
    if accelerator is None:
        why = unknown_gpu(kind) if kind else "no feature says which GPU"
        msg = f"{shown(resource)}: {why}"
        raise ConfigError(msg)
    return accelerator
