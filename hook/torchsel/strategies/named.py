"""``groups`` and ``extras``: one routing for every machine, of which each takes one alternative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import release_key
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.lock import Locked
from torchsel.project.requirement import lacking
from torchsel.routing.wanted import Alternative, Routing, platform_marker, to_several
from torchsel.selection.cover import covering
from torchsel.selection.releases import allowed_releases, platforms, reference_release, shared_releases
from torchsel.selection.remedy import backends_line
from torchsel.selection.select import select
from torchsel.selection.values import Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.packages import named_packages, narrowed, way_to, with_names
from torchsel.strategies.protocol import Decision, Strategy
from torchsel.strategies.refusals import refuse_unfit


class Named(Strategy):
    """The strategies ``groups`` and ``extras``."""

    @cached_property
    def alternatives(self) -> Alternatives:
        """What ``[tool.torchsel]`` has generated."""
        setting, config = self.setting, self.setting.config
        names = config.names
        if not names:
            prefix = "torch-" if setting.scope == "group" else ""
            tags = config.backends
            if tags is None:
                tags = covering(setting.demand, config, setting.catalog)
            names = {f"{prefix}{Backend.parse(tag).slug}": tag for tag in tags}
        if not names:
            msg = "tool.torchsel.backends: no build fits the project's torch and max-cuda; name the backends"
            raise ConfigError(msg)
        return Alternatives(scope=setting.scope, names=names)

    @property
    def is_routed(self) -> bool:
        """Whether torch has sources by group or extra."""
        return bool(self.setting.present.alternatives(self.setting.scope))

    def decide(self, host: Host, *, upgrade: bool = False) -> Decision:
        """The best of what is offered, at the releases that uv.lock has of each."""
        setting, offered = self.setting, self.alternatives
        request = setting.request_on(host)
        if request.backend not in ("auto", *offered.tags):
            raise ConfigError(f"{request.source} asks for {request.backend}: {self._lacks(request.backend)}")
        catalog = narrowed(setting, offered)

        def among(catalog: Catalog) -> Selection:
            return select(
                host=host,
                requested=request.backend,
                demand=replace(setting.demand_on(host, upgrade=upgrade), locked=()),
                config=replace(setting.config, backends=offered.tags),
                catalog=catalog,
            )

        selection = among(catalog)
        # another backend may be locked at a newer release because it has no build of the project's own; a
        # machine that the project's own serves stays with that
        if selection.torch and (main := _main_release(catalog)) not in (None, selection.torch):
            builds = tuple(build for build in catalog.all_builds if build.torch == main)
            at_main = among(replace(catalog, all_builds=builds))
            serves_all = set(selection.accelerators) <= set(at_main.accelerators)
            selection = at_main if at_main.family != "cpu" and at_main.usable and serves_all else selection
        chosen = offered.name_of(selection.backend.tag)
        return Decision(selection=selection, request=request, alternatives=offered, chosen=chosen)

    def routing(
        self, backend: Backend, bound: str = "", releases: Mapping[str, str] | None = None
    ) -> Routing:
        """A group or extra for each backend, and sources scoped by them."""
        setting, config, offered = self.setting, self.setting.config, self.alternatives
        refuse_unfit(setting, offered.tags, named_packages(setting))
        same = self._shared_release()
        exact = releases or {}
        listed = [
            self._alternative(name, Backend.parse(tag), exact.get(name, same))
            for name, tag in offered.names.items()
        ]
        return replace(
            with_names(setting, to_several(listed, offered.scope), listed),
            defaults=self._defaults(),
            keeps_bounds=not same and (bool(config.names) or offered.scope == "extra"),
            owns_items=config.also is not None and not config.names,
        )

    def _alternative(self, name: str, backend: Backend, release: str) -> Alternative:
        """One way, at a ``release`` of torch where one is given."""
        setting, catalog = self.setting, self.setting.catalog
        torch = release or reference_release(setting.demand, backend, catalog)
        way = way_to(setting, backend, torch)
        # a companion requires the torch that it was built for
        has_companion = not all(index.is_pytorchs for index in way.packages.values())
        is_free = has_companion and not setting.config.same_torch
        anchored = [item for item in way.packages if setting.scope == "extra" and item in catalog.helpers]
        # Where `tool.uv.environments` names a platform that a backend lacks, the marker is of those it has.
        # Elsewhere there is none: where torch is a plain dependency too, uv (0.13.9) pins the index before it
        # splits by platform, and a marked triton then has no solution; there it is the unmarked one that has
        # none.
        there = platforms(backend, torch, catalog)
        return replace(
            way,
            name=name,
            anchored=tuple(anchored),
            bounds={"torch": f"{'<=' if is_free else '=='}{release}"} if release else {},
            marker=platform_marker(there) if lacking(setting.demand.environments, there) else "",
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

    def _shared_release(self) -> str:
        """The torch of all backends where they shall have one, empty where each has its own."""
        if not self.setting.config.same_torch:
            return ""
        shared = shared_releases(self.alternatives.tags, self.setting.demand, self.setting.catalog)
        if not shared:
            msg = (
                "tool.torchsel.same-torch: no torch that the project allows has a build for each of"
                f" {', '.join(self.alternatives.tags)}; leave out a backend, or same-torch"
            )
            raise ConfigError(msg)
        return shared[0]

    def first_releases(self) -> dict[str, str]:
        """The release that each alternative is to be locked at, by name, where uv.lock has not all of them.

        What is locked stays where the alternative has it; else it is the newest before, else the newest there
        is. Empty where one release is for all, or nothing is locked yet.
        """
        demand, backends = self.setting.demand, self.setting.present.backends
        mine = {
            backends[item.registry]: item.public for item in self.setting.locked if item.registry in backends
        }
        if not demand.locked or mine.keys() >= set(self.alternatives.tags):
            return {}
        chosen = {
            name: mine.get(tag) or self._release_for(tag) for name, tag in self.alternatives.names.items()
        }
        is_one = len(set(chosen.values())) == 1 and len(demand.locked) == 1
        return {} if is_one else {name: release for name, release in chosen.items() if release}

    def _release_for(self, tag: str) -> str:
        """The locked release where the backend has it, else the newest before, else the newest."""
        demand = self.setting.demand
        there = allowed_releases(tag, demand, self.setting.catalog)
        newest = release_key(demand.locked[0])
        same = [release for release in demand.locked if release in there]
        before = [release for release in there if release_key(release) <= newest]
        return next(iter([*same, *before, *there]), "")

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """That of each alternative: as all shall have it, as it is to come first, or its newest."""
        demand, catalog, first = self.setting.demand, self.setting.catalog, self.first_releases()
        same = self._shared_release()
        found = {
            (same or first.get(name) or next(iter(allowed_releases(tag, demand, catalog)), ""), tag): None
            for name, tag in self.alternatives.names.items()
        }
        return tuple(build for build in found if build[0])

    def routed(self, decision: Decision) -> str | None:
        """Where the source of the chosen alternative leads."""
        return self.setting.present.alternatives(self.setting.scope).get(decision.chosen or "")

    def locked(self, decision: Decision) -> tuple[Locked, ...]:
        """Those from the chosen backend's index."""
        urls = self.setting.present.backends
        return tuple(item for item in self.setting.locked if urls.get(item.registry) == decision.tag)

    def drift(self, decision: Decision) -> str:
        """A backend that is not offered, or an outdated routing."""
        if decision.chosen is None:
            return self._lacks(decision.tag)
        return "torch is not routed as [tool.torchsel] says; run 'torchsel'"

    def _lacks(self, tag: str) -> str:
        config, kind = self.setting.config, self.name
        line = backends_line(tag, config.names, config.backends or self.alternatives.tags)
        return f"none of the {kind} is for {tag}; add {tag!r} to tool.torchsel.backends ({line})"


def _main_release(catalog: Catalog) -> str | None:
    """The release that the CPU build, which every release has, is locked at: the project's own."""
    rows = {build.torch for build in catalog.all_builds if build.backend == "cpu"}
    return rows.pop() if catalog.is_narrowed and len(rows) == 1 else None
