"""What uv.lock holds, and which of it is installed for a part of the project."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from packaging.specifiers import SpecifierSet

from torchsel.host import Host
from torchsel.project.places import LISTS, Scope, canonical, table, tables
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import holds_on, is_version

LOCKED_LISTS: Mapping[Scope, str] = {"extra": "optional-dependencies", "group": "dev-dependencies"}
"""What a package's extras and groups are called in uv.lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One ``[[package]]`` of uv.lock: exact version, registry URL (or nothing), markers of its forks."""

    name: str
    version: str
    registry: str
    markers: tuple[str, ...]

    @property
    def public(self) -> str:
        """The version without its local part."""
        return self.version.partition("+")[0]

    @property
    def local(self) -> str:
        """The local version, empty where there is none."""
        return self.version.partition("+")[2]


def lock_entries(lock: TomlFile | None) -> list[dict[str, Any]]:
    """Every ``[[package]]``; none of a missing lock."""
    return tables(lock.data.get("package")) if lock else []


def locked_packages(lock: TomlFile | None, names: Collection[str]) -> list[Locked]:
    """Entries of uv.lock for ``names``, in the lock's order."""
    return [
        _locked(item)
        for item in lock_entries(lock)
        if str(item.get("name")) in names and is_version(item.get("version"))
    ]


def _locked(item: Mapping[str, Any]) -> Locked:
    registry = table(item, "source").get("registry")
    markers = item.get("resolution-markers")
    return Locked(
        name=str(item["name"]),
        version=str(item["version"]),
        registry=registry if isinstance(registry, str) else "",
        markers=tuple(map(str, markers)) if isinstance(markers, list) else (),
    )


def locked_here(entries: Collection[Locked], host: Host, python: str | None) -> list[Locked]:
    """Those of ``entries`` whose fork is for this host; all of them where no marker says so."""
    here = [
        item
        for item in entries
        if not item.markers or any(holds_on(text, host, python) for text in item.markers)
    ]
    return here or list(entries)


def is_in_lock(project: Project) -> bool:
    """Whether uv.lock was made for each requirement of the files: it notes them, where times say little."""
    try:
        noted = set(_noted(project.lock)) if project.lock else set()
    except (AttributeError, KeyError, TypeError, ValueError):  # no lock of uv's, which says what is wrong
        return False
    required = (item.requirement for item in project.required)
    return not noted or all(
        (canonical(item.name), frozenset(map(canonical, item.extras)), item.specifier) in noted
        for item in required
        if not item.url
    )


def _noted(lock: TomlFile) -> Iterator[tuple[str, frozenset[str], SpecifierSet]]:
    """What uv.lock says that the projects in it require: each name with its extras and specifiers."""
    packages = lock.data.get("package")
    noted = [item.get("metadata") for item in packages] if isinstance(packages, list) else []
    for each in (lock.data.get("manifest"), *noted):
        if isinstance(each, dict):
            groups = each.get("requires-dev") or each.get("dependency-groups") or {}
            for item in chain(each.get("requires-dist", ()), *groups.values()):
                extras = frozenset(map(canonical, item.get("extras", ())))
                yield item["name"], extras, SpecifierSet(item.get("specifier", ""))


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
        present = file.present
        lists = {scope: present.names(scope) - present.own_lists[scope] for scope in LISTS}
        yield Part(package=present.package, lists=lists)


def reached(lock: TomlFile, parts: Iterable[Part]) -> set[str]:
    """Names of the packages that ``parts`` come to on some platform."""
    packages: dict[str, list[dict[str, Any]]] = {}
    for entry in lock_entries(lock):
        packages.setdefault(str(entry.get("name")), []).append(entry)
    waiting = [edge for part in parts for edge in _first(lock, packages, part)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = edge = waiting.pop()
        if edge not in seen:
            seen.add(edge)
            for item in packages.get(name, ()):
                listed = table(item, LOCKED_LISTS["extra"]).get(extra) if extra else item.get("dependencies")
                waiting += _edges(listed)
    return {name for name, _ in seen}


def _first(
    lock: TomlFile, packages: Mapping[str, list[dict[str, Any]]], part: Part
) -> Iterator[tuple[str, str]]:
    for item in packages.get(part.package, ()):
        yield from _edges(item.get("dependencies") if part.has_base else None)
        for scope, key in LOCKED_LISTS.items():
            for name in part.lists.get(scope, ()):
                yield from _edges(table(item, key).get(name))
    if not part.package:  # a root that is no project, or a script
        manifest = lock.table("manifest")
        yield from _edges(manifest.get("requirements") if part.has_base else None)
        for name in part.lists.get("group", ()):
            yield from _edges(table(manifest, "dependency-groups").get(name))


def _edges(listed: object) -> Iterator[tuple[str, str]]:
    for item in tables(listed):
        name = str(item.get("name"))
        yield name, ""
        extras = item.get("extra") or item.get("extras")
        yield from ((name, str(extra)) for extra in (extras if isinstance(extras, list) else ()))
