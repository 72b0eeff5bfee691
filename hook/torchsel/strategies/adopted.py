"""``adopted``: the project's own extras or groups, as the user wrote them; torchsel only chooses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.lock import Locked
from torchsel.selection.select import select
from torchsel.selection.values import Demand, Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.meaning import Meaning, Reader
from torchsel.strategies.offers import Offer, base_ways, offers, rivals, targets
from torchsel.strategies.protocol import Decision, Setting, Strategy


class Adopted(Strategy):
    """The strategy ``adopted``."""

    is_users = True

    @property
    def name(self) -> str:
        """It needs no table that says so."""
        return "adopted"

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

    def decide(self, host: Host, *, upgrade: bool = False) -> Decision:
        """The best of the offers that are understood, else what comes without any."""
        setting = self.setting
        if not self.offers:
            msg = (
                f"{setting.project.root.path}: tool.torchsel.strategy: 'adopted' needs extras or groups that"
                " require torch and stand in tool.uv.conflicts; there are none, so take the line out"
            )
            raise ConfigError(msg)
        demand = Demand(requires_python=setting.requires_python, python=setting.python)
        reader = Reader(setting=setting, host=host, demand=demand)
        meanings = {offer.name: reader.meaning(offer.ways, offer.key) for offer in self.offers}
        ways = base_ways(setting.project, setting.options.folder, setting.options.call)
        return _Chooser(
            setting=setting,
            host=host,
            demand=demand,
            offers=self.offers,
            meanings=meanings,
            ground=reader.meaning(ways, "project.dependencies"),
        ).choose()

    def routed(self, decision: Decision) -> str | None:
        """What was chosen is routed, in the user's way."""
        return decision.tag if decision.chosen else None

    def locked(self, decision: Decision) -> tuple[Locked, ...]:
        """Those with the chosen local version, else those of the chosen release without one."""
        entries = self.setting.locked
        local = tuple(item for item in entries if item.local == decision.tag)
        return local or tuple(
            item for item in entries if not item.local and item.public == decision.selection.torch
        )


@dataclass(frozen=True, kw_only=True)
class _Chooser:
    """``ground`` is what comes without any extra or group."""

    setting: Setting
    host: Host
    demand: Demand
    offers: tuple[Offer, ...]
    meanings: Mapping[str, Meaning]
    ground: Meaning

    def choose(self) -> Decision:
        """The named alternatives first; what comes without any where none is for here."""
        setting, alternatives = self.setting, self.alternatives
        if setting.request.backend not in ("auto", *self.offered, self.ground.tag):
            asked = f"{setting.request.source} asks for {setting.request.backend}"
            msg = f"{asked}, and this project has no build of that: it has {alternatives.listed}"
            raise ConfigError(msg)
        name, is_plain = None, False
        if self.offered:
            selection, name, is_plain = self._best()
            selection = self._retold(selection)
        else:
            selection = self._among(setting.catalog.all_builds)
        notes: list[str] = []
        if not is_plain and (name is None or not selection.usable):
            notes = [item.trouble for item in self.meanings.values() if item.trouble]
        if self.offered and not is_plain and name is None:
            notes.append(f"{alternatives.listed}: none of them is for this machine, so it is left to uv")
        return Decision(
            selection=selection,
            request=setting.request,
            alternatives=alternatives,
            chosen=name,
            notes=tuple(notes),
        )

    @cached_property
    def alternatives(self) -> Alternatives:
        """Every name, in the order in which one is taken for a backend."""
        setting, names = self.setting, {name: item.tag or "" for name, item in self.meanings.items()}

        # of two for one backend that with its own index, the newer torch, the plainer name
        def rank(name: str) -> tuple[object, ...]:
            meaning = self.meanings[name]
            newest = tuple(-part for part in meaning.newest)
            return meaning.is_default, newest, not _is_plain(name, names[name])

        files = targets(setting.project, setting.options.folder, setting.options.call)
        return Alternatives(
            scope=self.offers[0].place.scope,
            names={name: names[name] for name in sorted(names, key=rank)},
            rivals={offer.name: rivals(setting.project, files, offer) for offer in self.offers},
        )

    @cached_property
    def offered(self) -> Mapping[str, Meaning]:
        """The first of them for each backend."""
        found: dict[str, Meaning] = {}
        for name, tag in self.alternatives.names.items():
            if tag:
                found.setdefault(tag, self.meanings[name])
        return found

    def _best(self) -> tuple[Selection, str | None, bool]:
        """The build, the name to take for it, and whether it is what comes without any name."""
        among, ground = self._choices(), self.ground
        selection = self._select(among)
        tag = selection.backend.tag
        name = None if among.get(tag) is ground else self.alternatives.name_of(tag)
        if ground.tag and (name is None or not selection.usable):
            plain = self._select({ground.tag: ground})
            if plain.usable or name is None:
                return replace(plain, backend=Backend.parse(ground.tag)), None, True
        return selection, name, False

    def _choices(self) -> Mapping[str, Meaning]:
        """What to choose among: the choices, and what comes without any where it is newer than they are."""
        offered, ground = self.offered, self.ground
        routed = [item for item in offered.values() if not item.is_default]
        # several builds with an index of their own are there to be chosen, beside one that has none
        if ground.tag is None or (ground.is_default and len(routed) > 1):
            return offered
        same = offered.get(ground.tag)
        return offered if same and same.newest >= ground.newest else {**offered, ground.tag: ground}

    def _retold(self, selection: Selection) -> Selection:
        """The selection in sentences that are about this project's offer, not about every build there is."""
        if selection.accelerators or self.setting.request.backend != "auto":
            return replace(selection, reasons=selection.reasons[:1])
        if not self.host.accelerators or selection.usable:
            return selection
        every = frozenset[str]().union(*(item.releases for item in self.offered.values()))
        catalog, scope = self.setting.catalog, self.alternatives.scope
        same = self._among(build for build in catalog.all_builds if build.torch in every)
        other = same if same.accelerators else self._of(catalog)
        if not other.accelerators:
            return replace(selection, reasons=other.reasons, warnings=other.warnings)
        tried = dict.fromkeys(
            f"{item.backend} with torch {item.torch}: {item.reason}"
            for item in selection.candidates
            if item.backend in self.offered and item.backend != "cpu"
        )
        names = ", ".join(dict.fromkeys(item.label for item in other.accelerators))
        could = f"{names} could run {other.backend.tag} with torch {other.torch}"
        lacks = f"this project has no {scope} for that, but {self.alternatives.listed}"
        warning = "; ".join([f"{could}; {lacks}", *tried])
        reason = f"no {scope} of this project has a build for the GPU of this machine"
        return replace(selection, reasons=(reason,), warnings=(warning,))

    def _select(self, offered: Mapping[str, Meaning]) -> Selection:
        """Select among these builds."""
        every = frozenset[str]().union(*(item.releases for item in offered.values()))
        # the CPU's are there to fall back on, whether the project offers them or not
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


def _is_plain(name: str, tag: str) -> bool:
    """Whether a name says no more than its backend does: ``cpu``, ``torch-cu128``, ``gpu``."""
    if not tag:
        return False
    backend = Backend.parse(tag)
    plain = {backend.tag, backend.slug, backend.family, "cpu" if backend.family == "cpu" else "gpu"}
    return name.lower().replace("_", "-").removeprefix("torch-") in plain
