"""The repair after a crash."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from tests.files.conftest import fails
from torchsel.errors import MachineError
from torchsel.files import journal as journal_module
from torchsel.files import replace as files
from torchsel.files.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


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
