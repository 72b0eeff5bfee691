"""What came of a child, as a verdict with its sentence and the complete commands that lead out."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torchsel.verify.messages import Message, Remedy, find_message
from torchsel.verify.run import Ended
from torchsel.verify.values import LONGEST_TIMEOUT, Opinion, Verdict, to_run

RETRY_FACTOR = 5
"""How much more time is offered to what did not end: reading torch from a slow disk takes minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """What a remedy depends on.

    ``installed`` and ``selected`` name builds (``torch 2.14.1 with cu126``), ``is_selected`` whether they are
    the same; ``driver`` is the lowest that the installed build needs, empty where it needs none; ``has_row``
    whether a row for the catalog is printed; ``sync`` the commands that bring the environment in line.
    """

    installed: str
    selected: str
    is_selected: bool
    sync: tuple[str, ...]
    timeout: float
    driver: str = ""
    has_row: bool = False


def opinion_of(ended: Ended, aim: Aim, *, package: str = "torch") -> Opinion:
    """What came of a child, in a sentence; ``package`` is what it was about."""
    if ended.is_done and ended.get("busy") is not None:
        free = int(ended.get("busy")) >> 20
        why = f"skipped: only {free} MB of its memory are free, less than 256 MB"
        return _remedied("busy", why, "free", aim)
    if ended.is_done:
        return _finished(ended, aim, package)
    for text in (*reversed(ended.all("message")), *ended.all("warning"), ended.words):
        if found := find_message(text):
            return _explained(*found, aim, package)
    return _unexplained(ended, aim, package)


def _finished(ended: Ended, aim: Aim, package: str) -> Opinion:
    """Every step was done: the numbers decide, or what a package says of itself though it was imported."""
    wrong = [str(report["result"]) for report in ended.reports if report.get("ok") is False]
    if wrong:
        why = f"{', '.join(wrong)} gave other numbers than the CPU"
        return _remedied("crashed", f"{aim.installed} is broken here: {why}", "reinstall", aim)
    found = find_message(ended.words) if package != "torch" else None
    if found and found[0].remedy == "pair":
        return _explained(*found, aim, package)
    return Opinion(verdict="works")


def _explained(row: Message, groups: tuple[str, ...], aim: Aim, package: str) -> Opinion:
    if package == "torch" and row.remedy == "pair":
        return _remedied(row.verdict, "torch's own libraries do not go together", "reinstall", aim)
    caught = [part.rpartition("/")[2].rpartition("\\")[2] for part in groups] or [""]
    why = row.why.format(*caught, torch=aim.installed, package=package)
    return _remedied(row.verdict, why, row.remedy, aim)


def _unexplained(ended: Ended, aim: Aim, package: str) -> Opinion:
    step = ended.get("step") or f"start {aim.installed}"
    if ended.end == "not started":
        why = f"the environment's Python can't be started ({ended.words})"
        return _remedied("not installed", why, "pair", aim)
    if ended.end == "hung":
        why = f"{package} did not end '{step}' within {aim.timeout:g} s"
        return _remedied("hung", why, "again", aim)
    if ended.end == "ate memory":
        why = f"{package} took more main memory than is good in '{step}', and was stopped"
        return _remedied("crashed", why, "reinstall", aim)
    return _remedied("crashed", f"{package} failed in '{step}': {last_words(ended)}", "reinstall", aim)


def last_words(ended: Ended) -> str:
    """Why a child ended, in a few words: an exception's first line, a signal's name, or an exit code."""
    if message := ended.get("error"):
        first = (str(ended.get("message") or "").strip().splitlines() or [""])[0]
        return f"{message}: {_beginning(first)}" if first else str(message)
    if ended.code is not None and ended.code < 0:
        try:
            return signal.Signals(-ended.code).name
        except ValueError:
            return f"signal {-ended.code}"
    return f"it ended with exit code {ended.code}"


def _beginning(text: str) -> str:
    """The first 300 characters in whole words: a part of a name would not be known as one in a report."""
    return text if len(text) <= 300 else text[:300].rpartition(" ")[0]


def _remedied(verdict: Verdict, why: str, remedy: Remedy, aim: Aim) -> Opinion:
    """The sentence with its way out, and the commands of it."""
    advice, *commands = _ADVICE[remedy](aim)
    return Opinion(verdict=verdict, why=f"{why}{advice}", commands=tuple(commands))


def _other_build(aim: Aim) -> tuple[str, ...]:
    if not aim.is_selected:
        return f"; this machine needs {aim.selected}{to_run(aim.sync)}", *aim.sync
    if aim.has_row:
        return f"; add the row for the catalog to pyproject.toml{to_run(aim.sync)}", *aim.sync
    *before, last = aim.sync
    cpu = (*before, last.replace("torchsel", "torchsel --backend cpu", 1))
    return f", though torchsel's catalog says otherwise; until that is mended, use the CPU{to_run(cpu)}", *cpu


def _other_driver(aim: Aim) -> tuple[str, ...]:
    if not aim.is_selected:
        return f"; this machine needs {aim.selected}{to_run(aim.sync)}", *aim.sync
    return (f"; install NVIDIA driver {aim.driver} or newer" if aim.driver else "; install a newer one",)


def _reinstalled(aim: Aim) -> tuple[str, ...]:
    if not aim.is_selected:
        return _synced(aim)
    *before, last = aim.sync
    commands = (*before, f"{last} --reinstall")
    return to_run(commands), *commands


def _synced(aim: Aim) -> tuple[str, ...]:
    return to_run(aim.sync), *aim.sync


def _more_time(aim: Aim) -> tuple[str, ...]:
    command = f"torchsel verify --timeout {min(aim.timeout * RETRY_FACTOR, LONGEST_TIMEOUT):g}"
    return f"; give it more time with '{command}', and where that does not help restart the machine", command


_ADVICE: Mapping[Remedy, Callable[[Aim], tuple[str, ...]]] = {
    "build": _other_build,
    "driver": _other_driver,
    "reinstall": _reinstalled,
    "pair": _synced,
    "again": _more_time,
    "free": lambda _: ("; free it, then run 'torchsel verify'", "torchsel verify"),
    "machine": lambda _: ("",),
}

_WORST = ("not installed", "cpu build", "library missing", "no kernels", "driver too old", "crashed", "hung")


def worst(opinions: Iterable[Opinion]) -> Opinion:
    """The opinion that speaks for all: the gravest; busy only where nothing works."""
    found = list(opinions)
    for verdict in (*_WORST, "works", "busy"):
        for opinion in found:
            if opinion.verdict == verdict:
                return opinion
    return Opinion(verdict="works")
