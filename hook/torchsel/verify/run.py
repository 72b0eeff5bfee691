"""Children that may hang, die or eat memory: started side by side, watched, and left behind if need be."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torchsel.uv.signals import Stops

PROGRAM = Path(__file__).with_name("child.py")

MOST_MEMORY = 8 << 30
"""Bytes of main memory a child may have, or half of what is free; torch with CUDA takes up to four GB."""

LEAST_MEMORY = 1 << 30
"""Bytes that a child may have however little is free."""

LARGEST_REPORT = 1 << 20
KEPT_WORDS = 16 << 10
"""Bytes kept of a child's report, and of the end of what it said."""

_BETWEEN_LOOKS = 0.05
_LAST_WAIT = 1.0

End = Literal["ended", "hung", "ate memory", "not started"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One child's work, as ``child.py`` reads it, and the variables that show it its device."""

    kind: Literal["look", "device", "import"]
    family: str = "cpu"
    index: int = 0
    module: str = "torch"
    variables: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What came of a child: its reports in order, how it ended, its exit code and its last words.

    ``code`` is negative for a signal, as `subprocess` has it.
    """

    end: End
    reports: tuple[Mapping[str, Any], ...] = ()
    code: int | None = None
    words: str = ""

    def get(self, key: str) -> Any:
        """The last report of a key; None where there was none."""
        return next((report[key] for report in reversed(self.reports) if key in report), None)

    @property
    def is_done(self) -> bool:
        """Whether it came to the end of its work."""
        return bool(self.get("done"))

    def all(self, *keys: str) -> list[str]:
        """Every text reported under ``keys``."""
        return [str(report[key]) for report in self.reports for key in keys if report.get(key)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runner:
    """How children are run: the interpreter, the variables they begin with, and what each may take.

    ``timeout`` is in seconds, ``memory`` in bytes.
    """

    python: Path
    environ: Mapping[str, str]
    timeout: float
    memory: int

    def run(self, tasks: Sequence[Task]) -> list[Ended]:
        """Run all at once; no longer than the limit and a second, whatever they do.

        A signal that ends a program ends them first.
        """
        with Stops() as stops, _scratch_folder() as folder:
            children: list[_Child] = []
            try:
                for at, task in enumerate(tasks):
                    children.append(self._start(task, folder / str(at)))
                self._wait(children, stops)
            finally:
                _stop(children)
            return [child.ended() for child in children]

    def _start(self, task: Task, folder: Path) -> _Child:
        folder.mkdir()
        work = {
            "kind": task.kind,
            "family": task.family,
            "index": task.index,
            "module": task.module,
            "seconds": self.timeout,
            "result": str(folder / "result"),
        }
        environ = {**self.environ, **task.variables}
        try:
            process = subprocess.Popen(  # noqa: S603 - an absolute path, no shell
                [str(self.python), "-I", "-B", str(PROGRAM), json.dumps(work)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={name: value for name, value in environ.items() if value is not None},
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            return _Child(process=None, report=folder / "result", words=[str(error.strerror).encode()])
        child = _Child(process=process, report=folder / "result")
        child.ear = threading.Thread(target=child.listen, name="torchsel-verify", daemon=True)
        child.ear.start()
        return child

    def _wait(self, children: list[_Child], stops: Stops) -> None:
        """Until all have ended, the limit or a signal; who takes too much memory is stopped before."""
        until = time.monotonic() + self.timeout
        memory = min(self.memory, max(_free_memory() // 2, LEAST_MEMORY))
        while running := [child for child in children if child.is_running()]:
            stops.check()
            for child in running:
                if child.memory() > memory:
                    child.kill("ate memory")
            if time.monotonic() > until:
                return
            time.sleep(_BETWEEN_LOOKS)


@dataclass(kw_only=True, slots=True)
class _Child:
    """A started program; ``process`` is None where it could not be."""

    process: subprocess.Popen[bytes] | None
    report: Path
    words: list[bytes] = field(default_factory=list)
    end: End = "ended"
    is_over: bool = False
    ear: threading.Thread | None = None

    def is_running(self) -> bool:
        """Whether it runs; what one that ended has started is ended too, before its number is another's."""
        if self.process is None or self.is_over:
            return False
        self.is_over = self.process.poll() is not None
        if self.is_over:
            self._kill_group()
        return not self.is_over

    def listen(self) -> None:
        """Keep the end of what it says until its end."""
        stream = self.process.stderr if self.process else None
        with suppress(OSError, ValueError):
            while stream and (part := stream.read1(KEPT_WORDS)):  # type: ignore[attr-defined]
                self.words[:] = [b"".join((*self.words, part))[-KEPT_WORDS:]]
        if stream:
            stream.close()

    def memory(self) -> int:
        """Bytes of main memory of its own, libraries apart; 0 where the system does not say (Linux does)."""
        return _kilobytes(f"/proc/{self.process.pid if self.process else 0}/status", "RssAnon:") << 10

    def kill(self, end: End = "hung") -> None:
        """Kill it with all that it started, where it still runs."""
        if self.is_running():
            self.end, self.is_over = end, True
            self._kill_group()

    def _kill_group(self) -> None:
        with suppress(OSError):
            if self.process and sys.platform == "win32":
                self.process.kill()
            elif self.process:
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, until: float) -> None:
        """Wait for its end and its last words, no longer than that moment of the monotonic clock."""
        if self.process and self.ear:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(max(0.0, until - time.monotonic()))
            self.ear.join(max(0.0, until - time.monotonic()))

    def ended(self) -> Ended:
        if self.process is None:
            return Ended(end="not started", words=b"".join(self.words).decode("utf-8", "replace"))
        code = self.process.returncode
        if code is None:  # left behind: what Popen would say of that is said by the verdict
            self.process.returncode = -signal.SIGTERM
        return Ended(
            end=self.end,
            reports=tuple(_reports(self.report)),
            code=code,
            words=b"".join(self.words).decode("utf-8", "replace"),
        )


def _stop(children: Sequence[_Child]) -> None:
    """Kill those that run, and wait a second for all: one that the kernel holds is left behind."""
    until = time.monotonic() + _LAST_WAIT
    for child in children:
        child.kill()
    for child in children:
        child.wait(until)


def _reports(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects in a child's file, as far as they can be read."""
    try:
        with path.open("rb") as file:
            lines = file.read(LARGEST_REPORT).decode("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield record


def _free_memory() -> int:
    """Bytes of main memory that are free for use; all there may be where the system does not say."""
    return (_kilobytes("/proc/meminfo", "MemAvailable:") << 10) or 2 * MOST_MEMORY


def _kilobytes(path: str, name: str) -> int:
    """A number of the kernel's, in kB; 0 where there is none."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """An empty folder of this user's alone, gone afterwards as far as what runs on allows."""
    folder = Path(tempfile.mkdtemp(prefix="torchsel-verify-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
