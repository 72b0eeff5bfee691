"""From a backend to the text that a project's pyproject.toml should have; the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel import requirements, routing
from torchsel.backend import Backend
from torchsel.survey import torch_demand
from torchsel.toml_edit import edit_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchsel.catalog import Catalog
    from torchsel.config import Config
    from torchsel.project import Project
    from torchsel.routing import Changes
    from torchsel.select import Demand


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would be written for a backend.

    ``packages`` are routed because the project names them, ``helpers`` because only the backend's index has
    them (triton); ``not_there`` are named but not on that index.
    """

    backend: Backend
    packages: tuple[str, ...]
    helpers: tuple[str, ...]
    not_there: tuple[str, ...]
    marker: str
    changes: Changes
    text: str

    @property
    def is_in_sync(self) -> bool:
        """Whether nothing has to be written."""
        return not self.changes.edits


def make_plan(project: Project, config: Config, backend: Backend, catalog: Catalog) -> Plan:
    """Work out the routing for ``backend`` and the text with it.

    Raises:
        ConfigError: a needed index name is taken, or the file has a shape that can't be edited.
    """
    torch = reference_release(torch_demand(project, None, None), backend, catalog)
    direct = {item.name for item in requirements.direct_requirements(project)}
    named = _named_packages(project, config, catalog, direct)
    routed = [name for name in named if catalog.has_package(backend.tag, name)]
    only_there = [
        name for name in catalog.index_only_packages(backend.tag, torch) if name not in config.exclude
    ]
    marker = _marker(project, backend, torch, catalog)
    wanted = routing.pin(
        backend=backend,
        url=backend.index_url(config.index_url, config.channel),
        packages=[*routed, *only_there],
        anchored={*routed, *only_there} - direct,
        marker=marker,
    )
    ours = (catalog.family_packages | set(named)) - set(config.exclude)
    found = routing.changes(project.root.data, wanted, ours=ours)
    return Plan(
        backend=backend,
        packages=tuple(routed),
        helpers=tuple(only_there),
        not_there=tuple(name for name in named if name not in routed),
        marker=marker,
        changes=found,
        text=edit_text(project.root.text, found.edits) if found.edits else project.root.text,
    )


def reference_release(demand: Demand, backend: Backend, catalog: Catalog) -> str | None:
    """The torch release that the routing of ``backend`` is generated for, whatever machine asks.

    The locked one that the backend has, else the newest it has within the project's specifiers, else None.
    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - start-up time

    there = {build.torch: None for build in catalog.builds(backend=backend.tag)}
    allowed = SpecifierSet(",".join(demand.specifiers))
    locked = [release for release in demand.locked if release in there]
    return next(iter([*locked, *allowed.filter(there)]), None)


def _marker(project: Project, backend: Backend, torch: str | None, catalog: Catalog) -> str:
    """The platforms to route; all of them where ``torch==2.8.0+cu126`` is pinned: only one index has it."""
    pinned = requirements.pinned_local(project, "torch")
    if pinned and pinned[0] == backend.tag:
        return ""
    return routing.platform_marker(_platforms(backend, torch, catalog))


def _platforms(backend: Backend, torch: str | None, catalog: Catalog) -> frozenset[str]:
    """Where the build exists; for a backend the catalog doesn't know, where its family's newest one does."""
    found = catalog.platforms_of(backend.tag, torch)
    if found:
        return found
    kin = [build for build in catalog.all_builds if Backend.parse(build.backend).family == backend.family]
    return catalog.platforms_of(kin[0].backend if kin else "cpu", None)


def _named_packages(project: Project, config: Config, catalog: Catalog, direct: Iterable[str]) -> list[str]:
    """torch, and the packages to route beside it, sorted."""
    if config.packages is not None:
        named = set(config.packages)
    else:
        locked = requirements.locked_packages(project.lock, catalog.routable_packages)
        named = {*direct, *(item.name for item in locked)} & catalog.routable_packages
    return ["torch", *sorted(named - {"torch", *config.exclude})]
