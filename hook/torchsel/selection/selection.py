"""The values that selection answers with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torchsel.backend import Backend, Family
    from torchsel.host import Accelerator

RemedyKind = Literal[
    "driver",
    "install-driver",
    "allow",
    "require",
    "backends",
    "max-cuda",
    "python",
    "requires-python",
    "companion",
    "jetpack",
    "linux",
    "x86-64",
    "amd-index",
    "amd-wheels",
    "ask-xpu",
    "gfx-override",
    "gfx-target",
    "offer-backend",
    "lock-torch",
    "source",
    "cpu",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """One thing to change so that a build runs.

    ``kind`` says what and ``value`` to what: an NVIDIA driver version (``580``), a release of torch to allow
    or its bound (``<2.15``), a backend's tag, a CUDA release, Python releases, a gfx target; empty where
    the kind says all. ``torch`` and ``backend`` are the build's that runs then, empty where it is no one.
    ``requirements`` are what the project has to require for ``require`` and ``allow``, torch's companions
    included; ``commands`` do it all when typed, in their order, and are empty where that can't be typed.
    ``line`` is what has to stand in ``[tool.torchsel]``.
    """

    kind: RemedyKind
    value: str = ""
    torch: str = ""
    backend: str = ""
    requirements: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    line: str = ""


WayOut = tuple[Remedy, ...]
"""All that has to be changed together so that a build runs."""


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
