"""Keeping the outcome of a command that found nothing to do, for `torchsel.records.replay` to repeat.

What an outcome depends on, and where a change of it shows (tests/records/test_records.py changes each once):

=====================================================  ======================================================
the command line and the folder it is given in         the record's name
variables that torchsel, uv or a vendor reads          the record's name: `record.VARIABLES`, `PREFIXES`
pyproject.toml and uv.toml: the project's, all above   times, size, inode, mode and owner of each; of each
it, a workspace's members', those that may come        that is missing, that it is (`watched`); what each
                                                       pyproject.toml says, as some file systems have no times
folders that a workspace's patterns look into          the same
uv.lock, .python-version, environments' pyvenv.cfg     the same
uv itself: ``UV``, each place on ``PATH``              the same
the file named by ``TORCHSEL_HOST``, a script          the same
what a killed run left: journal, temporary files       the same
kernel, C library, user, groups, containers, GPUs,     `machine.READINGS`
their drivers, libraries, device files and programs
Python, torchsel, its catalog, its dependencies        `record.itself`
anything the kernel does not show (a GPU that hangs)   a record's age: `record.LIFETIME`
=====================================================  ======================================================

Files that changed just before the command ran keep it from being recorded (`watched.SETTLED`), and so does
anything that is not the same before and after it.
On Windows, where the GPUs present can't be had cheaply, nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import Context
from torchsel.console import presentable
from torchsel.records import record as records
from torchsel.records.record import Record
from torchsel.records.replay import known_parts
from torchsel.records.watched import files_behind, is_settled

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
    began, files = time.time_ns(), _files(context)
    if files is None:
        return None
    digest = records.dependencies(records.machine(), files)
    return Memo(context=context, began=began, files=files, digest=digest)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memo:
    """A command, and how things were when it began, in nanoseconds: files that matter, and the digest."""

    context: Context
    began: int
    files: list[str]
    digest: str

    def keep(self, answer: Answer) -> None:
        """Write the record of the answer, where it may be repeated and nothing changed meanwhile.

        What is read between two looks at it that agree is taken for what was seen.
        """
        count, folder = self._count(answer), records.place(self.context.environ)
        if count is None or folder is None or not self._is_unchanged():
            return
        content = self._record(answer).to_bytes()
        if 0 < len(content) <= records.LARGEST:
            name = records.name_of(self.context.words[:count], str(Path.cwd()), self.context.environ)
            with contextlib.suppress(OSError):
                _write(Path(folder), name, content)

    def _count(self, answer: Answer) -> int | None:
        """How many words of the command line the answer is for; None where it is to be kept for none."""
        if answer.repeat is None or answer.code:
            return None
        words, rest = self.context.words, answer.repeat.rest
        count = len(words) - len(rest)
        return count if count in known_parts(words) else None  # what is handed on may be a secret

    def _is_unchanged(self) -> bool:
        if not is_settled(self.files, self.began) or _files(self.context) != self.files:
            return False
        return records.dependencies(records.machine(), self.files) == self.digest

    def _record(self, answer: Answer) -> Record:
        program, rest = answer.program, answer.repeat.rest if answer.repeat else ()
        given = program.environ if program else {}
        return Record(
            files=self.files,
            messages=[
                (kind, presentable(text))
                for kind, text in answer.notices
                if kind in ("say", "warn") and not self.context.arguments.quiet
            ],
            output=answer.output,
            program=str(program.path) if program else "",
            words=program.arguments[: len(program.arguments) - len(rest)] if program else (),
            variables=[pair for pair in given.items() if self.context.environ.get(pair[0]) != pair[1]],
            digest=self.digest,
            created=time.time(),
        )


def _files(context: Context) -> list[str] | None:
    """What the answer depends on: the project's files, and the script that is run; None for too many."""
    behind = files_behind(context.start, context.environ)
    if behind is None:
        return None
    script = context.call.script if context.is_uvs else None
    return list(dict.fromkeys(map(os.path.abspath, (*behind, *([str(script)] if script else ())))))


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
