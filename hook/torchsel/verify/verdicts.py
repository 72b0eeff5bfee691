"""What a verification asks, what it saw, and what that means: a verdict with its sentence and its way out."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build
from torchsel.host import Host
from torchsel.verify.installed import InstalledTorch
from torchsel.verify.messages import Message, Remedy, Verdict, find_message
from torchsel.verify.run import MOST_MEMORY, Ended

TIMEOUT = 60.0
"""Seconds that a child may take, where nothing else is said."""

LONGEST_TIMEOUT = 3600.0

RETRY_FACTOR = 5
"""How much more time is offered to what did not end: reading torch from a slow disk takes minutes."""

_GRAVEST_FIRST: tuple[Verdict, ...] = (
    *("not installed", "cpu build", "library missing", "no kernels", "driver too old", "crashed", "hung"),
    # busy speaks only where nothing works: it says nothing of the build
    *("works", "busy"),
)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What is tried: the installed torch, for what is asked; ``row`` is what the catalog lacks for it."""

    request: Verification
    torch: InstalledTorch
    row: Build | None = None

    @property
    def is_selected(self) -> bool:
        """Whether the installed build is the selected one, as far as its metadata tells."""
        found, request = self.torch.backend, self.request
        same_backend = found is None or found.tag == request.backend.tag
        return same_backend and request.torch in (None, self.torch.public)

    def opinion(self, verdict: Verdict, why: str, remedy: Remedy) -> Opinion:
        """The sentence with its way out, and the commands of it."""
        words, commands = _way_out(remedy, self)
        return Opinion(verdict=verdict, why=f"{why}{words}", commands=commands)


def opinion_of(ended: Ended, attempt: Attempt, *, package: str = "torch") -> Opinion:
    """What came of a child, in a sentence; ``package`` is what it was about."""
    if ended.is_done and ended.get("busy") is not None:
        free = int(ended.get("busy")) >> 20
        why = f"skipped: only {free} MB of its memory are free, less than 256 MB"
        return attempt.opinion("busy", why, "free")
    if ended.is_done:
        return _finished(ended, attempt, package)
    # the last exception says most; what a library printed may be older than all of them
    for text in (*reversed(ended.all("message")), *ended.all("warning"), ended.words):
        if found := find_message(text):
            return _explained(*found, attempt, package)
    return _unexplained(ended, attempt, package)


def _finished(ended: Ended, attempt: Attempt, package: str) -> Opinion:
    """Every step was done: the numbers decide, or what a package says of itself though it was imported."""
    wrong = [str(report["result"]) for report in ended.reports if report.get("ok") is False]
    if wrong:
        why = f"{attempt.torch.words} is broken here: {', '.join(wrong)} gave other numbers than the CPU"
        return attempt.opinion("crashed", why, "reinstall")
    found = find_message(ended.words) if package != "torch" else None
    if found and found[0].remedy == "pair":
        return _explained(*found, attempt, package)
    return Opinion(verdict="works")


def _explained(row: Message, groups: tuple[str, ...], attempt: Attempt, package: str) -> Opinion:
    if package == "torch" and row.remedy == "pair":
        return attempt.opinion(row.verdict, "torch's own libraries do not go together", "reinstall")
    caught = [part.rpartition("/")[2].rpartition("\\")[2] for part in groups] or [""]
    why = row.why.format(*caught, torch=attempt.torch.words, package=package)
    return attempt.opinion(row.verdict, why, row.remedy)


def _unexplained(ended: Ended, attempt: Attempt, package: str) -> Opinion:
    step = ended.get("step") or f"start {attempt.torch.words}"
    if ended.end == "not started":
        why = f"the environment's Python can't be started ({ended.words})"
        return attempt.opinion("not installed", why, "pair")
    if ended.end == "hung":
        why = f"{package} did not end '{step}' within {attempt.request.timeout:g} s"
        return attempt.opinion("hung", why, "again")
    if ended.end == "ate memory":
        why = f"{package} took more main memory than is good in '{step}', and was stopped"
    else:
        why = f"{package} failed in '{step}': {last_words(ended)}"
    return attempt.opinion("crashed", why, "reinstall")


def last_words(ended: Ended) -> str:
    """Why a child ended, in a few words: an exception's first line, a signal's name, or an exit code."""
    if error := ended.get("error"):
        first = (str(ended.get("message") or "").strip().splitlines() or [""])[0]
        # whole words: a part of a name would not be known as one in a report
        shown = first if len(first) <= 300 else first[:300].rpartition(" ")[0]
        return f"{error}: {shown}" if first else str(error)
    if ended.code is not None and ended.code < 0:
        with suppress(ValueError):
            return signal.Signals(-ended.code).name
        return f"signal {-ended.code}"
    return f"it ended with exit code {ended.code}"


def _way_out(remedy: Remedy, attempt: Attempt) -> tuple[str, tuple[str, ...]]:
    """The end of a sentence, and the commands that it names."""
    request = attempt.request
    commands = request.sync
    *before, last = commands
    words = ""
    match remedy:
        case "build" | "driver" if not attempt.is_selected:
            words = f"; this machine needs {request.selected}"
        case "build" if attempt.row:
            words = "; add the row for the catalog to pyproject.toml"
        case "build":
            words = ", though torchsel's catalog says otherwise; until that is mended, use the CPU"
            commands = (*before, last.replace("torchsel", "torchsel --backend cpu", 1))
        case "driver":
            needed = attempt.torch.needed_driver()
            return f"; install NVIDIA driver {needed} or newer" if needed else "; install a newer one", ()
        case "reinstall" if attempt.is_selected:
            commands = (*before, f"{last} --reinstall")
        case "again":
            again = f"torchsel verify --timeout {min(request.timeout * RETRY_FACTOR, LONGEST_TIMEOUT):g}"
            return f"; give it more time with '{again}', and where that does not help restart the machine", (
                again,
            )
        case "free":
            return "; free it, then run 'torchsel verify'", ("torchsel verify",)
        case "machine":
            return "", ()
    return f"{words}{to_run(commands)}", commands


def worst(opinions: Iterable[Opinion]) -> Opinion:
    """The opinion that speaks for all: the gravest; busy only where nothing works."""
    return min(
        opinions, key=lambda opinion: _GRAVEST_FIRST.index(opinion.verdict), default=Opinion(verdict="works")
    )
