"""What files held before a change of several steps, so that a crash in the middle can be taken back."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.files.replace import holds, replace_file, temporary_of, write_synced
from torchsel.files.state import digest, unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Journal:
    """The content of ``target`` and of files beside it before a change.

    It lies in the state folder. Whoever holds the project's lock calls `recover` first.
    """

    def __init__(self, target: Path, state: Path) -> None:
        self.path = state / f"{digest(target)}.journal"
        self._target = target.resolve()

    def begin(self, before: Mapping[Path, bytes], planned: Mapping[Path, bytes]) -> None:
        """Record the present content of files, and what is planned for those torchsel writes itself.

        Raises:
            MachineError: the record can't be written.
        """
        record = {
            "before": {str(path): content.decode("utf-8") for path, content in before.items()},
            "planned": {str(path): content.decode("utf-8") for path, content in planned.items()},
        }
        temporary = temporary_of(self.path)
        try:
            temporary.unlink(missing_ok=True)
            write_synced(temporary, json.dumps(record).encode(), None)
            temporary.replace(self.path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise unusable(self.path, error) from None

    def end(self) -> None:
        """Forget the record: the change is complete or taken back."""
        self.path.unlink(missing_ok=True)

    def recover(self, *, is_complete: Callable[[], bool] = lambda: False) -> bool:
        """Undo a change that was begun and not ended; returns whether there was something to undo.

        Files that somebody changed or deleted since are left as they are. ``is_complete`` is asked where
        every planned content and a new one of another file are there: a change that only lacked its end
        stays.

        Raises:
            MachineError: the record can't be read, or a file can't be written; the record then stays.
        """
        record = self._read()
        if record is None:
            return False
        before, planned = record
        is_ours = all(holds(path, content) for path, content in planned.items())
        undo = [path for path, content in before.items() if path.exists() and not holds(path, content)]
        if is_ours and planned.keys() < set(undo) and is_complete():
            is_ours = False
        if is_ours:
            for path in sorted(undo, key=planned.__contains__):  # a crash in between finds the plan in place
                replace_file(path, before[path])
        self.end()
        return is_ours

    def _read(self) -> tuple[dict[Path, bytes], dict[Path, bytes]] | None:
        """The record; None, and no record any more, where it is none of ours."""
        try:
            content = self._content()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.path, error) from None
        try:
            record = json.loads(content)
            before, planned = (
                {Path(path): text.encode() for path, text in record[part].items()}
                for part in ("before", "planned")
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            before = planned = {}
        if planned and self._is_about_target(before, planned):
            return before, planned
        self.end()
        return None

    def _is_about_target(self, before: Iterable[Path], planned: Iterable[Path]) -> bool:
        folders = {path.parent for path in planned}
        names = {"uv.lock", *(path.name for path in planned)}
        beside = all(path.parent in folders and path.name in names for path in before)
        return beside and all(path.resolve() == self._target for path in planned)

    def _content(self) -> bytes:
        """What the record's file holds, where it is a file of this user's; it says what to write where."""
        descriptor = os.open(
            self.path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        )
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(descriptor)
            if sys.platform != "win32" and (found.st_uid != os.geteuid() or not stat.S_ISREG(found.st_mode)):
                return b""
            return file.read()
