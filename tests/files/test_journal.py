"""The repair after a crash."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.files.conftest import fails
from torchsel.errors import MachineError
from torchsel.files import journal as journal_module
from torchsel.files import replace as files
from torchsel.files.journal import Change, Journal

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


CHANGE = Change(before="old", planned="new ü\r\n", lock_before="old lock")


@pytest.fixture
def lock(target: Path) -> Path:
    path = target.with_name("uv.lock")
    path.write_bytes(b"old lock")
    return path


@pytest.fixture
def crashed(target: Path, lock: Path, state: Path) -> Journal:
    """A run that wrote pyproject.toml, had uv write uv.lock, and died."""
    journal = Journal(target, state)
    journal.begin(CHANGE)
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

    def replace(path: Path, content: bytes, **_: object) -> None:
        put_back.append(path.name)
        real(path, content)

    monkeypatch.setattr(journal_module, "replace_file", replace)
    assert crashed.recover()
    assert put_back == ["uv.lock", "pyproject.toml"], "a second crash must find the plan in place"


@posix
@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock"])
@pytest.mark.parametrize("place", ["../elsewhere", "notes.txt"])
def test_an_earlier_record_writes_through_no_link(
    crashed: Journal, target: Path, state: Path, name: str, place: str
) -> None:
    victim = target.parent / place
    (target.parent / name).rename(victim)
    (target.parent / name).symlink_to(victim)
    before = victim.read_bytes()
    assert not Journal(target, state).recover()
    assert victim.read_bytes() == before
    assert not crashed.path.exists()


@posix
def test_a_change_of_this_run_is_taken_back_through_links(crashed: Journal, target: Path, lock: Path) -> None:
    for path in (target, lock):
        path.symlink_to(path.rename(path.with_suffix(".real")))
    assert crashed.recover(CHANGE)
    assert (target.read_bytes(), lock.read_bytes()) == (b"old", b"old lock")
    assert target.is_symlink()
    assert lock.is_symlink()


def test_each_project_has_its_own_record(target: Path, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "pyproject.toml"
    other.parent.mkdir()
    other.symlink_to(target)
    assert Journal(other, state).path != Journal(target, state).path
    assert (
        Journal(tmp_path / "other" / ".." / "project" / "pyproject.toml", state).path
        == Journal(target, state).path
    )


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


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"before": {}}',
        b'{"before": "a", "planned": "new", "lock_before": 1}',
        b'{"before": "a", "planned": "new", "lock_before": "b", "victim": "c"}',
        b"\xff\xfe",
    ],
)
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
            journal.begin(CHANGE)
    journal.path.mkdir()
    with pytest.raises(MachineError, match=r"\.journal: can't be used: Is a directory"):
        journal.recover()
