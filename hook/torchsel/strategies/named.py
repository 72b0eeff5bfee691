"""The backends that a project with groups or extras offers, by the name each is chosen by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.errors import ConfigError
from torchsel.selection.demand import python_matches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.catalog.catalog import Catalog
    from torchsel.config.keys import Config
    from torchsel.project.owned import Scope
    from torchsel.selection.select import Demand


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """``names`` maps each group (or extra, as ``scope`` says) to its backend's tag."""

    scope: Scope
    names: Mapping[str, str]

    def name_of(self, tag: str) -> str | None:
        """The name a backend is chosen by, None where it is not offered."""
        return next((name for name, offered in self.names.items() if offered == tag), None)

    @property
    def tags(self) -> tuple[str, ...]:
        """Every backend offered."""
        return tuple(dict.fromkeys(self.names.values()))


def offered(config: Config, demand: Demand, catalog: Catalog) -> Choices | None:
    """What ``[tool.torchsel]`` has generated; None under ``pin``.

    Raises:
        ConfigError: no backend is left, or two of them would have one name.
    """
    if config.strategy == "pin":
        return None
    scope: Scope = "group" if config.strategy == "groups" else "extra"
    if config.names:
        return Choices(scope=scope, names=config.names)
    prefix = "torch-" if scope == "group" else ""
    tags = config.backends if config.backends is not None else newest_backends(config, demand, catalog)
    return Choices(scope=scope, names={f"{prefix}{Backend.parse(tag).slug}": tag for tag in tags})


def newest_backends(config: Config, demand: Demand, catalog: Catalog) -> tuple[str, ...]:
    """Every backend with a build of its family's newest torch that the project allows, whatever machine asks.

    Raises:
        ConfigError: there is none.
    """
    from torchsel.selection.select import buildable  # noqa: PLC0415 - start-up time

    newest: dict[str, str | None] = {}
    tags: list[Backend] = []
    for tag, torch in buildable(replace(demand, locked=()), config, catalog):
        backend = Backend.parse(tag)
        if not catalog.held_back(tag, torch or "") and newest.setdefault(backend.family, torch) == torch:
            tags.append(backend)
    if not tags:
        msg = "tool.torchsel.backends: no build fits the project's torch and max-cuda; name the backends"
        raise ConfigError(msg)
    order = ("cpu", "cuda", "rocm", "xpu", "other")
    return tuple(item.tag for item in sorted(tags, key=lambda item: (order.index(item.family), item.release)))


def shared_release(choices: Choices, demand: Demand, catalog: Catalog) -> str | None:
    """The newest torch allowed that every backend offered has a build of; None where there is none."""
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - start-up time

    having = [{build.torch for build in catalog.builds(backend=tag) if python_matches(build.python, demand)}
              for tag in choices.tags]  # fmt: skip
    shared = set.intersection(*having) if having else set()
    allowed = SpecifierSet(",".join(demand.specifiers))
    return next((torch for torch in catalog.releases if torch in shared and torch in allowed), None)
