"""What a project's two files held before a change of both, so that a crash on the way can be taken back."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from torchsel.files.replace import holds, replace_file, temporary_of, write_synced
from torchsel.files.state import Held, digest, unusable


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """pyproject.toml's text ``before`` and after a change (``planned``), and uv.lock's before it.

    No paths: a record that somebody else made can't say which files are written.
    """

    before: str
    planned: str
    lock_before: str


class Journal:
    """The change that is under way for the pyproject.toml at ``target``, and the uv.lock beside it.

    It lies in the state folder. Whoever holds the project's lock calls `recover` first.
    """

    def __init__(self, target: Path, state: Path) -> None:
        self.path = state / f"{digest(target.parent)}.journal"
        self._target, self._lock = target, target.parent / "uv.lock"

    def begin(self, change: Change) -> None:
        """Record what is about to be changed.

        Raises:
            MachineError: the record can't be written.
        """
        temporary = temporary_of(self.path)
        try:
            temporary.unlink(missing_ok=True)
            write_synced(temporary, json.dumps(asdict(change)).encode(), None)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise unusable(self.path, error) from None

    def end(self) -> None:
        """Forget the record: the change is complete or taken back."""
        self.path.unlink(missing_ok=True)

    def recover(
        self,
        change: Change | None = None,
        *,
        is_complete: Callable[[], bool] = lambda: False,
        held: Held | None = None,
    ) -> bool:
        """Undo ``change``, or the one on record, where it was not ended; returns whether it is undone.

        Files that somebody changed or deleted since are left as they are. ``is_complete`` is asked where
        both files are new: a change that only lacked its end stays. ``held`` is the lock on the target.

        Raises:
            MachineError: the record can't be read, or a file can't be written; the record then stays.
        """
        change = change or self._read()
        if change is None:
            return False
        contents = {self._lock: change.lock_before.encode(), self._target: change.before.encode()}
        undo = [path for path, content in contents.items() if path.exists() and not holds(path, content)]
        is_ours = holds(self._target, change.planned.encode())
        if is_ours and len(undo) == len(contents) and is_complete():
            is_ours = False
        if is_ours:
            for path in undo:  # the lock first: a crash in between then finds the plan in place
                replace_file(path, contents[path], held=held if path == self._target else None)
        self.end()
        return is_ours

    def _read(self) -> Change | None:
        """The change on record; None, and no record any more, where it is none of ours.

        Where one of the files is a link a record from an earlier run restores nothing: the link may be newer
        than the record, and lead anywhere.
        """
        try:
            content = self._content()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from None
        try:
            change = Change(**json.loads(content))
            is_whole = all(isinstance(text, str) for text in asdict(change).values())
        except (ValueError, TypeError, RecursionError):
            is_whole = False
        if is_whole and not (self._target.is_symlink() or self._lock.is_symlink()):
            return change
        self.end()
        return None

    def _content(self) -> bytes:
        """What the record's file holds, where it is a file of this user's; it says what to write."""
        descriptor = os.open(
            self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(descriptor)
            if sys.platform != "win32" and (found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode)):
                return b""
            return file.read()
