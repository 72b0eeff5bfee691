"""The routing that sends the torch family to a backend's index, or to one of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from torchsel.project.present import ANCHOR_GROUP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from torchsel.backend import Backend
    from torchsel.project.present import Scope

_NOTHING: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """What is to stand in the file; nothing, by default.

    ``indexes`` maps a name to its URL, ``sources`` a package to its source list, ``groups`` and ``extras`` a
    name to its requirements. ``conflicts`` is the set of which one at most is chosen, ``defaults`` the names
    that uv takes when none is named. ``keeps_bounds`` leaves versions that the user gave a requirement there.
    ``packages`` are routed because the project names them, the other sources because only a backend's index
    has them (triton). ``marker`` is that of the platforms routed, empty for all.
    """

    indexes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sources: Mapping[str, list[dict[str, str]]] = field(default_factory=lambda: MappingProxyType({}))
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOTHING)
    conflicts: tuple[dict[str, str], ...] = ()
    defaults: tuple[str, ...] = ()
    keeps_bounds: bool = False
    packages: tuple[str, ...] = ()
    marker: str = ""

    def lists(self, scope: Scope) -> Mapping[str, tuple[str, ...]]:
        """The groups or extras."""
        return self.groups if scope == "group" else self.extras


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """One way of several: its group or extra name, backend, index and what the list requires.

    ``bounds`` are version specifiers by package, ``marker`` is of the platforms it is for, empty for all.
    """

    name: str
    backend: Backend
    url: str
    packages: tuple[str, ...]
    bounds: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    marker: str = ""

    @property
    def requirements(self) -> tuple[str, ...]:
        """What its group or extra requires."""
        suffix = f"; {self.marker}" if self.marker else ""
        return tuple(f"{package}{self.bounds.get(package, '')}{suffix}" for package in self.packages)

    @property
    def marked(self) -> dict[str, str]:
        """The marker as a part of a source."""
        return {"marker": self.marker} if self.marker else {}


def to_one(
    *,
    backend: Backend,
    url: str,
    packages: Iterable[str],
    anchored: Collection[str],
    marker: str,
    named: Iterable[str] = (),
    bound: str = "",
) -> Routing:
    """Route ``packages`` to ``backend``'s index on the platforms of ``marker``.

    ``anchored`` are those of them that the project does not require itself, so that a source alone would
    not reach them; ``named`` those that the project names. ``bound`` is a specifier that keeps torch from
    newer releases of the index: an anchor carries it, as uv's sources reach no further than requirements.
    """
    source = {"index": backend.index_name, **({"marker": marker} if marker else {})}
    suffix = f"; {marker}" if marker else ""
    routed = list(dict.fromkeys(packages))
    bounds = {"torch": bound}
    anchors = tuple(
        f"{package}{bounds.get(package, '')}{suffix}"
        for package in routed
        if package in anchored or bounds.get(package)
    )
    return Routing(
        indexes={backend.index_name: url},
        sources={package: [dict(source)] for package in routed},
        groups={ANCHOR_GROUP: anchors} if anchors else {},
        packages=tuple(name for name in named if name in routed),
        marker=marker,
    )


def to_several(
    alternatives: Iterable[Alternative],
    *,
    scope: Scope,
    defaults: Iterable[str] = (),
    keeps_bounds: bool = False,
    named: Iterable[str] = (),
) -> Routing:
    """Route to one of several backends by the group or extra that is chosen, the same for all machines."""
    listed = list(alternatives)
    sources: dict[str, list[dict[str, str]]] = {}
    for item in listed:
        for package in item.packages:
            source = {"index": item.backend.index_name, scope: item.name, **item.marked}
            sources.setdefault(package, []).append(source)
    lists = {item.name: item.requirements for item in listed}
    return Routing(
        indexes={item.backend.index_name: item.url for item in listed},
        sources=sources,
        groups=lists if scope == "group" else {},
        extras=lists if scope == "extra" else {},
        conflicts=tuple({scope: name} for name in lists) if len(lists) > 1 else (),
        defaults=tuple(defaults),
        keeps_bounds=keeps_bounds,
        packages=tuple(name for name in named if name in sources),
    )


def platform_marker(platforms: Collection[str]) -> str:
    """The PEP 508 marker for catalog platforms; macOS is left to uv's default index, which has its builds."""
    x86_64, aarch64 = "linux_x86_64" in platforms, "linux_aarch64" in platforms
    parts = []
    if x86_64 and aarch64:
        parts.append("sys_platform == 'linux'")
    elif x86_64 or aarch64:
        machine = "x86_64" if x86_64 else "aarch64"
        parts.append(f"sys_platform == 'linux' and platform_machine == '{machine}'")
    if any(platform.startswith("win_") for platform in platforms):
        parts.append("sys_platform == 'win32'")
    if len(parts) > 1:
        parts = [f"({part})" if " and " in part else part for part in parts]
    return " or ".join(parts)
