"""The files and folders that an outcome depended on, those that are not there among them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from torchsel.errors import TorchselError
from torchsel.files.journal import Journal
from torchsel.files.replace import temporary_of
from torchsel.files.state import state_path
from torchsel.project.environment import DEFAULT, any_environment, present_environments
from torchsel.project.toml_file import parse_toml, read_text

SETTLED = 2_000_000_000
"""Nanoseconds; a file that changed later before the command began may be changed again within one tick of the
clock that its file system keeps (FAT: 2 s), so that its times would not tell."""

TICK = 50_000_000
"""Nanoseconds; the same for a folder, whose times Linux keeps to some milliseconds. Shared ones
change often."""

MOST_FILES = 5000
"""With more of them looking at each is no quicker than doing the work."""

_AT_A_ROOT = ("uv.lock", ".python-version")
_IN_ANY_FOLDER = ("pyproject.toml", "uv.toml")


def files_behind(start: Path, environ: Mapping[str, str]) -> list[str] | None:
    """Every path that can change how the project in the folder ``start`` is understood, and which uv is used.

    Those are looked for upwards from ``start``, in what a workspace lists, where a killed run leaves
    something, and on ``PATH``. None where they are too many.
    """
    found: list[str] = []
    here = Path(os.path.abspath(start))  # noqa: PTH100 - '..' is taken out as uv does
    for folder in (here, *here.parents):
        found += (str(folder / name) for name in _IN_ANY_FOLDER)
        if os.path.exists(folder / "pyproject.toml"):  # noqa: PTH110 - Path's may raise PermissionError
            found += islice(_root_files(folder, environ), MOST_FILES + 1)
    found += (f"{entry}/uv" for entry in environ.get("PATH", "").split(os.pathsep) if entry.startswith("/"))
    found += filter(None, (environ.get(name) for name in ("UV", "TORCHSEL_HOST")))
    return found if len(found) <= MOST_FILES else None


def is_settled(paths: Iterable[str], began: int) -> bool:
    """Whether no path was changed since shortly before ``began``, so that it is what was read since then."""
    return all(_is_older(path, began) for path in paths)


def _is_older(path: str, began: int) -> bool:
    """For a missing one the nearest folder tells whether it was taken away."""
    slack, at = SETTLED, path
    while True:
        try:
            found = os.stat(at)  # noqa: PTH116 - thousands of them
        except (FileNotFoundError, NotADirectoryError):
            slack, at = TICK, os.path.dirname(at)  # noqa: PTH120 - thousands of them
        except OSError:
            return False
        else:
            return max(found.st_mtime_ns, found.st_ctime_ns) < began - slack


def _root_files(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """What matters where ``folder`` is a project's, or a workspace's, root."""
    pyproject, lock = folder / "pyproject.toml", folder / "uv.lock"
    yield from (str(folder / name) for name in _AT_A_ROOT)
    yield from (str(temporary_of(path)) for path in (pyproject, lock))
    yield str(Journal(pyproject, state_path(environ, folder)).path)
    yield from _environment_files(folder, environ)
    yield from _member_files(folder)


def _environment_files(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """What tells an environment's Python; where a pattern names none yet, the folder that one will be in."""
    key = _table(folder / "pyproject.toml", "tool", "torchsel").get("environment")
    try:
        wanted = any_environment(folder, key if isinstance(key, str) else None, environ)
    except TorchselError:
        return
    found = present_environments(wanted)
    yield from (str(folder / place / "pyvenv.cfg") for place in found or (wanted.path,))
    if wanted.pattern and set(found) <= {DEFAULT}:
        yield str(folder / wanted.pattern.partition("{")[0].rpartition("/")[0])


def _member_files(root: Path) -> Iterator[str]:
    """Every folder in which the workspace's patterns look, and the pyproject.toml of each they come to."""
    for pattern in _patterns(root / "pyproject.toml"):
        level = {root}
        for part in pattern.strip("/").split("/"):
            if any(char in part for char in "*?["):
                yield from map(str, sorted(level))
                level = {path for folder in level for path in _matches(folder, part)}
                yield from map(str, sorted(level) if part == "**" else ())
            else:
                level = {folder / part for folder in level}
        yield from (str(folder / "pyproject.toml") for folder in sorted(level))


def _matches(folder: Path, part: str) -> list[Path]:
    try:
        return list(islice((path for path in folder.glob(part) if path.is_dir()), MOST_FILES))
    except (ValueError, NotImplementedError, OSError):
        return []


def _patterns(path: Path) -> list[str]:
    """The ``members`` and ``exclude`` patterns of a workspace; none where the file can't be understood."""
    table = _table(path, "tool", "uv", "workspace")
    lists = (table.get(key) for key in ("members", "exclude"))
    items = (item for items in lists if isinstance(items, list) for item in items)
    return [item.strip() for item in items if isinstance(item, str)]


def _table(path: Path, *keys: str) -> dict[str, Any]:
    """A table of a TOML file; an empty one where there is none, or the file can't be understood."""
    try:
        tables = parse_toml(read_text(path), path)
    except (TorchselError, OSError):
        return {}
    for key in keys:
        found = tables.get(key)
        tables = found if isinstance(found, dict) else {}
    return tables
