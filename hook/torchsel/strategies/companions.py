"""``also`` and ``companions``: packages beside torch that its accelerator decides on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torchsel.backend import Backend
from torchsel.project.places import Scope
from torchsel.project.requirement import required_name
from torchsel.routing.wanted import Alternative
from torchsel.strategies.setting import Setting


def also_for(also: Mapping[str, tuple[str, ...]], backend: Backend) -> tuple[str, ...]:
    """The requirements for a backend: of each package those of the most exact key, in the table's order."""
    major = f"{backend.family}{backend.release[0]}" if backend.release else backend.family
    keys = (backend.tag, major, backend.family)
    decides: dict[str | None, str] = {}
    for key in keys:
        for text in also.get(key, ()):
            decides.setdefault(required_name(text), key)
    return tuple(
        text
        for key, items in also.items()
        for text in items
        if key in keys and decides[required_name(text)] == key
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """What stands beside torch of one backend: companions with the URL of their index, and requirements."""

    companions: Mapping[str, str]
    also: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, as a user wrote them; a requirement of a companion's instead of its name."""
        named = {required_name(text) for text in self.also}
        return (*(name for name in self.companions if name not in named), *self.also)


def beside(setting: Setting, way: Alternative) -> Beside:
    """What ``[tool.torchsel]`` has beside torch on one way."""
    routed = [name for name in setting.companions if name in way.packages]
    also = setting.config.also or {} if setting.config.strategy in ("groups", "extras") else {}
    return Beside(
        companions={name: way.indexes[way.index_of(name)] for name in routed},
        also=also_for(also, way.backend),
    )


def lacking_in_lists(setting: Setting, ways: Mapping[str, Iterable[str]], scope: Scope) -> tuple[str, ...]:
    """A sentence for each companion that is in some lists only; ``ways`` are the packages of each list."""
    lacking = {
        package: [name for name, packages in ways.items() if package not in packages]
        for package in setting.companions
    }
    return tuple(
        f"{package} has no build for {scope} {', '.join(names)}, and is left out there"
        for package, names in lacking.items()
        if names
    )


def lacking_beside(setting: Setting, packages: Iterable[str], backend: Backend) -> tuple[str, ...]:
    """A sentence for each companion that is not among the ``packages`` routed beside a backend."""
    lacking = [name for name in setting.companions if name not in packages]
    return tuple(f"{name} has no {backend.tag} build, and is left to uv" for name in lacking)
