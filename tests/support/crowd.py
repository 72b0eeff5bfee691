"""Many torchsel processes on one project at once, beside uv: who fails, what is lost, whether all end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.toolbox import Project, host_files
from tests.support.wheels import Wheel

LOCK_MESSAGE = "another torchsel, or the uv it started, has been at work on it"
CHANGED_MESSAGE = "was changed by another program just now"
EDITED_MESSAGE = "was edited meanwhile and stays as it is now"
"""Also where `uv lock` saw half a file: `uv add` empties pyproject.toml and then writes it (uv 0.13.9)."""
TRY_AGAIN = (LOCK_MESSAGE, CHANGED_MESSAGE, EDITED_MESSAGE)
PATIENCE = 300.0
MACHINES = ("h200", "cpu", "gtx1080ti")

TEXT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
# the user's own words
dependencies = [
    "torch",
    "testkit",
]

[tool.torchsel]
"""
SEVERAL_BUILDS = f"""\
{TEXT}strategy = "groups"
backends = ["cpu", "cu126", "cu132"]
default-backend = "none"
environment = ".venv-{{backend}}"
"""
BUILDS = {"h200": "2.15.0+cu132", "cpu": "2.15.0+cpu", "gtx1080ti": "2.14.1+cu126"}
SHOW = "import time; time.sleep(0.3); import torch; print(torch.__version__)"
WORKSPACE = f"""\
{TEXT}
[tool.uv.workspace]
members = ["packages/*"]
"""
MEMBER = """\
[project]
name = "member{0}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]
"""
ADDED = tuple(f"crowdkit{number}" for number in range(40))
WHEELS = {"pypi": [Wheel(name=name, version="1.0") for name in ADDED]}


@dataclass(slots=True)
class Outcome:
    """What became of a crowd: ``refused`` are those told to wait or try again, ``odd`` what must not be."""

    done: int = 0
    refused: int = 0
    added: list[str] = field(default_factory=list)
    uv_failed: int = 0
    seconds: float = 0.0
    odd: list[str] = field(default_factory=list)


def workspace(project: Project, members: int = 3) -> list[Path]:
    """Make the project a workspace; returns the folders of its members."""
    folders = [project.root / "packages" / f"m{number}" for number in range(members)]
    for number, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(MEMBER.format(number))
    return folders


def rush(
    project: Project, folders: Sequence[Path], count: int, *, adding: int = 0, nodes: bool = False
) -> Outcome:
    """Start ``count`` torchsel processes for three machines in ``folders``, by turns, and wait for all.

    Meanwhile ``uv add`` adds that many packages, one after the other, with a ``uv lock`` in between.
    With ``nodes`` each has a cache folder of its own.
    """
    outcome, start = Outcome(), time.monotonic()
    hosts = host_files()
    adder = threading.Thread(target=_add, args=(project, adding, outcome))
    adder.start()
    crowd = [
        subprocess.Popen(
            [sys.executable, "-m", "torchsel", "--host", str(hosts[MACHINES[at % len(MACHINES)]])],
            cwd=folders[at % len(folders)],
            env=project.env | ({"TORCHSEL_CACHE_DIR": f"{project.root}-cache{at}"} if nodes else {}),
            stderr=subprocess.PIPE,
            text=True,
        )
        for at in range(count)
    ]
    for process in crowd:
        _wait(process, outcome)
    adder.join(PATIENCE)
    if adder.is_alive():
        outcome.odd.append("uv did not come to an end")
    check(project, outcome)
    outcome.seconds = time.monotonic() - start
    return outcome


def race(project: Project, count: int) -> Outcome:
    """Run ``count`` programs on three machines at once, each in the environment of its machine's build."""
    outcome, start = Outcome(), time.monotonic()
    hosts = host_files()
    before = project.text(), (project.root / "uv.lock").read_bytes()
    racers = [
        (
            MACHINES[at % len(MACHINES)],
            subprocess.Popen(
                [*(sys.executable, "-m", "torchsel", "run", "--locked", "python", "-c", SHOW)],
                cwd=project.root,
                env=project.env | {"TORCHSEL_HOST": str(hosts[MACHINES[at % len(MACHINES)]])},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
        )
        for at in range(count)
    ]
    for machine, racer in racers:
        out, said = racer.communicate(timeout=PATIENCE)
        if racer.returncode == 0 and out.strip() == BUILDS[machine]:
            outcome.done += 1
        else:
            outcome.odd.append(f"{machine}: exit code {racer.returncode}: {out}{said.strip()}")
    if before != (project.text(), (project.root / "uv.lock").read_bytes()):
        outcome.odd.append("a file was written")
    outcome.seconds = time.monotonic() - start
    return outcome


def _wait(process: subprocess.Popen[str], outcome: Outcome) -> None:
    try:
        said = process.communicate(timeout=PATIENCE)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        outcome.odd.append("a torchsel did not come to an end")
        return
    if process.returncode == 0:
        outcome.done += 1
    elif process.returncode == 3 and any(text in said for text in TRY_AGAIN):
        outcome.refused += 1
    else:
        outcome.odd.append(f"exit code {process.returncode}: {said.strip()}")


def _add(project: Project, count: int, outcome: Outcome) -> None:
    for name in ADDED[:count]:
        added = project.uv("add", "--no-sync", name, code=None)
        if added.code == 0:
            outcome.added.append(name)
        else:
            outcome.uv_failed += 1
        project.uv("lock", code=None)


def check(project: Project, outcome: Outcome) -> None:
    """Nothing that anybody wrote is lost, and one more run leaves both files in step."""
    text = project.text()
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        outcome.odd.append(f"pyproject.toml is not whole: {error}")
        return
    names = {item.partition(">")[0] for item in data["project"]["dependencies"]}
    if lost := {"torch", "testkit", *outcome.added} - names:
        outcome.odd.append(f"lost from pyproject.toml: {sorted(lost)}")
    if "# the user's own words" not in text:
        outcome.odd.append("a comment is lost")
    last = project.torchsel("--host", str(host_files()["cpu"]), code=None)
    in_step = project.uv("lock", "--check", code=None)
    if last.code or in_step.code:
        outcome.odd.append(f"not in step afterwards: {last.err}{in_step.err}")
    left = {path.name for path in project.root.iterdir()} - {"pyproject.toml", "uv.lock", "packages", ".venv"}
    if left:
        outcome.odd.append(f"left behind: {sorted(left)}")
