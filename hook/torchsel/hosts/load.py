"""What ``--host`` and ``TORCHSEL_HOST`` take: a recorded host in a file, or a machine in words."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Final, Literal

from torchsel.errors import ConfigError
from torchsel.host import Host, parse_host
from torchsel.hosts.words import EXAMPLES, LONGEST_WORDS, parse_words, shown

HOST_FILE_LIMIT: Final = 1 << 20
"""Largest recorded host, in bytes; a real one has about a thousand."""


def read_host(argument: str, source: str) -> Host:
    """The recorded host in the file of this name, where there is one, else the machine in these words.

    ``source`` names the option or variable in errors.

    Raises:
        ConfigError: neither, or the file isn't a regular one, is too large or holds no recorded host.
    """
    kind = kind_of(argument)
    if kind == "file" and is_inventory(Path(argument)):
        msg = (
            f"{source} {argument}: an inventory, where one machine is expected;"
            f" 'torchsel hosts {quote(argument)} -o hosts' records each"
        )
        raise ConfigError(msg)
    if kind == "file":
        return _read_file(Path(argument), f"{source} {argument}")
    record = "record a host with 'torchsel detect --json'"
    if "=" not in argument and (argument.endswith(".json") or any(sign in argument for sign in ("/", "\\"))):
        problem = "not a regular file" if kind == "folder" else "no such file"
        msg = f"{source} {argument[:LONGEST_WORDS]}: {problem}; {record}, or say it in words: {EXAMPLES}"
        raise ConfigError(msg)
    try:
        return parse_words(argument, f"{source} {shown(argument)}")
    except ConfigError as error:
        if "=" in argument:
            raise
        msg = f"{error}; there is no such file either: {record}"
        raise ConfigError(msg) from None


def is_inventory(path: Path) -> bool:
    """Whether a file has a list of nodes, by its beginning, or lines; what can't be read is none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            text = file.read(HOST_FILE_LIMIT + 1).decode("utf-8-sig", "replace").strip()
        if not text.startswith("{"):
            return bool(text) and path.suffix != ".json"
        return len(text) >= HOST_FILE_LIMIT or not json.loads(text).keys().isdisjoint(("items", "metadata"))
    except (OSError, ValueError, RecursionError):
        return False


def _read_file(path: Path, where: str) -> Host:
    try:
        if not path.is_file():
            msg = f"{where}: not a regular file; record a host with 'torchsel detect --json'"
            raise ConfigError(msg)
        if path.stat().st_size > HOST_FILE_LIMIT:
            msg = f"{where}: larger than {HOST_FILE_LIMIT} bytes, so not a recorded host"
            raise ConfigError(msg)
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        msg = f"{where}: not UTF-8"
        raise ConfigError(msg) from None
    except (OSError, ValueError) as error:
        msg = f"{where}: can't be read: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(msg) from None
    return parse_host(text, where=where)


def kind_of(argument: str) -> Literal["file", "folder", "none"]:
    """What has this name; a device or a pipe counts as a file."""
    try:
        path = Path(argument)
        return "folder" if path.is_dir() else "file" if path.exists() else "none"
    except (OSError, ValueError):
        return "none"
