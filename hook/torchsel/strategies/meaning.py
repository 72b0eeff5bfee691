"""What a choice of an adopted project comes to on one machine: a backend, and releases of torch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from torchsel.backend import Backend, backend_of_url, known_backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import release_key
from torchsel.host import Host
from torchsel.project.lock import locked_packages
from torchsel.project.places import table
from torchsel.project.present import Index
from torchsel.project.project import Project
from torchsel.project.requirement import environment, is_version, marker_holds, parse_specifiers
from torchsel.selection.releases import python_matches
from torchsel.selection.values import Demand
from torchsel.strategies.offers import Place, Way

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

    project: Project
    host: Host
    demand: Demand
    catalog: Catalog

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
        if is_default:
            tag = self._default(releases)
        if tag is None or not releases:
            return Meaning(trouble=f"{where}: torchsel knows no build of the torch it requires")
        return Meaning(tag=tag, releases=frozenset(releases), is_default=is_default)

    def _tag(self, way: Way) -> str | None:
        """The backend's tag, `_DEFAULT` for the default index, None where it can't be told."""
        if url := self._url(way):
            return known_tag(_version_of_wheel(url).partition("+")[2])
        if pinned := known_tag(_pinned_local(way)):
            return pinned
        item = self._source(way)
        files = (way.file, self.project.root)
        listed = [index for file in files for index in file.present.indexes]
        if item is None:
            return _implicit(listed)
        found = next((index for index in listed if index.name and index.name == item.get("index")), None)
        return self._tag_of_index(found.url, way) if found else None

    def _tag_of_index(self, url: str, way: Way) -> str | None:
        """By its address; else by what uv.lock has from there, a part of the address, the name of the choice.

        An index with nothing before ``simple`` is taken for a copy of uv's default one.
        """
        if tag := tag_of_url(url):
            return tag
        if is_general(url):
            return _DEFAULT
        entries = locked_packages(self.project.lock, ["torch"])
        locals_ = {item.local for item in entries if (item.registry or "").rstrip("/") == url.rstrip("/")}
        words = re.split(r"[/_-]", url.partition("://")[2].partition("?")[0])
        name = way.place.name if way.place else ""
        slugs = {Backend.parse(tag).slug: tag for tag in self.catalog.tags if tag != "cpu"}
        named = (tag for slug, tag in slugs.items() if name == slug or name.endswith(f"-{slug}"))
        told = locals_ if len(locals_) == 1 else ()
        return next(filter(None, (*map(known_tag, told), *map(known_tag, words), *named)), None)

    def _source(self, way: Way) -> Mapping[str, Any] | None:
        return next((item for item in way.source if self._holds(item.get("marker"))), None)

    def _url(self, way: Way) -> str:
        """The address of one wheel, in the requirement or its source; empty where it is neither."""
        url = (self._source(way) or {}).get("url")
        return url if isinstance(url, str) else way.requirement.url or ""

    def _default(self, releases: list[str]) -> str | None:
        row = self.catalog.release(releases[0]) if releases else None
        return row.default_backend(self.host.platform) if row else None

    def _releases(self, ways: list[Way], tag: str) -> list[str]:
        """Rows of the catalog: of the locked release, else of the newest that uv would lock."""
        bounds = [str(way.requirement.specifier) for way in ways]
        allowed = parse_specifiers([*bounds, *self._bounds_everywhere()])
        known = [_version_of_wheel(self._url(ways[0])), *self._locked(ways[0])]
        locked = [text for text in known if is_version(text) and allowed.contains(text, prereleases=True)]
        if locked:
            rows = {self.catalog.standing_for(text.partition("+")[0]) for text in locked}
            return [row for row in self.catalog.releases if row in rows]
        builds = self.catalog.builds(backend=tag or None)
        fitting = (build.torch for build in builds if python_matches(build.python, self.demand))
        return [row for row in dict.fromkeys(fitting) if allowed.contains(row, prereleases=True)][:1]

    def _bounds_everywhere(self) -> Iterator[str]:
        """Bounds of torch that hold whatever is chosen."""
        found = [*self.project.required, *self.project.bounds]
        for item in found:
            everywhere = item.place in ("project.dependencies", "tool.uv.constraint-dependencies")
            if item.name == "torch" and everywhere and self._holds(item.requirement.marker):
                yield str(item.requirement.specifier)

    def _locked(self, way: Way) -> list[str]:
        """Public releases that uv.lock has for a requirement: as its package's entry says, else any."""
        packages = self.project.lock.data.get("package") if self.project.lock else None
        listed = packages if isinstance(packages, list) else []
        name = way.file.present.package
        mine = next((item for item in listed if isinstance(item, dict) and item.get("name") == name), {})
        entries = [item for item in _dependencies(mine, way.place) if self._is_here(item, way.place)]
        versions = [str(item["version"]).partition("+")[0] for item in entries if "version" in item]
        if not versions and (entries or not name):
            found = locked_packages(self.project.lock, ["torch"])
            versions = [item.public for item in found]
        return versions

    def _is_here(self, item: Mapping[str, Any], place: Place | None) -> bool:
        marker = item.get("marker")
        if item.get("name") != "torch" or not isinstance(marker, str):
            return item.get("name") == "torch"
        chosen = f"{place.scope}-{len(place.package)}-{place.package}-{place.name}" if place else ""
        return marker_holds(marker, self._environment() | {"extra": chosen})

    def _holds(self, marker: object) -> bool:
        return marker is None or marker_holds(str(marker), self._environment())

    def _environment(self) -> dict[str, str]:
        return environment(self.host, self.demand.python)


def known_tag(text: str) -> str | None:
    """``text`` where it is a backend."""
    found = known_backend(text)
    return found.tag if found else None


def tag_of_url(url: str) -> str | None:
    """The backend that an index is for, None where its URL says nothing."""
    found = backend_of_url(url)
    return found.tag if found else None


def is_general(url: str) -> bool:
    """Whether an index is uv's default one, PyPI, or a copy of it: its path is ``simple`` and no more."""
    host, _, path = url.partition("://")[2].partition("?")[0].partition("/")
    parts = [part for part in path.split("/") if part not in ("", "web")]
    return parts in (["simple"], ["pypi", "simple"]) or (
        host.startswith("pypi.") and parts[-1:] == ["simple"]
    )


def _implicit(listed: list[Index]) -> str | None:
    """Where uv looks without a source: indexes that are not explicit, in order, then the default one."""
    urls = (index.url for index in listed if not index.entry.get("explicit"))
    return next((tag for url in urls if (tag := tag_of_url(url))), _DEFAULT)


def _pinned_local(way: Way) -> str:
    """``cu128`` of ``torch==2.8.0+cu128``, empty where there is none."""
    exact = (item for item in way.requirement.specifier if item.operator in ("==", "==="))
    return next((local for item in exact if (local := item.version.partition("+")[2])), "")


def _version_of_wheel(url: str) -> str:
    """``2.8.0+cu128`` of ``…/torch-2.8.0%2Bcu128-cp312-….whl``, empty where the address says none."""
    return unquote(url).rpartition("/")[2].partition("-")[2].partition("-")[0]


def _dependencies(package: dict[str, Any], place: Place | None) -> list[Mapping[str, Any]]:
    """The lists of a ``[[package]]`` of uv.lock."""
    if place is None:
        found = package.get("dependencies")
    else:
        key = "optional-dependencies" if place.scope == "extra" else "dev-dependencies"
        found = table(package, key).get(place.name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
