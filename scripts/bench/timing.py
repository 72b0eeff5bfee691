"""Timing whole processes in turn, and the rows that come of it."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A program to time in ``cwd``; ``prepare`` runs before, untimed; ``codes`` are its right ends."""

    words: Sequence[str]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    prepare: Callable[[], object] | None = None
    codes: Sequence[int] = (0,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Seconds of each round, the processor's seconds, and the largest memory (bytes; at least ours)."""

    seconds: tuple[float, ...]
    busy: tuple[float, ...]
    memory: int

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.seconds) * 1e3

    @property
    def work(self) -> str:
        """The processor's own time, which other programs delay less."""
        return f"{statistics.median(self.busy) * 1e3:,.0f} ms of processor time"

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a part of the median: the noise."""
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / 2 / statistics.median(self.seconds)

    def ratio(self, other: Times) -> float:
        """The median of the ratios within a round."""
        return statistics.median(mine / its for mine, its in zip(self.seconds, other.seconds, strict=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure: milliseconds, what it is compared with, and the goal, where there is one."""

    part: str
    name: str
    ms: float | None = None
    ratio: str = ""
    goal: str = ""
    is_met: bool | None = None
    note: str = ""


def paired(commands: Mapping[str, Command], rounds: int) -> dict[str, Times]:
    """Run each command once a round, after one round that does not count.

    Raises:
        RuntimeError: a command ended with a code that is not among its right ones.
    """
    found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            found[name].append(once(command))
    times = {name: zip(*runs[1:], strict=True) for name, runs in found.items()}
    return {
        name: Times(seconds=seconds, busy=busy, memory=max(memory))
        for name, (seconds, busy, memory) in times.items()
    }


def once(command: Command) -> tuple[float, float, int]:
    """Seconds by the clock and of the processor, and bytes, of one run.

    Raises:
        RuntimeError: it ended with a wrong code.
    """
    if command.prepare:
        command.prepare()
    began = time.perf_counter()
    process = subprocess.Popen(
        command.words,
        cwd=command.cwd,
        env=command.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in command.codes:
        msg = f"{' '.join(command.words)} in {command.cwd}: exit code {process.returncode}"
        raise RuntimeError(msg)
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def at_most(part: str, name: str, times: Times, other: Times, limit: float, what: str) -> Row:
    """A row whose goal is a ratio."""
    ratio = times.ratio(other)
    return Row(
        part=part,
        name=name,
        ms=times.median,
        ratio=f"{ratio:.2f} x {what}",
        goal=f"at most {limit:g} x {what}",
        is_met=ratio <= limit,
    )


def within(part: str, name: str, times: Times, limit: float, *, note: str = "") -> Row:
    """A row whose goal is a number of milliseconds."""
    return Row(
        part=part,
        name=name,
        ms=times.median,
        goal=f"at most {limit:,.0f} ms",
        is_met=times.median <= limit,
        note=note,
    )
