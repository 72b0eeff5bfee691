"""uv: which one is trusted, and what starting it comes to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import in_own_process
from tests.uv import scenes
from torchsel.errors import MachineError
from torchsel.uv import program as uvtool
from torchsel.uv.program import Uv, find_uv

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stand-ins for uv are shell scripts")

NAME = "uv"


def stand_in(folder: Path, script: str = "exit 0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / NAME
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def path_of(*folders: Path | str) -> str:
    return os.pathsep.join(map(str, folders))


def test_the_first_on_path(tmp_path: Path) -> None:
    first, second = stand_in(tmp_path / "a"), stand_in(tmp_path / "b")
    assert find_uv({"PATH": path_of(tmp_path / "none", first.parent, second.parent)}) == first


def test_the_one_that_started_us(tmp_path: Path) -> None:
    first, second = stand_in(tmp_path / "a"), stand_in(tmp_path / "b")
    assert find_uv({"UV": str(second), "PATH": str(first.parent)}) == second
    assert find_uv({"UV": str(tmp_path / "gone"), "PATH": str(first.parent)}) == first
    assert find_uv({"UV": "", "PATH": str(first.parent)}) == first


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin", "../project/bin"])
def test_relative_entries_are_passed_over(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = stand_in(tmp_path / "a")
    for folder in (tmp_path / "project", tmp_path / "project" / "bin"):
        stand_in(folder)
    monkeypatch.chdir(tmp_path / "project")
    assert find_uv({"PATH": path_of(entry, trusted.parent)}) == trusted
    assert find_uv({"UV": f"{entry or '.'}/{NAME}", "PATH": str(trusted.parent)}) == trusted


def test_programs_of_the_project_are_passed_over(tmp_path: Path) -> None:
    project, trusted = tmp_path / "project", stand_in(tmp_path / "a")
    own = stand_in(project / ".venv" / "bin")
    (tmp_path / "link").symlink_to(project)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / NAME).symlink_to(own)
    (project / "links").mkdir()
    (project / "links" / NAME).symlink_to(stand_in(tmp_path / "other"))
    for entry in (
        own.parent,
        project / "links",
        tmp_path / "link" / ".venv" / "bin",
        tmp_path / "links",
        tmp_path / "other" / ".." / "project" / ".venv" / "bin",
    ):
        assert find_uv({"PATH": path_of(entry, trusted.parent)}, outside=project) == trusted
        assert find_uv({"UV": f"{entry}/{NAME}", "PATH": str(trusted.parent)}, outside=project) == trusted
        assert find_uv({"PATH": str(entry)}) == entry / NAME, "without a project it is as good as any"


def test_a_folder_or_a_file_that_cant_be_run_is_none(tmp_path: Path) -> None:
    (tmp_path / "a" / NAME).mkdir(parents=True)
    plain = stand_in(tmp_path / "b")
    plain.chmod(0o644)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / NAME).symlink_to("nowhere")
    trusted = stand_in(tmp_path / "d")
    assert find_uv({"PATH": path_of(*(tmp_path / name for name in "abcd"))}) == trusted


@pytest.mark.parametrize("environ", [{}, {"PATH": ""}, {"PATH": "/nonexistent"}])
def test_none_is_told(environ: dict[str, str]) -> None:
    with pytest.raises(MachineError, match=r"^uv was not found on PATH .*install it: https"):
        find_uv(environ)


RECORD = (
    'printf "%s\\n" "$PWD" "$@" > "$OUT"; echo "FROZEN=$UV_FROZEN LOCKED=$UV_LOCKED MINE=$MINE" >> "$OUT"'
)


def test_lock_is_told_what_to_upgrade(tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "project"
    folder.mkdir()
    environ = {"OUT": str(out), "UV_FROZEN": "1", "UV_LOCKED": "1", "MINE": "kept"}
    uv = Uv(program=stand_in(tmp_path / "bin", RECORD), environ=environ)
    assert uv.lock(folder, upgrade=["torch==2.9.1", "torchvision; x"]) is None
    assert out.read_text().splitlines() == [
        str(folder),
        *("lock", "--project", str(folder)),
        *("--upgrade-package", "torch==2.9.1", "--upgrade-package", "torchvision; x"),
        "FROZEN= LOCKED= MINE=kept",
    ]


def test_what_uv_said_comes_back(tmp_path: Path) -> None:
    uv = Uv(program=stand_in(tmp_path, "echo no >&2; printf '\\377' >&2; exit 2"), environ={})
    assert uv.lock(tmp_path) == "no\n\ufffd"


def test_a_failure_without_a_word_is_one(tmp_path: Path) -> None:
    uv = Uv(program=stand_in(tmp_path, "kill -9 $$"), environ={})
    assert uv.lock(tmp_path) == "nothing; it ended with exit code -9"


def test_only_checking(tmp_path: Path) -> None:
    uv = Uv(program=stand_in(tmp_path, 'case "$*" in *--check) exit 0;; esac; exit 1'), environ={})
    assert uv.lock(tmp_path, only_check=True) is None
    assert uv.lock(tmp_path) is not None


def test_the_lock_is_handed_on(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    uv = Uv(program=stand_in(tmp_path, f"echo held > /dev/fd/{writing}"), environ={}, descriptor=writing)
    assert uv.lock(tmp_path) is None
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a pipe
        assert pipe.read() == b"held\n"


WAIT = "for i in $(seq 200); do sleep 0.1; done"
"""Until a signal comes: long, as torchsel gets it as late as a busy machine lets it."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on_to_uv(tmp_path: Path, number: signal.Signals) -> None:
    script = f"trap 'exit 9' {number.value}; kill -{number.value} $PPID; {WAIT}"
    ran = in_own_process(scenes.ran, stand_in(tmp_path, script))
    assert ran.out == "9 True\n", ran


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_signal_that_ended_uv_is_told(tmp_path: Path, number: signal.Signals) -> None:
    script = f"kill -{number.value} $PPID; {WAIT}"
    ran = in_own_process(scenes.ran, stand_in(tmp_path, script))
    assert ran.out == f"-{number.value} True\n", ran


def test_a_signal_right_before_a_wait_is_passed_on_to_uv(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    program = stand_in(tmp_path, f"trap 'exit 9' 15; : > {ready}; {WAIT}")
    ran = in_own_process(scenes.ran_with_a_signal_right_before_a_wait, program, ready)
    assert ran.out == "9 True\n", ran


def test_an_interrupt_is_uvs_to_handle(tmp_path: Path) -> None:
    assert in_own_process(scenes.ran, stand_in(tmp_path, "kill -INT $PPID; exit 5")).out == "5 True\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_too_late_for_uv_is_acted_on(tmp_path: Path, number: signal.Signals) -> None:
    done = in_own_process(
        scenes.ran, stand_in(tmp_path, f"trap '' {number.value}; kill -{number.value} $PPID; exit 0")
    )
    assert (done.code, done.out) == (-number, "")


def test_an_interrupt_too_late_for_uv_is_acted_on(tmp_path: Path) -> None:
    assert in_own_process(scenes.ran, stand_in(tmp_path, "kill -INT $PPID")).out == "interrupted True\n"


EARLY = [
    *((number, moment) for number in (signal.SIGTERM, signal.SIGHUP) for moment in ("before", "after")),
    *((signal.SIGINT, moment) for moment in ("before", "after")),
]


@pytest.mark.parametrize(("number", "moment"), EARLY)
def test_a_signal_while_uv_is_started_is_passed_on(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    done = in_own_process(
        scenes.ran_with_a_signal, stand_in(tmp_path, "exec sleep 60"), "run", int(number), moment
    )
    assert (done.out, done.err, done.code) == (f"-{number.value} True\n", "", 0)


@pytest.mark.parametrize(("number", "moment"), EARLY)
def test_a_signal_while_a_lock_is_started_ends_it(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    program = stand_in(tmp_path, f"cd {tmp_path}; echo $$ > new; mv new pid; exec sleep 60")
    done = in_own_process(scenes.ran_with_a_signal, program, "lock", int(number), moment)
    assert (done.out, done.code) == (
        ("interrupted True\n", 0) if number == signal.SIGINT else ("", -number.value)
    )
    if (tmp_path / "pid").exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_signal_to_a_uv_that_cant_be_started_is_acted_on(tmp_path: Path) -> None:
    done = in_own_process(scenes.ran_what_cant_be_started, tmp_path / "none", int(signal.SIGTERM))
    assert (done.code, done.out) == (-signal.SIGTERM, "")


def test_uv_does_not_wait_for_input(tmp_path: Path) -> None:
    uv = Uv(program=stand_in(tmp_path, "read answer && exit 1; exit 0"), environ={})
    reader, writer = os.pipe()
    os.write(writer, b"yes\n")
    before = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert uv.lock(tmp_path) is None
    finally:
        os.dup2(before, 0)
        for descriptor in (before, reader, writer):
            os.close(descriptor)


def test_a_uv_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvtool, "LOCK_LIMIT", 0.2)
    uv = Uv(program=stand_in(tmp_path, "exec sleep 60"), environ={"PATH": os.environ["PATH"]})
    start = time.monotonic()
    with pytest.raises(MachineError, match="uv lock did not end within 0 s"):
        uv.lock(tmp_path)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("call", ["lock", "run", "check"])
def test_a_uv_that_cant_be_started(call: str, tmp_path: Path) -> None:
    program = tmp_path / NAME
    program.write_bytes(b"\x7fELF but not really")
    program.chmod(0o755)
    uv = Uv(program=program, environ={})
    with pytest.raises(MachineError, match=f"^{program}: can't be started: "):
        getattr(uv, call)(tmp_path if call == "lock" else ["sync"])


def test_the_exit_code_is_uvs(tmp_path: Path) -> None:
    uv = Uv(program=stand_in(tmp_path, 'exit "$1"'), environ={})
    assert [uv.run([code]) for code in ("0", "1", "117")] == [0, 1, 117]


def test_becoming_uv(tmp_path: Path) -> None:
    program = stand_in(tmp_path, 'echo "$$ $MINE $1"; exit 7')
    code = (
        "import os, sys; from torchsel.records.replay import become; print(os.getpid(), flush=True);"
        " become(sys.argv[1], ['a b'], {'MINE': 'kept'})"
    )
    done = subprocess.run([sys.executable, "-c", code, program], capture_output=True, text=True, check=False)
    pid, line = done.stdout.splitlines()
    assert (done.returncode, line) == (7, f"{pid} kept a b")
