"""Whole-file replacement that overwrites nobody's work."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from typing import TYPE_CHECKING

from torchsel.errors import MachineError

if TYPE_CHECKING:
    from pathlib import Path

REPLACE_TRIES = 5
"""Attempts at a rename that Windows refuses while another program has the file open."""


class ChangedError(MachineError):
    """Another program changed the file at ``path`` after it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: was changed by another program just now; it is left alone; run torchsel again"
        )
        self.path = path


def replace_file(path: Path, content: bytes, *, expected: bytes | None = None) -> None:
    """Replace the file at ``path`` (through a symbolic link) as a whole; mode, owner and attributes stay.

    The new file is written beside the real one, synced and renamed over it, so a reader sees the old or
    the new content and never a part. With ``expected`` the file must hold that when it is replaced.

    Raises:
        ChangedError: it holds something else than ``expected``, which is still there.
        MachineError: the folder or the file can't be written; the old content is then still there.
    """
    real = path.resolve()
    temporary = temporary_of(real)
    try:
        before = real.stat()
        _check_replaceable(path, before)
        temporary.unlink(missing_ok=True)
        write_synced(temporary, content, real)
        if expected is None:
            _rename(temporary, real)
        elif not _rename_over(temporary, real, expected):
            raise ChangedError(path)
        _sync_folder(real.parent)
    except OSError as error:
        msg = f"{path}: can't be written: {error.strerror}; nothing was changed"
        raise MachineError(msg) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def temporary_of(path: Path) -> Path:
    """Where the next content of ``path`` is written; only a killed run leaves it behind."""
    real = path.resolve()
    return real.with_name(f".{real.name}.torchsel")


def holds(path: Path, content: bytes) -> bool:
    """Whether the file at ``path`` can be read and has exactly this content."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def write_synced(path: Path, content: bytes, like: Path | None) -> None:
    """Make a new file and have it on the disk; for this user alone, or with owner and mode as ``like`` has.

    Raises:
        OSError: as the system gives it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
        if like is not None and sys.platform != "win32":
            _copy_attributes(like, file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        msg = f"{path}: is not a regular file; nothing was changed"
    elif found.st_nlink > 1:
        msg = (
            f"{path}: has {found.st_nlink} names (hard links), and replacing it would part them; nothing was"
            " changed; make it a file of its own or a symbolic link"
        )
    elif not os.access(path, os.W_OK):
        msg = f"{path}: is read-only; make it writable (chmod u+w {path.name})"
    else:
        return
    raise MachineError(msg)


def _copy_attributes(source: Path, descriptor: int) -> None:
    """Owner, group and extended attributes (ACLs are such) as far as this user may, then the mode."""
    like = source.stat()
    for owner in (like.st_uid, -1):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, owner, like.st_gid)
            break
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for name in os.listxattr(source):
                os.setxattr(descriptor, name, os.getxattr(source, name))
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _rename_over(source: Path, target: Path, expected: bytes) -> bool:
    """Rename where ``target`` still holds ``expected``.

    Where the system can swap two files, what was replaced is looked at once more: another program may have
    written it between the look and the rename, or hold it open to write; then it is put back.
    """
    if not holds(target, expected):
        return False
    if not swap(source, target):
        _rename(source, target)
    elif not holds(source, expected):
        swap(source, target)
        return False
    return True


def swap(first: Path, second: Path) -> bool:
    """Exchange two files in one step; False where the system or the file system can't (renameat2(2)).

    Raises:
        OSError: it can, but not these.
    """
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - only when something is written

    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if renameat2(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code))


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
