"""The values of a verification: what is asked, what was seen, what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.host import Host
from torchsel.verify.run import MOST_MEMORY

Verdict = Literal[
    "works",
    "cpu build",
    "no kernels",
    "driver too old",
    "library missing",
    "hung",
    "crashed",
    "busy",
    "not installed",
]

TIMEOUT = 60.0
"""Seconds that a child may take, where nothing else is said."""

LONGEST_TIMEOUT = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What to verify: the environment's folder, and what was selected for this machine.

    ``torch`` is the public release of the selection, None where unknown; ``deciding`` holds the compute
    capabilities and gfx targets that the selection had to serve, empty for all; ``sync`` are the commands
    that bring the environment in line. ``timeout`` is in seconds for each child, ``memory`` in bytes.
    """

    environment: Path
    backend: Backend
    torch: str | None
    host: Host
    catalog: Catalog
    environ: Mapping[str, str]
    deciding: frozenset[str] = frozenset()
    sync: tuple[str, ...] = ("torchsel sync",)
    timeout: float = TIMEOUT
    memory: int = MOST_MEMORY

    @property
    def family(self) -> str:
        """What is to be tried: the selected family; on a Mac its GPU, which needs no build of its own."""
        return "mps" if self.host.system == "darwin" else self.backend.family

    @property
    def selected(self) -> str:
        """The selection in words, ``torch 2.14.1 with cu126``."""
        return f"{f'torch {self.torch}' if self.torch else 'torch'} with {self.backend.tag}"

    def synced(self, verdict: Verdict, why: str) -> Opinion:
        """A verdict that the commands of ``sync`` put right."""
        return Opinion(verdict=verdict, why=f"{why}{to_run(self.sync)}", commands=self.sync)


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """A verdict, one sentence why with what to do, and that as complete commands."""

    verdict: Verdict
    why: str = ""
    commands: tuple[str, ...] = ()


def to_run(commands: tuple[str, ...]) -> str:
    """The end of a sentence that says what to type."""
    return f"; run {', then '.join(repr(command) for command in commands)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """One device that was tried. ``steps`` maps each to how far it was from the CPU, None for not a number.

    ``memory`` is the most of the device's memory, in bytes, that torch took for them, None where unknown.
    ``counts`` is False for one that the selection did not have to serve, such as graphics in a processor.
    """

    name: str
    opinion: Opinion
    compute_capability: str | None = None
    gfx_target: str | None = None
    steps: Mapping[str, float | None] = field(default_factory=dict)
    memory: int | None = None
    counts: bool = True

    @property
    def target(self) -> str | None:
        """The compute capability or gfx target."""
        return self.compute_capability or self.gfx_target

    @property
    def label(self) -> str:
        """Name and target for a sentence."""
        return f"{self.name} ({self.target})" if self.target else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Companion:
    """A package built against torch, and whether it can be imported."""

    name: str
    version: str
    opinion: Opinion


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """All that was seen. ``torch`` is the version with its local part, None where none is installed.

    ``predicted`` is whether the catalog's tables say that this build runs here, None where they can't, and
    ``prediction`` what they have against it; ``catalog_row`` is TOML for where they are wrong. ``build`` is
    what the build says of itself.
    """

    opinion: Opinion
    torch: str | None
    devices: tuple[Device, ...] = ()
    companions: tuple[Companion, ...] = ()
    predicted: bool | None = None
    prediction: str = ""
    catalog_row: str | None = None
    notes: tuple[str, ...] = ()
    build: Mapping[str, Any] = field(default_factory=dict)
    unexplained: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict of it all."""
        return self.opinion.verdict

    @property
    def exit_code(self) -> int:
        """0 works, 1 does not, 3 can't tell."""
        return {"works": 0, "busy": 3}.get(self.verdict, 1)
