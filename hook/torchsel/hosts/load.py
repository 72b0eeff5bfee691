"""What ``--host`` and the like take: a recorded host in a file, a machine in words, an inventory."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final, Literal

from torchsel.errors import ConfigError
from torchsel.host import Host, parse_host
from torchsel.hosts.inventory import FORMS, Inventory, read_inventory
from torchsel.hosts.words import EXAMPLES, LONGEST_WORDS, parse_words, shown

HOST_FILE_LIMIT: Final = 1 << 20
"""Largest recorded host, in bytes; a real one has about a thousand."""
INVENTORY_LIMIT: Final = 1 << 30
"""Largest inventory, in bytes; Kubernetes says 5 to 20 thousand of a node."""

_RECORD = "record a host with 'torchsel detect --json'"


def read_host(argument: str, source: str) -> Host:
    """The recorded host in the file of this name, where there is one, else the machine in these words.

    ``source`` names the option or variable in errors.

    Raises:
        ConfigError: neither, or the file isn't a regular one, is too large or holds no recorded host.
    """
    # a name that exists is that, even where it could be words: people call files v100
    kind = _kind_of(argument)
    if kind == "inventory":
        msg = (
            f"{source} {argument}: an inventory, where one machine is expected;"
            f" 'torchsel hosts {quote(argument)} -o hosts' records each"
        )
        raise ConfigError(msg)
    if kind == "file":
        return _read_file(Path(argument), f"{source} {argument}")
    if "=" not in argument and (argument.endswith(".json") or any(sign in argument for sign in ("/", "\\"))):
        problem = "not a regular file" if kind == "folder" else "no such file"
        msg = f"{source} {argument[:LONGEST_WORDS]}: {problem}; {_RECORD}, or say it in words: {EXAMPLES}"
        raise ConfigError(msg)
    try:
        return parse_words(argument, f"{source} {shown(argument)}")
    except ConfigError as error:
        if "=" in argument:
            raise
        msg = f"{error}; there is no such file either: {_RECORD}"
        raise ConfigError(msg) from None


def _read_file(path: Path, where: str) -> Host:
    try:
        # before it is opened: a pipe may never be written to
        if not path.is_file():
            msg = f"{where}: not a regular file; {_RECORD}"
            raise ConfigError(msg)
        if path.stat().st_size > HOST_FILE_LIMIT:
            msg = f"{where}: larger than {HOST_FILE_LIMIT} bytes, so not a recorded host"
            raise ConfigError(msg)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{where}: not UTF-8"
        raise ConfigError(msg) from None
    except (OSError, ValueError) as error:
        raise _unreadable(where, error) from None
    return parse_host(text, where=where)


def _unreadable(where: str, error: Exception) -> ConfigError:
    return ConfigError(f"{where}: can't be read: {getattr(error, 'strerror', None) or error}")


def _kind_of(argument: str) -> Literal["file", "inventory", "folder", "none"]:
    """What has this name; a device or a pipe counts as a file."""
    try:
        path = Path(argument)
        if path.is_dir():
            return "folder"
        if path.is_file() and _is_inventory(path):
            return "inventory"
        return "file" if path.exists() else "none"
    except (OSError, ValueError):
        return "none"


def _is_inventory(path: Path) -> bool:
    """Whether a file has a list of nodes, by its beginning, or lines; what can't be read is none."""
    try:
        with path.open("rb") as file:
            text = file.read(HOST_FILE_LIMIT + 1).decode("utf-8-sig", "replace").strip()
        # a .json that is none is to be told as a recorded host's fault
        if not text.startswith("{"):
            return bool(text) and path.suffix != ".json"
        return len(text) >= HOST_FILE_LIMIT or not json.loads(text).keys().isdisjoint(("items", "metadata"))
    except (OSError, ValueError, RecursionError):
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedHost:
    """A host and what to call it: its file's name without ``.json``, its words, its name in an inventory.

    ``is_listed`` is whether it is of an inventory.
    """

    name: str
    host: Host
    is_listed: bool = False


def read_hosts(arguments: Iterable[str], source: str, warn: Callable[[str], None]) -> tuple[NamedHost, ...]:
    """Every host of a list, an inventory's each; ``warn`` is told what is not known of inventories.

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
    kind = _kind_of(argument)
    if kind != "inventory":
        name = Path(argument).stem if kind == "file" else argument
        return [NamedHost(name=name, host=read_host(argument, source))]
    inventory = read_inventory(read_source(argument), where=f"{source} {argument}")
    for sentence in inventory.unknown:
        warn(f"{argument}: {sentence}")
    return [NamedHost(name=item.name, host=item.host, is_listed=True) for item in inventory.machines]


def hosts_of(source: str, *, driver: str | None, folder: Path | None) -> Inventory:
    """Read an inventory and, with a ``folder``, write its machines there: all of ``torchsel hosts``.

    Raises:
        ConfigError: it can't be read, or is none.
        OSError: a file can't be written.
    """
    inventory = read_inventory(read_source(source), where=_shown(source), driver=driver)
    if folder is not None:
        write_folder(inventory, folder)
    return inventory


def read_source(name: str) -> str:
    """The text of a file, or of standard input where ``name`` is ``-``; what is not UTF-8 in it is replaced.

    Raises:
        ConfigError: there is no such file, it is too large, or standard input is a terminal.
    """
    if name == "-" and sys.stdin.isatty():
        msg = f"give a file or standard input: {FORMS}"
        raise ConfigError(msg)
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as file:
            content = file.read(INVENTORY_LIMIT + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(_shown(name), error) from None
    if len(content) > INVENTORY_LIMIT:
        msg = f"{_shown(name)}: larger than {INVENTORY_LIMIT} bytes"
        raise ConfigError(msg)
    # comments may be in any encoding, names of GPUs are ASCII
    return content.decode("utf-8-sig", "replace")


def _shown(name: str) -> str:
    return "standard input" if name == "-" else name


def write_folder(inventory: Inventory, folder: Path) -> None:
    """One recorded host a machine, named as it is; a file or link of that name is replaced.

    Raises:
        OSError: the folder can't be made or a file written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for machine in inventory.machines:
        # beside, then over it: a link is not followed out of the folder
        fresh = folder / f".{machine.name}.torchsel"
        fresh.unlink(missing_ok=True)
        with fresh.open("x", encoding="utf-8", newline="\n") as file:
            file.write(f"{machine.host.to_json()}\n")
        fresh.replace(folder / f"{machine.name}.json")
