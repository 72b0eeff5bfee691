"""The files of a project as they were before uv changed them, for where what follows fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from torchsel.files.replace import replace_file
from torchsel.project.project import Project


class Snapshot:
    """What each file holds, None where it is not there. ``is_done`` where it all worked."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.before = {path: _content(path) for path in paths}
        self.after = dict(self.before)
        self.is_done = False

    def note(self) -> None:
        """The change is made; what is another text later is somebody else's."""
        self.after = {path: _content(path) for path in self.before}

    def restore(self) -> None:
        """Put back what is still as it was noted.

        Raises:
            MachineError: a file can't be written.
        """
        for path, content in self.before.items():
            if content == self.after[path] or _content(path) != self.after[path]:
                continue
            if content is None:
                path.unlink(missing_ok=True)
            else:
                replace_file(path, content, expected=self.after[path])


@contextlib.contextmanager
def taken_back(project: Project) -> Iterator[Snapshot]:
    """A change of a project's files by uv, which is taken back unless it ``is_done``."""
    files = (*(file.path for file in project.files), project.folder / "uv.lock")
    snapshot = Snapshot(files)
    try:
        yield snapshot
    except BaseException:
        snapshot.restore()
        raise
    if not snapshot.is_done:
        snapshot.restore()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
