"""Which releases of torch a project allows, from its requirements and its lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from torchsel.errors import DemandError
from torchsel.host import PLATFORMS
from torchsel.project.markers import environment, marker_holds
from torchsel.project.requirement import is_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchsel.catalog.catalog import Catalog
    from torchsel.config.config import Config
    from torchsel.project.requirement import Added


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a project asks of torch.

    ``specifiers`` (PEP 440) must all hold; ``requires_python`` is the project's, ``python`` the release of
    its interpreter (``3.12``) where known; ``locked`` are the public releases in uv.lock, newest first
    (several where uv forks); ``upgrade`` gives them up. ``packages`` are the names of the
    project's packages, required or locked, ``versions`` the locked public releases of those that decide.
    ``environments`` are the markers to which ``tool.uv.environments`` limits what uv locks for,
    ``built_for`` the packages from addresses that name a CUDA, each with that (``12.8``, or ``12`` for any).
    ``direct`` are the project's own requirements of torch and those, as ``uv add`` finds them.
    """

    specifiers: tuple[str, ...] = ()
    requires_python: str | None = None
    python: str | None = None
    locked: tuple[str, ...] = ()
    upgrade: bool = False
    packages: frozenset[str] = frozenset()
    versions: tuple[tuple[str, str], ...] = ()
    environments: tuple[str, ...] = ()
    built_for: tuple[tuple[str, str], ...] = ()
    direct: tuple[Added, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Releases:
    """The releases to choose among, as the catalog's rows, newest first.

    ``stands_for`` maps a row to the release it was taken for, where that is another one: None where only
    "newer than the catalog" is known. ``lost`` are locked releases that can't be kept.
    """

    allowed: tuple[str, ...]
    locked: tuple[str, ...] = ()
    stands_for: tuple[tuple[str, str | None], ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def public(self, row: str) -> str | None:
        """The release that a row was taken for, None where unknown."""
        return dict(self.stands_for).get(row, row)


def find_releases(demand: Demand, config: Config, catalog: Catalog) -> Releases:
    """The releases that ``demand`` allows.

    Raises:
        DemandError: a specifier is malformed, or no release meets them all.
    """
    specifier = parse_specifiers(demand.specifiers)
    if not catalog.releases:
        raise DemandError("this project offers no build of torch that torchsel knows")
    allowed = tuple(row for row in catalog.releases if specifier.contains(row, prereleases=True))
    locked = [] if demand.upgrade else list(_admitted(demand.locked, specifier))
    kept = _locked_releases(locked, allowed, catalog)
    if kept.locked:
        return kept
    newest = catalog.releases[0]
    if _admits_newer(specifier, newest) and (not allowed or config.channel != "stable"):
        which = f"channel {config.channel!r}" if config.channel != "stable" else f"torch{_text(demand)}"
        note = f"{which} is newer than torchsel's catalog: judged by the builds of torch {newest}"
        return replace(kept, allowed=(newest,), stands_for=((newest, None),), notes=(*kept.notes, note))
    if not allowed:
        known = f"{catalog.releases[-1]} to {newest}"
        msg = f"no PyTorch release from 2.0 on satisfies torch{_text(demand)}; torchsel knows {known}"
        raise DemandError(msg)
    return kept


def parse_specifiers(texts: Iterable[str]) -> SpecifierSet:
    """One specifier set of all, local versions cut off (``==2.9.1+cu128`` is ``==2.9.1``).

    Raises:
        ConfigError: one of them is malformed.
    """
    found = SpecifierSet()
    for text in texts:
        try:
            public = ",".join(part.partition("+")[0] for part in text.split(","))
            found &= SpecifierSet(public)
        except InvalidSpecifier:
            msg = f"torch's requirement {text!r} is not a version specifier"
            raise DemandError(msg) from None
    return found


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

    uv locks for every Python of the project at once, so an index with nothing for one has no solution.
    Empty where no backend has one, as then another has to be found by moving ``requires-python``.
    """
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
    except InvalidSpecifier:
        return ""
    minors = (f"3.{minor}" for minor in range(4, 20))
    return next((item for item in minors if _meets(item, wanted) and _is_locked_for(item, environments)), "")


def _is_locked_for(minor: str, environments: tuple[str, ...]) -> bool:
    values = [environment(host, minor) for host in PLATFORMS]
    return not environments or any(marker_holds(text, each) for text in environments for each in values)


@cache
def _overlaps(python: tuple[str, ...], required: str) -> bool:
    """Whether one of the releases meets ``requires-python``; asked for every build, with a few answers."""
    try:
        wanted = SpecifierSet(required)
    except InvalidSpecifier:
        msg = f"project.requires-python: {required!r} is not a version specifier"
        raise DemandError(msg) from None
    return any(_meets(tag.rstrip("t"), wanted) for tag in python)


def _meets(minor: str, wanted: SpecifierSet) -> bool:
    """Whether some patch release of ``minor`` does: an early or a late one, or one at or beside a bound."""
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


def _admitted(texts: Iterable[str], specifier: SpecifierSet) -> Iterator[Version]:
    for text in texts:
        try:
            version = Version(text)
        except InvalidVersion:
            continue
        if specifier.contains(version, prereleases=True):
            yield version


def _admits_newer(specifier: SpecifierSet, newest: str) -> bool:
    """Whether some release after the newest known one would meet the specifiers."""
    major, minor, micro = Version(newest).release
    named = [item.version.removesuffix(".*") for item in specifier]
    guesses = [f"{major}.{minor}.{micro + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0", *named]
    guesses += [f"{name}.1" for name in named]
    known = Version(newest)
    return any(guess > known for guess in _admitted(guesses, specifier))


def _text(demand: Demand) -> str:
    return ",".join(demand.specifiers)
