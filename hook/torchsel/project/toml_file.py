"""The text of TOML files: read within limits, and what is wrong with one told with its place."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from torchsel.errors import ConfigError, MachineError

FILE_LIMIT = 16 << 20
"""Largest uv.lock read, in bytes: parsing the worst of that size takes 20 s and 1.3 GB."""

TEXT_LIMIT = 1 << 20
"""Largest pyproject.toml or script read, in bytes; long ones have a tenth of it."""

MOST_KEY_PARTS = 500
"""Parts of a dotted key; the time that ``tomllib`` takes for one grows with their square.

Python 3.11: one key of 80 kB takes 25 s, which makes an hour for 1 MiB; keys of 500 parts take 6 s for 1 MiB.
"""

_NO_KEYS = re.compile(
    r'''"""(?:[^\\]|\\[\s\S])*?(?:"""|\Z)|"(?:[^"\\\n]|\\.)*+"'''
    r"""|'''[\s\S]*?(?:'''|\Z)|'[^'\n]*'|#[^\n]*"""
)
"""Strings and comments, an unended one to the end of the text."""

_KEYS = re.compile(r"[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++)*+")


def read_text(path: Path) -> str:
    """Read a file's exact text, newlines and BOM kept.

    Raises:
        ConfigError: too large or not UTF-8, with the place.
        MachineError: it can't be read.
    """
    limit = FILE_LIMIT if path.suffix == ".lock" else min(FILE_LIMIT, TEXT_LIMIT)
    try:
        content = _content(path, limit + 1)
    except OSError as error:
        msg = f"{path}: can't be read: {error.strerror}"
        raise MachineError(msg) from None
    if len(content) > limit:
        msg = f"{path}: larger than {limit >> 20} MiB; torchsel reads no file that large"
        raise ConfigError(msg)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = f"{path}: line {line}: not UTF-8; save the file as UTF-8, as TOML asks"
        raise ConfigError(msg) from None


def _content(path: Path, most: int) -> bytes:
    """The first ``most`` bytes of a regular file."""
    # a FIFO or a device is refused instead of waited for
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = f"{path}: is not a regular file"
            raise MachineError(msg)
        content: bytes | None = file.read(most)
        if content is None:  # /proc/kmsg says it is regular, and has nothing to say yet
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return content


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse ``text`` (a BOM is allowed, as in uv).

    Raises:
        ConfigError: it is not TOML, with line and column.
    """
    try:
        return _loads(text.removeprefix("\ufeff"))
    except RecursionError:
        msg = f"{path}: not valid TOML: nested too deeply"
    except ValueError as error:  # tomllib's own, or a number of more digits than Python converts
        msg = f"{path}: not valid TOML: {error}"
    raise ConfigError(msg)


@lru_cache(maxsize=1024)  # a change reads each file several times, mostly unchanged
def _loads(text: str) -> dict[str, Any]:
    """What ``text`` says, for reading only."""
    # most texts have no line with that many dots, and need no closer look
    if any(line.count(".") > MOST_KEY_PARTS for line in text.split("\n")):
        keys = _KEYS.finditer(_NO_KEYS.sub("_", text))
        if any(key[0].count(".") > MOST_KEY_PARTS for key in keys):
            msg = f"a key of more than {MOST_KEY_PARTS} parts"
            raise ValueError(msg)
    return tomllib.loads(text)
