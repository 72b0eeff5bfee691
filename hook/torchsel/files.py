"""Files: mutual exclusion, whole-file replacement, and taking a half-done change back after a crash."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another torchsel on the same project; it holds the lock while uv locks."""

REPLACE_TRIES = 5
"""Attempts at a rename that Windows refuses while another program has the file open."""


def state_folder(environ: Mapping[str, str]) -> Path:
    """The folder for locks and records, outside every project, made with mode 0700 where missing.

    ``TORCHSEL_CACHE_DIR``, else the platform's cache folder, else one named by the user in the temp folder.

    Raises:
        MachineError: it can't be made, or the one in the temp folder is somebody else's.
    """
    folder = _cache_folder(environ) or Path(tempfile.gettempdir()) / f"torchsel-{_user()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if folder.parent == Path(tempfile.gettempdir()):
            found = folder.lstat()
    except OSError as error:
        raise _unusable(folder, error) from None
    if sys.platform != "win32" and (found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode)):
        msg = f"{folder}: belongs to another user; set TORCHSEL_CACHE_DIR to a folder of yours"
        raise MachineError(msg)
    return folder


@contextlib.contextmanager
def exclusive(target: Path, state: Path, *, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the lock for ``target`` (its resolved path) for at most ``timeout`` seconds of waiting.

    Raises:
        MachineError: another process holds it for longer, or the lock file can't be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only when something is written

    path = state / f"{digest(target)}.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        msg = (
            f"{target}: another torchsel has been at work on it for more than {timeout:.0f} s;"
            f" wait for it, or end it (lock: {path})"
        )
        raise MachineError(msg) from None
    except (OSError, NotImplementedError) as error:
        raise _unusable(path, error) from None
    try:
        yield
    finally:
        lock.release()


def _unusable(path: Path, error: Exception) -> MachineError:
    why = getattr(error, "strerror", None) or error
    return MachineError(f"{path}: can't be used: {why}; set TORCHSEL_CACHE_DIR to a folder of yours")


def digest(path: Path) -> str:
    """A file name for ``path``: the same for every way to spell it."""
    return sha256(os.fsencode(path.resolve())).hexdigest()[:32]


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file at ``path`` (through a symbolic link) as a whole; mode and owner stay.

    The new file is written beside the real one, synced and renamed over it, so a reader sees the old or
    the new content and never a part.

    Raises:
        MachineError: the folder or the file can't be written; the old content is then still there.
    """
    real = path.resolve()
    temporary = real.with_name(f".{real.name}.torchsel")
    try:
        before = real.stat()
        if not os.access(real, os.W_OK):
            msg = f"{path}: is read-only; make it writable (chmod u+w {real.name})"
            raise MachineError(msg)
        temporary.unlink(missing_ok=True)
        _write_synced(temporary, content, before)
        _rename(temporary, real)
        _sync_folder(real.parent)
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}; nothing was changed"
        raise MachineError(msg) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


class Journal:
    """The content of files before a change that takes several steps, so that a crash can be undone.

    It lies in the state folder. Whoever holds the project's lock calls `recover` first.
    """

    def __init__(self, target: Path, state: Path) -> None:
        self.path = state / f"{digest(target)}.journal"

    def begin(self, before: Mapping[Path, bytes], planned: Mapping[Path, bytes]) -> None:
        """Record the present content of files, and what is planned for those torchsel writes itself.

        Raises:
            MachineError: the record can't be written.
        """
        record = {
            "before": {str(path): content.decode("utf-8") for path, content in before.items()},
            "planned": {str(path): content.decode("utf-8") for path, content in planned.items()},
        }
        temporary = self.path.with_suffix(".tmp")
        try:
            temporary.unlink(missing_ok=True)
            _write_synced(temporary, json.dumps(record).encode(), None)
            temporary.replace(self.path)
        except OSError as error:
            raise _unusable(self.path, error) from None

    def end(self) -> None:
        """Forget the record: the change is complete or taken back."""
        self.path.unlink(missing_ok=True)

    def recover(self) -> bool:
        """Undo what a crashed run left; files that somebody changed or deleted since are left as they are.

        Returns whether there was something to undo.

        Raises:
            MachineError: the record can't be read, or a file can't be written.
        """
        try:
            record = json.loads(self.path.read_bytes())
            before, planned = record["before"], record["planned"]
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            self.end()
            return False
        except OSError as error:
            raise _unusable(self.path, error) from None
        untouched = all(_holds(Path(path), text) for path, text in planned.items())
        if untouched:
            for path, text in before.items():
                if Path(path).exists() and not _holds(Path(path), text):
                    replace_file(Path(path), text.encode())
        self.end()
        return untouched


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _write_synced(path: Path, content: bytes, like: os.stat_result | None) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        if like is not None and sys.platform != "win32":
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                with contextlib.suppress(OSError):
                    os.fchown(file.fileno(), like.st_uid, like.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _rename(source: Path, target: Path) -> None:
    for attempt in range(REPLACE_TRIES):
        try:
            source.replace(target)
        except PermissionError:
            if sys.platform != "win32" or attempt == REPLACE_TRIES - 1:
                raise
            time.sleep(0.05 * 2**attempt)
        else:
            return


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):  # the folder may be unreadable, and some network file systems can't
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cache_folder(environ: Mapping[str, str]) -> Path | None:
    if own := environ.get("TORCHSEL_CACHE_DIR"):
        return Path(own)
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA")
        return Path(base) / "torchsel" if base else None
    xdg, home = environ.get("XDG_CACHE_HOME"), environ.get("HOME")
    if xdg and Path(xdg).is_absolute():
        return Path(xdg) / "torchsel"
    if not home or not Path(home).is_dir():
        return None
    return Path(home) / ("Library/Caches/torchsel" if sys.platform == "darwin" else ".cache/torchsel")


def _user() -> str:
    return str(os.getuid()) if sys.platform != "win32" else os.environ.get("USERNAME", "user")
