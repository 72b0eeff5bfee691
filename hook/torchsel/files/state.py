"""Where torchsel keeps its own state, and the lock that lets one of it at a time work on a file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.errors import MachineError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from filelock import BaseFileLock

POLL = 0.05
"""Seconds between two looks at a lock that another process holds."""

LOCK_TIMEOUT = 60.0
"""Seconds to wait for another torchsel on the same project; it holds the lock while uv locks."""


def state_folder(environ: Mapping[str, str], project: Path | None = None) -> Path:
    """The folder for locks and records, outside ``project``, made with mode 0700 where missing.

    ``TORCHSEL_CACHE_DIR``, else the platform's cache folder, else one named by the user in the temp folder.

    Raises:
        MachineError: it can't be made, is in the project's folder, is somebody else's, or others can write in
            it: who could put a record there would choose what is written to the project.
    """
    folder = state_path(environ, project)
    if project and _is_below(folder, project):
        msg = (
            f"{folder}: lies in the project's folder, so whoever writes the project could write torchsel's"
            " records; set TORCHSEL_CACHE_DIR to a folder outside it"
        )
        raise MachineError(msg)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if folder.parent == Path(tempfile.gettempdir()):
            found = folder.lstat()
    except OSError as error:
        raise unusable(folder, error) from None
    if sys.platform == "win32":
        return folder
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        msg = f"{folder}: belongs to another user; set TORCHSEL_CACHE_DIR to a folder of yours"
        raise MachineError(msg)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        msg = f"{folder}: others can write in it; chmod go-w it, or set TORCHSEL_CACHE_DIR to another folder"
        raise MachineError(msg)
    return folder


def state_path(environ: Mapping[str, str], project: Path | None = None) -> Path:
    """Where `state_folder` is or would be; not in a home that is the project or can't be written."""
    if chosen := _chosen_folder(environ):
        return chosen
    usual = _usual_folder(environ)
    if usual is None or (project and _is_below(usual, project)):
        return Path(tempfile.gettempdir()) / f"torchsel-{_user()}"
    return usual


@dataclass(kw_only=True, slots=True)
class Held:
    """Locks that are held; who inherits ``descriptor`` holds the first as well, even when we are killed."""

    descriptor: int | None
    file_descriptors: list[int] = field(default_factory=list)

    def keep(self, descriptor: int) -> None:
        """Lock the open file that is about to take the locked one's place, before anybody else can see it."""
        if self.file_descriptors and sys.platform != "win32":
            with contextlib.suppress(OSError):
                copy = os.dup(descriptor)
                self.file_descriptors.append(copy)
                fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def exclusive(target: Path, state: Path, *, timeout: float = LOCK_TIMEOUT) -> Iterator[Held]:
    """Hold the locks for ``target`` (its resolved path) after at most ``timeout`` seconds of waiting.

    One is in the state folder. The other is on ``target`` itself, against other nodes, containers and users,
    who have another state folder; not where a file system has no locks (Lustre without ``-o flock``).

    Raises:
        MachineError: another process holds one for longer, or the lock file can't be made.
    """
    end = time.monotonic() + timeout
    path = state / f"{digest(target)}.lock"
    try:
        lock = _lock_at(path)
        lock.acquire(timeout=timeout)
    except TimeoutError:  # filelock's own is one
        raise _held_for_too_long(target, path, timeout) from None
    except (OSError, NotImplementedError) as error:
        raise unusable(path, error) from None
    held = Held(descriptor=getattr(getattr(lock, "_context", None), "lock_file_fd", None))
    try:
        if not _take(target, held, end):
            raise _held_for_too_long(target, target, timeout)
        yield held
    finally:
        for descriptor in held.file_descriptors:
            os.close(descriptor)
        lock.release()


def _lock_at(path: Path) -> BaseFileLock:
    """A lock of the kernel's; a file that is there or not where the file system has none.

    Raises:
        OSError: the file can't be made, or is a link.
    """
    from filelock import FileLock  # noqa: PLC0415 - only when something is written

    if sys.platform == "win32":
        return FileLock(path)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            from filelock import SoftFileLock  # noqa: PLC0415 - seldom needed, slow to load

            return SoftFileLock(path.with_suffix(".locked"))  # not the same file: that is always there
    finally:
        os.close(descriptor)
    return FileLock(path)


def _take(target: Path, held: Held, end: float) -> bool:
    """Lock ``target`` itself; whether that worked, or can't be done here, before ``end``.

    A replaced file has another inode, so what was locked has to be what is there then.
    """
    if sys.platform == "win32":
        return True
    while True:
        try:
            descriptor = os.open(target, os.O_RDWR | os.O_NONBLOCK)  # NFS locks only what may be written
        except OSError:
            return True
        held.file_descriptors.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), target.stat()):
                return True
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES, errno.ENOENT, errno.ESTALE):
                return True
        os.close(held.file_descriptors.pop())
        if time.monotonic() >= end:
            return False
        time.sleep(POLL)


def _held_for_too_long(target: Path, lock: Path, timeout: float) -> MachineError:
    return MachineError(
        f"{target}: another torchsel, or the uv it started, has been at work on it for more than"
        f" {timeout:.0f} s; wait for it, or end it (lock: {lock})"
    )


def unusable(path: Path, error: Exception) -> MachineError:
    """The error for a file of torchsel's own state."""
    why = getattr(error, "strerror", None) or error
    return MachineError(f"{path}: can't be used: {why}; set TORCHSEL_CACHE_DIR to a folder of yours")


def digest(path: Path) -> str:
    """A file name for ``path``: the same for every way to spell it."""
    return sha256(os.fsencode(path.resolve())).hexdigest()[:32]


def _chosen_folder(environ: Mapping[str, str]) -> Path | None:
    if own := environ.get("TORCHSEL_CACHE_DIR"):
        return Path(own)
    xdg = environ.get("XDG_CACHE_HOME")
    return Path(xdg) / "torchsel" if xdg and sys.platform != "win32" and Path(xdg).is_absolute() else None


def _usual_folder(environ: Mapping[str, str]) -> Path | None:
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA")
        return Path(base) / "torchsel" if base else None
    home = environ.get("HOME")
    if not home or not Path(home).is_dir():
        return None
    folder = Path(home) / ("Library/Caches/torchsel" if sys.platform == "darwin" else ".cache/torchsel")
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return folder if os.access(nearest, os.W_OK | os.X_OK) else None


def _is_below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _user() -> str:
    return str(os.getuid()) if sys.platform != "win32" else os.environ.get("USERNAME", "user")
