"""The choice in a project without ``[tool.torchsel]``: which of its extras or groups to take here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.errors import ConfigError
from torchsel.project import requirements
from torchsel.selection.demand import Demand
from torchsel.selection.select import select
from torchsel.strategies import adopted
from torchsel.strategies.adopted_offer import Meaning, Reader
from torchsel.strategies.named import Choices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from torchsel.catalog.catalog import Catalog
    from torchsel.catalog.rows import Build
    from torchsel.config.keys import Config
    from torchsel.config.request import Request
    from torchsel.host import Host
    from torchsel.project.owned import Scope
    from torchsel.project.workspace import Project
    from torchsel.selection.select import Selection
    from torchsel.strategies.adopted import Offer
    from torchsel.uv.call import UvCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Adopted:
    """``name`` is the extra or group of ``choices`` to take, None where none of them is for this machine.

    ``choices`` has an empty tag for what was not understood. ``notes`` say that, and what is missing here.
    """

    selection: Selection
    choices: Choices
    name: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What the choice is made for; ``folder`` is where uv is called, with the options of ``call``."""

    project: Project
    folder: Path
    config: Config
    request: Request
    host: Host
    catalog: Catalog
    call: UvCall | None = None


def adopt(at: Situation) -> Adopted | None:
    """Choose among the project's own extras or groups; None where it has none or the user has chosen.

    Raises:
        ConfigError: a backend was asked for that is not offered, or a version specifier is malformed.
    """
    offers = adopted.offers(at.project, at.folder, at.call)
    if not offers:
        return None
    required = at.project.root.table("project").get("requires-python")
    demand = Demand(
        requires_python=required if isinstance(required, str) else None,
        python=requirements.project_python(at.project.folder),
    )
    reader = Reader(project=at.project, host=at.host, demand=demand, catalog=at.catalog)
    meanings = {offer.name: reader.meaning(offer.ways, _place(offer)) for offer in offers}
    ground = reader.meaning(adopted.base_ways(at.project, at.folder, at.call), "project.dependencies")
    return _Chooser(at=at, demand=demand, scope=offers[0].place.scope, meanings=meanings).choose(ground)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chooser:
    at: Situation
    demand: Demand
    scope: Scope
    meanings: Mapping[str, Meaning]

    def choose(self, ground: Meaning) -> Adopted:
        """The named choices first; ``ground``, what comes without any, where none of them is for here."""
        choices = self._choices()
        offered: dict[str, Meaning] = {}
        for member, tag in choices.names.items():
            if tag:
                offered.setdefault(tag, self.meanings[member])
        self._refuse_what_is_not_offered(offered, ground)
        if not offered:
            troubles = tuple(item.trouble for item in self.meanings.values())
            selection = self._among(self.at.catalog.all_builds)
            return Adopted(selection=selection, choices=choices, name=None, notes=troubles)
        selection = self._select(offered)
        name = choices.name_of(selection.backend.tag)
        if ground.tag and ground.tag not in offered and (name is None or not selection.usable):
            other = self._select({ground.tag: ground})
            if other.usable or name is None:
                backend = Backend.parse(ground.tag)
                return Adopted(selection=replace(other, backend=backend), choices=choices, name=None)
        selection = self._retold(selection, choices, offered)
        notes: list[str] = []
        if name is None or not selection.usable:
            notes = [item.trouble for item in self.meanings.values() if item.trouble]
        if name is None:
            notes.append(f"{_listed(choices)}: none of them is for this machine, so it is left to uv")
        return Adopted(selection=selection, choices=choices, name=name, notes=tuple(notes))

    def _retold(self, selection: Selection, choices: Choices, offered: Mapping[str, Meaning]) -> Selection:
        """The selection in sentences that are about this project's offer, not about every build there is."""
        if selection.accelerators or self.at.request.backend != "auto":
            return replace(selection, reasons=selection.reasons[:1])
        if not self.at.host.accelerators or selection.usable:
            return selection
        every = frozenset[str]().union(*(item.releases for item in offered.values()))
        other = self._among(build for build in self.at.catalog.all_builds if build.torch in every)
        if not other.accelerators:
            return replace(selection, reasons=other.reasons, warnings=other.warnings)
        tried = dict.fromkeys(
            f"{item.backend} with torch {item.torch}: {item.reason}"
            for item in selection.candidates
            if item.backend in offered and item.backend != "cpu"
        )
        names = ", ".join(dict.fromkeys(item.label for item in other.accelerators))
        could = f"{names} could run {other.backend.tag} with torch {other.torch}, which this project does not"
        warning = "; ".join([f"{could} offer: it has {_listed(choices)}", *tried])
        reason = "no build that this project offers runs on the GPU of this machine"
        return replace(selection, reasons=(reason,), warnings=(warning,))

    def _choices(self) -> Choices:
        """Every name; of two for one backend the one with an index of its own first, then the plainer."""
        names = {name: item.tag or "" for name, item in self.meanings.items()}
        ranked = sorted(
            names, key=lambda name: (self.meanings[name].is_default, not _is_plain(name, names[name]))
        )
        return Choices(scope=self.scope, names={name: names[name] for name in ranked})

    def _select(self, offered: Mapping[str, Meaning]) -> Selection:
        """Select among these builds; that of the CPU is there to fall back on."""
        every = frozenset[str]().union(*(item.releases for item in offered.values()))
        rows = {"cpu": every} | {tag: item.releases for tag, item in offered.items()}
        builds = self.at.catalog.all_builds
        return self._among(build for build in builds if build.torch in rows.get(build.backend, ()))

    def _among(self, builds: Iterable[Build]) -> Selection:
        return select(
            host=self.at.host,
            requested=self.at.request.backend,
            demand=self.demand,
            config=self.at.config,
            catalog=replace(self.at.catalog, all_builds=tuple(builds), is_narrowed=True),
        )

    def _refuse_what_is_not_offered(self, offered: Mapping[str, Meaning], ground: Meaning) -> None:
        request = self.at.request
        if request.backend not in ("auto", *offered, ground.tag):
            msg = f"{request.source} asks for {request.backend}, which this project does not offer: it has"
            raise ConfigError(f"{msg} {_listed(self._choices())}")


def _listed(choices: Choices) -> str:
    """``extra cpu (cpu), extra gpu (cu128)``."""
    return ", ".join(f"{choices.scope} {name} ({tag or '?'})" for name, tag in choices.names.items())


def _is_plain(name: str, tag: str) -> bool:
    """Whether a name says no more than its backend does: ``cpu``, ``torch-cu128``, ``gpu``."""
    if not tag:
        return False
    backend = Backend.parse(tag)
    plain = {backend.tag, backend.slug, backend.family, "cpu" if backend.family == "cpu" else "gpu"}
    return name.lower().replace("_", "-").removeprefix("torch-") in plain


def _place(offer: Offer) -> str:
    return f"{'.'.join(adopted.LISTS[offer.place.scope])}.{offer.name}"
