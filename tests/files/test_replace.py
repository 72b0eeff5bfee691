"""Whole-file replacement, with what the operating system does wrong."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from tests.files.conftest import alone, fails
from tests.support.fault_scenes import can_mount
from torchsel.errors import MachineError
from torchsel.files import replace as files
from torchsel.files.replace import ChangedError, replace_file

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


def test_the_content_is_replaced_as_a_whole(target: Path) -> None:
    with target.open("rb") as reader:
        replace_file(target, b"new\r\n")
        assert reader.read() == b"old", "a reader keeps the file that it opened"
    assert target.read_bytes() == b"new\r\n"
    assert alone(target)


@posix
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_the_mode_stays(target: Path, mode: int) -> None:
    target.chmod(mode)
    replace_file(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == mode


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(target: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert alone(target)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(target: Path) -> None:
    os.chown(target, 1234, 2345)
    replace_file(target, b"new")
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("call", ["replace", "fsync", "open"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EROFS])
def test_a_failing_step_leaves_the_old_file(
    target: Path, call: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails(code))
        with pytest.raises(MachineError) as caught:
            replace_file(target, b"new")
    assert str(caught.value) == f"{target}: can't be written: {os.strerror(code)}; nothing was changed"
    assert target.read_bytes() == b"old"
    assert alone(target)


def test_an_interrupt_leaves_no_temporary_file(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            replace_file(target, b"new")
    assert target.read_bytes() == b"old"
    assert alone(target)


@posix
def test_a_folder_that_cant_be_synced_is_no_failure(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open

    def unreadable_folder(path: Any, flags: int, *rest: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "no")
        return real_open(path, flags, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", unreadable_folder)
        replace_file(target, b"new")
    assert target.read_bytes() == b"new"


@posix
@pytest.mark.parametrize(
    ("mode", "user", "flag", "told"),
    [
        (0o444, 1234, 0, "is read-only; make it writable (chmod u+w pyproject.toml)"),
        (0o644, 1234, 0, "is protected against every change; lift that (sudo chattr -i pyproject.toml)"),
        (0o444, 0, 0, "is protected against every change; lift that (sudo chattr -i pyproject.toml)"),
        (0o644, 1234, os.ST_RDONLY, "lies on a read-only file system"),
        (
            0o644,
            4321,
            0,
            "belongs to another user (1234), who lets you only read it; make it yours"
            " (sudo chown $USER pyproject.toml)",
        ),
    ],
)
def test_why_a_file_may_not_be_written_is_told(
    target: Path, mode: int, user: int, flag: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.chmod(mode)
    found = target.stat()
    owned = os.stat_result((found.st_mode, 0, 0, 1, 1234, *found[5:]))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda *_, **__: owned)
        patch.setattr(os, "access", lambda *_: False)
        patch.setattr(os, "geteuid", lambda: user)
        patch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=flag))
        patch.setattr(sys, "platform", "linux")
        with pytest.raises(MachineError) as caught:
            replace_file(target, b"new")
    assert str(caught.value) == f"{target}: {told}; nothing was changed"
    assert target.read_bytes() == b"old"
    assert alone(target)


@pytest.mark.skipif(not can_mount(), reason="mounting takes root")
def test_a_file_that_is_mounted_by_itself_is_told(target: Path) -> None:
    other = target.with_name("other")
    other.write_bytes(b"mounted")
    subprocess.run(["mount", "--bind", other, target], check=True)
    try:
        for expected in (None, b"mounted"):
            with pytest.raises(MachineError, match=r"is mounted by itself.*; mount the folder"):
                replace_file(target, b"new", expected=expected)
        assert target.read_bytes() == b"mounted"
    finally:
        subprocess.run(["umount", target], check=True)
    assert target.read_bytes() == b"old"


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="chattr takes root")
@pytest.mark.parametrize(
    ("place", "flag", "told"),
    [
        ("pyproject.toml", "i", r"is protected.*; lift that \(sudo chattr -i pyproject\.toml\)"),
        ("pyproject.toml", "a", r"protected against changes; see how \(lsattr -d "),
        ("", "i", r"protected against changes; see how \(lsattr -d "),
    ],
)
def test_a_protected_file_or_folder_is_told(target: Path, place: str, flag: str, told: str) -> None:
    path = target.parent / place
    if subprocess.run(["chattr", f"+{flag}", path], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no such protection")
    try:
        with pytest.raises(MachineError, match=told):
            replace_file(target, b"new", expected=b"old")
    finally:
        subprocess.run(["chattr", f"-{flag}", path], check=True)
    assert target.read_bytes() == b"old"
    assert alone(target)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_told(target: Path) -> None:
    target.parent.chmod(0o500)
    try:
        with pytest.raises(MachineError, match="can't be written: Permission denied; nothing was changed"):
            replace_file(target, b"new")
        assert target.read_bytes() == b"old"
    finally:
        target.parent.chmod(0o700)


def test_a_missing_file_is_not_made(target: Path) -> None:
    target.unlink()
    with pytest.raises(MachineError, match="can't be written: No such file"):
        replace_file(target, b"new")
    assert not target.exists()


def test_what_a_killed_run_left_is_no_obstacle(target: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    (target.parent / ".pyproject.toml.torchsel").symlink_to(elsewhere)
    replace_file(target, b"new")
    assert target.read_bytes() == b"new"
    assert elsewhere.read_bytes() == b"precious"
    assert alone(target)


@pytest.mark.parametrize(("refusals", "works"), [(0, True), (4, True), (5, False)])
def test_a_sharing_violation_on_windows_is_tried_again(
    target: Path, refusals: int, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_replace, naps, calls = os.replace, list[float](), list[object]()

    def busy(source: Any, destination: Any) -> None:
        calls.append(source)
        if len(calls) <= refusals:
            raise PermissionError(errno.EACCES, "in use")
        real_replace(source, destination)

    monkeypatch.setattr(files, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(os, "replace", busy)
    if works:
        replace_file(target, b"new")
    else:
        with pytest.raises(MachineError, match="in use; nothing was changed"):
            replace_file(target, b"new")
    assert target.read_bytes() == (b"new" if works else b"old")
    assert len(naps) == min(refusals, 4)
    assert naps == sorted(naps)
    assert alone(target)


def test_what_somebody_else_wrote_is_left(target: Path) -> None:
    target.write_bytes(b"theirs")
    with pytest.raises(ChangedError, match=r"pyproject\.toml: was changed by another program just now"):
        replace_file(target, b"new", expected=b"old")
    assert target.read_bytes() == b"theirs"
    assert alone(target)


@pytest.mark.parametrize("can_swap", [True, False])
def test_what_was_expected_is_replaced(target: Path, can_swap: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not can_swap:
        monkeypatch.setattr(files, "swap", lambda *_: False)
    replace_file(target, b"new", expected=b"old")
    assert target.read_bytes() == b"new"
    assert alone(target)


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2")
@pytest.mark.parametrize("style", ["in place", "renamed"])
def test_a_write_between_the_look_and_the_rename_is_put_back(
    target: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_swap, calls = files.swap, list[int]()

    def late(first: Path, second: Path) -> bool:
        if not calls:
            other = target.with_name("other") if style == "renamed" else target
            other.write_bytes(b"theirs")
            other.replace(target)
        calls.append(1)
        return real_swap(first, second)

    monkeypatch.setattr(files, "swap", late)
    with pytest.raises(ChangedError):
        replace_file(target, b"new", expected=b"old")
    assert target.read_bytes() == b"theirs"
    assert len(calls) == 2
    assert alone(target)


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2")
def test_swapping(tmp_path: Path, target: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"other")
    assert files.swap(target, other)
    assert (target.read_bytes(), other.read_bytes()) == (b"other", b"old")
    with pytest.raises(OSError, match="No such file"):
        files.swap(target, tmp_path / "missing")


@posix
def test_a_hard_link_is_not_parted(target: Path) -> None:
    os.link(target, target.with_name("second"))
    with pytest.raises(MachineError, match=r"has 2 names \(hard links\)"):
        replace_file(target, b"new")
    assert target.read_bytes() == target.with_name("second").read_bytes() == b"old"


@posix
def test_what_is_no_file_is_not_replaced(target: Path) -> None:
    target.unlink()
    os.mkfifo(target)
    with pytest.raises(MachineError, match="is not a regular file; nothing was changed"):
        replace_file(target, b"new")
    assert stat.S_ISFIFO(target.stat().st_mode)


@pytest.mark.skipif(sys.platform != "linux", reason="extended attributes")
def test_extended_attributes_stay(target: Path) -> None:
    try:
        os.setxattr(target, "user.torchsel", b"kept")
    except OSError:
        pytest.skip("this file system has none")
    replace_file(target, b"new")
    assert os.getxattr(target, "user.torchsel") == b"kept"
