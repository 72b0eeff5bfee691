"""A uv project or workspace as its files describe it: where it is, and what they say."""

from __future__ import annotations

import os
import stat
import time
import tomllib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchsel.errors import ConfigError, MachineError
from torchsel.project.present import Present

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_LIMIT = 16 << 20
"""Largest uv.lock read, in bytes: parsing the worst of that size takes 20 s and 1.3 GB."""

TEXT_LIMIT = 1 << 20
"""Largest pyproject.toml or script read, in bytes; long ones have a tenth of it."""

MOST_KEY_PARTS = 500
"""Parts of a dotted key; the time that ``tomllib`` takes for one grows with their square."""

SETTLE = 0.05
"""Seconds after which a file that says nothing is read again: uv (0.13.9) empties it before it writes it."""


@dataclass(frozen=True, kw_only=True)
class TomlFile:
    """A TOML file: ``text`` is its exact content (BOM and newlines kept), ``data`` what it says."""

    path: Path
    text: str
    data: Mapping[str, Any]

    def table(self, *keys: str) -> Mapping[str, Any]:
        """The table at ``keys``, empty where there is none."""
        found: Any = self.data
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, dict) else {}

    @cached_property
    def present(self) -> Present:
        """What of it concerns routing, and whose it is."""
        return Present(self.data)


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project: ``root`` is the workspace root's pyproject.toml, ``members`` those of its other members."""

    root: TomlFile
    members: tuple[TomlFile, ...] = ()
    lock: TomlFile | None = None

    @property
    def folder(self) -> Path:
        """The folder of the root pyproject.toml, where uv.lock and .venv are."""
        return self.root.path.parent

    @property
    def files(self) -> tuple[TomlFile, ...]:
        """Every pyproject.toml, the root's first."""
        return (self.root, *self.members)

    @property
    def is_configured(self) -> bool:
        """Whether the root has ``[tool.torchsel]``."""
        return "torchsel" in self.root.table("tool")

    @property
    def is_managed(self) -> bool:
        """Whether uv manages the project (``tool.uv.managed``)."""
        return self.root.table("tool", "uv").get("managed") is not False


def load_project(start: Path) -> Project:
    """Read the project that ``start`` (a folder) is in, up to its workspace root, as uv finds it.

    Raises:
        ConfigError: there is no pyproject.toml, or one is not UTF-8 or not TOML.
        MachineError: a file can't be read.
    """
    root = find_root(start)
    lock = root.path.parent / "uv.lock"
    return Project(
        root=root,
        members=tuple(_members(root)),
        lock=read_toml(lock) if lock.is_file() else None,
    )


def find_root(start: Path) -> TomlFile:
    """The pyproject.toml of the project that ``start`` is in, the workspace root's where it is in one.

    Raises:
        ConfigError: there is none, or one is not UTF-8 or not TOML.
        MachineError: a file can't be read.
    """
    file = read_toml(find_pyproject(start))
    return file if "workspace" in file.table("tool", "uv") else _workspace_root(file) or file


def find_pyproject(start: Path) -> Path:
    """The nearest pyproject.toml in ``start`` or above.

    Raises:
        ConfigError: there is none.
    """
    folder = Path(_normal(start.absolute()))
    if not folder.is_dir():
        msg = f"{start}: no such folder"
        raise ConfigError(msg)
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return path
    msg = f"no pyproject.toml in {folder} or any folder above; make one with 'uv init', or give --project DIR"
    raise ConfigError(msg)


def read_toml(path: Path) -> TomlFile:
    """Read one TOML file.

    Raises:
        ConfigError: too large, not UTF-8 or not TOML, with the place.
        MachineError: it can't be read.
    """
    text = read_text(path)
    try:
        data = parse_toml(text, path)
    except ConfigError:
        data = {}
    if not data:
        time.sleep(SETTLE)
        text = read_text(path)
        data = parse_toml(text, path)
    return TomlFile(path=path, text=text, data=data)


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
    """The first ``most`` bytes of a regular file; a FIFO or a device is refused instead of waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            msg = f"{path}: is not a regular file"
            raise MachineError(msg)
        return file.read(most)


def parse_toml(text: str, path: Path) -> dict[str, Any]:
    """Parse ``text`` (a BOM is allowed, as in uv).

    Raises:
        ConfigError: it is not TOML, with line and column.
    """
    try:
        return _loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path}: not valid TOML: {error}"
    except RecursionError:
        msg = f"{path}: not valid TOML: nested too deeply"
    except ValueError as error:  # a number of more digits than Python converts
        msg = f"{path}: not valid TOML: {error}"
    raise ConfigError(msg)


@lru_cache(maxsize=1024)
def _loads(text: str) -> dict[str, Any]:
    """What ``text`` says, for reading only: a change reads each file several times, mostly unchanged."""
    if any(len(line) > MOST_KEY_PARTS and _has_endless_key(line) for line in text.split("\n")):
        msg = f"a key of more than {MOST_KEY_PARTS} parts"
        raise ValueError(msg)
    return tomllib.loads(text)


def _has_endless_key(line: str) -> bool:
    if line.count(".") <= MOST_KEY_PARTS:
        return False
    import re  # noqa: PLC0415 - seldom needed

    keys = re.finditer(r"""[\w"'-]++(?:[ \t]*+\.[ \t]*+[\w"'-]++)*+""", line)
    return any(key[0].count(".") > MOST_KEY_PARTS for key in keys)


def _workspace_root(member: TomlFile) -> TomlFile | None:
    """The next pyproject.toml above, where its workspace has this member (uv 0.13.9 looks no further up).

    A broken one above is not ours to judge.
    """
    folder = member.path.parent
    above = next((path for at in folder.parents if (path := at / "pyproject.toml").is_file()), None)
    if above is None:
        return None
    try:
        candidate = read_toml(above)
    except ConfigError:
        return None
    is_root = "workspace" in candidate.table("tool", "uv") and folder in _member_folders(candidate)
    return candidate if is_root else None


def _members(root: TomlFile) -> Iterator[TomlFile]:
    for folder in _member_folders(root):
        path = folder / "pyproject.toml"
        if folder != root.path.parent and path.is_file():
            yield read_toml(path)


def _member_folders(root: TomlFile) -> list[Path]:
    """Folders of the workspace's members: ``members`` globs without ``exclude`` globs, sorted."""
    workspace = root.table("tool", "uv", "workspace")
    base, excluded = root.path.parent, _patterns(workspace.get("exclude"))
    found = {folder for pattern in _patterns(workspace.get("members")) for folder in _glob(base, pattern)}
    found -= {folder for pattern in excluded for folder in _glob(base, pattern)}
    return sorted(folder for folder in found if not _is_matched(base, folder, excluded))


def _patterns(listed: object) -> list[str]:
    items = listed if isinstance(listed, list) else []
    return [item.strip().removeprefix("./").rstrip("/") for item in items if isinstance(item, str)]


def _is_matched(base: Path, folder: Path, patterns: list[str]) -> bool:
    """Whether an ``exclude`` pattern matches; its ``*`` also stands for slashes (seen with uv 0.13.9)."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 - start-up time

    inside = folder.is_relative_to(base)
    return inside and any(fnmatchcase(folder.relative_to(base).as_posix(), pattern) for pattern in patterns)


def _glob(base: Path, pattern: str) -> set[Path]:
    if pattern in ("", "."):
        return {base}
    if not any(char in pattern for char in "*?["):
        return {folder for folder in [Path(_normal(base / pattern))] if folder.is_dir()}
    try:
        return {folder for folder in base.glob(pattern) if folder.is_dir()}
    except (ValueError, NotImplementedError, OSError):
        return set()


def _normal(path: Path) -> str:
    from os.path import normpath  # noqa: PLC0415 - Path has no lexical normalisation of '..'

    return normpath(path)
