"""What came of a child, as a verdict with its sentence and the complete commands that lead out."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass

from torchsel.catalog.rows import Build
from torchsel.verify.installed import InstalledTorch
from torchsel.verify.messages import Message, Remedy, find_message
from torchsel.verify.run import Ended
from torchsel.verify.values import LONGEST_TIMEOUT, Opinion, Verdict, Verification, to_run

RETRY_FACTOR = 5
"""How much more time is offered to what did not end: reading torch from a slow disk takes minutes."""

_GRAVEST_FIRST: tuple[Verdict, ...] = (
    *("not installed", "cpu build", "library missing", "no kernels", "driver too old", "crashed", "hung"),
    # busy speaks only where nothing works: it says nothing of the build
    *("works", "busy"),
)


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
        try:
            return signal.Signals(-ended.code).name
        except ValueError:
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
