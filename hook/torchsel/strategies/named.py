"""``groups`` and ``extras``: one routing for every machine, of which each takes one alternative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import release_key
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.lock import Locked, locked_packages
from torchsel.project.places import Scope
from torchsel.routing.wanted import Alternative, Routing, to_several
from torchsel.selection.cover import covering
from torchsel.selection.releases import allowed_releases, reference_release, shared_releases
from torchsel.selection.remedy import backends_line
from torchsel.selection.select import select
from torchsel.selection.values import Demand, Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.companions import also_for, lacking_in_lists
from torchsel.strategies.packages import (
    as_bounded,
    as_locked,
    marker_where_lacking,
    named_packages,
    routed_packages,
    way_to,
)
from torchsel.strategies.protocol import Decision, OneForAll
from torchsel.strategies.refusals import refuse_unfit, refuse_what_never_fits
from torchsel.strategies.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Named(OneForAll):
    """The strategies ``groups`` and ``extras``."""

    setting: Setting
    is_open: bool = True
    is_users: bool = False

    @property
    def name(self) -> str:
        """As in the configuration."""
        return self.setting.config.strategy

    @property
    def scope(self) -> Scope:
        """What the alternatives are."""
        return "group" if self.name == "groups" else "extra"

    @cached_property
    def alternatives(self) -> Alternatives:
        """What ``[tool.torchsel]`` has generated.

        Raises:
            ConfigError: no build fits.
        """
        setting, config = self.setting, self.setting.config
        if config.names:
            return Alternatives(scope=self.scope, names=config.names)
        prefix = "torch-" if self.scope == "group" else ""
        tags = config.backends
        if tags is None:
            tags = covering(setting.demand(), config, setting.catalog)
        if not tags:
            msg = "tool.torchsel.backends: no build fits the project's torch and max-cuda; name the backends"
            raise ConfigError(msg)
        return Alternatives(
            scope=self.scope, names={f"{prefix}{Backend.parse(tag).slug}": tag for tag in tags}
        )

    @property
    def is_routed(self) -> bool:
        """Whether torch has sources by group or extra."""
        return bool(self.setting.present.alternatives(self.scope))

    def decide(self, host: Host, python: str | None, *, upgrade: bool = False) -> Decision:
        """The best of what is offered, at the releases that uv.lock has of each."""
        setting, offered = self.setting, self.alternatives
        request = setting.request_on(host, python)
        if request.backend not in ("auto", *offered.tags):
            raise ConfigError(f"{request.source} asks for {request.backend}: {self._lacks(request.backend)}")
        narrowed = as_bounded(setting, offered, as_locked(setting, offered))

        def among(catalog: Catalog) -> Selection:
            return select(
                host=host,
                requested=request.backend,
                demand=replace(setting.demand(host, python, upgrade=upgrade), locked=()),
                config=replace(setting.config, backends=offered.tags),
                catalog=catalog,
            )

        selection = among(narrowed)
        if selection.torch and (main := self._main_release(narrowed)) not in (None, selection.torch):
            builds = tuple(build for build in narrowed.all_builds if build.torch == main)
            at_main = among(replace(narrowed, all_builds=builds))
            serves_all = set(selection.accelerators) <= set(at_main.accelerators)
            selection = at_main if at_main.family != "cpu" and at_main.usable and serves_all else selection
        chosen = offered.name_of(selection.backend.tag)
        return Decision(selection=selection, request=request, alternatives=offered, chosen=chosen)

    def routing(
        self,
        backend: Backend | None = None,
        bound: str = "",
        releases: Mapping[str, str] = MappingProxyType({}),
    ) -> Routing:
        """A group or extra for each backend, and sources scoped by them.

        ``releases`` are those of torch that alternatives require, by name, while uv.lock comes to them.
        """
        setting, config, offered = self.setting, self.setting.config, self.alternatives
        refuse_unfit(setting, map(Backend.parse, offered.tags), named_packages(setting))
        refuse_what_never_fits(setting, offered)
        same = self._bound()
        bounds = {name: f"=={release}" for name, release in releases.items()}
        listed = [
            self._alternative(name, Backend.parse(tag), bounds.get(name, same))
            for name, tag in offered.names.items()
        ]
        routing = to_several(
            listed,
            scope=offered.scope,
            defaults=self._defaults(),
            keeps_bounds=not same and (bool(config.names) or offered.scope == "extra"),
            owns_items=config.also is not None and not config.names,
            named=routed_packages(setting),
        )
        ways = {item.name: item.packages for item in listed}
        return replace(routing, notes=lacking_in_lists(setting, ways, offered.scope))

    def first_releases(self) -> dict[str, str]:
        """The release that each alternative is to be locked at, by name, where uv.lock has not all of them.

        What is locked stays where the alternative has it; else it is the newest before, else the newest there
        is. Empty where one release is for all, or nothing is locked yet.

        Raises:
            ConfigError: an alternative has no release that the project allows.
        """
        demand, present = self.setting.demand(), self.setting.present
        entries = locked_packages(self.setting.project.lock, ["torch"])
        mine = {
            present.backends[item.registry]: item.public
            for item in entries
            if item.registry in present.backends
        }
        if not demand.locked or mine.keys() >= set(self.alternatives.tags):
            return {}
        chosen = {
            name: mine.get(tag) or self._release_for(tag, demand)
            for name, tag in self.alternatives.names.items()
        }
        is_one = len(set(chosen.values())) == 1 and len(demand.locked) == 1
        return {} if is_one else {name: release for name, release in chosen.items() if release}

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """That of each alternative: as all shall have it, as it is to come first, or its newest."""
        demand, catalog, first = self.setting.demand(), self.setting.catalog, self.first_releases()
        same = self._bound().removeprefix("==")
        found = {
            (same or first.get(name) or next(iter(allowed_releases(tag, demand, catalog)), ""), tag): None
            for name, tag in self.alternatives.names.items()
        }
        return tuple(build for build in found if build[0])

    def _release_for(self, tag: str, demand: Demand) -> str:
        """The locked release where the backend has it, else the newest before, else the newest."""
        there = allowed_releases(tag, demand, self.setting.catalog)
        newest = release_key(demand.locked[0])
        same = [release for release in demand.locked if release in there]
        before = [release for release in there if release_key(release) <= newest]
        return next(iter([*same, *before, *there]), "")

    def routed(self, decision: Decision) -> str | None:
        """Where the source of the chosen alternative leads."""
        return self.setting.present.alternatives(self.scope).get(decision.chosen or "")

    def locked(self, decision: Decision) -> list[Locked]:
        """Those from the chosen backend's index."""
        urls = self.setting.present.backends
        entries = locked_packages(self.setting.project.lock, ["torch"])
        return [item for item in entries if urls.get(item.registry or "") == decision.tag]

    def drift(self, decision: Decision) -> str:
        """A backend that is not offered, or an outdated routing."""
        if decision.chosen is None:
            return self._lacks(decision.tag)
        return "torch is not routed as [tool.torchsel] says; run 'torchsel'"

    def _lacks(self, tag: str) -> str:
        config = self.setting.config
        line = backends_line(tag, config.names, config.backends or self.alternatives.tags)
        return f"none of the {self.scope}s is for {tag}; add {tag!r} to tool.torchsel.backends ({line})"

    def _alternative(self, name: str, backend: Backend, bound: str) -> Alternative:
        setting = self.setting
        torch = bound.removeprefix("==") or reference_release(setting.demand(), backend, setting.catalog)
        way = way_to(setting, backend, torch)
        if not setting.config.same_torch and not all(map(way.is_from_pytorch, way.packages)):
            bound = bound.replace("==", "<=")  # a companion requires the torch that it was built for
        is_published = self.scope == "extra"
        anchored = [item for item in way.packages if is_published and item in setting.catalog.helpers]
        return replace(
            way,
            name=name,
            packages=tuple(item for item in way.packages if item not in anchored),
            anchored=tuple(anchored),
            bounds={"torch": bound} if bound else {},
            marker=marker_where_lacking(setting, backend, torch),
            also=also_for(setting.config.also or {}, backend),
        )

    def _defaults(self) -> tuple[str, ...]:
        """The groups that uv takes when none is named."""
        default = self.setting.config.default_backend
        if default == "pypi":
            return ()
        if default == "none":
            return tuple(self.alternatives.names)
        chosen = self.alternatives.name_of(default)
        if chosen is None:
            msg = f"tool.torchsel.default-backend: {default!r} is not among tool.torchsel.backends"
            raise ConfigError(msg)
        return (chosen,)

    def _bound(self) -> str:
        """``==2.14.1`` where all backends shall have one torch."""
        if not self.setting.config.same_torch:
            return ""
        shared = shared_releases(self.alternatives.tags, self.setting.demand(), self.setting.catalog)
        if not shared:
            msg = (
                "tool.torchsel.same-torch: no torch that the project allows has a build for each of"
                f" {', '.join(self.alternatives.tags)}; leave out a backend, or same-torch"
            )
            raise ConfigError(msg)
        return f"=={shared[0]}"

    def _main_release(self, narrowed: Catalog) -> str | None:
        """The release that the CPU build, which every release has, is locked at: the project's own.

        Another backend may be locked at a newer one because it has no build of that; a machine that the
        project's own serves stays with it.
        """
        rows = {build.torch for build in narrowed.all_builds if build.backend == "cpu"}
        return rows.pop() if narrowed.is_narrowed and len(rows) == 1 else None
