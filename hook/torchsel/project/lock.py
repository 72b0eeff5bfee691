"""What uv.lock holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from packaging.specifiers import SpecifierSet

from torchsel.host import Host
from torchsel.project.places import canonical
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import environment, is_version, marker_holds


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One ``[[package]]`` of uv.lock: exact version, registry URL where it has one, markers of its forks."""

    name: str
    version: str
    registry: str | None
    markers: tuple[str, ...]

    @property
    def public(self) -> str:
        """The version without its local part."""
        return self.version.partition("+")[0]

    @property
    def local(self) -> str:
        """The local version, empty where there is none."""
        return self.version.partition("+")[2]


def is_in_lock(project: Project) -> bool:
    """Whether uv.lock was made for each requirement of the files: it notes them, where times say little."""
    try:
        noted = set(_noted(project.lock)) if project.lock else set()
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ):  # no lock of uv's: it says what is wrong with it
        return False
    required = (item.requirement for item in project.required)
    return not noted or all(
        (canonical(item.name), frozenset(map(canonical, item.extras)), item.specifier) in noted
        for item in required
        if not item.url
    )


def locked_packages(lock: TomlFile | None, names: Iterable[str]) -> list[Locked]:
    """Entries of uv.lock for ``names``, in the lock's order."""
    wanted = set(names)
    packages = lock.data.get("package") if lock else None
    return [
        _locked(item)
        for item in (packages if isinstance(packages, list) else [])
        if isinstance(item, dict) and str(item.get("name")) in wanted and is_version(item.get("version"))
    ]


def locked_here(entries: Iterable[Locked], host: Host, python: str | None) -> list[Locked]:
    """Those of ``entries`` whose fork is for this host; all of them where no marker says so."""
    items = list(entries)
    return [item for item in items if _any_holds(item.markers, host, python)] or items


def _noted(lock: TomlFile) -> Iterator[tuple[str, frozenset[str], SpecifierSet]]:
    """What uv.lock says that the projects in it require: each name with its extras and specifiers."""
    packages = lock.data.get("package")
    noted = [item.get("metadata") for item in packages] if isinstance(packages, list) else []
    for table in (lock.data.get("manifest"), *noted):
        if isinstance(table, dict):
            groups = table.get("requires-dev") or table.get("dependency-groups") or {}
            for item in chain(table.get("requires-dist", ()), *groups.values()):
                extras = frozenset(map(canonical, item.get("extras", ())))
                yield item["name"], extras, SpecifierSet(item.get("specifier", ""))


def _any_holds(markers: tuple[str, ...], host: Host, python: str | None) -> bool:
    values = environment(host, python)
    return not markers or any(marker_holds(text, values) for text in markers)


def _locked(item: Mapping[str, Any]) -> Locked:
    source = item.get("source")
    registry = source.get("registry") if isinstance(source, dict) else None
    markers = item.get("resolution-markers")
    return Locked(
        name=str(item["name"]),
        version=str(item["version"]),
        registry=registry if isinstance(registry, str) else None,
        markers=tuple(map(str, markers)) if isinstance(markers, list) else (),
    )
