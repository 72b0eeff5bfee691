"""Where torchsel keeps its own state, and the lock that lets one of it at a time work on a file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


@contextlib.contextmanager
def exclusive(target: Path, state: Path, *, timeout: float = LOCK_TIMEOUT) -> Iterator[int | None]:
    """Hold the lock for ``target`` (its resolved path) after at most ``timeout`` seconds of waiting.

    Gives the lock's descriptor, where it has one: a process that inherits it holds the lock as well, even
    when this one has been killed.

    Raises:
        MachineError: another process holds it for longer, or the lock file can't be made.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - only when something is written

    path = state / f"{digest(target)}.lock"
    lock = FileLock(path)
    try:
        if path.is_symlink():  # older filelock would follow and empty it
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        lock.acquire(timeout=timeout)
    except Timeout:
        msg = (
            f"{target}: another torchsel, or the uv it started, has been at work on it for more than"
            f" {timeout:.0f} s; wait for it, or end it (lock: {path})"
        )
        raise MachineError(msg) from None
    except (OSError, NotImplementedError) as error:
        raise unusable(path, error) from None
    try:
        yield getattr(getattr(lock, "_context", None), "lock_file_fd", None)
    finally:
        lock.release()


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
