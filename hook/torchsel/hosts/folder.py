"""The recorded hosts of an inventory as files, and an inventory out of a file."""

from __future__ import annotations

import sys
from pathlib import Path

from torchsel.errors import ConfigError
from torchsel.hosts.inventory import FORMS, INVENTORY_LIMIT, Inventory, Machine, read_inventory


def read_source(name: str) -> str:
    """The text of a file, or of standard input where ``name`` is ``-``; what is not UTF-8 in it is replaced.

    Raises:
        ConfigError: there is no such file, it is too large, or standard input is a terminal.
    """
    if name == "-":
        if sys.stdin.isatty():
            msg = f"give a file or standard input: {FORMS}"
            raise ConfigError(msg)
        return _decoded(sys.stdin.buffer.read(INVENTORY_LIMIT + 1), "standard input")
    try:
        with Path(name).open("rb") as file:
            return _decoded(file.read(INVENTORY_LIMIT + 1), name)
    except (OSError, ValueError) as error:
        msg = f"{name}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg) from None


def _decoded(content: bytes, where: str) -> str:
    if len(content) > INVENTORY_LIMIT:
        msg = f"{where}: larger than {INVENTORY_LIMIT} bytes"
        raise ConfigError(msg)
    return content.decode("utf-8-sig", "replace")


def write_folder(inventory: Inventory, folder: Path) -> None:
    """One recorded host a machine, named as it is; a file or link of that name is replaced.

    Raises:
        OSError: the folder can't be made or a file written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for machine in inventory.machines:
        _write(machine, folder)


def _write(machine: Machine, folder: Path) -> None:
    """Beside, then over it: a link is not followed out of the folder."""
    fresh = folder / f".{machine.name}.torchsel"
    fresh.unlink(missing_ok=True)
    with fresh.open("x", encoding="utf-8", newline="\n") as file:
        file.write(f"{machine.host.to_json()}\n")
    fresh.replace(folder / f"{machine.name}.json")


def hosts_of(source: str, *, driver: str | None, folder: Path | None) -> Inventory:
    """Read an inventory and, with a ``folder``, write its machines there: all of ``torchsel hosts``.

    Raises:
        ConfigError: it can't be read, or is none.
        OSError: a file can't be written.
    """
    where = "standard input" if source == "-" else source
    inventory = read_inventory(read_source(source), where=where, driver=driver)
    if folder is not None:
        write_folder(inventory, folder)
    return inventory
