"""Whole-file replacement that overwrites nobody's work."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from pathlib import Path

from torchsel.errors import MachineError
from torchsel.files.state import Held

REPLACE_TRIES = 5
"""Attempts at a rename that Windows refuses while another program has the file open."""


class ChangedError(MachineError):
    """Another program changed the file at ``path`` after it was read."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: was changed by another program just now; it is left alone; run torchsel again"
        )
        self.path = path


class NotWrittenError(MachineError):
    """The file at ``path`` could not be replaced and is as before; ``why`` is the sentence without that."""

    def __init__(self, path: Path, why: str, remedy: str = "") -> None:
        self.why = f"{path}: {why}{remedy and f'; {remedy}'}"
        super().__init__(f"{self.why}; nothing was changed")


def replace_file(
    path: Path, content: bytes, *, expected: bytes | None = None, held: Held | None = None
) -> None:
    """Replace the file at ``path`` (through a symbolic link) as a whole; mode, owner and attributes stay.

    The new file is written beside the real one, synced and renamed over it, so a reader sees the old or
    the new content and never a part. With ``expected`` the file must hold that when it is replaced. ``held``
    is the lock on it, which the new file keeps.

    Raises:
        ChangedError: it holds something else than ``expected``, which is still there.
        NotWrittenError: the folder or the file can't be written; the old content is then still there.
    """
    real = path.resolve()
    temporary = temporary_of(real)
    try:
        before = real.stat()
        _check_replaceable(path, before)
        temporary.unlink(missing_ok=True)
        write_synced(temporary, content, real, held)
        if expected is None:
            _rename(temporary, real)
        elif not _rename_over(temporary, real, expected):
            raise ChangedError(path)
        _sync_folder(real.parent)
    except OSError as error:
        raise _not_written(path, error) from None
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


def write_synced(path: Path, content: bytes, like: Path | None, held: Held | None = None) -> None:
    """Make a new file and have it on the disk; for this user alone, or with owner and mode as ``like`` has.

    With ``held`` it is locked.

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
        if held:
            held.keep(file.fileno())


def _check_replaceable(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotWrittenError(path, "is not a regular file")
    if found.st_nlink > 1:
        why = f"has {found.st_nlink} names (hard links), and replacing it would part them"
        raise NotWrittenError(path, why, "make it a file of its own or a symbolic link")
    if not os.access(path, os.W_OK):
        raise _denied(path, found)


def _denied(path: Path, found: os.stat_result) -> NotWrittenError:
    """Why this user may not write the file, by what the system says of it."""
    if sys.platform == "win32":
        return NotWrittenError(path, "is read-only", f"make it writable (attrib -r {path.name})")
    if os.geteuid() not in (0, found.st_uid):
        why = f"belongs to another user ({_user_name(found.st_uid)}), who lets you only read it"
        return NotWrittenError(path, why, f"make it yours (sudo chown $USER {path.name})")
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        return NotWrittenError(path, "lies on a read-only file system")
    if not found.st_mode & stat.S_IWUSR and os.geteuid():
        return NotWrittenError(path, "is read-only", f"make it writable (chmod u+w {path.name})")
    lift = "chflags nouchg" if sys.platform == "darwin" else "sudo chattr -i"
    return NotWrittenError(path, "is protected against every change", f"lift that ({lift} {path.name})")


def _user_name(number: int) -> str:
    import pwd  # noqa: PLC0415 - POSIX alone

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _not_written(path: Path, error: OSError) -> NotWrittenError:
    if error.errno == errno.EBUSY:
        why = "is mounted by itself (as containers mount single files), and can't be replaced"
        return NotWrittenError(path, why, "mount the folder that it is in")
    if error.errno == errno.EPERM and sys.platform == "linux":
        why = "can't be written: it or its folder is protected against changes"
        return NotWrittenError(path, why, f"see how (lsattr -d {path} {path.parent})")
    return NotWrittenError(path, f"can't be written: {error.strerror}")


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
