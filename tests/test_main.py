"""The program as a process: streams that are closed, full or broken, signals, and where Python finds it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.pages import guide
from tests.support.processes import hearing
from tests.support.toolbox import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/dev/full, and a shell's redirections")

PYPROJECT = """\
# \u0141\u00f3d\u017a, \u6771\u4eac
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]
"""
TORCHSEL = f"{sys.executable} -P -m torchsel"
HEARING = shlex.join(hearing("-P", "-m", "torchsel"))
"""The same where signals are ignored around it, as under nohup."""

COMMANDS = (
    "",
    "check",
    "backend",
    "env",
    "status",
    "status --json",
    "detect",
    "--help",
    "--version",
    "hook zsh",
)
RECORDED = ("", "check", "backend", "env", "uv sync")


class Folder:
    """A project in sync, with a stand-in for uv, whose files have been left alone for long enough."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "demo"
        self.root.mkdir()
        (self.root / "pyproject.toml").write_text(f"{PYPROJECT}\n[tool.torchsel]\n", encoding="utf-8")
        uv = folder / "bin" / "uv"
        uv.parent.mkdir()
        uv.write_text('#!/bin/sh\necho uv "$@"\nexit 7\n', encoding="utf-8")
        uv.chmod(0o755)
        self.env = {
            "HOME": str(folder),
            "PATH": f"{uv.parent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "hook"),
            "LANG": "C.UTF-8",
        }

    def run(self, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command line of bash; the exit code is that of ``torchsel``, first in it."""
        script = f"{line}; exit ${{PIPESTATUS[0]}}"
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.root,
            env={**self.env, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    made = Folder(tmp_path_factory.mktemp("main"))
    assert made.run(TORCHSEL).returncode == 0
    (made.root / "uv.lock").write_text("version = 1\nrevision = 3\n", encoding="utf-8")
    time.sleep(2.3)
    records = made.root.parent / ".cache/torchsel/records"
    for _ in range(50):  # shared folders above may be changing just now
        for words in RECORDED:
            assert made.run(f"{TORCHSEL} {words}").returncode == (7 if words == "uv sync" else 0)
        if len(list(records.iterdir())) == len(RECORDED):
            break
    assert len(list(records.iterdir())) == len(RECORDED)
    return made


CLOSED = (">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "2>/dev/full")


@pytest.mark.parametrize("redirection", CLOSED)
@pytest.mark.parametrize("record", ["", "--no-cache "])
def test_nobody_listens(folder: Folder, redirection: str, record: str) -> None:
    for words in RECORDED[:-1] if not record else COMMANDS:
        done = folder.run(f"{TORCHSEL} {record}{words} {redirection}")
        said = [line for line in done.stderr.splitlines() if not line.startswith("torchsel: nothing to set")]
        assert (done.returncode, said) == (0, []), words


@pytest.mark.parametrize(
    ("redirection", "code"),
    [(">/dev/full", 3), (">/dev/full 2>/dev/full", 3), ("| true", 130), ("2>&- | true", 130)],
)
def test_standard_output_can_not_be_written(folder: Folder, redirection: str, code: int) -> None:
    waiting = "trap '' PIPE; sleep 0.3; " if "|" in redirection else ""
    for words in (
        "backend",
        "--no-cache backend",
        "status",
        "--help",
        "--version",
        "hook bash",
        "detect --json",
    ):
        done = folder.run(f"( {waiting}exec {TORCHSEL} {words} ) {redirection}")
        assert done.returncode == code, (words, done.stderr)
        said = ["error: No space left on device"] if redirection == ">/dev/full" else []
        assert done.stderr.splitlines() == said, words


@pytest.mark.parametrize("words", ["uv sync", "--no-cache uv sync", "run python"])
def test_uv_has_the_streams_it_was_given(folder: Folder, words: str) -> None:
    done = folder.run(f"{TORCHSEL} {words} 2>&-")
    assert (done.returncode, done.stdout) == (
        7,
        f"uv {words.removeprefix('--no-cache ').removeprefix('uv ')}\n",
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "ascii:strict", "utf-8"])
def test_a_stream_that_is_not_utf_8(folder: Folder, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    for words in ("init", "status", "--backend cu126", "--diff --backend cpu"):
        line = f"{TORCHSEL} --project {tmp_path} {words}"
        done = folder.run(line, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
    assert ("\\u6771" in done.stdout or encoding == "utf-8") or "cpu" in done.stdout


def test_a_change_that_nobody_is_told_of_is_made(folder: Folder, tmp_path: Path) -> None:
    for redirection in ("2>&-", "2>/dev/full"):
        text = f"{PYPROJECT}\n[tool.torchsel]\n"
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        assert folder.run(f"{TORCHSEL} --project {tmp_path} {redirection}").returncode == 0
        assert "pytorch-cpu" in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", ["uv sync", "--no-cache uv sync", "--no-cache uv lock"])
def test_signals_are_as_a_shell_has_them(folder: Folder, words: str, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    uv.write_text(
        '#!/bin/sh\n[ "$1" != --version ] || exec echo uv 0.13.9\ngrep SigIgn /proc/self/status\n',
        encoding="utf-8",
    )
    uv.chmod(0o755)
    search = f"{tmp_path}:{folder.env['PATH']}"
    if not words.startswith("--no-cache"):
        folder.run(f"{HEARING} {words}", PATH=search)
    done = folder.run(f"{HEARING} {words}", PATH=search)
    assert re.fullmatch(r"SigIgn:\s*0+\n", done.stdout), done


@pytest.mark.parametrize(("name", "code"), [("INT", 130), ("TERM", 143), ("HUP", 129), ("KILL", 137)])
def test_a_signal_that_ends_uv_shows_in_the_exit_code(
    folder: Folder, tmp_path: Path, name: str, code: int
) -> None:
    uv = tmp_path / "uv"
    uv.write_text(f"#!/bin/sh\nkill -{name} $$\n", encoding="utf-8")
    uv.chmod(0o755)
    done = folder.run(f"{HEARING} uv remove idna", PATH=f"{tmp_path}:{folder.env['PATH']}")
    assert done.returncode == code


IN_THE_LAST_MOMENT = """\
import os, signal, sys
def execve(*_):
    os.kill(os.getpid(), signal.SIGINT)
    print("alive")
os.execve = execve
sys.argv = ["torchsel", *{words!r}]
from torchsel.__main__ import main
sys.exit(main())
"""
EARLY = """\
import os, signal, sys
import torchsel.__main__ as program
def interrupted(*_):
    os.kill(os.getpid(), signal.SIGINT)
program.try_answer = interrupted
sys.exit(program.main())
"""


def test_an_interrupt_just_before_a_recorded_uv_is_started(folder: Folder) -> None:
    """It ends the process, as in uv itself: Python would note it, and forget it on becoming uv."""
    done = _started(folder, IN_THE_LAST_MOMENT.format(words=["uv", "sync"]))
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_an_interrupt_before_the_command_line_is_read(folder: Folder) -> None:
    done = _started(folder, EARLY)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def _started(folder: Folder, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        hearing("-c", code),
        cwd=folder.root,
        env=folder.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


HOSTILE = ("argparse", "packaging", "tomllib", "dataclasses", "_blake2", "typing")


@pytest.mark.parametrize(("options", "names"), [("", HOSTILE), ("-P", (*HOSTILE, "torchsel"))])
def test_python_takes_nothing_from_the_current_folder(
    folder: Folder, tmp_path: Path, options: str, names: tuple[str, ...]
) -> None:
    for name in names:
        (tmp_path / f"{name}.py").write_text('print("hostile")\nraise SystemExit(9)\n', encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(f"{PYPROJECT}\n[tool.torchsel]\n", encoding="utf-8")
    line = f"cd {tmp_path}; {sys.executable} {options} -m torchsel backend"
    done = folder.run(line)
    assert (done.returncode, done.stdout) == (0, "cpu\n"), done.stderr


def test_what_python_itself_takes_from_there_is_said(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "torchsel.py").write_text('print("hostile")\n', encoding="utf-8")
    assert folder.run(f"cd {tmp_path}; {sys.executable} -m torchsel").stdout == "hostile\n"
    assert "python -P -m torchsel" in guide("security")
