"""The routing that sends the torch family to a backend's index, or to one of several."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torchsel.backend import Backend
from torchsel.project.places import ANCHOR_GROUP, Scope
from torchsel.project.requirement import required_name

_NOWHERE = "platform_release == 'never'"
"""A marker that holds on no machine and that uv can't tell to: it applies the source and installs nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """What is to stand in the file; nothing, by default.

    ``indexes`` maps a name to its URL, ``sources`` a package to its source list, ``groups`` and ``extras`` a
    name to its requirements. ``conflicts`` is the set of which one at most is chosen, ``defaults`` the names
    that uv takes when none is named. ``keeps_bounds`` leaves versions that the user gave a requirement there.
    ``packages`` are routed because the project names them, the other sources because only a backend's index
    has them (triton). ``marker`` is that of the platforms routed, empty for all. ``owns_items`` tells
    that nothing else which a user wrote in the lists stays. ``notes`` say what could not be routed.
    """

    indexes: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, list[dict[str, str]]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: tuple[dict[str, str], ...] = ()
    defaults: tuple[str, ...] = ()
    keeps_bounds: bool = False
    packages: tuple[str, ...] = ()
    marker: str = ""
    owns_items: bool = False
    notes: tuple[str, ...] = ()

    def lists(self, scope: Scope) -> Mapping[str, tuple[str, ...]]:
        """The groups or extras."""
        return self.groups if scope == "group" else self.extras


class PackageIndex(NamedTuple):
    """Where a package comes from.

    ``is_pytorchs`` tells that the index has builds for the platforms of its backend; that of another party
    may have a package that uv's default index has not, and so serves every platform.
    """

    name: str
    url: str
    is_pytorchs: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """One way, of several or the only one: a backend, and what is routed to which index.

    ``name`` is that of its group or extra, which requires it all, empty for the only way. ``bounds`` are
    version specifiers by package. ``also`` are requirements that are not routed, ``anchored`` packages that
    are routed and required by no extra, as its list is published and uv's default index has them not.
    ``marker`` is of the platforms it is for, empty for all.
    """

    backend: Backend
    packages: Mapping[str, PackageIndex]
    name: str = ""
    bounds: Mapping[str, str] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    anchored: tuple[str, ...] = ()
    marker: str = ""

    @property
    def requirements(self) -> tuple[str, ...]:
        """What its group or extra requires; one of ``also`` stands for a routed package's bare name."""
        left = {*self.anchored, *map(required_name, self.also)}
        routed = (package for package in self.packages if package not in left)
        return (*(self.requirement(package, self.marker) for package in routed), *self.also)

    def requirement(self, package: str, marker: str) -> str:
        """A package with its bound and a marker."""
        return f"{package}{self.bounds.get(package, '')}{f'; {marker}' if marker else ''}"

    def source(self, package: str, marker: str) -> dict[str, str]:
        """The index of a package, where the marker holds."""
        return {"index": self.packages[package].name, **({"marker": marker} if marker else {})}

    @property
    def indexes(self) -> dict[str, str]:
        """Name and URL of each index that it takes packages from."""
        return {index.name: index.url for index in self.packages.values()}


def to_one(way: Alternative, *, anchored: Collection[str], marker: str) -> Routing:
    """Route packages the one ``way``, those from PyTorch's indexes on the platforms of ``marker``.

    ``anchored`` are those of them that the project does not require itself.
    """
    # what another party builds may be nowhere else, so that it is routed on every platform
    markers = {package: marker if index.is_pytorchs else "" for package, index in way.packages.items()}
    # uv's sources, and bounds, reach no further than requirements of the project's own
    anchors = tuple(
        way.requirement(package, text)
        for package, text in markers.items()
        if package in anchored or way.bounds.get(package)
    )
    return Routing(
        indexes=way.indexes,
        sources={package: [way.source(package, text)] for package, text in markers.items()},
        groups={ANCHOR_GROUP: anchors} if anchors else {},
        marker=marker,
    )


def to_several(alternatives: Sequence[Alternative], scope: Scope) -> Routing:
    """Route to one of several backends by the group or extra that is chosen, the same for all machines."""
    sources: dict[str, list[dict[str, str]]] = {}
    for item in alternatives:
        for package in (name for name in item.packages if name not in item.anchored):
            source = {**item.source(package, item.marker), scope: item.name}
            sources.setdefault(package, []).append(source)
    lists = {item.name: item.requirements for item in alternatives}
    anchors: dict[str, str] = {}
    for item in sorted(alternatives, key=lambda way: way.backend.release):
        for package in item.anchored:
            # all backends' indexes list the same files of it: the newest one's
            sources[package] = [{**item.source(package, item.marker), "group": ANCHOR_GROUP}]
            anchors[package] = f"{package}; {f'({item.marker}) and ' if item.marker else ''}{_NOWHERE}"
    anchoring = {ANCHOR_GROUP: tuple(anchors.values())} if anchors else {}
    return Routing(
        indexes={name: url for item in alternatives for name, url in item.indexes.items()},
        sources=sources,
        groups=lists if scope == "group" else anchoring,
        extras=lists if scope == "extra" else {},
        conflicts=tuple({scope: name} for name in lists) if len(lists) > 1 else (),
    )


def platform_marker(platforms: Collection[str]) -> str:
    """The PEP 508 marker for catalog platforms, empty for none but macOS."""
    # macOS is left to uv's default index, which has its builds
    machines = [machine for machine in ("x86_64", "aarch64") if f"linux_{machine}" in platforms]
    parts = []
    if machines:
        only = f" and platform_machine == '{machines[0]}'" if len(machines) == 1 else ""
        parts.append(f"sys_platform == 'linux'{only}")
    if any(platform.startswith("win_") for platform in platforms):
        parts.append("sys_platform == 'win32'")
    if len(parts) > 1:
        parts = [f"({part})" if " and " in part else part for part in parts]
    return " or ".join(parts)
