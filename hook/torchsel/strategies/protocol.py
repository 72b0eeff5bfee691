"""The protocol of a strategy: how a project's routing is laid out, and which part of it a machine takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from torchsel.backend import Backend
from torchsel.config.config import Request
from torchsel.host import Host
from torchsel.project.lock import Locked
from torchsel.routing.wanted import Routing
from torchsel.selection.values import Selection
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.setting import Setting


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


class Strategy(Protocol):
    """One way to lay out a project's routing."""

    @property
    def setting(self) -> Setting:
        """What it works on."""

    @property
    def name(self) -> str:
        """The word for it in ``tool.torchsel.strategy``."""

    @property
    def alternatives(self) -> Alternatives | None:
        """What the file offers to every machine; None where it is routed to one backend."""

    @property
    def is_users(self) -> bool:
        """Whether the routing is the user's own, and torchsel only chooses."""

    @property
    def is_for_one(self) -> bool:
        """Whether the file is routed for the build of one machine."""

    @property
    def oldest_uv(self) -> tuple[int, ...]:
        """The first uv that reads what is written. Sources by index are from 0.5.3."""

    @property
    def is_routed(self) -> bool:
        """Whether the file has some routing of this kind, in sync or not."""

    @property
    def is_open(self) -> bool:
        """Whether the command line leaves something to choose."""

    def decide(self, host: Host, python: str | None, *, upgrade: bool = False) -> Decision:
        """Choose for a machine.

        Raises:
            ConfigError: what was asked for is not to be had in this project.
            MachineError: nothing is usable and ``fallback`` is ``error``.
        """

    def routing(
        self, backend: Backend, bound: str = "", releases: Mapping[str, str] = MappingProxyType({})
    ) -> Routing | None:
        """What is to stand in the file; None where that is the user's.

        ``backend`` is where it is routed to, and ``bound`` the specifier for torch, with one backend alone;
        ``releases`` are exact ones by alternative.

        Raises:
            ConfigError: the strategy does not fit the project.
        """

    def first_releases(self) -> Mapping[str, str]:
        """Releases of torch by alternative that uv.lock has to come to first; empty where a bound is enough.

        Raises:
            ConfigError: an alternative has no release that the project allows.
        """

    def promised(self, decision: Decision) -> tuple[tuple[str, str], ...]:
        """Each build that uv.lock is to have by the catalog: a release of torch and a backend."""

    def routed(self, decision: Decision) -> str | None:
        """The backend that the file routes torch to for this machine, None where it is not torchsel's."""

    def locked(self, decision: Decision) -> list[Locked]:
        """The entries of torch in uv.lock that are for what was chosen."""

    def release(self, decision: Decision, host: Host) -> str | None:
        """The torch that this machine decides on for the whole lock; None where it decides nothing."""

    def drift(self, decision: Decision) -> str:
        """Why the file is not what this machine needs, and what to do; empty where nothing can be said."""

    def lock_drift(self, decision: Decision, host: Host, locked: Locked | None) -> str:
        """Why uv.lock, of a project in sync, has not what this machine needs; empty where it has."""

    def lock_gap(self, host: Host) -> str:
        """Why uv.lock has nothing from what is routed on a machine's platform; empty where it has."""

    def forbidden(self) -> tuple[str, ...]:
        """Why what is routed is not allowed, whatever the machine; nothing where it is."""


class OneForAll:
    """What strategies share whose file and uv.lock serve all machines, of which each chooses its part.

    With several builds in one lock, a uv before 0.5.8 installs them all over each other.
    """

    is_for_one = False
    oldest_uv = (0, 5, 8)

    def release(self, decision: Decision, host: Host) -> None:
        """No machine decides for the others."""

    def lock_drift(self, decision: Decision, host: Host, locked: Locked | None) -> str:
        """A backend that uv.lock knows nothing of."""
        is_missing = locked is None and decision.chosen is not None
        return f"uv.lock has no torch for {decision.tag}; run 'torchsel lock'" if is_missing else ""

    def lock_gap(self, host: Host) -> str:
        """What is chosen is looked for by itself."""
        return ""

    def forbidden(self) -> tuple[str, ...]:
        """All that the file offers is allowed."""
        return ()
