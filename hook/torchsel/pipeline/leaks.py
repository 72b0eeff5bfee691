"""Routing that leaks between projects: uv reads the unscoped sources of a dependency by path or git, too.

Seen with uv 0.13.9: a library's ``tool.uv.sources.torch`` without ``group`` or ``extra``, its own or that of
the root of its workspace, counts in whatever project comes to it by path, as editable or from git, and with
another index there uv says "Requirements contain conflicting indexes". Sources that are scoped by a group
don't leak.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from torchsel.errors import TorchselError
from torchsel.project.places import SOURCES
from torchsel.project.project import TomlFile, read_toml
from torchsel.project.workspace import find_root
from torchsel.selection.remedy import command
from torchsel.strategies.protocol import Strategy
from torchsel.toml.edit import line_of

MOST_DEPENDENCIES = 100
"""Dependencies by path that are looked into."""


def leaks_out(strategy: Strategy) -> str:
    """That the routing of a library under pin reaches those who require it; empty where it does not."""
    root = strategy.setting.project.root
    is_packaged = "build-system" in root.data or root.present.uv.get("package") is True
    # sources that are scoped by a group don't leak
    if not strategy.is_for_one or not strategy.is_routed or not is_packaged:
        return ""
    return (
        f"{root.path.name}: this project is a package, and uv reads its tool.uv.sources.torch also where"
        " another project requires it by path or git; with strategy = 'groups' it does not leak"
    )


def leaks_in(strategy: Strategy) -> tuple[str, ...]:
    """Dependencies by path that route torch to another index than this project, each with file and line."""
    mine = {index.url.rstrip("/") for index in strategy.setting.present.indexes if index.backend}
    if strategy.is_users or not mine:
        return ()
    said = (_said(file, mine) for package in _dependencies(strategy) for file in _routers(*package))
    return tuple(dict.fromkeys(filter(None, said)))


def has_dependencies(strategy: Strategy) -> bool:
    """Whether there are dependencies by path, whose files an answer depends on too."""
    return any(_dependencies(strategy))


def _dependencies(strategy: Strategy) -> Iterator[tuple[TomlFile, TomlFile]]:
    """Every dependency by path, and theirs in turn: its file, and that of its workspace's root."""
    project = strategy.setting.project
    own = {file.path for file in project.files}
    waiting = deque((file, project.root) for file in project.files)
    seen = {path.resolve() for path in own}
    most = len(seen) + MOST_DEPENDENCIES
    while waiting:
        file, root = waiting.popleft()
        for folder in _folders(file, root, is_own=file.path in own):
            path = Path(os.path.normpath(folder)) / "pyproject.toml"
            if len(seen) >= most or path.resolve() in seen or not path.is_file():
                continue
            seen.add(path.resolve())
            try:
                found = read_toml(path), find_root(path.parent)
            except TorchselError:
                continue  # uv says what is wrong with it
            waiting.append(found)
            yield found


def _folders(file: TomlFile, root: TomlFile, *, is_own: bool) -> Iterator[Path]:
    for item in file.required:
        # uv installs the groups of a project alone, never those of what it requires
        if not is_own and item.place.startswith("dependency-groups"):
            continue
        url = urlsplit(item.requirement.url or "")
        if url.scheme == "file":
            yield Path(unquote(url.path))
        for at in (file, root):
            source = at.present.sources.get(item.name)
            for entry in source.items if source else ():
                if isinstance(path := entry.get("path"), str):
                    yield at.path.parent / path


def _routers(*files: TomlFile) -> list[TomlFile]:
    # uv takes a package's own source before that of its workspace's root
    return [file for file in files if "torch" in file.present.sources][:1]


def _said(file: TomlFile, mine: set[str]) -> str:
    """That a file routes torch elsewhere, and what to do; empty where it does not."""
    other = _unscoped_url(file, mine)
    if not other:
        return ""
    line = line_of(file.text, (*SOURCES, "torch"))
    way = "take it out there"
    if "torchsel" in file.table("tool"):
        words = command("torchsel", "deinit", "--project", str(file.path.parent))
        way = f"have strategy = 'groups' there, or run '{words}'"
    return (
        f"{file.path}: line {line}: tool.uv.sources.torch leads to {other}, which uv reads here too and"
        f" refuses beside this project's index; {way}"
    )


def _unscoped_url(file: TomlFile, mine: set[str]) -> str:
    """The index that a file's own unscoped source of torch leads to, where it is none of ``mine``."""
    unscoped = [
        item for item in file.present.sources["torch"].items if "group" not in item and "extra" not in item
    ]
    urls = {index.name: index.url for index in file.present.indexes}
    found = (urls.get(str(item.get("index")), "") for item in unscoped)
    return next((url for url in found if url and url.rstrip("/") not in mine), "")
