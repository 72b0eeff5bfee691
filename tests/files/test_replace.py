"""Locks, whole-file replacement and the repair after a crash, with what the operating system does wrong."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from torchsel.errors import MachineError
from torchsel.files import journal as journal_module
from torchsel.files import replace as files
from torchsel.files.journal import Journal
from torchsel.files.replace import ChangedError, digest, exclusive, replace_file, state_folder

if TYPE_CHECKING:
    from collections.abc import Callable

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file of a project, alone in its folder."""
    path = tmp_path / "project" / "pyproject.toml"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def fails(code: int) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def alone(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


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


def test_a_read_only_file_is_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(MachineError, match=r"is read-only; make it writable \(chmod u\+w pyproject\.toml\)"):
        replace_file(target, b"new")
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


@posix
def test_state_that_others_can_write_is_refused(tmp_path: Path) -> None:
    for mode in (0o770, 0o707, 0o720):
        tmp_path.chmod(mode)
        with pytest.raises(MachineError, match="others can write in it; chmod go-w it"):
            state_folder({"TORCHSEL_CACHE_DIR": str(tmp_path)})
    tmp_path.chmod(0o755)
    assert state_folder({"TORCHSEL_CACHE_DIR": str(tmp_path)}) == tmp_path


HOLDER = """
import sys
from pathlib import Path
from torchsel.files.replace import exclusive
with exclusive(Path(sys.argv[1]), Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_waited_for_and_named(target: Path, state: Path, tmp_path: Path) -> None:
    spelling = tmp_path / "project" / ".." / "project" / "pyproject.toml"
    command = [sys.executable, "-c", HOLDER, str(spelling), str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(MachineError, match=r"pyproject\.toml: another torchsel.* \(lock: .*\.lock\)$"),
            exclusive(target, state, timeout=0.2),
        ):
            pytest.fail("two hold the lock")
        with exclusive(target.with_name("other.toml"), state, timeout=0):
            pass
        holder.kill()
    with exclusive(target, state, timeout=10):
        pass


def test_the_lock_is_given_back_after_a_failure(target: Path, state: Path) -> None:
    def fail() -> NoReturn:
        raise OSError(errno.EIO, "not the lock's")

    with pytest.raises(OSError, match="not the lock's"), exclusive(target, state):
        fail()
    with exclusive(target, state, timeout=0):
        pass


def test_a_lock_that_cant_be_made_is_told(target: Path, state: Path) -> None:
    (state / f"{digest(target)}.lock").mkdir()
    with (
        pytest.raises(MachineError, match=r"\.lock: can't be used: .*; set TORCHSEL_CACHE_DIR"),
        exclusive(target, state, timeout=0),
    ):
        pytest.fail("nothing is locked")


@posix
def test_the_digest_is_one_for_every_spelling(target: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(target.parent)
    spellings = {target, target.parent / "." / "pyproject.toml", tmp_path / "link" / "pyproject.toml"}
    assert len({digest(path) for path in spellings}) == 1
    assert digest(target) != digest(target.with_name("uv.lock"))


@posix
@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TORCHSEL_CACHE_DIR": "{0}/own", "XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "own"),
        ({"XDG_CACHE_HOME": "{0}/xdg", "HOME": "{0}"}, "xdg/torchsel"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{0}"}, ".cache/torchsel"),
        ({"HOME": "{0}"}, ".cache/torchsel"),
        ({"HOME": "{0}/missing"}, "temp/torchsel-{1}"),
        ({}, "temp/torchsel-{1}"),
    ],
)
def test_where_the_state_is(
    environ: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr(sys, "platform", "linux")
    filled = {name: value.format(tmp_path) for name, value in environ.items()}
    for _ in range(2):
        found = state_folder(filled)
        assert found == tmp_path / folder.format(tmp_path, os.getuid())
        assert stat.S_IMODE(found.stat().st_mode) == 0o700


@posix
def test_somebody_elses_folder_in_the_temp_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ours = tmp_path / f"torchsel-{os.getuid()}"
    (tmp_path / "target").mkdir()
    ours.symlink_to(tmp_path / "target")
    with pytest.raises(MachineError, match="belongs to another user; set TORCHSEL_CACHE_DIR"):
        state_folder({})
    ours.unlink()
    ours.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    ours.rename(tmp_path / "torchsel-4242")
    with pytest.raises(MachineError, match="belongs to another user; set TORCHSEL_CACHE_DIR"):
        state_folder({})


def test_a_state_folder_that_cant_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match=r"can't be used: .*; set TORCHSEL_CACHE_DIR"):
        state_folder({"TORCHSEL_CACHE_DIR": str(tmp_path / "file" / "below")})


@pytest.fixture
def lock(target: Path) -> Path:
    path = target.with_name("uv.lock")
    path.write_bytes(b"old lock")
    return path


@pytest.fixture
def crashed(target: Path, lock: Path, state: Path) -> Journal:
    """A run that wrote pyproject.toml, had uv write uv.lock, and died."""
    journal = Journal(target, state)
    journal.begin({target: b"old", lock: b"old lock"}, {target: "new ü\r\n".encode()})
    target.write_bytes("new ü\r\n".encode())
    lock.write_bytes(b"new lock")
    return journal


def test_a_crash_is_taken_back_once(crashed: Journal, target: Path, lock: Path) -> None:
    assert crashed.recover()
    assert (target.read_bytes(), lock.read_bytes()) == (b"old", b"old lock")
    lock.write_bytes(b"later")
    target.write_bytes("new ü\r\n".encode())
    assert not crashed.recover(), "the record is used up"
    assert lock.read_bytes() == b"later"


def test_a_change_that_only_lacked_its_end_stays(crashed: Journal, target: Path, lock: Path) -> None:
    assert not crashed.recover(is_complete=lambda: True)
    assert (target.read_bytes(), lock.read_bytes()) == ("new ü\r\n".encode(), b"new lock")
    assert not crashed.path.exists()


def test_a_change_without_its_lock_is_not_complete(crashed: Journal, target: Path, lock: Path) -> None:
    lock.write_bytes(b"old lock")
    assert crashed.recover(is_complete=lambda: pytest.fail("there is no new lock to ask about"))
    assert target.read_bytes() == b"old"


def test_the_lock_is_put_back_first(crashed: Journal, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back: list[str] = []
    real = files.replace_file

    def replace(path: Path, content: bytes) -> None:
        put_back.append(path.name)
        real(path, content)

    monkeypatch.setattr(journal_module, "replace_file", replace)
    assert crashed.recover()
    assert put_back == ["uv.lock", "pyproject.toml"], "a second crash must find the plan in place"


@pytest.mark.parametrize("other", ["../elsewhere.toml", "notes.txt", "sub/uv.lock"])
def test_a_record_about_other_files_is_dropped(crashed: Journal, target: Path, other: str) -> None:
    victim = target.parent / other
    victim.parent.mkdir(exist_ok=True)
    victim.write_bytes(b"precious")
    crashed.begin({victim: b"planted", target: b"old"}, {target: "new ü\r\n".encode()})
    assert not crashed.recover()
    assert victim.read_bytes() == b"precious"
    crashed.begin({target: b"old"}, {victim: b"precious"})
    assert not crashed.recover()


@posix
def test_a_record_that_is_a_link_is_not_followed(crashed: Journal, tmp_path: Path) -> None:
    real = crashed.path.rename(tmp_path / "record")
    crashed.path.symlink_to(real)
    with pytest.raises(MachineError, match=r"\.journal: can't be used"):
        crashed.recover()


def test_a_crash_before_uv_wrote(crashed: Journal, target: Path, lock: Path) -> None:
    lock.write_bytes(b"old lock")
    assert crashed.recover()
    assert (target.read_bytes(), lock.read_bytes()) == (b"old", b"old lock")


def test_a_file_edited_since_is_left(crashed: Journal, target: Path, lock: Path) -> None:
    target.write_bytes(b"mine")
    assert not crashed.recover()
    assert (target.read_bytes(), lock.read_bytes()) == (b"mine", b"new lock")
    assert not crashed.path.exists()


def test_a_project_file_deleted_since_is_left(crashed: Journal, target: Path, lock: Path) -> None:
    target.unlink()
    assert not crashed.recover()
    assert (target.exists(), lock.read_bytes()) == (False, b"new lock")


def test_a_lock_deleted_since_stays_away(crashed: Journal, target: Path, lock: Path) -> None:
    lock.unlink()
    assert crashed.recover()
    assert (target.read_bytes(), lock.exists()) == (b"old", False)
    assert not crashed.path.exists()


def test_a_failing_repair_keeps_the_record(
    crashed: Journal, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails(errno.EACCES))
        with pytest.raises(MachineError, match="can't be written"):
            crashed.recover()
    assert crashed.recover()
    assert lock.read_bytes() == b"old lock"


def test_a_finished_change_is_not_taken_back(crashed: Journal, target: Path) -> None:
    crashed.end()
    assert not crashed.recover()
    assert target.read_bytes() == "new ü\r\n".encode()
    crashed.end()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"before": {}}', b"\xff\xfe"])
def test_a_broken_record_is_dropped(crashed: Journal, target: Path, content: bytes) -> None:
    crashed.path.write_bytes(content)
    assert not crashed.recover()
    assert target.read_bytes() == "new ü\r\n".encode()
    assert not crashed.path.exists()


def test_a_record_that_cant_be_written_or_read_is_told(
    target: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(target, state)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails(errno.ENOSPC))
        with pytest.raises(MachineError, match=r"\.journal: can't be used: No space left"):
            journal.begin({target: b"old"}, {target: b"new"})
    journal.path.mkdir()
    with pytest.raises(MachineError, match=r"\.journal: can't be used: Is a directory"):
        journal.recover()
