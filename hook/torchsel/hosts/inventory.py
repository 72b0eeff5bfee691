"""A cluster's inventory: which different machines it has, and which of its nodes are each.

Read is ``kubectl get nodes -o json``, ``sinfo -N -h -o '%N %G %f'``, or lines of machines in words.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.hosts.kubernetes import Facts, read_node
from torchsel.hosts.names import slug
from torchsel.hosts.slurm import Resources, read_line
from torchsel.hosts.words import DRIVER_ASSUMED, is_driver, parse_words, shown, to_words

MOST_NODES: Final = 100_000
MOST_MACHINES: Final = 500
"""Different machines, and different things unknown: beyond that it is not one cluster's inventory."""
FORMS: Final = "'kubectl get nodes -o json', 'sinfo -N -h -o \"%N %G %f\"' or lines of machines in words"


class Words(NamedTuple):
    """A line that a person wrote."""

    text: str

    def host(self) -> Host:
        """The machine.

        Raises:
            ConfigError: too little is known, or what is said can't be.
        """
        return parse_words(self.text, shown(self.text))


Saying = Facts | Resources | Words
"""What an inventory says of a node; equal for equal nodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Equal machines: ``name`` is for people and files (``v100x4-driver570``), ``nodes`` has every one's."""

    name: str
    host: Host
    nodes: tuple[str, ...]

    @property
    def line(self) -> str:
        """Its name, the machine in words, and its nodes."""
        return f"{self.name}  {to_words(self.host)}  {_counted(self.nodes)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """The different machines, the most frequent first; ``unknown`` says what of which nodes is not known."""

    machines: tuple[Machine, ...]
    unknown: tuple[str, ...] = ()


def read_inventory(text: str, *, where: str = "inventory", driver: str | None = None) -> Inventory:
    """The machines of a cluster.

    ``driver`` is the NVIDIA driver version of nodes that say none; without it such a node counts as having
    the newest that supports its GPU. ``where`` names the inventory in errors.

    Raises:
        ConfigError: it is no inventory, is too large, nothing in it is a machine, or ``driver`` is malformed.
    """
    if driver is not None and not is_driver(driver):
        msg = f"--driver: {shown(driver)} is not a driver version such as '580.65.06'"
        raise ConfigError(msg)
    hosts: dict[Host, list[str]] = {}
    problems: dict[str, list[str]] = {}
    assumed: list[str] = []
    for saying, nodes in _by_saying(text, where).items():
        try:
            host = saying.host()
        except ConfigError as error:
            problems.setdefault("; ".join(error.problems), []).extend(nodes)
        else:
            if host.notes and driver:
                host = replace(host, nvidia_driver=driver, notes=())
            if host.notes:
                assumed.extend(nodes)
            hosts.setdefault(replace(host, notes=()), []).extend(nodes)
        if len(hosts) + len(problems) > MOST_MACHINES:
            msg = f"{where}: more than {MOST_MACHINES} different machines, so not one cluster's inventory"
            raise ConfigError(msg)
    unknown = tuple(f"{_counted(nodes)}: {problem}" for problem, nodes in problems.items())
    if not hosts:
        nothing = unknown or (f"no machine is in it; expected {FORMS}",)
        raise ConfigError(*(f"{where}: {sentence}" for sentence in nothing))
    if assumed:
        another = "'torchsel hosts --driver' takes another"
        unknown = (f"{_counted(assumed)}: {DRIVER_ASSUMED}; {another}", *unknown)
    return Inventory(machines=tuple(_named(hosts)), unknown=unknown)


def _by_saying(text: str, where: str) -> dict[Saying, list[str]]:
    """The nodes by what is said of them, each once: Slurm lists one for every partition that it is in."""
    nodes = _from_json(text, where) if text.lstrip()[:1] in ("{", "[") else _from_lines(text)
    found: dict[Saying, dict[str, None]] = {}
    for count, (name, saying) in enumerate(nodes):
        if count == MOST_NODES:
            msg = f"{where}: more than {MOST_NODES} nodes; split it"
            raise ConfigError(msg)
        found.setdefault(saying, {})[name] = None
    return {saying: list(names) for saying, names in found.items()}


def _from_json(text: str, where: str) -> Iterator[tuple[str, Saying]]:
    """A list of Kubernetes nodes, or one."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: not JSON ({error}); expected {FORMS}"
        raise ConfigError(msg) from None
    items = data.get("items", [data]) if isinstance(data, dict) else None
    nodes = list(map(read_node, items)) if isinstance(items, list) else []
    if not nodes or None in nodes:
        msg = f"{where}: not what 'kubectl get nodes -o json' prints"
        raise ConfigError(msg)
    yield from filter(None, nodes)


def _from_lines(text: str) -> Iterator[tuple[str, Saying]]:
    """Lines of sinfo's or of words; empty ones and those that begin with ``#`` say nothing."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield read_line(line) or (f"line {number}", Words(line.strip()))


def _named(hosts: dict[Host, list[str]]) -> Iterator[Machine]:
    """A name for each, with as much of the driver version as tells them apart."""
    # by name where equally many, so that the same cluster is listed the same way every day
    ordered = sorted(hosts, key=lambda host: (-len(hosts[host]), _name(host, parts=4)))
    wholes = Counter(_name(host, parts=1) for host in ordered)
    taken: set[str] = set()
    for host in ordered:
        plain = _name(host, parts=1)
        name = _free(plain if wholes[plain] == 1 else _name(host, parts=4), taken)
        taken.add(name)
        yield Machine(name=name, host=host, nodes=tuple(map(_printable, hosts[host])))


def _name(host: Host, *, parts: int) -> str:
    """``v100x4-driver570``: letters, digits, dots and dashes alone; ``parts`` of the driver version."""
    gpus = Counter(map(slug, host.accelerators))
    words = [f"{gpu}x{count}" if count > 1 else gpu for gpu, count in gpus.items()][:4] or ["cpu"]
    if host.nvidia_driver:
        words.append(f"driver{'.'.join(host.nvidia_driver.split('.')[:parts])}")
    words += [host.machine] if host.machine != "x86_64" else []
    words += [host.system] if host.system != "linux" else []
    return "-".join(words)


def _free(name: str, taken: set[str]) -> str:
    numbers = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbers) if free not in taken)


def _counted(nodes: Sequence[str]) -> str:
    """How many, and the names of the first."""
    rest = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    noun = "node" if len(nodes) == 1 else "nodes"
    return f"{len(nodes)} {noun}: {', '.join(map(_printable, islice(nodes, 3)))}{rest}"


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:64])
