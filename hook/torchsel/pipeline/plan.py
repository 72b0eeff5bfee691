"""From a backend, or the backends offered, to the text of pyproject.toml; the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.errors import ConfigError, NotEditableError
from torchsel.pipeline.inputs import torch_demand
from torchsel.project import owned, requirements
from torchsel.routing import wanted as routing
from torchsel.routing.changes import EXTRAS, GROUPS, find_changes, required_name
from torchsel.routing.wanted import Branch
from torchsel.strategies.named import offered, shared_release

if TYPE_CHECKING:
    from torchsel.catalog.catalog import Catalog
    from torchsel.config.keys import Config
    from torchsel.project.workspace import Project
    from torchsel.routing.changes import Changes
    from torchsel.routing.wanted import Routing
    from torchsel.selection.select import Demand
    from torchsel.strategies.named import Choices


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would be written.

    ``packages`` are routed because the project names them, ``helpers`` because only a backend's index has
    them (triton); ``marker`` is the platforms' under pin, ``choices`` are None there.
    """

    packages: tuple[str, ...]
    helpers: tuple[str, ...]
    marker: str
    choices: Choices | None
    changes: Changes
    text: str

    @property
    def is_in_sync(self) -> bool:
        """Whether nothing has to be written."""
        return not self.changes.edits


def make_plan(project: Project, config: Config, backend: Backend, catalog: Catalog) -> Plan:
    """Work out the routing (for ``backend``, under pin) and the text with it.

    Raises:
        ConfigError: a needed name is taken, the strategy does not fit the project, or the file has a shape
            that can't be edited.
    """
    context = routing_context(project, config, catalog)
    choices = offered(config, context.demand, catalog)
    named = context.named_packages()
    marker = "" if choices else context.marker(backend)
    wanted = context.branches(choices, named) if choices else context.pin(backend, named, marker)
    routed = [name for name in named if name in wanted.sources]
    used = owned.index_names(
        source for file in project.members for source in owned.sources(file.data).values()
    )
    found = find_changes(
        project.root.data,
        wanted,
        ours=context.ours(named),
        used=used,
        addressed=requirements.addressed(project),
    )
    return Plan(
        packages=tuple(routed),
        helpers=tuple(name for name in wanted.sources if name not in routed),
        marker=marker,
        choices=choices,
        changes=found,
        text=_edited(project, found),
    )


def routing_context(project: Project, config: Config, catalog: Catalog) -> RoutingContext:
    """What the routing of a project is worked out from."""
    demand = torch_demand(project, None, None)
    return RoutingContext(project=project, config=config, catalog=catalog, demand=demand)


def _edited(project: Project, found: Changes) -> str:
    if not found.edits:
        return project.root.text
    from torchsel.toml.edit import edit_text  # noqa: PLC0415 - start-up time

    try:
        return edit_text(project.root.text, found.edits)
    except NotEditableError as error:
        msg = f"{project.root.path}: {error}"
        raise NotEditableError(msg) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingContext:
    """What every part of a plan looks at."""

    project: Project
    config: Config
    catalog: Catalog
    demand: Demand

    def pin(self, backend: Backend, named: list[str], marker: str) -> Routing:
        """Routing to one backend on the platforms of ``marker``."""
        packages = self.packages_on(backend, named, reference_release(self.demand, backend, self.catalog))
        direct = {item.name for item in requirements.direct_requirements(self.project)}
        return routing.pin(
            backend=backend,
            url=backend.index_url(self.config.index_url, self.config.channel),
            packages=packages,
            anchored=set(packages) - direct,
            marker=marker,
        )

    def branches(self, choices: Choices, named: list[str]) -> Routing:
        """Routing to each of ``choices`` by its group or extra."""
        bound = self._bound(choices)
        listed = [self._branch(name, Backend.parse(tag), named, bound) for name, tag in choices.names.items()]
        default = self.config.default_backend
        defaults = tuple(choices.names) if default == "none" else ()
        if default not in ("none", "pypi"):
            chosen = choices.name_of(default)
            if chosen is None:
                msg = f"tool.torchsel.default-backend: {default!r} is not among tool.torchsel.backends"
                raise ConfigError(msg)
            defaults = (chosen,)
        keeps = not bound and (bool(self.config.names) or choices.scope == "extra")
        return routing.branches(listed, scope=choices.scope, defaults=defaults, keeps_bounds=keeps)

    def packages_on(self, backend: Backend, named: list[str], torch: str | None) -> tuple[str, ...]:
        """The named packages that the backend's index has, and those that torch needs from there."""
        there = [name for name in named if self.catalog.has_package(backend.tag, name)]
        only_there = self.catalog.index_only_packages(backend.tag, torch)
        return (*there, *(name for name in only_there if name not in self.config.exclude))

    def marker(self, backend: Backend) -> str:
        """The platforms to route; all where ``torch==2.8.0+cu126`` is pinned: only one index has it."""
        pinned = requirements.pinned_local(self.project, "torch")
        if pinned and pinned[0] == backend.tag:
            return ""
        torch = reference_release(self.demand, backend, self.catalog)
        return routing.platform_marker(_platforms(backend, torch, self.catalog))

    def named_packages(self) -> list[str]:
        """torch, and the packages to route beside it, sorted."""
        routable = self.catalog.routable_packages
        if self.config.packages is not None:
            named = set(self.config.packages)
        else:
            direct = requirements.direct_requirements(self.project)
            locked = requirements.locked_packages(self.project.lock, routable)
            named = {*(item.name for item in direct), *(item.name for item in locked), *self._kept_names()}
            named &= routable
        return ["torch", *sorted(named - {"torch", *self.config.exclude})]

    def _kept_names(self) -> set[str]:
        """What the groups or extras of a table of names require: those lists are the user's own."""
        path = EXTRAS if self.config.strategy == "extras" else GROUPS
        wanted = {owned.canonical(name) for name in self.config.names}
        lists = self.project.root.table(*path).items()
        kept = [listed for name, listed in lists if owned.canonical(name) in wanted]
        items = [item for listed in kept if isinstance(listed, list) for item in listed]
        return {name for item in items if (name := required_name(item))}

    def ours(self, named: list[str]) -> set[str]:
        """Packages whose stale sources may go."""
        return {*self.catalog.family_packages, *named} - set(self.config.exclude)

    def _branch(self, name: str, backend: Backend, named: list[str], bound: str) -> Branch:
        torch = bound.removeprefix("==") or reference_release(self.demand, backend, self.catalog)
        return Branch(
            name=name,
            backend=backend,
            url=backend.index_url(self.config.index_url, self.config.channel),
            packages=self.packages_on(backend, named, torch),
            bounds={"torch": bound} if bound else {},
        )

    def _bound(self, choices: Choices) -> str:
        """``==2.14.1`` where all backends shall have one torch."""
        if not self.config.same_torch:
            return ""
        shared = shared_release(choices, self.demand, self.catalog)
        if shared is None:
            msg = (
                "tool.torchsel.same-torch: no torch that the project allows has a build for each of"
                f" {', '.join(choices.tags)}; leave out a backend, or same-torch"
            )
            raise ConfigError(msg)
        return f"=={shared}"


def reference_release(demand: Demand, backend: Backend, catalog: Catalog) -> str | None:
    """The torch release that the routing of ``backend`` is generated for, whatever machine asks.

    The locked one that the backend has, else the newest it has within the project's specifiers, else None.
    """
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - start-up time

    there = {build.torch: None for build in catalog.builds(backend=backend.tag)}
    allowed = SpecifierSet(",".join(demand.specifiers))
    locked = [release for release in demand.locked if release in there]
    return next(iter([*locked, *allowed.filter(there)]), None)


def _platforms(backend: Backend, torch: str | None, catalog: Catalog) -> frozenset[str]:
    """Where the build exists; for a backend the catalog doesn't know, where its family's newest one does."""
    found = catalog.platforms_of(backend.tag, torch)
    if found:
        return found
    kin = [build for build in catalog.all_builds if Backend.parse(build.backend).family == backend.family]
    return catalog.platforms_of(kin[0].backend if kin else "cpu", None)
