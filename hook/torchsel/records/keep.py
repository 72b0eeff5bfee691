"""Keeping the outcome of a command that found nothing to do, for `torchsel.fast` to repeat.

What an outcome depends on, and where a change of it shows (in tests/test_fast.py each is changed once):

=====================================================  ======================================================
the command line and the folder it is given in         the record's name
variables that torchsel, uv or a vendor reads          the record's name: `fast_record.VARIABLES`, `PREFIXES`
pyproject.toml and uv.toml: the project's, all above   times, size, inode, mode and owner of each; of each
it, a workspace's members', those that may come        that is missing, that it is (`memo_files`)
folders that a workspace's patterns look into          the same
uv.lock, .python-version, .venv/pyvenv.cfg             the same
uv itself: ``UV``, each place on ``PATH``              the same
the file named by ``TORCHSEL_HOST``, a script          the same
what a killed run left: journal, temporary files       the same
kernel, C library, user, groups, containers, GPUs,     `fast_host.READINGS`
their drivers, libraries, device files and programs
Python, torchsel, its catalog, its dependencies        `fast_record.itself`
anything the kernel does not show (a GPU that hangs)   a record's age: `fast_record.LIFETIME`
=====================================================  ======================================================

Files that changed just before, or while the command ran, keep it from being recorded: `memo_files.SETTLED`.
On Windows, where the GPUs present can't be had cheaply, nothing is kept.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

from torchsel.console import Console, presentable
from torchsel.errors import TorchselError
from torchsel.project.toml_file import read_text
from torchsel.records import record as fast_record
from torchsel.records.record import Record
from torchsel.records.replay import known_parts
from torchsel.records.watched import files_behind, is_settled
from torchsel.uv.program import Uv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torchsel.cli import Arguments
    from torchsel.uv.call import UvCall

COMMANDS = frozenset({"apply", "check", "backend", "env"})
"""Commands whose outcome is kept, beside uv's."""

UNUSUAL = ("host", "hosts", "verbose", "no_cache", "no_lock", "dry_run", "diff", "upgrade", "script", "json")
"""Options with which nothing is kept: seldom given twice, or meant to show what is found."""

MOST_RECORDS = 1000
"""Records kept; one has a few kilobytes."""


def run(
    words: Sequence[str],
    arguments: Arguments,
    console: Console,
    command: Callable[[Arguments, Console, Mapping[str, str]], int],
) -> int:
    """Run ``command``, and keep its outcome where it may be repeated."""
    if not _is_kept(words, arguments):
        return command(arguments, console, os.environ)
    memo = Memo(words, os.environ)
    listener = Listener(color=console.color, quiet=console.quiet, messages=memo.messages)
    arguments.memo = memo
    if arguments.command == "uv":
        return command(arguments, listener, os.environ)
    heard = _Heard(sys.stdout)
    with contextlib.redirect_stdout(heard):
        code = command(arguments, listener, os.environ)
    has_changed = arguments.command == "apply" and any(kind == "say" for kind, _ in memo.messages)
    if code == 0 and not has_changed:
        memo.keep(arguments.folder, Record(output="".join(heard.parts)), len(words))
    return code


def _is_kept(words: Sequence[str], arguments: Arguments) -> bool:
    if sys.platform == "win32" or os.environ.get("TORCHSEL_NO_CACHE") or arguments.color != "auto":
        return False
    if any(getattr(arguments, name, None) for name in UNUSUAL) or any("://" in word for word in words):
        return False  # an index's address may hold a password
    return arguments.command == "uv" or arguments.command in COMMANDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener(Console):
    """A console that notes what it says."""

    messages: list[tuple[str, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Tell what was done."""
        self._note("say", text)
        Console.say(self, text)

    def warn(self, text: str) -> None:
        """Tell what may be wrong."""
        self._note("warn", text)
        Console.warn(self, text)

    def _note(self, kind: str, text: str) -> None:
        if not self.quiet:
            self.messages.append((kind, presentable(text)))


class _Heard(io.TextIOBase):
    """Standard output that notes what passes."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.parts: list[str] = []

    def write(self, text: str) -> int:
        self.parts.append(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()


class Memo:
    """One run of a command: what it says, and how the machine was when it began."""

    def __init__(self, words: Sequence[str], environ: Mapping[str, str]) -> None:
        self.words, self.environ = tuple(words), environ
        self.messages: list[tuple[str, str]] = []
        self.began = time.time_ns()
        self.machine = fast_record.machine()
        self.is_spoiled = False

    def watch(self, uv: Uv, call: UvCall) -> Uv:
        """The same uv; what it becomes is kept, unless something is run before."""
        return WatchedUv(program=uv.program, environ=uv.environ, memo=self, call=call)

    def keep_start(self, call: UvCall, program: Path, words: Sequence[str]) -> None:
        """Keep that ``call`` came to ``program`` with ``words``, without the words of what uv starts."""
        if self.is_spoiled or _is_script(call.script):
            return
        rest = list(call.target[1:])
        count = len(self.words) - len(rest)
        if count not in known_parts(self.words) or list(words[len(words) - len(rest) :]) != rest:
            rest, count = [], len(self.words)
        record = Record(program=str(program), words=list(words[: len(words) - len(rest)]))
        record.files = [str(call.script)] if call.script else []
        self.keep(call.folder, record, count)

    def keep(self, start: Path, record: Record, count: int) -> None:
        """Write the record of the first ``count`` words, for the project that the folder ``start`` is in.

        Nothing is written where something may be changing just now.
        """
        folder, behind = fast_record.place(self.environ), files_behind(start, self.environ)
        if folder is None or behind is None:
            return
        record.messages = self.messages
        record.files = list(dict.fromkeys(map(os.path.abspath, (*behind, *record.files))))
        record.created, record.digest = time.time(), fast_record.dependencies(self.machine, record.files)
        unchanged = is_settled(record.files, self.began) and fast_record.machine() == self.machine
        content = record.to_bytes()
        if unchanged and 0 < len(content) <= fast_record.LARGEST:
            name = fast_record.name_of(self.words[:count], str(Path.cwd()), self.environ)
            with contextlib.suppress(OSError):
                _write(Path(folder), name, content)


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedUv(Uv):
    """uv, and the note of what is done with it."""

    memo: Memo
    call: UvCall

    def run(self, arguments: Sequence[str]) -> int:
        """Run uv; what follows is then no matter of looking things up."""
        self.memo.is_spoiled = True
        return Uv.run(self, arguments)

    def lock(self, folder: Path, *, upgrade: Iterable[str] = (), only_check: bool = False) -> str | None:
        """Run ``uv lock``; when it fails it has to be tried again the next time."""
        failure = Uv.lock(self, folder, upgrade=upgrade, only_check=only_check)
        self.memo.is_spoiled = self.memo.is_spoiled or failure is not None
        return failure

    def replace_process(self, arguments: Sequence[str]) -> NoReturn:
        """Become uv, after a note of it; a script's interpreter is not kept."""
        if self.environ is self.memo.environ:
            self.memo.keep_start(self.call, self.program, arguments)
        Uv.replace_process(self, arguments)


def _is_script(path: Path | None) -> bool:
    """Whether the file has metadata of its own (PEP 723), so that far more than the project matters."""
    try:
        return path is not None and "# /// script" in read_text(path)
    except TorchselError:
        return True


def _write(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not fast_record.is_ours(folder.lstat()):
        return
    _make_room(folder)
    fresh = folder / f"{name}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with open(os.open(fresh, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(content)
        fresh.replace(folder / name)
    finally:
        fresh.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """Drop the older half of too many records."""
    paths = list(folder.iterdir())
    if len(paths) > MOST_RECORDS:
        for path in sorted(paths, key=lambda path: path.lstat().st_mtime_ns)[: len(paths) // 2]:
            path.unlink(missing_ok=True)
