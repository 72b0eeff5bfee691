"""What a choice of an adopted project comes to on one machine: a backend, and releases of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from torchsel.backend import backend_of_url, known_backend
from torchsel.project import requirements
from torchsel.project.present import table
from torchsel.project.requirements import is_version, marker_holds
from torchsel.selection.demand import parse_specifiers, python_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchsel.catalog.catalog import Catalog
    from torchsel.host import Host
    from torchsel.project.workspace import Project
    from torchsel.selection.demand import Demand
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
        pins = (item.version.partition("+")[2] for item in way.requirement.specifier)
        if pinned := next((tag for local in pins if (tag := known_tag(local))), None):
            return pinned
        item = self._source(way)
        files = (way.file, self.project.root)
        listed = [index.entry for file in files for index in file.present.indexes]
        if item is None:
            return _implicit(listed)
        entry = next((entry for entry in listed if entry.get("name") == item.get("index")), {})
        return _tag_of_index(entry)

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
        found = [*requirements.direct_requirements(self.project), *requirements.bounds(self.project)]
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
            found = requirements.locked_packages(self.project.lock, ["torch"])
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
        return requirements.environment(self.host, self.demand.python)


def known_tag(text: str) -> str | None:
    """``text`` where it is a backend."""
    found = known_backend(text)
    return found.tag if found else None


def tag_of_url(url: str) -> str | None:
    """The backend that an index is for, None where its URL says nothing."""
    found = backend_of_url(url)
    return found.tag if found else None


def _implicit(listed: list[Mapping[str, Any]]) -> str | None:
    """Where uv looks without a source: indexes that are not explicit, in order, then the default one."""
    urls = (str(entry.get("url")) for entry in listed if not entry.get("explicit"))
    return next((tag for url in urls if (tag := tag_of_url(url))), _DEFAULT)


def _tag_of_index(entry: Mapping[str, Any]) -> str | None:
    """A package index's URL ends in ``simple`` where it is not one of PyTorch's."""
    url = entry.get("url")
    if not isinstance(url, str):
        return None
    is_general = url.rstrip("/").endswith("/simple")
    return tag_of_url(url) or (_DEFAULT if is_general else None)


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
