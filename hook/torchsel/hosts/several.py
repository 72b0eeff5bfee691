"""What takes several machines: recorded hosts, machines in words, and inventories, each all its machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.hosts.folder import read_source
from torchsel.hosts.inventory import read_inventory
from torchsel.hosts.load import is_inventory, kind_of, read_host


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedHost:
    """A host and what to call it: its file's name without ``.json``, its words, its name in an inventory.

    ``is_listed`` is whether it is of an inventory.
    """

    name: str
    host: Host
    is_listed: bool = False


def read_hosts(arguments: Iterable[str], source: str, warn: Callable[[str], None]) -> tuple[NamedHost, ...]:
    """Every host of a list; ``warn`` is told what is not known of inventories.

    Raises:
        ConfigError: with the faults of all of them.
    """
    found: list[NamedHost] = []
    problems: list[str] = []
    for argument in arguments:
        try:
            found += _machines(argument, source, warn)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(*problems)
    return tuple(found)


def _machines(argument: str, source: str, warn: Callable[[str], None]) -> list[NamedHost]:
    """The hosts that one argument names."""
    is_file = kind_of(argument) == "file"
    if not (is_file and is_inventory(Path(argument))):
        name = Path(argument).stem if is_file else argument
        return [NamedHost(name=name, host=read_host(argument, source))]
    inventory = read_inventory(read_source(argument), where=f"{source} {argument}")
    for sentence in inventory.unknown:
        warn(f"{argument}: {sentence}")
    return [NamedHost(name=item.name, host=item.host, is_listed=True) for item in inventory.machines]
