"""What would make a build run: values, how each is told, and what to type for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from packaging.requirements import Requirement

from torchsel.catalog.rows import Build
from torchsel.project.places import Added


class Cure(Enum):
    """What there is to do, each with the clause that says so; its fields are those of a `Remedy`."""

    DRIVER = "update the NVIDIA driver to >= {value} for {torch} with {backend}"
    INSTALL_DRIVER = (
        "install NVIDIA's driver, >= {value} for {torch} with {backend};"
        " if this is a container, start it with the GPU passed in"
    )
    ANY_DRIVER = "install NVIDIA's driver; if this is a container, start it with the GPU passed in"
    ALLOW = "allow torch {value} ({backend})"
    REQUIRE = "require torch{value} (for {torch} with {backend})"
    BACKENDS = "add '{value}' to tool.torchsel.backends"
    MAX_CUDA = "raise tool.torchsel.max-cuda to {value}"
    PYTHON = "use Python {value} (for {torch} with {backend})"
    REQUIRES_PYTHON = "raise requires-python above {value} (for {torch} with {backend})"
    COMPANION = "do without {value} (for {torch} with {backend})"
    JETPACK = "use the wheels that NVIDIA and Jetson AI Lab build for JetPack, or update to JetPack 7"
    LINUX = "use Linux or WSL 2"
    X86_64 = "use an x86_64 machine"
    AMD_INDEX = "use AMD's own index"
    AMD_WHEELS = "take torch[device-{value}] from AMD's own index (repo.amd.com/rocm/whl-multi-arch/)"
    ASK_XPU = "if it is of the Arc (Alchemist) series or newer, ask for backend xpu"
    GFX_OVERRIDE = (
        "set HSA_OVERRIDE_GFX_VERSION=10.3.0, which AMD does not support, and ask for backend"
        " {backend} to run gfx1030's kernels on {value}"
    )
    GFX_TARGET = "set UV_AMD_GPU_ARCHITECTURE to it"
    OFFER_BACKEND = "add an extra or group for another backend"
    LOCK_TORCH = "lock another torch (uv lock --upgrade-package torch)"
    SOURCE = "build torch from source"
    CPU = "set tool.torchsel.backend to 'cpu'"


_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_BETWEEN_DOUBLE_QUOTES = re.compile(r"[\w\s@%+=:,./<>~;&|()*'\[\]-]+", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """One thing to change so that a build runs.

    ``kind`` says what and ``value`` to what: an NVIDIA driver version (``580``), a release of torch to allow
    or its bound (``<2.15``), a backend's tag, a CUDA release, Python releases, a gfx target; empty where
    the kind says all. ``torch`` and ``backend`` are the build's that runs then, empty where it is no one.
    ``requirements`` are what the project has to require for ``require`` and ``allow``, torch's companions
    included; ``commands`` do it all when typed, in their order, and are empty where that can't be typed.
    ``line`` is what has to stand in ``[tool.torchsel]``.
    """

    kind: Cure
    value: str = ""
    torch: str = ""
    backend: str = ""
    requirements: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    line: str = ""


WayOut = tuple[Remedy, ...]
"""All that has to be changed together so that a build runs."""


def remedy_for(
    kind: Cure, value: str, build: Build, *, line: str = "", commands: tuple[str, ...] = ()
) -> Remedy:
    """The remedy with which this build runs."""
    torch, backend = build.torch, build.backend
    return Remedy(kind=kind, value=value, torch=torch, backend=backend, line=line, commands=commands)


def told(remedy: Remedy) -> str:
    """A remedy as a clause that says what to do."""
    clause = remedy.kind.value.format(value=remedy.value, torch=remedy.torch, backend=remedy.backend)
    line = f" ({remedy.line})" if remedy.line else ""
    return f"{clause}{line}{typed(remedy.commands)}"


def typed(commands: Sequence[str]) -> str:
    """Commands as the end of a clause; empty where there are none."""
    return f": {' && '.join(commands)}" if commands else ""


def told_ways(ways: Sequence[WayOut]) -> str:
    """Ways out in one clause, joined by "or"; a second driver is named alone."""
    clauses = [" and ".join(map(told, way)) for way in ways]
    # "update the NVIDIA driver to >= 570.26 for ..., or to >= 580 for ..."
    for at, pair in enumerate(pairwise(ways), 1):
        if [remedy.kind for way in pair for remedy in way] == [Cure.DRIVER, Cure.DRIVER]:
            clauses[at] = clauses[at].removeprefix("update the NVIDIA driver ")
    return ", or ".join(clauses)


def add_commands(
    wanted: Iterable[str], direct: Iterable[Added], *, is_refused: bool = False
) -> tuple[str, ...]:
    """The commands after which the project requires torch, and its companions, as ``wanted`` says.

    Packages that the project does not name need no bound. Empty where torch's requirement is out of reach of
    ``uv add``. A project that ``is_refused`` can't be locked before all is written.
    """
    bounds = {name: text.removeprefix(name) for text in wanted for name in [Requirement(text).name]}
    lists: dict[tuple[str, ...], list[str]] = {}
    named = [item for item in direct if item.package in bounds]
    for item in named:
        lists.setdefault(item.options, []).append(item.bound(bounds[item.package]))
    is_in_reach = any(item.package == "torch" for item in named)
    return _each("add", lists, is_refused=is_refused) if is_in_reach else ()


def remove_commands(package: str, direct: Iterable[Added]) -> tuple[str, ...]:
    """The commands after which the project does without a package; empty where it does not name it."""
    return _each("remove", {item.options: [package] for item in direct if item.package == package})


def _each(
    verb: str, lists: Mapping[tuple[str, ...], Iterable[str]], *, is_refused: bool = False
) -> tuple[str, ...]:
    """A command for each list of requirements."""
    # of several none may lock before the last has its bound
    frozen = ["--frozen"] if is_refused or len(lists) > 1 else []
    commands = (
        command("uv" if "--script" in options else "torchsel", verb, *frozen, *options, *texts)
        for options, texts in lists.items()
    )
    return (*commands, *(["torchsel sync"] if frozen else []))


def command(*words: str) -> str:
    """Words as a shell takes them."""
    return " ".join(map(_quoted, words))


def backends_line(tag: str, names: Mapping[str, str], backends: Iterable[str]) -> str:
    """``backends`` of the project's table, there a table of ``names`` or a list, with one more."""
    if not names:
        return line_of_backends(dict.fromkeys((*backends, tag)))
    pairs = {**names, tag: tag}.items()
    listed = ", ".join(f'{_key(name)} = "{value}"' for name, value in pairs)
    return f"backends = {{ {listed} }}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def line_of_backends(tags: Iterable[str]) -> str:
    """``backends = ["cpu", "cu126"]``."""
    listed = ", ".join(f'"{tag}"' for tag in tags)
    return f"backends = [{listed}]"


def _quoted(word: str) -> str:
    # in double quotes where these do, which PowerShell and cmd know as well
    if _PLAIN.fullmatch(word):
        return word
    return f'"{word}"' if _BETWEEN_DOUBLE_QUOTES.fullmatch(word) else shlex.quote(word)
