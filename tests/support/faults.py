"""A project to break in every way: a change of machine, a fault in its middle, and what has to hold then."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

from tests.support.faulty import ERRNOS, Ended, Fault, Run
from tests.support.processes import hearing
from tests.support.toolbox import ROOT, World, host_files, uv_binary

PROJECT = """\
# of the user's
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch", "testkit"]  # all we need

[tool.torchsel]
"""
STAND_IN = """\
#!/bin/sh
# As uv: writes the lock that belongs to pyproject.toml, renamed into place; --check compares.
if grep -q pytorch-cpu pyproject.toml; then lock="{store}/there"; else lock="{store}/here"; fi
case "$*" in *--check*) exec cmp -s "$lock" uv.lock ;; esac
{script}
trap 'rm -f .tmpuv; exit 1' TERM
cp "$lock" .tmpuv && mv .tmpuv uv.lock || {{ rm -f .tmpuv; echo "can't write uv.lock" >&2; exit 1; }}
"""
HERE, THERE = "h200", "cpu"


class BrokenError(AssertionError):
    """A fault was not survived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The two files' texts."""

    pyproject: str
    lock: str


class Bench:
    """A project that is routed and locked for one machine, and is to be taken to another one.

    ``here`` and ``there`` are both states as undisturbed runs leave them.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder / "project"
        self.state = folder / "state"
        self.store = folder / "store"
        self.hosts = host_files()
        for path in (self.folder, self.state, self.store):
            path.mkdir(parents=True)
        folder.chmod(0o755)
        self.state.chmod(0o700)
        self.environ = world.environment(uv_binary()) | {
            "TORCHSEL_CACHE_DIR": str(self.state),
            "FAULTY_PROJECT": str(self.folder),
        }
        self.real_path = self.environ["PATH"]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        path = os.pathsep.join([str(ROOT), str(ROOT / "hook")])
        self._process = subprocess.Popen(
            hearing("-m", "tests.support.faulty"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,
        )
        self._make_states()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.wait(10)
            self._process.stdout.close()

    def _make_states(self) -> None:
        """Lock with real uv, there and back, until both states are what every later run gives."""
        (self.folder / "pyproject.toml").write_text(PROJECT)
        self._expect(0, self.torchsel(HERE))
        subprocess.run([uv_binary(), "lock", "-q"], cwd=self.folder, env=self.environ, check=True)
        self._expect(0, self.torchsel(THERE))
        self._expect(0, self.torchsel(HERE))
        self.here = self.now()
        self._expect(0, self.torchsel(THERE))
        self.there = self.now()
        if self.here == self.there or "pytorch-cpu" not in self.there.pyproject:
            raise BrokenError("the bench itself")
        (self.store / "here").write_text(self.here.lock)
        (self.store / "there").write_text(self.there.lock)

    def torchsel(self, machine: str, fault: Fault | None = None, **more: Any) -> Ended:
        """Run ``torchsel --host``; ``more`` are further fields of `Run`."""
        given = Run(
            arguments=["--host", str(self.hosts[machine])],
            folder=str(self.folder),
            environ=dict(self.environ),
            fault=fault or Fault(),
        )
        given = replace(given, **more)
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(given)) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))

    def use_uv(self, script: str | None = "") -> None:
        """Have a stand-in for uv that runs ``script`` before it locks; the real one where None."""
        folder = self.store / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "uv"
        program.unlink(missing_ok=True)
        if script is not None:
            program.write_text(STAND_IN.format(store=self.store, script=script))
            program.chmod(0o755)
        self.environ["PATH"] = os.pathsep.join([str(folder), self.real_path])

    def reset(self) -> None:
        """The project as on the first machine, nothing else."""
        for folder in (self.folder, self.state):
            shutil.rmtree(folder)
            folder.mkdir()
        self.state.chmod(0o700)
        (self.folder / "pyproject.toml").write_text(self.here.pyproject)
        (self.folder / "uv.lock").write_text(self.here.lock)

    def now(self) -> State:
        """The files as they are."""
        texts = [(self.folder / name).read_text() for name in ("pyproject.toml", "uv.lock")]
        return State(pyproject=texts[0], lock=texts[1])

    def is_repair_due(self) -> bool:
        """Whether torchsel has left itself a record."""
        return any(self.state.glob("*.journal"))

    def check_whole(self, context: str) -> None:
        """Each file is one of its two states, and both of one, unless the next run is to repair that.

        Raises:
            BrokenError: it is otherwise.
        """
        now = self.now()
        whole = now.pyproject in (self.here.pyproject, self.there.pyproject) and now.lock in (
            self.here.lock,
            self.there.lock,
        )
        if not whole or not (now in (self.here, self.there) or self.is_repair_due()):
            raise BrokenError(f"{context}: the files are not whole, or not of one generation")

    def check_repaired(self, context: str) -> None:
        """The next run on the first machine brings everything back and leaves nothing else lying there.

        Raises:
            BrokenError: it does not.
        """
        ended = self.torchsel(HERE)
        if ended.code or self.now() != self.here:
            raise BrokenError(f"{context}: not repaired by the next run: {ended}")
        self.check_clean(context)

    def check_clean(self, context: str) -> None:
        """No temporary files, no record.

        Raises:
            BrokenError: there are some.
        """
        names = {path.name for path in self.folder.iterdir()} - {"pyproject.toml", "uv.lock", ".venv"}
        names |= {path.name for path in self.state.iterdir() if path.suffix != ".lock"}
        if names:
            raise BrokenError(f"{context}: left behind: {sorted(names)}")

    def survive(self, fault: Fault, codes: tuple[int, ...], context: str, **more: Any) -> Ended:
        """Take the project to the other machine with a fault on the way, and check all that has to hold.

        A run waits for uv in more steps or fewer, so it may be over before the last ones that were counted;
        then it has to end well.

        Raises:
            BrokenError: something does not.
        """
        self.reset()
        ended = self.torchsel(THERE, fault, **more)
        is_over_before = fault.kind == "signal" and 0 < ended.steps < fault.at
        if ended.code not in ((0,) if is_over_before else codes):
            raise BrokenError(f"{context}: exit code {ended.code}, not one of {codes}: {ended.err}")
        self.check_whole(context)
        self.check_repaired(context)
        return ended

    def _expect(self, code: int, ended: Ended) -> None:
        if ended.code != code:
            raise BrokenError(f"exit code {ended.code}: {ended.err}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One fault to survive: the exit codes that are right, and words that the run must say then."""

    family: str
    fault: Fault
    codes: tuple[int, ...]
    says: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def run(self, bench: Bench) -> None:
        """Survive it.

        Raises:
            BrokenError: it was not survived.
        """
        context = f"{self.family}: {self.fault}"
        ended = bench.survive(self.fault, self.codes, context, **self.more)
        if self.says not in ended.err or "bug in torchsel" in ended.err or "Traceback" in ended.err:
            raise BrokenError(f"{context}: said: {ended.err}")


def steps(bench: Bench, kind: str) -> int:
    """How many steps or calls there are in an undisturbed change."""
    bench.reset()
    ended = bench.torchsel(THERE, Fault(kind=kind))
    if bench.now() != bench.there or ended.steps < 20:
        raise BrokenError(f"counting: {ended}")
    return ended.steps


def signal_points(bench: Bench) -> Iterator[Point]:
    """Every signal at every line."""
    count = steps(bench, "signal")
    for number, codes in ((signal.SIGKILL, (-9,)), (signal.SIGTERM, (-15,)), (signal.SIGINT, (130,))):
        for at in range(1, count + 1):
            fault = Fault(kind="signal", at=at, number=number)
            yield Point(family=f"{number.name} at every step", fault=fault, codes=codes)


def error_points(bench: Bench) -> Iterator[Point]:
    """Every errno from every system call."""
    count = steps(bench, "error")
    for name, number in ERRNOS.items():
        for at in range(1, count + 1):
            fault = Fault(kind="error", at=at, number=number)
            yield Point(family=f"{name} from every call", fault=fault, codes=(0, 2, 3))


def limit_points(bench: Bench) -> Iterator[Point]:
    """No room for a file of more than so many bytes."""
    largest = max(len(bench.there.pyproject), len(bench.here.pyproject))
    for number in (0, 1, 100, largest - 1, largest, 4000):
        yield Point(family="no room", fault=Fault(kind="limit", number=number), codes=(3,))


def swap_points(_: Bench) -> Iterator[Point]:
    """A system that can't swap two files, or fails to."""
    for number, codes in ((0, (0,)), (ERRNOS["EIO"], (3,)), (ERRNOS["ENOSPC"], (3,))):
        yield Point(family="no renameat2", fault=Fault(kind="swap", number=number), codes=codes)


def random_moments(bench: Bench, count: int, seed: int) -> Iterator[str]:
    """Kill torchsel, or it and its uv, at random moments with real uv; yields the signal after each survival.

    Raises:
        BrokenError: one was not survived.
    """
    random = Random(seed)  # noqa: S311 - to be repeatable
    bench.use_uv(None)
    for _ in range(count):
        number = random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        whole_group, delay = random.random() < 0.5, random.random() * 0.8
        bench.reset()
        process = subprocess.Popen(
            hearing("-m", "torchsel", "--host", str(bench.hosts[THERE])),
            cwd=bench.folder,
            env=bench.environ,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        time.sleep(delay)
        (os.killpg if whole_group else os.kill)(process.pid, number)
        said = process.communicate(timeout=60)[1].decode()
        context = f"{number.name} after {delay:.3f} s: {said}"
        if "bug in" in said:
            raise BrokenError(context)
        if number != signal.SIGKILL:
            bench.check_clean(context)
        bench.check_whole(context)
        bench.check_repaired(context)
        yield number.name


FAMILIES = (signal_points, error_points, limit_points, swap_points)
