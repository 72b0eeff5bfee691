"""A uv project or workspace in its folders: where its root is, and what belongs to it."""

from __future__ import annotations

import re
from fnmatch import translate
from pathlib import Path

from torchsel.errors import ConfigError
from torchsel.project.folders import FolderTree, find_pyproject
from torchsel.project.places import texts
from torchsel.project.project import Project, TomlFile, read_toml


def load_project(start: Path) -> Project:
    """Read the project that ``start`` (a folder) is in, up to its workspace root, as uv finds it.

    Raises:
        ConfigError: there is no pyproject.toml, or one is not UTF-8 or not TOML.
        MachineError: a file can't be read.
    """
    root = find_root(start)
    lock = root.path.parent / "uv.lock"
    paths = (folder / "pyproject.toml" for folder in _member_folders(root))
    return Project(
        root=root,
        members=tuple(read_toml(path) for path in paths if path != root.path and path.is_file()),
        lock=read_toml(lock) if lock.is_file() else None,
    )


def find_root(start: Path) -> TomlFile:
    """The pyproject.toml of the project that ``start`` is in, the workspace root's where it is in one.

    Raises:
        ConfigError: there is none, or one is not UTF-8 or not TOML.
        MachineError: a file can't be read.
    """
    file = read_toml(find_pyproject(start))
    return file if "workspace" in file.present.uv else _workspace_root(file) or file


def _workspace_root(member: TomlFile) -> TomlFile | None:
    """The next pyproject.toml above, where its workspace has this member."""
    folder = member.path.parent
    # uv looks no further up (0.13.9)
    above = next((path for at in folder.parents if (path := at / "pyproject.toml").is_file()), None)
    if above is None:
        return None
    try:
        candidate = read_toml(above)
    except ConfigError:  # one above that is broken is not ours to judge
        return None
    is_root = "workspace" in candidate.present.uv and folder in _member_folders(candidate)
    return candidate if is_root else None


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
    return list(dict.fromkeys(item.strip().removeprefix("./").rstrip("/") for item in texts(listed)))
