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
from dataclasses import dataclass
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
    said = (_said(file, mine) for item in _dependencies(strategy) for file in item.routers)
    return tuple(dict.fromkeys(filter(None, said)))


def has_dependencies(strategy: Strategy) -> bool:
    """Whether there are dependencies by path, whose files an answer depends on too."""
    return any(_dependencies(strategy))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Package:
    """A pyproject.toml, and that of the root of its workspace, which is the same where it is in none."""

    file: TomlFile
    root: TomlFile
    is_mine: bool = False

    @property
    def routers(self) -> tuple[TomlFile, ...]:
        """The file whose source of torch counts."""
        return next(((file,) for file in (self.file, self.root) if "torch" in file.present.sources), ())

    def folders(self) -> Iterator[Path]:
        """Where its dependencies by path are; its groups are nobody else's."""
        for item in self.file.required:
            if not self.is_mine and item.place.startswith("dependency-groups"):
                continue
            url = urlsplit(item.requirement.url or "")
            if url.scheme == "file":
                yield Path(unquote(url.path))
            for file in (self.file, self.root):
                source = file.present.sources.get(item.name)
                for entry in source.items if source else ():
                    if isinstance(path := entry.get("path"), str):
                        yield file.path.parent / path


def _dependencies(strategy: Strategy) -> Iterator[_Package]:
    """Every dependency by path, and theirs in turn."""
    project = strategy.setting.project
    waiting = deque(_Package(file=file, root=project.root, is_mine=True) for file in project.files)
    seen = {file.path.resolve() for file in project.files}
    most = len(seen) + MOST_DEPENDENCIES
    while waiting:
        for folder in waiting.popleft().folders():
            path = Path(os.path.normpath(folder)) / "pyproject.toml"
            if len(seen) >= most or path.resolve() in seen or not path.is_file():
                continue
            seen.add(path.resolve())
            try:
                found = _Package(file=read_toml(path), root=find_root(path.parent))
            except TorchselError:
                continue
            waiting.append(found)
            yield found


def _said(file: TomlFile, mine: set[str]) -> str:
    """That a file routes torch elsewhere, and what to do; empty where it does not."""
    other = _unscoped_url(file, mine)
    if not other:
        return ""
    line = line_of(f"{file.text.removeprefix(chr(0xFEFF))}\n", (*SOURCES, "torch"))
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
    source = file.present.sources.get("torch")
    names = [
        item.get("index")
        for item in (source.items if source else ())
        if "group" not in item and "extra" not in item
    ]
    urls = {index.name: index.url for index in file.present.indexes}
    found = (urls.get(name, "") for name in names if isinstance(name, str))
    return next((url for url in found if url and url.rstrip("/") not in mine), "")
