"""Routing that leaks between projects: uv reads the unscoped sources of a dependency by path or git, too.

Seen with uv 0.13.9: a library's ``tool.uv.sources.torch`` without ``group`` or ``extra`` counts in whatever
project requires it by path, as editable or from git, and with another index there uv says "Requirements
contain conflicting indexes". Sources that are scoped by a group don't leak.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from torchsel.errors import TorchselError
from torchsel.project.places import SOURCES
from torchsel.project.toml_file import read_toml
from torchsel.toml.edit import line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torchsel.project.project import TomlFile
    from torchsel.strategies.protocol import Strategy

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


def leaks_in(strategy: Strategy) -> Iterator[str]:
    """Dependencies by path that route torch to another index than this project, each with file and line."""
    project = strategy.setting.project
    mine = {index.url.rstrip("/") for index in project.root.present.indexes if index.backend}
    if strategy.is_users or not mine:
        return
    members = {file.path.resolve() for file in project.files}
    for path in islice(_dependencies(strategy), MOST_DEPENDENCIES):
        if path.resolve() in members:
            continue
        try:
            file = read_toml(path)
        except TorchselError:
            continue
        if other := _unscoped_url(file, mine):
            line = line_of(f"{file.text.removeprefix(chr(0xFEFF))}\n", (*SOURCES, "torch"))
            yield (
                f"{path}: line {line}: tool.uv.sources.torch leads to {other}, which uv reads here too and"
                " refuses beside this project's index; take it out there, or use strategy = 'groups' there"
            )


def _dependencies(strategy: Strategy) -> Iterator[Path]:
    """The pyproject.toml of each dependency by path."""
    for file in strategy.setting.project.files:
        for source in file.present.sources.values():
            for item in source.items:
                path = item.get("path")
                if isinstance(path, str) and (found := file.path.parent / path / "pyproject.toml").is_file():
                    yield found


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
