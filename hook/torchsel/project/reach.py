"""Which packages uv.lock installs for a part of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torchsel.project.places import LISTS, Scope, canonical, table
from torchsel.project.project import Project, TomlFile

_KEYS: Mapping[Scope, str] = {"extra": "optional-dependencies", "group": "dev-dependencies"}
"""What a package's extras and groups are called in uv.lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Some of what a pyproject.toml requires: ``lists`` are names of its extras and groups, normalised.

    ``has_base`` is whether ``project.dependencies`` are among it.
    """

    package: str
    lists: Mapping[Scope, Collection[str]]
    has_base: bool = True


def own_parts(project: Project) -> Iterator[Part]:
    """All that the user requires, so nothing that is in torchsel's own groups and extras."""
    for file in project.files:
        lists = {scope: names_of(file, scope) - file.present.own_lists(scope) for scope in LISTS}
        yield Part(package=file.present.package, lists=lists)


def names_of(file: TomlFile, scope: Scope) -> set[str]:
    """Names of the extras or groups that a file defines; ``dev`` also in uv's legacy list."""
    legacy = {"dev"} if scope == "group" and "dev-dependencies" in file.table("tool", "uv") else set()
    return {canonical(name) for name in file.table(*LISTS[scope])} | legacy


def reached(lock: TomlFile, parts: Iterable[Part]) -> set[str]:
    """Names of the packages that ``parts`` come to on some platform."""
    packages: dict[str, list[Mapping[str, Any]]] = {}
    for item in _list(lock.data.get("package")):
        packages.setdefault(str(item.get("name")), []).append(item)
    waiting = [edge for part in parts for edge in _first(lock, packages, part)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = edge = waiting.pop()
        if edge not in seen:
            seen.add(edge)
            for item in packages.get(name, ()):
                listed = table(item, _KEYS["extra"]).get(extra) if extra else item.get("dependencies")
                waiting += _edges(listed)
    return {name for name, _ in seen}


def _first(
    lock: TomlFile, packages: Mapping[str, list[Mapping[str, Any]]], part: Part
) -> Iterator[tuple[str, str]]:
    for item in packages.get(part.package, ()):
        yield from _edges(item.get("dependencies") if part.has_base else None)
        for scope, key in _KEYS.items():
            for name in part.lists.get(scope, ()):
                yield from _edges(table(item, key).get(name))
    if not part.package:  # a root that is no project, or a script
        manifest = lock.table("manifest")
        yield from _edges(manifest.get("requirements") if part.has_base else None)
        for name in part.lists.get("group", ()):
            yield from _edges(table(manifest, "dependency-groups").get(name))


def _edges(listed: object) -> Iterator[tuple[str, str]]:
    for item in _list(listed):
        name = str(item.get("name"))
        yield name, ""
        extras = item.get("extra") or item.get("extras")
        yield from ((name, str(extra)) for extra in (extras if isinstance(extras, list) else ()))


def _list(value: object) -> list[Any]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
