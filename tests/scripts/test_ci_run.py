"""``.ci/run``: what it installs first, and that nothing of that keeps the checks from being run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.toolbox import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a shell script")

PYTHON = """\
case $1 in
scripts/bootstrap.py) echo noise; echo noise >&2; echo "$2" >> "$LOG"; [ ! -e "$LOG.no-index" ] ;;
*) echo "python3 $*"; exit 7 ;;
esac"""
GROUPS = ["dask", "ray"]
NEEDED = ["zsh", "fish", "direnv", "munge", "slurm-wlm"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """All that the script finds, without apt; a stand-in for Python says what it is asked for."""
    for name in ("bash", "dirname", "timeout"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    put(tmp_path, "python3", PYTHON)
    put(tmp_path, "id", "echo 0")
    return tmp_path


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def run(programs: Path) -> tuple[list[str], list[str]]:
    """What it says and what it asked of apt and pip; the checks' exit code and arguments are its own."""
    log = programs / "asked"
    done = subprocess.run(
        [programs / "bash", ROOT / ".ci" / "run", "-k", "a b"],
        env={"PATH": str(programs), "LOG": str(log)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, "python3 scripts/test.py -k a b\n")
    return done.stderr.splitlines(), log.read_text().splitlines() if log.exists() else []


APT = 'echo "$DEBIAN_FRONTEND $*" >> "$LOG"; echo noise; echo noise >&2'


def test_what_is_missing_is_installed(programs: Path) -> None:
    put(programs, "apt-get", APT)
    put(programs, "zsh", "")
    said, asked = run(programs)
    assert said == []
    assert asked[-2:] == GROUPS
    assert all(line.startswith("noninteractive ") for line in asked[:-2])
    assert asked[0].endswith(" update")
    assert [line.split()[-1] for line in asked[1:-2]] == [name for name in NEEDED if name != "zsh"]


def test_the_checks_are_run_where_apt_fails(programs: Path) -> None:
    put(programs, "apt-get", f"{APT}; exit 100")
    (programs / "asked.no-index").touch()
    said, asked = run(programs)
    lacking = [f"apt could not install {name}" for name in NEEDED]
    lacking += [f"pip could not install the dependency group '{name}'" for name in GROUPS]
    assert said == [f".ci/run: {item}; tests that need it are skipped" for item in lacking]
    assert len(asked) == len(NEEDED) + 1 + len(GROUPS)


@pytest.mark.parametrize("lacking", ["apt", "rights"])
def test_nothing_is_installed_without_apt_or_rights(programs: Path, lacking: str) -> None:
    if lacking == "rights":
        put(programs, "apt-get", APT)
        put(programs, "id", "echo 1000")
    assert run(programs) == ([], GROUPS)
