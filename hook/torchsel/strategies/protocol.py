"""What a strategy works on, what it decides, and the questions that each one answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from torchsel.backend import Backend, is_tag
from torchsel.catalog.catalog import Catalog
from torchsel.config.config import Config, Request
from torchsel.files.missing import Missing
from torchsel.host import Host
from torchsel.project.lock import Locked, locked_here, locked_packages
from torchsel.project.places import Scope
from torchsel.project.present import Present
from torchsel.project.project import Project
from torchsel.project.requirement import are_compatible, newest_first
from torchsel.project.requirements import added, built_for, pinned_local, specifiers
from torchsel.routing.wanted import Routing
from torchsel.selection.values import Demand, Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.uv.call import UvCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line and its variables say about where to look, what to want and how far to go.

    ``folder`` is where uv is called, with the options of ``call``. ``writes`` and ``locks`` are whether files
    may change at all, and a uv.lock that is there. ``only_looks`` is for a picture of what is wrong: then
    ``fallback = "error"`` stops nothing. ``anew`` forgets what was found out before. ``without_project`` asks
    what the machine would take in any project; none is looked for. ``lacking`` are builds, each a release and
    a backend, to go without.
    """

    folder: Path
    environ: Mapping[str, str]
    backend: str | None = None
    host: str | None = None
    call: UvCall | None = None
    upgrade: bool = False
    writes: bool = True
    locks: bool = True
    only_looks: bool = False
    anew: bool = False
    without_project: bool = False
    lacking: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A project with its configuration and what is asked for, whatever the machine.

    ``python`` is ``X.Y`` of the project's. ``missing`` are builds left out of ``catalog``, as the index was
    found not to have them. ``mirror`` is the base of companions' indexes in place of the catalog's, empty for
    the latter. ``own_hosts`` are those of indexes that the user's own variables name.
    """

    options: Options
    project: Project
    config: Config
    request: Request
    catalog: Catalog
    python: str | None = None
    missing: tuple[Missing, ...] = ()
    mirror: str = ""
    own_hosts: frozenset[str] = frozenset()

    @property
    def present(self) -> Present:
        """What stands in the root's pyproject.toml."""
        return self.project.root.present

    @cached_property
    def locked(self) -> tuple[Locked, ...]:
        """The entries of torch in uv.lock."""
        return tuple(locked_packages(self.project.lock, ["torch"]))

    @property
    def companions(self) -> tuple[str, ...]:
        """Packages that the user wants from other parties' indexes."""
        return tuple(name for name in self.config.companions if name not in self.config.exclude)

    @property
    def scope(self) -> Scope:
        """What the alternatives are that ``groups`` or ``extras`` generate."""
        return "extra" if self.config.strategy == "extras" else "group"

    @property
    def requires_python(self) -> str | None:
        """``project.requires-python``."""
        required = self.project.root.table("project").get("requires-python")
        return required if isinstance(required, str) else None

    def request_on(self, host: Host | None = None) -> Request:
        """The wish, else the backend that a requirement such as ``torch==2.5.1+cu121`` leaves no choice of.

        That is asked of the machines that its marker holds for; of all where ``host`` is None.
        """
        pinned = pinned_local(self.project, host, self.python)
        if self.request.source == "default" and pinned and is_tag(pinned[0]):
            return Request(backend=pinned[0], source=f"torch's local version in {pinned[1]}")
        return self.request

    @cached_property
    def demand(self) -> Demand:
        """What the project asks of torch on any machine."""
        return self.demand_on(None)

    def demand_on(self, host: Host | None, *, upgrade: bool = False) -> Demand:
        """What the project asks of torch on ``host``."""
        catalog, python = self.catalog, self.python if host else None
        here = locked_here(self.locked, host, python) if host else self.locked
        deciding = locked_packages(self.project.lock, catalog.deciding_packages)
        versions = {item.name: item.public for item in deciding}  # of forks the last one's
        packages = {item.name for item in self.project.required} | versions.keys()
        environments = self.present.uv.get("environments", [])
        required = specifiers(self.project, host=host, python=python)
        caps = self._caps(required, packages, {} if upgrade else versions)
        return Demand(
            specifiers=(*required, *caps.values()),
            caps=tuple(caps.items()),
            requires_python=self.requires_python,
            python=python,
            locked=newest_first(item.public for item in here),
            upgrade=upgrade,
            packages=frozenset(packages),
            versions=tuple(versions.items()),
            # torchsel's own routing is no wish of the user's
            built_for=built_for(self.project, host, python, but=catalog.family_packages | self._routed),
            environments=tuple(map(str, environments if isinstance(environments, list) else [environments])),
            direct=added(self.project, {"torch", *catalog.deciding_packages}),
        )

    @property
    def _routed(self) -> frozenset[str]:
        """Companions whose source is torchsel's."""
        indexes, sources = self.present.companion_indexes, self.present.sources
        named = {name for name in self.config.companions if name in sources}
        return self.present.companions | {name for name in named if sources[name].is_only_to(indexes)}

    def _caps(
        self, required: tuple[str, ...], packages: set[str], versions: Mapping[str, str]
    ) -> dict[str, str]:
        """What packages of the project require of torch, as far as that goes together."""
        caps: dict[str, str] = {}
        for package in sorted(packages):
            cap = self.catalog.cap_on_torch(package, versions.get(package))
            if cap and are_compatible([*required, *caps.values(), cap]):
                caps[package] = cap
        return caps


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What one machine takes.

    ``request`` is what was asked for in the end. ``chosen`` is the name, among ``alternatives``, of the group
    or extra to take, None where none is for this machine, or where there is only one way. ``notes`` say what
    was not understood, and what is missing here. ``bound`` is the specifier that torch's anchor is to carry.
    """

    selection: Selection
    request: Request
    alternatives: Alternatives | None = None
    chosen: str | None = None
    notes: tuple[str, ...] = ()
    bound: str = ""

    @property
    def tag(self) -> str:
        """The backend's tag."""
        return self.selection.backend.tag


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """One way to lay out a project's routing.

    What stands here is what holds of several: their file and uv.lock serve all machines, of which each
    chooses its part, and they have nothing to add to what the others say.

    ``is_users`` tells that the routing is the user's own, and torchsel only chooses; ``is_for_one`` that the
    file is routed for the build of one machine. ``oldest_uv`` is the first one that reads what is written.
    """

    setting: Setting
    is_users: ClassVar[bool] = False
    is_for_one: ClassVar[bool] = False
    oldest_uv: ClassVar[tuple[int, ...]] = (0, 5, 8)  # an older one installs the builds over each other

    @property
    def name(self) -> str:
        """The word for it in ``tool.torchsel.strategy``."""
        return self.setting.config.strategy

    @property
    def alternatives(self) -> Alternatives | None:
        """What the file offers to every machine; None where it is routed to one backend.

        Raises:
            ConfigError: no build fits.
        """
        return None

    @property
    @abstractmethod
    def is_routed(self) -> bool:
        """Whether the file has some routing of this kind, in sync or not."""

    @property
    def is_open(self) -> bool:
        """Whether the command line leaves something to choose."""
        return True

    @abstractmethod
    def decide(self, host: Host, *, upgrade: bool = False) -> Decision:
        """Choose for a machine.

        Raises:
            ConfigError: what was asked for is not to be had in this project.
            MachineError: nothing is usable and ``fallback`` is ``error``.
        """

    def routing(
        self, backend: Backend, bound: str = "", releases: Mapping[str, str] | None = None
    ) -> Routing | None:
        """What is to stand in the file; None where that is the user's.

        ``backend`` is where it is routed to, and ``bound`` the specifier for torch, with one backend alone;
        ``releases`` are exact ones by alternative, while uv.lock comes to them.

        Raises:
            ConfigError: the strategy does not fit the project.
        """
        return None

    def first_releases(self) -> Mapping[str, str]:
        """Releases of torch by alternative that uv.lock has to come to first; empty where a bound is enough.

        Raises:
            ConfigError: an alternative has no release that the project allows.
        """
        return {}

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """Each build that uv.lock is to have by the catalog: a release of torch and a backend."""
        return ()

    @abstractmethod
    def routed(self, decision: Decision) -> str | None:
        """The backend that the file routes torch to for this machine, None where it is not torchsel's."""

    def locked(self, decision: Decision) -> tuple[Locked, ...]:
        """The entries of torch in uv.lock that are for what was chosen."""
        return self.setting.locked

    def release(self, decision: Decision, host: Host) -> str | None:
        """The torch that this machine decides on for the whole lock; None where it decides nothing."""
        return None

    def drift(self, decision: Decision) -> str:
        """Why the file is not what this machine needs, and what to do; empty where nothing can be said."""
        return ""

    def lock_drift(self, decision: Decision, host: Host, locked: Locked | None) -> str:
        """Why uv.lock, of a project in sync, has not what this machine needs; empty where it has."""
        is_missing = locked is None and decision.chosen is not None
        return f"uv.lock has no torch for {decision.tag}; run 'torchsel lock'" if is_missing else ""

    def lock_gap(self, host: Host) -> str:
        """Why uv.lock has nothing from what is routed on a machine's platform; empty where it has."""
        return ""

    def forbidden(self) -> tuple[str, ...]:
        """Why what is routed is not allowed, whatever the machine; nothing where it is."""
        return ()
