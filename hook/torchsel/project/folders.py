"""The folders around a project's files: where it is, and those below that a workspace's patterns match."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from fnmatch import translate
from pathlib import Path

from torchsel.errors import ConfigError, MachineError, NoProjectError

MOST_LOOKS = 500_000
"""Folders compared with parts of patterns, all together; that many take one to two seconds."""


class FolderTree:
    """The folders below the one of ``file``, each listed once for all patterns.

    `pathlib` walks anew for each pattern, and for each way in which several ``**`` come to a folder.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._base = str(file.parent)
        self._listed: dict[str, list[tuple[str, bool]]] = {}
        self._looks = 0

    def glob(self, pattern: str) -> set[str]:
        """Every folder that a pattern comes to; ``*`` stands for no slash, ``**`` for any folders.

        Raises:
            ConfigError: there are more folders and patterns than can be compared in good time.
        """
        parts = [part for part in pattern.split("/") if part not in ("", ".")]
        has_wildcard = any(char in pattern for char in "*?[")
        if has_wildcard and (pattern.startswith("/") or any("**" in part and part != "**" for part in parts)):
            return set()  # uv takes these for nothing, or refuses them itself
        level = {"/" if pattern.startswith("/") else self._base}
        for at, part in enumerate(parts):
            if part != "**":
                level = self._matching(level, part)
            elif parts[at - 1 : at] != ["**"]:
                level = self._with_all_below(level)
        return level

    def _matching(self, level: set[str], part: str) -> set[str]:
        if not any(char in part for char in "*?["):
            paths = (os.path.normpath(f"{folder}/{part}") for folder in level)
            self._count(len(level))
            return {path for path in paths if os.path.isdir(path)}  # noqa: PTH112 - many of them
        matches = re.compile(translate(part)).match
        return {f"{folder}/{name}" for folder in level for name, _ in self._inside(folder) if matches(name)}

    def _with_all_below(self, level: set[str]) -> set[str]:
        found, waiting = set(level), list(level)
        while waiting:
            folder = waiting.pop()
            below = {f"{folder}/{name}" for name, is_link in self._inside(folder) if not is_link} - found
            found |= below
            waiting += below
        return found

    def _inside(self, folder: str) -> list[tuple[str, bool]]:
        """Names of the folders in one, and whether each is a link."""
        if folder not in self._listed:
            found: list[tuple[str, bool]] = []
            with suppress(OSError), os.scandir(folder) as entries:
                found.extend((entry.name, entry.is_symlink()) for entry in entries if entry.is_dir())
            self._listed[folder] = sorted(found)
        self._count(1 + len(self._listed[folder]))
        return self._listed[folder]

    def _count(self, looks: int) -> None:
        self._looks += looks
        if self._looks > MOST_LOOKS:
            msg = (
                f"{self._file}: tool.uv.workspace: 'members' and 'exclude' match too many folders to look at"
                " (node_modules, build results?); name the folders, or make '**' narrower"
            )
            raise ConfigError(msg)


def current_folder() -> Path:
    """The folder that this process is in.

    Raises:
        MachineError: it has been deleted.
    """
    try:
        return Path.cwd()
    except FileNotFoundError:
        msg = "the current folder has been deleted; change to another one (cd), or give --project DIR"
        raise MachineError(msg) from None


def find_pyproject(start: Path) -> Path:
    """The nearest pyproject.toml in ``start`` or above.

    Raises:
        NoProjectError: there is none.
        MachineError: the current folder has been deleted.
    """
    start_there = start if start.is_absolute() else current_folder() / start
    folder = Path(os.path.normpath(start_there))  # lexical: '..' does not follow links
    if not folder.is_dir():
        msg = f"{start}: no such folder"
        raise ConfigError(msg)
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if path.is_file():
            return path
    msg = f"no pyproject.toml in {folder} or any folder above; make one with 'uv init', or give --project DIR"
    raise NoProjectError(msg)
