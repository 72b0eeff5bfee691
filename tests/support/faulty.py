"""A process that runs torchsel with faults: started once, it forks for every run, so that a run is quick.

``python -m tests.support.faulty`` reads one JSON request a line and answers each with one JSON line.
Nothing of torchsel knows about this: lines are counted by a trace function, system calls by replacing
functions of `os`.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import importlib
import io
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

WATCHED = (
    "torchsel/files/",
    "torchsel/pipeline/apply.py",
    "torchsel/uv/program.py",
    "torchsel/uv/signals.py",
)
"""Folders and modules of the package whose every line is a step; in Python's own a program is started."""

CALLS = ("open", "fsync", "replace", "rename", "unlink", "fchmod", "fchown", "mkdir", "stat")
"""Functions of `os` whose every call is a fault point."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What goes wrong in a run, at the ``at``-th step or call (from 1; 0 only counts).

    ``kind``: ``none``; ``signal`` (``number`` at a line); ``error`` (``number``, an errno, from a call);
    ``swap`` (renameat2 is not there, or answers errno ``number``); ``edit`` (before a call, ``texts`` are
    written to files, in ``style``: ``in place``, ``renamed`` or ``held open`` until the next call);
    ``limit`` (files can't grow beyond ``number`` bytes).
    """

    kind: str = "none"
    at: int = 0
    number: int = 0
    style: str = "in place"
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of torchsel: ``patience`` is the limit for ``uv lock`` in seconds, None as shipped."""

    arguments: list[str]
    folder: str
    environ: dict[str, str]
    fault: Fault = field(default_factory=Fault)
    user: int | None = None
    patience: float | None = None
    timeout: float = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How it ended: ``code`` is negative for a signal, ``steps`` counted where it came to its end."""

    code: int
    err: str
    steps: int


def serve() -> None:
    """Answer requests until there are no more."""
    _load_everything()
    for line in sys.stdin:
        given = json.loads(line)
        run = Run(**{**given, "fault": Fault(**given["fault"])})
        print(json.dumps(asdict(_forked(run))), flush=True)


def _load_everything() -> None:
    """So that the forks need not, which may be of users who can't read Python's own files."""
    import ctypes  # noqa: F401
    import pkgutil

    import torchsel

    for module in pkgutil.walk_packages(torchsel.__path__, "torchsel."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in ("filelock", "packaging.requirements", "packaging.specifiers", "difflib", "tempfile"):
        importlib.import_module(name)
    for codec in ("utf-8-sig", "idna"):
        codecs.lookup(codec)


def _forked(run: Run) -> Ended:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _be_torchsel(run, writing)
    os.close(writing)
    status = _awaited(child, run.timeout)
    os.set_blocking(reading, False)
    with open(reading, "rb") as file:  # noqa: PTH123 - a pipe, which a uv that lives on may hold open
        said = (file.read() or b"").decode("utf-8", "replace")
    err, _, steps = said.partition("\0")
    return Ended(code=os.waitstatus_to_exitcode(status), err=err, steps=int(steps or 0))


def _awaited(child: int, timeout: float) -> int:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 124 << 8


def _be_torchsel(run: Run, output: int) -> None:
    code = 99
    with contextlib.suppress(BaseException):
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(output, 2)
        if run.user is not None:
            os.setgroups([])
            os.setgid(run.user)
            os.setuid(run.user)
        os.chdir(run.folder)
        os.environ.clear()
        os.environ.update(run.environ)
        counter = _arm(run)
        from torchsel.cli import main

        code = main(run.arguments)
        counter.finish_held()
        sys.settrace(None)
        sys.stderr.flush()
        os.write(2, f"\0{counter.count}".encode())
    sys.settrace(None)
    os._exit(code)


class _Counter:
    """Counts what ``kind`` of step there is and does the fault at its turn."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.count = 0
        self.held: list[tuple[Any, str]] = []

    def step(self) -> bool:
        self.count += 1
        return self.count == self.run.fault.at

    def on_line(self, frame: FrameType, event: str, _: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.endswith("/subprocess.py") and not any(part in name for part in WATCHED):
            return None
        if event == "line" and self.step():
            os.kill(os.getpid(), self.run.fault.number)
        return self.on_line

    def on_call(self, real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if not self._is_ours(name, args):
                return real(*args, **named)
            self.finish_held()
            if self.step():
                if self.run.fault.kind == "error":
                    raise OSError(self.run.fault.number, os.strerror(self.run.fault.number))
                self._edit()
            return real(*args, **named)

        return call

    def _is_ours(self, name: str, args: tuple[Any, ...]) -> bool:
        """Calls on descriptors, and those on the project's or the state's files."""
        if not args or not isinstance(args[0], str | bytes | os.PathLike):
            return name in ("fsync", "fchmod", "fchown")
        text = os.fsdecode(args[0])
        return any(
            text.startswith(self.run.environ[base]) for base in ("FAULTY_PROJECT", "TORCHSEL_CACHE_DIR")
        )

    def _edit(self) -> None:
        """Somebody else's hand."""
        for path, text in self.run.fault.texts.items():
            if self.run.fault.style == "renamed":
                other = f"{path}.theirs"
                Path(other).write_bytes(text.encode())
                os.rename(other, path)  # noqa: PTH104 - Path.rename is being watched
            elif self.run.fault.style == "held open":
                self.held.append((open(path, "wb"), text))  # noqa: PTH123, SIM115 - as uv does
            else:
                Path(path).write_bytes(text.encode())

    def finish_held(self) -> None:
        held, self.held = self.held, []
        for file, text in held:
            file.write(text.encode())
            file.close()


def _arm(run: Run) -> _Counter:
    import torchsel.uv.program

    files = sys.modules["torchsel.files.replace"]
    counter, fault = _Counter(run), run.fault
    if run.patience is not None:
        torchsel.uv.program.LOCK_LIMIT = run.patience
        torchsel.uv.program.LAST_WAIT = 0.2
    if fault.kind == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.number, fault.number))
    if fault.kind == "swap":
        files.swap = _no_swap(fault.number)  # type: ignore[attr-defined]
    if fault.kind in ("error", "edit"):
        for name in CALLS:
            setattr(os, name, counter.on_call(getattr(os, name), name))
        io.open = counter.on_call(io.open, "io.open")
        files.swap = counter.on_call(files.swap, "swap")  # type: ignore[attr-defined]
    if fault.kind == "signal":
        sys.settrace(counter.on_line)
    return counter


def _no_swap(code: int) -> Callable[[Path, Path], bool]:
    def swap(*_: Path) -> bool:
        if code:
            raise OSError(code, os.strerror(code))
        return False

    return swap


ERRNOS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "EROFS": errno.EROFS}

if __name__ == "__main__":
    serve()
