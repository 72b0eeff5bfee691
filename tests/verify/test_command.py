"""``torchsel verify`` as it is typed: exit codes, JSON, a report, and signals that leave no child behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.support.processes import hearing
from tests.support.stand_ins import Environment, make_environment
from tests.support.toolbox import HOSTS, Project
from tests.verify.test_verify import BLOCKED, NO_IMAGE, alive, raising

PIN = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch==2.13.0"]

[tool.torchsel]
"""


def demo(project: MakeProject, host: str = "h200", pyproject: str = PIN) -> tuple[Project, Environment]:
    """A project on a recorded host, with an environment that has no torch yet."""
    made = project(pyproject, env={"TORCHSEL_HOST": str(HOSTS / f"{host}.json")})
    return made, make_environment(made.root / ".venv")


def test_works(project: MakeProject) -> None:
    made, environment = demo(project)
    environment.add_torch()
    told = made.torchsel("verify", code=0)
    assert told.out.startswith("works: torch 2.13.0+cu130 works on this machine\n  GPU 0 (9.0): works (")
    assert told.err == ""


def test_json_and_exit_code(project: MakeProject) -> None:
    made, environment = demo(project, "gtx1080ti")
    environment.add_torch(raising("Tensor.fill_", NO_IMAGE))
    told = made.torchsel("verify", "--json", code=1)
    record = json.loads(told.out)
    assert (record["verdict"], record["predicted"], record["commands"]) == (
        "no kernels",
        False,
        ["torchsel sync"],
    )


def test_not_installed_where_nothing_is_configured(project: MakeProject) -> None:
    made, _ = demo(project, pyproject=PIN.replace("[tool.torchsel]\n", ""))
    told = made.torchsel("verify", code=1)
    assert told.out == (
        "not installed: torch is not installed in .venv; run 'torchsel init', then 'torchsel sync'\n"
    )


def test_busy_cannot_be_told(project: MakeProject) -> None:
    made, environment = demo(project)
    environment.add_torch("cuda.mem_get_info = lambda at: (1, 2)")
    assert made.torchsel("verify", code=3).out.startswith("busy: skipped: only 0 MB")


def test_the_environment_that_the_user_named(project: MakeProject) -> None:
    made, _ = demo(project)
    make_environment(made.root / "elsewhere").add_torch()
    made.env["UV_PROJECT_ENVIRONMENT"] = "elsewhere"
    made.torchsel("verify", code=0)


def test_a_report_is_written(project: MakeProject, tmp_path: Path) -> None:
    made, environment = demo(project)
    environment.add_torch("raise RuntimeError('nobody knows ' + __file__)")
    made.torchsel("verify", "--report", "report.json", code=1)
    text = (made.root / "report.json").read_text(encoding="utf-8")
    assert json.loads(text)["verification"]["verdict"] == "crashed"
    assert str(tmp_path) not in text
    told = made.torchsel("verify", "--report", "no/such/report.json", code=3)
    assert told.err == "error: no/such/report.json: No such file or directory\n"
    assert told.out.startswith("crashed: torch failed")
    told = made.torchsel("verify", "--json", "--report", ".", code=3)
    assert (json.loads(told.out)["verdict"], told.err) == ("crashed", "error: .: Is a directory\n")


@pytest.mark.parametrize("given", ["0", "-3", "nan", "soon", "1e9"])
def test_an_impossible_limit(project: MakeProject, given: str) -> None:
    made, _ = demo(project)
    told = made.torchsel("verify", f"--timeout={given}", code=2)
    assert "is not a number of seconds from 1 to 3600" in told.err


@pytest.mark.skipif(sys.platform != "linux", reason="process groups, and /proc to look for what is left")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_child_behind(
    project: MakeProject, tmp_path: Path, number: signal.Signals
) -> None:
    made, environment = demo(project)
    pids = tmp_path / "pids"
    note = f"with open({str(pids)!r}, 'a') as file:\n        file.write(f'{{os.getpid()}} ')"
    environment.add_torch(
        f"def hang(*_):\n    {note}\n    {BLOCKED.replace(chr(10), chr(10) + '    ')}\nTensor.fill_ = hang",
        count=2,
    )
    process = subprocess.Popen(
        hearing("-m", "torchsel", "verify"), cwd=made.root, env=made.env, start_new_session=True
    )
    try:
        until = time.monotonic() + 60
        while not pids.exists() or len(pids.read_text().split()) < 2:
            assert time.monotonic() < until, "the children did not start"
            time.sleep(0.05)
        os.killpg(process.pid, number)  # the group of this test's own, as a terminal does for Ctrl-C
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()
    assert code == (130 if number == signal.SIGINT else -number)
    assert not any(alive(int(pid)) for pid in pids.read_text().split())
    assert process.poll() is not None


def picture(made: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.torchsel_inprocess("status", "--json").out)
    return found


def test_status_shows_the_last_verdict_while_nothing_changed(project: MakeProject) -> None:
    made, environment = demo(project)
    environment.add_torch("Tensor.fill_ = lambda *_: os.abort()")
    assert picture(made)["verified"] is None
    made.torchsel("verify", code=1)
    found = picture(made)
    assert found["verified"]["verdict"] == "crashed"
    why = "torch failed in 'fill_': SIGABRT; run 'torchsel sync'"
    assert found["verified"]["why"] == why
    assert f"torchsel verify: {why}" in found["warnings"]
    assert "torch 2.13.0+cu130, verified: crashed" in made.torchsel_inprocess("status").out
    environment.add("torchvision", "0.28.0", "")
    assert picture(made)["verified"] is None


@pytest.mark.parametrize(("host", "fault"), [("gtx1080ti", True), ("h200", False), ("cpu", False)])
def test_status_says_where_the_installed_torch_has_no_kernels(
    project: MakeProject, host: str, fault: bool
) -> None:
    made, environment = demo(project, host, PIN.replace("[tool.torchsel]\n", ""))
    environment.add_torch()
    warning = (
        ".venv: torch 2.13.0+cu130 can't run on this machine: no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0;"
        " run 'torchsel init', then 'torchsel sync'"
    )
    assert (warning in picture(made)["warnings"]) is fault
