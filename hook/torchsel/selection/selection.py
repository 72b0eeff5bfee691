"""The values that selection answers with."""

from __future__ import annotations

from dataclasses import dataclass

from torchsel.backend import Backend
from torchsel.host import Accelerator
from torchsel.selection.remedy import WayOut
from torchsel.vendors import Family


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One build that was considered, and why it was accepted or not."""

    backend: str
    torch: str
    accepted: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The backend chosen, with everything that led to it.

    ``torch`` is the public release it was chosen for, None where unknown. ``moved_from`` is the locked
    release that had to be left. ``usable`` is False where the choice is only the way out because nothing
    ran, or what was asked for does not run here; ``ways_out`` then are what would help, the first one best.
    ``bound`` is the specifier (``<2.11``) that keeps uv from a newer torch on the same index which does not
    run here; empty where there is none.
    """

    backend: Backend
    torch: str | None
    reasons: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    moved_from: str | None = None
    usable: bool = True
    bound: str = ""
    ways_out: tuple[WayOut, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type for the first way out that can be typed as a whole, in order to run it."""
        typed = (way for way in self.ways_out if all(remedy.commands for remedy in way))
        return tuple(command for remedy in next(typed, ()) for command in remedy.commands)

    @property
    def family(self) -> Family:
        """The family of the backend."""
        return self.backend.family
