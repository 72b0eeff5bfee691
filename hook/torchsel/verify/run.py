"""Children that may hang, die or eat memory: started side by side, watched, and left behind if need be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
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

_LISTS = {"cuda": ("CUDA_VISIBLE_DEVICES",), "rocm": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")}
"""The variables that list the GPUs a program may see; HIP takes CUDA's where its own is not set."""

End = Literal["ended", "hung", "ate memory", "not started"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One child's work, as ``child.py`` reads it, and the variables that show it its device."""

    kind: Literal["look", "device", "import"]
    family: str = "cpu"
    index: int = 0
    module: str = "torch"
    variables: Mapping[str, str | None] = field(default_factory=dict)


def device_tasks(family: str, count: int, environ: Mapping[str, str]) -> list[Task]:
    """One task a device; where torch sees none, one all the same, for the message that it gives."""
    if not count:
        return [Task(kind="device", family=family)]
    return [_device_task(family, index, environ) for index in range(count)]


def _device_task(family: str, index: int, environ: Mapping[str, str]) -> Task:
    # Intel's GPUs go by torch's index: it passes over integrated ones, which oneAPI's selectors count
    if family not in _LISTS:
        return Task(kind="device", family=family, index=index)
    name, *others = _LISTS[family]
    listed = next((value for key in _LISTS[family] if (value := environ.get(key))), "")
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    shown = entries[index] if index < len(entries) else str(index)
    variables: dict[str, str | None] = {name: shown, **dict.fromkeys(others)}
    if family == "cuda":
        # 128 kB of the GPU's memory for cuBLAS's workspace, in place of the up to 32 MB that torch takes
        variables["CUBLAS_WORKSPACE_CONFIG"] = environ.get("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    if family == "cuda" and not entries:
        variables["CUDA_DEVICE_ORDER"] = environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return Task(kind="device", family=family, variables=variables)


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

    def all(self, key: str) -> list[str]:
        """Every text reported under a key."""
        return [str(report[key]) for report in self.reports if report.get(key)]


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
        with (
            Stops() as stops,
            # cleaned up as far as a child that is left behind allows
            tempfile.TemporaryDirectory(prefix="torchsel-verify-", ignore_cleanup_errors=True) as folder,
        ):
            children: list[_Child | Ended] = []
            try:
                for at, task in enumerate(tasks):
                    children.append(self._start(task, Path(folder, str(at))))
                self._wait(_started(children), stops)
            finally:
                _stop(_started(children))
            return [child.ended() if isinstance(child, _Child) else child for child in children]

    def _start(self, task: Task, folder: Path) -> _Child | Ended:
        folder.mkdir()
        report = folder / "result"
        work = json.dumps({**asdict(task), "seconds": self.timeout, "result": str(report)})
        environ = {**self.environ, **task.variables}
        try:
            process = subprocess.Popen(  # noqa: S603 - an absolute path, no shell
                # isolated, and without a cache: nothing of the project's runs, and nothing is written
                [str(self.python), "-I", "-B", str(PROGRAM), work],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={name: value for name, value in environ.items() if value is not None},
                # so that what it starts can be ended with it
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            return Ended(end="not started", words=str(error.strerror))
        return _Child(process=process, report=report)

    def _wait(self, children: Sequence[_Child], stops: Stops) -> None:
        """Until all have ended, the limit or a signal; who takes too much memory is stopped before."""
        until = time.monotonic() + self.timeout
        # all there may be is taken for free where the system does not say
        free = (_kilobytes("/proc/meminfo", "MemAvailable:") << 10) or 2 * MOST_MEMORY
        memory = min(self.memory, max(free // 2, LEAST_MEMORY))
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
    """A started program, and the thread that listens to it."""

    process: subprocess.Popen[bytes]
    report: Path
    words: bytes = b""
    end: End = "ended"
    is_over: bool = False
    ear: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.ear = threading.Thread(target=self.listen, name="torchsel-verify", daemon=True)
        self.ear.start()

    def listen(self) -> None:
        """Keep the end of what it says until its end."""
        stream: Any = self.process.stderr
        with suppress(OSError, ValueError):
            while part := stream.read1(KEPT_WORDS):
                self.words = (self.words + part)[-KEPT_WORDS:]
        stream.close()

    def is_running(self) -> bool:
        """Whether it runs; what one that ended has started is ended too."""
        # its group is ended at once, before its number is another's
        if not self.is_over and self.process.poll() is not None:
            self.is_over = True
            self._kill_group()
        return not self.is_over

    def memory(self) -> int:
        """Bytes of main memory of its own, libraries apart; 0 where the system does not say (Linux does)."""
        return _kilobytes(f"/proc/{self.process.pid}/status", "RssAnon:") << 10

    def kill(self, end: End = "hung") -> None:
        """Kill it with all that it started, where it still runs."""
        if self.is_running():
            self.end, self.is_over = end, True
            self._kill_group()

    def _kill_group(self) -> None:
        with suppress(OSError):
            if sys.platform == "win32":
                self.process.kill()
            else:
                os.killpg(self.process.pid, signal.SIGKILL)

    def wait(self, until: float) -> None:
        """Wait for its end and its last words, no longer than that moment of the monotonic clock."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, until - time.monotonic()))
        self.ear.join(max(0.0, until - time.monotonic()))

    def ended(self) -> Ended:
        code = self.process.returncode
        if code is None:  # left behind: what Popen would say of that is said by the verdict
            self.process.returncode = -signal.SIGTERM
        words = self.words.decode("utf-8", "replace")
        return Ended(end=self.end, reports=tuple(_reports(self.report)), code=code, words=words)


def _started(children: Iterable[_Child | Ended]) -> list[_Child]:
    return [child for child in children if isinstance(child, _Child)]


def _stop(children: Sequence[_Child]) -> None:
    """Kill those that run, and wait a second for all: one that the kernel holds is left behind."""
    until = time.monotonic() + _LAST_WAIT
    for child in children:
        child.kill()
    for child in children:
        child.wait(until)


def _reports(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects in a child's file, as far as they can be read."""
    with suppress(OSError), path.open("rb") as file:
        for line in file.read(LARGEST_REPORT).decode("utf-8", "replace").splitlines():
            with suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record


def _kilobytes(path: str, name: str) -> int:
    """A number of the kernel's, in kB; 0 where there is none."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0
