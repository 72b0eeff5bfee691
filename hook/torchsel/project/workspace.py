"""A uv project or workspace as its files describe it: where its root is, and what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from pathlib import Path

from torchsel.errors import ConfigError
from torchsel.project.folders import FolderTree, find_pyproject
from torchsel.project.project import Project, TomlFile
from torchsel.project.toml_file import read_toml


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
    tree = FolderTree(root.path)
    excluded = _patterns(workspace.get("exclude"))
    found = {folder for pattern in _patterns(workspace.get("members")) for folder in tree.glob(pattern)}
    found -= {folder for pattern in excluded for folder in tree.glob(pattern)}
    # an 'exclude' pattern's * stands for slashes as well (seen with uv 0.13.9)
    is_excluded = re.compile("|".join(map(translate, excluded)) or r"(?!)").match
    base = root.path.parent
    return sorted(
        folder
        for folder in map(Path, found)
        if not (folder.is_relative_to(base) and is_excluded(folder.relative_to(base).as_posix()))
    )


def _patterns(listed: object) -> list[str]:
    items = listed if isinstance(listed, list) else []
    cleaned = (item.strip().removeprefix("./").rstrip("/") for item in items if isinstance(item, str))
    return list(dict.fromkeys(cleaned))
