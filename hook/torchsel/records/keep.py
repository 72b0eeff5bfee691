"""Keeping the outcome of a command that found nothing to do, for `torchsel.records.replay` to repeat.

What an outcome depends on, and where a change of it shows (tests/records/test_records.py changes each once):

=====================================================  ======================================================
the command line and the folder it is given in         the record's name
variables that torchsel, uv or a vendor reads          the record's name: `record.VARIABLES`, `PREFIXES`
pyproject.toml and uv.toml: the project's, all above   times, size, inode, mode and owner of each; of each
it, a workspace's members', those that may come        that is missing, that it is (`watched`)
folders that a workspace's patterns look into          the same
uv.lock, .python-version, .venv/pyvenv.cfg             the same
uv itself: ``UV``, each place on ``PATH``              the same
the file named by ``TORCHSEL_HOST``, a script          the same
what a killed run left: journal, temporary files       the same
kernel, C library, user, groups, containers, GPUs,     `machine.READINGS`
their drivers, libraries, device files and programs
Python, torchsel, its catalog, its dependencies        `record.itself`
anything the kernel does not show (a GPU that hangs)   a record's age: `record.LIFETIME`
=====================================================  ======================================================

Files that changed just before, or while the command ran, keep it from being recorded: `watched.SETTLED`.
On Windows, where the GPUs present can't be had cheaply, nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.console import presentable
from torchsel.records import record as records
from torchsel.records.record import Record
from torchsel.records.replay import known_parts
from torchsel.records.watched import files_behind, is_settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchsel.answer import Answer
    from torchsel.commands.context import Context

UNUSUAL = ("host", "hosts", "verbose", "no_cache", "no_lock", "dry_run", "diff", "upgrade", "script", "json")
"""Options with which nothing is kept: seldom given twice, or meant to show what is found."""

MOST_RECORDS = 1000
"""Records kept; one has a few kilobytes."""


def begin(context: Context) -> Memo | None:
    """How things are before the command runs; None where its answer is not to be kept."""
    arguments, environ = context.arguments, context.environ
    if sys.platform == "win32" or environ.get("TORCHSEL_NO_CACHE") or arguments.color != "auto":
        return None
    if any(getattr(arguments, name, None) for name in UNUSUAL):
        return None
    if any("://" in word for word in context.words):  # an index's address may hold a password
        return None
    return Memo(context=context, began=time.time_ns(), machine=records.machine())


@dataclass(frozen=True, kw_only=True, slots=True)
class Memo:
    """A command, and how things were when it began: nanoseconds, and the machine's digest."""

    context: Context
    began: int
    machine: str

    def keep(self, answer: Answer) -> None:
        """Write the record of the answer, where it may be repeated and nothing may be changing just now."""
        count = self._count(answer)
        folder, start = records.place(self.context.environ), self.context.start
        behind = files_behind(start, self.context.environ)
        if count is None or folder is None or behind is None:
            return
        record = self._record(answer, behind)
        unchanged = is_settled(record.files, self.began) and records.machine() == self.machine
        content = record.to_bytes()
        if unchanged and 0 < len(content) <= records.LARGEST:
            name = records.name_of(self.context.words[:count], str(Path.cwd()), self.context.environ)
            with contextlib.suppress(OSError):
                _write(Path(folder), name, content)

    def _count(self, answer: Answer) -> int | None:
        """How many words of the command line the answer is for; None where it is to be kept for none."""
        if answer.repeat is None or answer.code:
            return None
        words, rest = self.context.words, answer.repeat.rest
        started = answer.program.arguments if answer.program else ()
        count = len(words) - len(rest)
        if count in known_parts(words) and started[len(started) - len(rest) :] == rest:
            return count
        return len(words)

    def _record(self, answer: Answer, behind: Sequence[str]) -> Record:
        repeat, program = answer.repeat, answer.program
        own = map(str, repeat.files if repeat else ())
        files = list(dict.fromkeys(map(os.path.abspath, (*behind, *own))))
        rest = len(repeat.rest) if repeat else 0
        return Record(
            files=files,
            messages=[
                (kind, presentable(text))
                for kind, text in answer.notices
                if kind in ("say", "warn") and not self.context.arguments.quiet
            ],
            output=answer.output,
            program=str(program.path) if program else "",
            words=program.arguments[: len(program.arguments) - rest] if program else (),
            digest=records.dependencies(self.machine, files),
            created=time.time(),
        )


def _write(folder: Path, name: str, content: bytes) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not records.is_ours(folder.lstat()):
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
