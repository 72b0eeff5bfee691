"""What a choice of an adopted project comes to on one machine: a backend, and releases of torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from torchsel.backend import Backend, known_backend
from torchsel.catalog.rows import release_key
from torchsel.host import Host
from torchsel.project.lock import LOCKED_LISTS, lock_entries
from torchsel.project.places import table, tables
from torchsel.project.present import Index
from torchsel.project.requirement import environment, holds_on, is_version, marker_holds, parse_specifiers
from torchsel.project.requirements import exact_local
from torchsel.selection.releases import python_matches
from torchsel.selection.values import Demand
from torchsel.strategies.offers import Place, Way
from torchsel.strategies.protocol import Setting

_DEFAULT = ""
"""Stands for uv's default index, whose build is the catalog's to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """``tag`` is None where it can't be told and ``trouble`` says why; ``releases`` are catalog rows.

    ``is_default`` says that it comes from uv's default index.
    """

    tag: str | None = None
    releases: frozenset[str] = frozenset()
    trouble: str = ""
    is_default: bool = False

    @property
    def newest(self) -> tuple[int, ...]:
        """The newest of the releases, as numbers."""
        return max(map(release_key, self.releases), default=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Reads choices for ``host``; ``demand`` has the project's Python."""

    setting: Setting
    host: Host
    demand: Demand

    def meaning(self, ways: Iterable[Way], where: str) -> Meaning:
        """What is installed for these requirements, of which those apply whose markers hold here.

        Raises:
            ConfigError: a specifier is malformed.
        """
        here = [way for way in ways if self._holds(way.requirement.marker)]
        if not here:
            return Meaning(trouble=f"{where} requires torch on other platforms only")
        if self.host.system == "darwin" and any(map(_pinned_local, here)):
            return Meaning(trouble=f"{where} pins a local version of torch, which no wheel for macOS has")
        tag = self._tag(here[0])
        if tag is None:
            return Meaning(trouble=f"{where}: its index or source names no backend that torchsel knows")
        releases = self._releases(here, tag)
        is_default = tag == _DEFAULT
        if is_default and releases:
            row = self.setting.catalog.release(releases[0])
            tag = row.default_backend(self.host.platform) if row else None
        if tag is None or not releases:
            return Meaning(trouble=f"{where}: torchsel knows no build of the torch it requires")
        return Meaning(tag=tag, releases=frozenset(releases), is_default=is_default)

    def _tag(self, way: Way) -> str | None:
        """The backend's tag, `_DEFAULT` for the default index, None where it can't be told."""
        # an address, or a local version, decides whatever the index is
        if url := self._url(way):
            return _known_tag(_version_of_wheel(url).partition("+")[2])
        if pinned := _known_tag(_pinned_local(way)):
            return pinned
        item = self._source(way)
        files = (way.file, self.setting.project.root)
        listed = [index for file in files for index in file.present.indexes]
        if item is None:
            # uv looks in indexes that are not explicit, in order, then in the default one
            return next(
                (index.tag for index in listed if index.tag and not index.entry.get("explicit")), _DEFAULT
            )
        found = next((index for index in listed if index.name and index.name == item.get("index")), None)
        return self._tag_of_index(found, way) if found else None

    def _tag_of_index(self, index: Index, way: Way) -> str | None:
        """By its address, what uv.lock has from there, a part of the address, or the name of the choice."""
        if index.tag:
            return index.tag
        # nothing before `simple`: a copy of uv's default index
        if is_general(index.url):
            return _DEFAULT
        here = index.url.rstrip("/")
        locals_ = {item.local for item in self.setting.locked if item.registry.rstrip("/") == here}
        words = re.split(r"[/_-]", index.url.partition("://")[2].partition("?")[0])
        name = way.place.name if way.place else ""
        slugs = {Backend.parse(tag).slug: tag for tag in self.setting.catalog.tags if tag != "cpu"}
        named = (tag for slug, tag in slugs.items() if name == slug or name.endswith(f"-{slug}"))
        told = locals_ if len(locals_) == 1 else ()  # several: the index has builds for several backends
        return next(filter(None, (*map(_known_tag, told), *map(_known_tag, words), *named)), None)

    def _source(self, way: Way) -> Mapping[str, Any] | None:
        return next((item for item in way.source if self._holds(item.get("marker"))), None)

    def _url(self, way: Way) -> str:
        """The address of one wheel, in the requirement or its source; empty where it is neither."""
        url = (self._source(way) or {}).get("url")
        return url if isinstance(url, str) else way.requirement.url or ""

    def _releases(self, ways: list[Way], tag: str) -> list[str]:
        """Rows of the catalog: of the locked release, else of the newest that uv would lock."""
        catalog = self.setting.catalog
        everywhere = [item.requirement for item in self.setting.project.naming("torch") if item.is_everywhere]
        bounds = [item for item in everywhere if self._holds(item.marker)]
        required = (*(way.requirement for way in ways), *bounds)
        allowed = parse_specifiers(str(item.specifier) for item in required)
        known = [_version_of_wheel(self._url(ways[0])), *self._locked(ways[0])]
        locked = [text for text in known if is_version(text) and allowed.contains(text, prereleases=True)]
        if locked:
            rows = {catalog.standing_for(text.partition("+")[0]) for text in locked}
            return [row for row in catalog.releases if row in rows]
        builds = catalog.builds(backend=tag or None)  # nothing is locked: uv will take the newest that fits
        fitting = (build.torch for build in builds if python_matches(build.python, self.demand))
        return [row for row in dict.fromkeys(fitting) if allowed.contains(row, prereleases=True)][:1]

    def _locked(self, way: Way) -> list[str]:
        """Public releases that uv.lock has for a requirement: as its package's entry says, else any."""
        name, packages = way.file.present.package, lock_entries(self.setting.project.lock)
        mine = next((item for item in packages if item.get("name") == name), {})
        lists = table(mine, LOCKED_LISTS[way.place.scope]) if way.place else mine
        listed = tables(lists.get(way.place.name if way.place else "dependencies"))
        entries = [item for item in listed if item.get("name") == "torch" and self._is_here(item, way.place)]
        versions = [str(item["version"]).partition("+")[0] for item in entries if "version" in item]
        # uv.lock says the version in such a list only where it has several of the package
        if not versions and (entries or not name):
            return [item.public for item in self.setting.locked]
        return versions

    def _is_here(self, item: Mapping[str, Any], place: Place | None) -> bool:
        marker = item.get("marker")
        # uv.lock's markers have those that conflict under names such as extra-7-project-cpu
        chosen = f"{place.scope}-{len(place.package)}-{place.package}-{place.name}" if place else ""
        values = environment(self.host, self.demand.python) | {"extra": chosen}
        return not isinstance(marker, str) or marker_holds(marker, values)

    def _holds(self, marker: object) -> bool:
        return holds_on(marker, self.host, self.demand.python)


def _known_tag(text: str) -> str | None:
    """``text`` where it is a backend."""
    found = known_backend(text)
    return found.tag if found else None


def is_general(url: str) -> bool:
    """Whether an index is uv's default one, PyPI, or a copy of it: its path is ``simple`` and no more."""
    host, _, path = url.partition("://")[2].partition("?")[0].partition("/")
    parts = [part for part in path.split("/") if part not in ("", "web")]
    return parts in (["simple"], ["pypi", "simple"]) or (
        host.startswith("pypi.") and parts[-1:] == ["simple"]
    )


def _pinned_local(way: Way) -> str:
    return next(filter(None, map(exact_local, way.requirement.specifier)), "")


def _version_of_wheel(url: str) -> str:
    """``2.8.0+cu128`` of ``…/torch-2.8.0%2Bcu128-cp312-….whl``, empty where the address says none."""
    return unquote(url).rpartition("/")[2].partition("-")[2].partition("-")[0]
