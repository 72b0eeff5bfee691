"""``adopted``: the project's own extras or groups, as the user wrote them; torchsel only chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.lock import Locked, locked_packages
from torchsel.project.places import LISTS
from torchsel.selection.case import Demand
from torchsel.selection.select import select
from torchsel.selection.selection import Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.meaning import Meaning, Reader
from torchsel.strategies.offers import Offer, base_ways, offers, rivals, targets
from torchsel.strategies.protocol import Decision, OneForAll
from torchsel.strategies.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Adopted(OneForAll):
    """The strategy ``adopted``."""

    setting: Setting
    name: str = "adopted"
    alternatives: None = None
    is_users: bool = True

    @cached_property
    def offers(self) -> tuple[Offer, ...]:
        """What the user's file offers, as far as the command line leaves it open."""
        options = self.setting.options
        return offers(self.setting.project, options.folder, options.call)

    @property
    def is_routed(self) -> bool:
        """It is the user's, who routed it."""
        return True

    @property
    def is_open(self) -> bool:
        """Whether anything is offered."""
        return bool(self.offers)

    def decide(self, host: Host, python: str | None, *, upgrade: bool = False) -> Decision:
        """The best of the offers that are understood, else what comes without any."""
        setting = self.setting
        if not self.offers:
            msg = (
                f"{setting.project.root.path}: tool.torchsel.strategy: 'adopted' needs extras or groups that"
                " require torch and stand in tool.uv.conflicts; there are none, so take the line out"
            )
            raise ConfigError(msg)
        required = setting.project.root.table("project").get("requires-python")
        demand = Demand(requires_python=required if isinstance(required, str) else None, python=python)
        reader = Reader(project=setting.project, host=host, demand=demand, catalog=setting.catalog)
        meanings = {offer.name: reader.meaning(offer.ways, _place(offer)) for offer in self.offers}
        ways = base_ways(setting.project, setting.options.folder, setting.options.call)
        ground = reader.meaning(ways, "project.dependencies")
        return _Chooser(
            setting=setting, host=host, demand=demand, offers=self.offers, meanings=meanings
        ).choose(ground)

    def routing(
        self, backend: Backend, bound: str = "", releases: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """The user's own."""

    def first_releases(self) -> Mapping[str, str]:
        """One bound is enough."""
        return {}

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """None: the lists are the user's."""
        return ()

    def routed(self, decision: Decision) -> str | None:
        """What was chosen is routed, in the user's way."""
        return decision.tag if decision.chosen else None

    def locked(self, decision: Decision) -> list[Locked]:
        """Those with the chosen local version, else those of the chosen release without one."""
        entries = locked_packages(self.setting.project.lock, ["torch"])
        local = [item for item in entries if item.local == decision.tag]
        return local or [
            item for item in entries if not item.local and item.public == decision.selection.torch
        ]

    def drift(self, decision: Decision) -> str:
        """Nothing to be in sync with."""
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chooser:
    setting: Setting
    host: Host
    demand: Demand
    offers: tuple[Offer, ...]
    meanings: Mapping[str, Meaning]

    def choose(self, ground: Meaning) -> Decision:
        """The named alternatives first; ``ground``, what comes without any, where none is for here."""
        alternatives = self._alternatives()
        offered: dict[str, Meaning] = {}
        for member, tag in alternatives.names.items():
            if tag:
                offered.setdefault(tag, self.meanings[member])
        self._refuse_what_is_not_offered(offered, ground)
        if not offered:
            troubles = tuple(item.trouble for item in self.meanings.values())
            selection = self._among(self.setting.catalog.all_builds)
            return self._decision(selection, alternatives, notes=troubles)
        among = _among(offered, ground)
        selection = self._select(among)
        tag = selection.backend.tag
        name = None if among.get(tag) is ground else alternatives.name_of(tag)
        if ground.tag and (name is None or not selection.usable):
            plain = self._select({ground.tag: ground})
            if plain.usable or name is None:
                selection = replace(plain, backend=Backend.parse(ground.tag))
                return self._decision(self._retold(selection, alternatives, offered), alternatives)
        selection = self._retold(selection, alternatives, offered)
        notes: list[str] = []
        if name is None or not selection.usable:
            notes = [item.trouble for item in self.meanings.values() if item.trouble]
        if name is None:
            notes.append(f"{alternatives.listed}: none of them is for this machine, so it is left to uv")
        return self._decision(selection, alternatives, name, tuple(notes))

    def _decision(
        self,
        selection: Selection,
        alternatives: Alternatives,
        chosen: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> Decision:
        return Decision(
            selection=selection,
            request=self.setting.request,
            alternatives=alternatives,
            chosen=chosen,
            notes=notes,
        )

    def _retold(
        self, selection: Selection, alternatives: Alternatives, offered: Mapping[str, Meaning]
    ) -> Selection:
        """The selection in sentences that are about this project's offer, not about every build there is."""
        if selection.accelerators or self.setting.request.backend != "auto":
            return replace(selection, reasons=selection.reasons[:1])
        if not self.host.accelerators or selection.usable:
            return selection
        every = frozenset[str]().union(*(item.releases for item in offered.values()))
        catalog = self.setting.catalog
        same = self._among(build for build in catalog.all_builds if build.torch in every)
        other = same if same.accelerators else self._of(catalog)
        if not other.accelerators:
            return replace(selection, reasons=other.reasons, warnings=other.warnings)
        tried = dict.fromkeys(
            f"{item.backend} with torch {item.torch}: {item.reason}"
            for item in selection.candidates
            if item.backend in offered and item.backend != "cpu"
        )
        names = ", ".join(dict.fromkeys(item.label for item in other.accelerators))
        could = f"{names} could run {other.backend.tag} with torch {other.torch}"
        lacks = f"this project has no {alternatives.scope} for that, but {alternatives.listed}"
        warning = "; ".join([f"{could}; {lacks}", *tried])
        reason = f"no {alternatives.scope} of this project has a build for the GPU of this machine"
        return replace(selection, reasons=(reason,), warnings=(warning,))

    def _alternatives(self) -> Alternatives:
        """Every name; of two for one backend that with its own index, the newer torch, the plainer name."""
        names = {name: item.tag or "" for name, item in self.meanings.items()}

        def rank(name: str) -> tuple[object, ...]:
            meaning = self.meanings[name]
            newest = tuple(-part for part in meaning.newest)
            return meaning.is_default, newest, not _is_plain(name, names[name])

        ranked = {name: names[name] for name in sorted(names, key=rank)}
        setting = self.setting
        files = targets(setting.project, setting.options.folder, setting.options.call)
        against = {offer.name: rivals(setting.project, files, offer) for offer in self.offers}
        return Alternatives(scope=self.offers[0].place.scope, names=ranked, rivals=against)

    def _select(self, offered: Mapping[str, Meaning]) -> Selection:
        """Select among these builds; that of the CPU is there to fall back on."""
        every = frozenset[str]().union(*(item.releases for item in offered.values()))
        rows = {"cpu": every} | {tag: item.releases for tag, item in offered.items()}
        builds = self.setting.catalog.all_builds
        return self._among(build for build in builds if build.torch in rows.get(build.backend, ()))

    def _among(self, builds: Iterable[Build]) -> Selection:
        return self._of(replace(self.setting.catalog, all_builds=tuple(builds), is_narrowed=True))

    def _of(self, catalog: Catalog) -> Selection:
        return select(
            host=self.host,
            requested=self.setting.request.backend,
            demand=self.demand,
            config=self.setting.config,
            catalog=catalog,
        )

    def _refuse_what_is_not_offered(self, offered: Mapping[str, Meaning], ground: Meaning) -> None:
        request = self.setting.request
        if request.backend not in ("auto", *offered, ground.tag):
            msg = f"{request.source} asks for {request.backend}, and this project has no build of that:"
            raise ConfigError(f"{msg} it has {self._alternatives().listed}")


def _among(offered: Mapping[str, Meaning], ground: Meaning) -> Mapping[str, Meaning]:
    """What to choose among: the choices, and what comes without any where it is newer than they are.

    Not where several builds have an index of their own and it has none: those are there to be chosen.
    """
    routed = [item for item in offered.values() if not item.is_default]
    if ground.tag is None or (ground.is_default and len(routed) > 1):
        return offered
    same = offered.get(ground.tag)
    return offered if same and same.newest >= ground.newest else {**offered, ground.tag: ground}


def _is_plain(name: str, tag: str) -> bool:
    """Whether a name says no more than its backend does: ``cpu``, ``torch-cu128``, ``gpu``."""
    if not tag:
        return False
    backend = Backend.parse(tag)
    plain = {backend.tag, backend.slug, backend.family, "cpu" if backend.family == "cpu" else "gpu"}
    return name.lower().replace("_", "-").removeprefix("torch-") in plain


def _place(offer: Offer) -> str:
    return f"{'.'.join(LISTS[offer.place.scope])}.{offer.name}"
