"""Keeping the outcome of a command that found nothing to do, for `torchsel.records.replay` to repeat.

What an outcome depends on, and where a change of it shows (tests/records/test_records.py changes each once):

=====================================================  ======================================================
the command line and the folder it is given in         the record's name
variables that torchsel, uv or a vendor reads          the record's name: `replay.VARIABLES`, `PREFIXES`
pyproject.toml and uv.toml: the project's, all above   times, size, inode, mode and owner of each; of each
it, a workspace's members', those that may come        that is missing, that it is (`files_behind`); what
                                                       each pyproject.toml says, where times tell nothing
folders that a workspace's patterns look into          the same
uv.lock, .python-version, environments' pyvenv.cfg     the same
uv itself: ``UV``, each place on ``PATH``              the same
the file named by ``TORCHSEL_HOST``, a script          the same
what a killed run left: journal, temporary files       the same
kernel, C library, user, groups, containers, GPUs,     `machine.READINGS`
their drivers, libraries, device files and programs
Python, torchsel, its catalog, its dependencies        `machine.itself`
anything the kernel does not show (a GPU that hangs)   a record's age: `replay.LIFETIME`
=====================================================  ======================================================

Files that changed just before the command ran keep it from being recorded (`SETTLED`), and so does
anything that is not the same before and after it.
On Windows, where the GPUs present can't be had cheaply, nothing is kept.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from torchsel.answer import Answer
from torchsel.commands.context import Context
from torchsel.console import presentable
from torchsel.errors import TorchselError
from torchsel.files.journal import Journal
from torchsel.files.replace import temporary_of
from torchsel.files.state import state_path
from torchsel.project.environment import DEFAULT, any_environment, present_environments
from torchsel.project.places import table
from torchsel.project.toml_file import parse_toml, read_text
from torchsel.records.machine import LARGEST, dependencies
from torchsel.records.replay import Record, is_ours, known_parts, name_of, place

UNUSUAL = ("host", "hosts", "verbose", "no_cache", "no_lock", "dry_run", "diff", "upgrade", "script", "json")
"""Options with which nothing is kept: seldom given twice, or meant to show what is found."""

MOST_RECORDS = 1000
"""Records kept; one has a few kilobytes."""

SETTLED = 2_000_000_000
"""Nanoseconds; a file that changed later before the command began may be changed again within one tick of the
clock that its file system keeps (FAT: 2 s), so that its times would not tell."""

TICK = 50_000_000
"""Nanoseconds; the same for a folder, whose times Linux keeps to some milliseconds. Shared ones
change often."""

MOST_FILES = 5000
"""With more of them looking at each is no quicker than doing the work."""

_AT_A_ROOT = ("uv.lock", ".python-version")
_IN_ANY_FOLDER = ("pyproject.toml", "uv.toml")


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
    return Memo(context=context, began=began, files=files, digest=dependencies(files)) if files else None


class Memo(NamedTuple):
    """A command, and how things were when it began, in nanoseconds: files that matter, and the digest."""

    context: Context
    began: int
    files: list[str]
    digest: str

    def keep(self, answer: Answer) -> None:
        """Write the record of the answer, where it may be repeated and nothing changed meanwhile."""
        if not answer.is_lasting or answer.code:
            return
        context, folder = self.context, place(self.context.environ)
        count = len(context.words) - len(answer.rest)
        # what is handed on may be a secret, so that it is no part of a record
        if folder is None or count not in known_parts(context.words) or not self._is_unchanged():
            return
        content = self._record(answer).to_bytes()
        if 0 < len(content) <= LARGEST:
            name = name_of(context.words[:count], str(Path.cwd()), context.environ)
            with contextlib.suppress(OSError):
                _write(Path(folder), name, content)

    def _is_unchanged(self) -> bool:
        # what is read between two looks at it that agree is taken for what was seen
        if not is_settled(self.files, self.began) or _files(self.context) != self.files:
            return False
        return dependencies(self.files) == self.digest

    def _record(self, answer: Answer) -> Record:
        program, environ = answer.program, self.context.environ
        given = program.environ.items() if program else ()
        said = () if self.context.arguments.quiet else self.context.draft.notices
        return Record(
            files=self.files,
            messages=[(kind, presentable(text)) for kind, text in said if kind in ("say", "warn")],
            output="".join(text for kind, text in self.context.draft.notices if kind == "print"),
            program=str(program.path) if program else "",
            words=program.arguments[: len(program.arguments) - len(answer.rest)] if program else (),
            variables=[(name, value) for name, value in given if environ.get(name) != value],
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
    if not is_ours(folder.lstat()):
        return
    _make_room(folder)
    # written apart, so that whoever reads finds all of a record or none
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


def files_behind(start: Path, environ: Mapping[str, str]) -> list[str] | None:
    """Every path that can change how the project in the folder ``start`` is understood, and which uv is used.

    Those are looked for upwards from ``start``, in what a workspace lists, where a killed run leaves
    something, and on ``PATH``. None where they are too many.
    """
    found: list[str] = []
    here = Path(os.path.abspath(start))  # noqa: PTH100 - '..' is taken out as uv does
    for folder in (here, *here.parents):
        found += (str(folder / name) for name in _IN_ANY_FOLDER)
        if os.path.exists(folder / "pyproject.toml"):  # noqa: PTH110 - Path's may raise PermissionError
            found += islice(_root_files(folder, environ), MOST_FILES + 1)
    found += (f"{entry}/uv" for entry in environ.get("PATH", "").split(os.pathsep) if entry.startswith("/"))
    found += filter(None, (environ.get(name) for name in ("UV", "TORCHSEL_HOST")))
    return found if len(found) <= MOST_FILES else None


def is_settled(paths: Iterable[str], began: int) -> bool:
    """Whether no path was changed since shortly before ``began``, so that it is what was read since then."""
    return all(_is_older(path, began) for path in paths)


def _is_older(path: str, began: int) -> bool:
    """For a missing one the nearest folder tells whether it was taken away."""
    slack, at = SETTLED, path
    while True:
        try:
            found = os.stat(at)  # noqa: PTH116 - thousands of them
        except (FileNotFoundError, NotADirectoryError):
            slack, at = TICK, os.path.dirname(at)  # noqa: PTH120 - thousands of them
        except OSError:
            return False
        else:
            return max(found.st_mtime_ns, found.st_ctime_ns) < began - slack


def _root_files(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """What matters where ``folder`` is a project's, or a workspace's, root."""
    pyproject, lock = folder / "pyproject.toml", folder / "uv.lock"
    yield from (str(folder / name) for name in _AT_A_ROOT)
    yield from (str(temporary_of(path)) for path in (pyproject, lock))
    yield str(Journal(pyproject, state_path(environ, folder)).path)
    yield from _environment_files(folder, environ)
    yield from _member_files(folder)


def _environment_files(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """What tells an environment's Python; where a pattern names none yet, the folder that one will be in."""
    key = table(_said(folder / "pyproject.toml"), "tool", "torchsel").get("environment")
    try:
        wanted = any_environment(folder, key if isinstance(key, str) else None, environ)
    except TorchselError:
        return
    found = present_environments(wanted)
    yield from (str(folder / place / "pyvenv.cfg") for place in found or (wanted.path,))
    if wanted.pattern and set(found) <= {DEFAULT}:
        yield str(folder / wanted.pattern.partition("{")[0].rpartition("/")[0])


def _member_files(root: Path) -> Iterator[str]:
    """Every folder in which the workspace's patterns look, and the pyproject.toml of each they come to."""
    for pattern in _patterns(root / "pyproject.toml"):
        level = {root}
        for part in pattern.strip("/").split("/"):
            if any(char in part for char in "*?["):
                yield from map(str, sorted(level))
                level = {path for folder in level for path in _matches(folder, part)}
                yield from map(str, sorted(level) if part == "**" else ())
            else:
                level = {folder / part for folder in level}
        yield from (str(folder / "pyproject.toml") for folder in sorted(level))


def _matches(folder: Path, part: str) -> list[Path]:
    try:
        return list(islice((path for path in folder.glob(part) if path.is_dir()), MOST_FILES))
    except (ValueError, NotImplementedError, OSError):
        return []


def _patterns(path: Path) -> list[str]:
    """The ``members`` and ``exclude`` patterns of a workspace."""
    workspace = table(_said(path), "tool", "uv", "workspace")
    lists = (workspace.get(key) for key in ("members", "exclude"))
    items = (item for items in lists if isinstance(items, list) for item in items)
    return [item.strip() for item in items if isinstance(item, str)]


def _said(path: Path) -> dict[str, Any]:
    """What a TOML file says; nothing where there is none, or it can't be understood."""
    try:
        return parse_toml(read_text(path), path)
    except (TorchselError, OSError):
        return {}
