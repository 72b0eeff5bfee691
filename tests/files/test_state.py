"""Where state is kept, and one torchsel at a time."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

import pytest

from tests.files.conftest import alone, fails
from torchsel.errors import MachineError
from torchsel.files.replace import replace_file
from torchsel.files.state import digest, exclusive, state_folder, state_path

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links as POSIX has them")


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
from torchsel.files.state import exclusive
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


@posix
def test_another_state_folder_does_not_get_around_the_lock(target: Path, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with exclusive(target, state) as held:
        for _ in range(3):
            replace_file(target, b"new", held=held)
            with (
                pytest.raises(MachineError, match=r"another torchsel.* \(lock: .*pyproject\.toml\)$"),
                exclusive(target, other, timeout=0.1),
            ):
                pytest.fail("two hold the lock")
    with exclusive(target, other, timeout=0):
        pass


@posix
def test_who_waits_gets_the_file_that_is_there_then(target: Path, state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    command = [sys.executable, "-c", HOLDER, str(target), str(other)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as waiter:
        assert waiter.stdout
        with exclusive(target, state) as held:
            time.sleep(0.3)
            replace_file(target, b"new", held=held)
        assert waiter.stdout.readline() == "held\n"
        with (
            pytest.raises(MachineError, match="another torchsel"),
            exclusive(target, state, timeout=0.1),
        ):
            pytest.fail("the waiter holds a file that is gone")
        waiter.kill()


@posix
@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK])
def test_a_file_system_without_locks(
    target: Path, state: Path, code: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import fcntl

    (state / f"{digest(target)}.lock").touch()  # as a run with locks leaves it
    monkeypatch.setattr(fcntl, "flock", fails(code))
    start = time.monotonic()
    for _ in range(2):
        with exclusive(target, state, timeout=10) as held:
            replace_file(target, b"new", held=held)
            with pytest.raises(MachineError, match="another torchsel"), exclusive(target, state, timeout=0.1):
                pytest.fail("two hold the lock")
    assert time.monotonic() - start < 5
    assert capfd.readouterr() == ("", "")


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
        ({"HOME": "{0}/read-only"}, "temp/torchsel-{1}"),
        ({"HOME": "{0}/half"}, "temp/torchsel-{1}"),
        ({}, "temp/torchsel-{1}"),
    ],
)
def test_where_the_state_is(
    environ: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("temp", "read-only", "half/.cache"):
        (tmp_path / name).mkdir(parents=True)
    unwritable = {tmp_path / "read-only", tmp_path / "half/.cache"}
    monkeypatch.setattr(os, "access", lambda path, _: path not in unwritable)  # root may write everywhere
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    monkeypatch.setattr(sys, "platform", "linux")
    filled = {name: value.format(tmp_path) for name, value in environ.items()}
    for _ in range(2):
        found = state_folder(filled)
        assert found == tmp_path / folder.format(tmp_path, os.getuid())
        assert stat.S_IMODE(found.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TORCHSEL_CACHE_DIR", "{0}/.cache"),
        ("TORCHSEL_CACHE_DIR", "{0}"),
        ("TORCHSEL_CACHE_DIR", ".cache"),
        ("TORCHSEL_CACHE_DIR", "{0}/../link/.cache"),
        ("XDG_CACHE_HOME", "{0}/.cache"),
    ],
)
def test_state_in_the_project_is_refused(
    target: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target.parent.parent / "link").symlink_to(target.parent)
    monkeypatch.chdir(target.parent)
    environ = {name: value.format(target.parent)}
    with pytest.raises(MachineError, match=r"lies in the project's folder.*set TORCHSEL_CACHE_DIR"):
        state_folder(environ, target.parent)
    assert alone(target)


@posix
def test_a_home_that_is_the_project_is_passed_over(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = target.parent.parent / "temp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    found = state_folder({"HOME": str(target.parent)}, target.parent)
    assert found == state_path({"HOME": str(target.parent)}, target.parent)
    assert found == temporary / f"torchsel-{os.getuid()}"


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
