"""One project's pyproject.toml and uv.lock, changed together or not at all, whatever comes in between."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torchsel.errors import MachineError, TorchselError
from torchsel.files.journal import Change, Journal
from torchsel.files.replace import ChangedError, NotWrittenError, holds, replace_file, temporary_of
from torchsel.files.state import Held, exclusive, state_folder, state_path
from torchsel.project.workspace import find_root
from torchsel.uv.program import Uv, find_uv
from torchsel.uv.signals import Stops


@contextlib.contextmanager
def locked(target: Path, environ: Mapping[str, str]) -> Iterator[Workplace]:
    """Hold the project of the pyproject.toml at ``target``, after repairing what a killed run left.

    Signals that end a program wait until nothing is half done.

    Raises:
        MachineError: the lock is held for too long, or something can't be repaired.
    """
    state = state_folder(environ, target.parent)
    with exclusive(target, state) as held, Stops() as stops:
        place = Workplace(target=target, state=state, environ=environ, stops=stops, held=held)
        place.repair()
        yield place


def repair(start: Path, environ: Mapping[str, str]) -> bool:
    """Repair what a killed run left of the project that ``start`` is in; returns whether there was something.

    Raises:
        MachineError: the lock is held for too long, or something can't be repaired.
    """
    try:
        target = find_root(start).path
    except TorchselError:
        return False
    if not is_repair_due(target, environ):
        return False
    with locked(target, environ):
        return True


def is_repair_due(target: Path, environ: Mapping[str, str]) -> bool:
    """Whether a killed run left something of the project at ``target``; makes no folder."""
    record = Journal(target, state_path(environ, target.parent)).path
    return record.exists() or any(temporary_of(path).exists() for path in (record, *_files(target)))


class LockError(MachineError):
    """uv said why it could not lock; both files are as before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """What failed, and the end of the sentence: what uv said."""

    what: str
    said: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workplace:
    """A locked project."""

    target: Path
    state: Path
    environ: Mapping[str, str]
    stops: Stops
    held: Held

    def repair(self) -> None:
        """Take back, or complete, what a killed run left, and remove its temporary files.

        Raises:
            MachineError: a file can't be read or written.
        """
        journal = Journal(self.target, self.state)
        for path in (journal.path, *_files(self.target)):
            with contextlib.suppress(OSError):
                temporary_of(path).unlink(missing_ok=True)
        journal.recover(is_complete=self._is_lock_current, held=self.held)

    def write(self, before: str, after: str) -> None:
        """Replace pyproject.toml, which was read as ``before``.

        Raises:
            ChangedError: it is another text by now.
            MachineError: it can't be written.
        """
        replace_file(self.target, after.encode(), expected=before.encode(), held=self.held)

    def write_and_lock(
        self, before: tuple[str, str], after: str, lock: Callable[[Uv], str | None], *, goal: str = ""
    ) -> None:
        """Replace pyproject.toml, then have ``lock`` bring uv.lock along.

        ``before`` are both texts as they were read. ``lock`` returns what uv said, None where it worked;
        ``goal`` says what was locked: ``for cpu``.

        Raises:
            ChangedError: one of the two is another text by now.
            MachineError: a file can't be written, or locking failed; both are as before, or it says what is
                not because another program changed it meanwhile.
        """
        lock_path = self.target.parent / "uv.lock"
        change = Change(before=before[0], planned=after, lock_before=before[1])
        uv = self.uv()
        if not holds(lock_path, change.lock_before.encode()):
            raise ChangedError(lock_path)
        journal = Journal(self.target, self.state)
        journal.begin(change)
        try:
            replace_file(self.target, after.encode(), expected=change.before.encode(), held=self.held)
            failure = self._lock(uv, lock, goal)
        except BaseException:
            _take_back(journal, change)
            raise
        if failure is None:
            journal.end()
        elif _take_back(journal, change):
            kind = LockError if failure.said else MachineError
            raise kind(f"{failure.what}, so nothing was changed{failure.said}")
        else:
            left = f"{self.target}: was edited meanwhile and stays as it is now; uv.lock is not made for it"
            raise MachineError(f"{failure.what}{failure.said}\n{left}; run torchsel again")

    def _lock(self, uv: Uv, lock: Callable[[Uv], str | None], goal: str) -> Failure | None:
        try:
            self.stops.check()
            said = lock(uv)
        except MachineError as error:
            return Failure(what=str(error))
        what = f"uv lock failed {goal}".rstrip()
        return Failure(what=what, said=f"; uv said:\n{said}") if said else None

    def uv(self) -> Uv:
        """The uv to lock with.

        Raises:
            MachineError: there is none.
        """
        program = find_uv(self.environ, outside=self.target.parent)
        return Uv(program=program, environ=self.environ, descriptor=self.held.descriptor)

    def _is_lock_current(self) -> bool:
        """Whether uv finds uv.lock to be what pyproject.toml asks for."""
        try:
            self.stops.check()
            return self.uv().lock(self.target.parent, only_check=True) is None
        except MachineError:
            return False


def _take_back(journal: Journal, change: Change) -> bool:
    try:
        return journal.recover(change)
    except MachineError as error:
        why = error.why if isinstance(error, NotWrittenError) else error
        msg = f"{why}\nso the change was not taken back as a whole; run torchsel again to have it done"
        raise MachineError(msg) from None


def _files(target: Path) -> tuple[Path, Path]:
    return target, target.parent / "uv.lock"
