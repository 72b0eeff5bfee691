"""Which releases of torch a project allows, and which builds serve its Python."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.config.config import Config
from torchsel.errors import DemandError
from torchsel.host import PLATFORMS
from torchsel.project.requirement import environment, is_version, marker_holds, parse_specifiers
from torchsel.selection.values import Demand, Releases


def find_releases(demand: Demand, config: Config, catalog: Catalog) -> Releases:
    """The releases that ``demand`` allows.

    Raises:
        DemandError: a specifier is malformed, or no release meets them all.
    """
    specifier = parse_specifiers(demand.specifiers)
    if not catalog.releases:
        raise DemandError("torchsel knows none of the builds that this project's extras or groups lead to")
    allowed = tuple(specifier.filter(catalog.releases, prereleases=True))
    locked = [] if demand.upgrade else _admitted(demand.locked, specifier)
    kept = _locked_releases(locked, allowed, catalog)
    if kept.locked:
        return kept
    newest = catalog.releases[0]
    if _admits_newer(specifier, newest) and (not allowed or config.channel != "stable"):
        which = f"channel {config.channel!r}" if config.channel != "stable" else f"torch{demand.wanted}"
        note = f"{which} is newer than torchsel's catalog: judged by the builds of torch {newest}"
        return replace(kept, allowed=(newest,), stands_for=((newest, None),), notes=(*kept.notes, note))
    if not allowed:
        known = f"{catalog.releases[-1]} to {newest}"
        msg = f"no PyTorch release from 2.0 on satisfies torch{demand.wanted}; torchsel knows {known}"
        raise DemandError(msg)
    return kept


def best_release(demand: Demand, tag: str, config: Config, catalog: Catalog) -> str | None:
    """The release of torch that a project gets with backend ``tag``, on whatever machine.

    A locked release that has the backend, else the newest one allowed; None where no allowed release has it,
    or only "newer than the catalog" is known.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    releases = find_releases(demand, config, catalog)
    builds = [build for build in catalog.builds(backend=tag) if python_matches(build.python, demand)]
    there = [
        build.torch for rows in (releases.locked, releases.allowed) for build in builds if build.torch in rows
    ]
    return releases.public(there[0]) if there else None


def allowed_releases(tag: str, demand: Demand, catalog: Catalog) -> list[str]:
    """The releases of torch that a backend has and the project allows, newest first."""
    builds = (build for build in catalog.builds(backend=tag) if python_matches(build.python, demand))
    there = dict.fromkeys(build.torch for build in builds)
    return list(parse_specifiers(demand.specifiers).filter(there, prereleases=True))


def shared_releases(tags: Iterable[str], demand: Demand, catalog: Catalog) -> list[str]:
    """The releases of torch that the project allows and each of these backends has, newest first."""
    having = [allowed_releases(tag, demand, catalog) for tag in tags]
    return [torch for torch in catalog.releases if all(torch in each for each in having)]


def reference_release(demand: Demand, backend: Backend, catalog: Catalog) -> str | None:
    """The torch release that the routing of ``backend`` is generated for, whatever machine asks.

    The locked one that the backend has, else the newest it has within the project's specifiers, else None.
    """
    there = {build.torch: None for build in catalog.builds(backend=backend.tag)}
    allowed = SpecifierSet(",".join(demand.specifiers))
    locked = [release for release in demand.locked if release in there]
    return next(iter([*locked, *allowed.filter(there)]), None)


def platforms(backend: Backend, torch: str | None, catalog: Catalog) -> Collection[str]:
    """Where the build exists; for a backend the catalog doesn't know, where its family's newest one does."""
    found = catalog.platforms_of(backend.tag, torch)
    if found:
        return found
    # one that is newer than the catalog will have what its family has
    kin = [build for build in catalog.all_builds if Backend.parse(build.backend).family == backend.family]
    return catalog.platforms_of(kin[0].backend if kin else "cpu", None)


def python_matches(python: tuple[str, ...], demand: Demand) -> bool:
    """Whether a build with wheels for these Python releases serves the project's Python."""
    if not python:
        return True
    if demand.python is not None:
        return demand.python in python
    return not demand.requires_python or _overlaps(python, demand.requires_python)


def lacking_python(
    demand: Demand, allowed: tuple[str, ...], catalog: Catalog, platform: str
) -> tuple[str, frozenset[str]]:
    """The oldest Python that the project allows uv to lock for, and the backends without a wheel for it.

    Empty where no backend has one, as then another has to be found by moving ``requires-python``.
    """
    # uv locks for every Python of the project at once: an index with nothing for one has no solution
    oldest = _oldest(demand.requires_python, demand.environments) if demand.requires_python else ""
    found: dict[str, set[str]] = {}
    for build in catalog.builds(platform=platform):
        if build.torch in allowed:
            found.setdefault(build.backend, set()).update(build.python)
    having = {tag for tag, python in found.items() if oldest in python or not python}
    return oldest, frozenset(found.keys() - having if having else ())


@cache
def _oldest(required: str, environments: tuple[str, ...]) -> str:
    try:
        wanted = SpecifierSet(required)
    except InvalidSpecifier:  # told where a build is judged by it
        return ""
    minors = (f"3.{minor}" for minor in range(4, 20))
    return next((item for item in minors if _meets(item, wanted) and _is_locked_for(item, environments)), "")


def _is_locked_for(minor: str, environments: tuple[str, ...]) -> bool:
    values = [environment(host, minor) for host in PLATFORMS]
    return not environments or any(marker_holds(text, each) for text in environments for each in values)


@cache
def _overlaps(python: tuple[str, ...], required: str) -> bool:
    # cached, as it is asked for every build and has a few answers
    try:
        wanted = SpecifierSet(required)
    except InvalidSpecifier:
        msg = f"project.requires-python: {required!r} is not a version specifier"
        raise DemandError(msg) from None
    return any(_meets(tag.rstrip("t"), wanted) for tag in python)


def _meets(minor: str, wanted: SpecifierSet) -> bool:
    """Whether some patch release of ``minor`` does."""
    # there is no list of them: an early or a late one, or one at or beside a bound
    texts = (item.version.removesuffix(".*") for item in wanted)
    named = [Version(text).micro for text in texts if is_version(text)]
    tries = sorted({0, 99, *(micro + step for micro in named for step in (-1, 0, 1))})
    return any(wanted.contains(f"{minor}.{micro}") for micro in tries if micro >= 0)


def _locked_releases(locked: list[Version], allowed: tuple[str, ...], catalog: Catalog) -> Releases:
    rows = {str(item): catalog.standing_for(item.base_version) for item in locked}
    kept = {name: row for name, row in rows.items() if row is not None}
    others = tuple((row, name) for name, row in kept.items() if row != name)
    notes = [
        f"torch {name} is not in torchsel's catalog: judged by the builds of torch {row}"
        for row, name in others
    ]
    lost = tuple(name for name, row in rows.items() if row is None)
    notes += [f"torch {name} in uv.lock is older than any release that torchsel knows" for name in lost]
    return Releases(
        allowed=tuple(row for row in catalog.releases if row in allowed or row in kept.values()),
        locked=tuple(row for row in catalog.releases if row in kept.values()),
        stands_for=others,
        lost=lost,
        notes=tuple(notes),
    )


def _admitted(texts: Iterable[str], specifier: SpecifierSet) -> list[Version]:
    versions = [Version(text) for text in texts if is_version(text)]
    return [version for version in versions if specifier.contains(version, prereleases=True)]


def _admits_newer(specifier: SpecifierSet, newest: str) -> bool:
    """Whether some release after the newest known one would meet the specifiers."""
    # the next ones of each kind, and those that the specifiers name
    major, minor, micro = Version(newest).release
    named = [item.version.removesuffix(".*") for item in specifier]
    later = [f"{major}.{minor}.{micro + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"]
    guesses = [*later, *named, *(f"{name}.1" for name in named)]
    return any(guess > Version(newest) for guess in _admitted(guesses, specifier))
