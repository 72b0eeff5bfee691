"""A uv project as its files describe it, and one such file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torchsel.errors import ConfigError
from torchsel.project.places import LISTS, table
from torchsel.project.present import Present
from torchsel.project.requirement import Required, read_lists
from torchsel.project.toml_file import parse_toml, read_text

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
        return table(self.data, *keys)

    @cached_property
    def present(self) -> Present:
        """What of it concerns routing, and whose it is."""
        return Present(self.data)

    @cached_property
    def required(self) -> tuple[Required, ...]:
        """Every requirement that uv's sources apply to.

        That is ``project.dependencies``, its extras, the dependency groups (torchsel's own left out) and uv's
        legacy ``dev-dependencies``.
        """
        return tuple(read_lists(self._lists()))

    def _lists(self) -> Iterator[tuple[str, object]]:
        yield "project.dependencies", self.table("project").get("dependencies")
        for scope, path in LISTS.items():
            for name, items in self.present.lists(scope).items():
                if not self.present.is_generated(scope, name):
                    yield ".".join((*path, name)), items
        yield "tool.uv.dev-dependencies", self.present.uv.get("dev-dependencies")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project: ``root`` is the workspace root's pyproject.toml, ``members`` those of its other members.

    ``is_there`` is False for what `no_project` makes, and for a script.
    """

    root: TomlFile
    members: tuple[TomlFile, ...] = ()
    lock: TomlFile | None = None
    is_there: bool = True

    @property
    def folder(self) -> Path:
        """The folder of the root pyproject.toml, where uv.lock and .venv are."""
        return self.root.path.parent

    @property
    def files(self) -> tuple[TomlFile, ...]:
        """Every pyproject.toml, the root's first."""
        return (self.root, *self.members)

    @property
    def required(self) -> tuple[Required, ...]:
        """What the root and its members require, as `TomlFile.required` has it."""
        return tuple(item for file in self.files for item in file.required)

    @property
    def bounds(self) -> tuple[Required, ...]:
        """The root's ``constraint-dependencies`` and ``override-dependencies``, which are uv's."""
        keys = ("constraint-dependencies", "override-dependencies")
        return tuple(read_lists((f"tool.uv.{key}", self.root.present.uv.get(key)) for key in keys))

    def naming(self, package: str) -> tuple[Required, ...]:
        """The requirements, constraints and overrides of a package."""
        return tuple(item for item in (*self.required, *self.bounds) if item.name == package)

    @property
    def is_configured(self) -> bool:
        """Whether the root has ``[tool.torchsel]``."""
        return "torchsel" in self.root.table("tool")

    @property
    def is_managed(self) -> bool:
        """Whether uv manages the project (``tool.uv.managed``)."""
        return self.root.present.uv.get("managed") is not False


def no_project(folder: Path) -> Project:
    """What stands for a project where there is none: no requirement, no table, no lock."""
    return Project(root=TomlFile(path=folder / "pyproject.toml", text="", data={}), is_there=False)
