"""What torchsel prints to be typed, typed: each command as it stands, up to the installed torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project, Result

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
TABLE = "\n[tool.torchsel]\n"
OWN = "torch>=2.15.0", "torchvision>=0.29.2"
NARROW = '\n[tool.torchsel]\nbackends = ["cpu", "cu132"]\n'


def required(*requirements: str, table: str = "") -> str:
    return f"{HEAD}dependencies = {json.dumps(requirements)}\n{table}"


def typed(demo: Project, command: str) -> Result:
    """Run a command line in a shell that finds torchsel and uv."""
    demo.env["PATH"] = f"{Path(sys.executable).parent}:{demo.env['PATH']}"
    return demo.run("sh", "-c", command)


def commands(demo: Project) -> list[str]:
    found: list[str] = json.loads(demo.torchsel("status", "--json").out)["commands"]
    return found


STUCK = {
    "gtx1080ti": ('torchsel add "torch<2.15" "torchvision<0.29.2"', "2.14.1+cu126", "0.29.1+cu126"),
    "rtx5090-570": ('torchsel add "torch<2.14" "torchvision<0.29.0"', "2.13.0+cu129", "0.28.0+cu129"),
}
"""Machines that the newest torch is out of reach of: the way out, and what it leads to."""


@pytest.mark.parametrize("host", STUCK)
def test_init_of_a_project_that_is_stuck_prints_the_way_out(
    project: MakeProject, hosts: dict[str, Path], host: str
) -> None:
    way, torch, vision = STUCK[host]
    demo = project(required(), env={"TORCHSEL_HOST": str(hosts[host])})
    demo.uv("add", "torch", "torchvision")
    assert commands(demo) == ["torchsel init", way]
    told = demo.torchsel("init")
    assert f": {way}\n" in told.err
    assert commands(demo) == [way]
    assert "uv.lock updated" in typed(demo, way).err
    assert (demo.installed("torch"), demo.installed("torchvision")) == (torch, vision)
    assert commands(demo) == []


@pytest.mark.parametrize("host", STUCK)
@pytest.mark.parametrize("names", ["torch torchvision", "torchvision", "torch torchvision torchaudio"])
def test_the_documented_order_is_never_stuck(
    project: MakeProject, hosts: dict[str, Path], host: str, names: str
) -> None:
    demo = project(required(), env={"TORCHSEL_HOST": str(hosts[host])})
    demo.torchsel("init")
    typed(demo, f"torchsel add {names}")
    assert demo.installed("torch") == STUCK[host][1]
    assert demo.installed("torchvision") == STUCK[host][2]
    assert commands(demo) == []
    demo.torchsel("check")
    typed(demo, f"torchsel remove {names}")
    assert demo.installed("torch") is None


def test_packages_that_can_not_be_added_leave_nothing_behind(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(required("torch", table=TABLE), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("sync")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    demo.torchsel("add", "no-such-package", "torchvision", code=1)
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before


LISTS = {
    "marker": (
        required("torch>=2.15.0; sys_platform == 'linux'", "torchvision>=0.29.2", table=TABLE),
        [
            'torchsel add "torch<2.15 ; sys_platform == \'linux\'" "torchvision<0.29.2"',
        ],
        "sync",
    ),
    "extra of a package": (
        required("torch[opt-einsum]>=2.15.0", table=TABLE),
        ['torchsel add "torch[opt-einsum]<2.15"'],
        "sync",
    ),
    "extra": (
        f"{required()}[project.optional-dependencies]\ngpu = {json.dumps(OWN)}\n{TABLE}",
        ['torchsel add --optional gpu "torch<2.15" "torchvision<0.29.2"'],
        "sync --extra gpu",
    ),
    "two lists": (
        f"{required(OWN[0])}[dependency-groups]\nvision = {json.dumps(OWN[1:])}\n{TABLE}",
        [
            'torchsel add --frozen "torch<2.15"',
            'torchsel add --frozen --group vision "torchvision<0.29.2"',
            "torchsel sync",
        ],
        "sync",
    ),
    "through another package": (
        required("torch>=2.15.0", "visionkit", table=TABLE),
        ['torchsel add "torch<2.15"'],
        "sync",
    ),
}
"""Where torch's requirement can stand, the commands that change it there, and how it is installed then."""


@pytest.mark.parametrize("case", LISTS)
def test_every_list_of_requirements_is_reached(
    project: MakeProject, hosts: dict[str, Path], case: str
) -> None:
    text, way, sync = LISTS[case]
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("lock")
    assert commands(demo) == way
    for command in way:
        typed(demo, command)
    demo.torchsel(*sync.split())
    assert demo.installed("torch") == "2.14.1+cu126"


def test_a_members_requirement_is_reached(project: MakeProject, hosts: dict[str, Path]) -> None:
    root = f'{required()}{TABLE}\n[tool.uv.workspace]\nmembers = ["member"]\n'
    demo = project(root, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    member = demo.root / "member"
    member.mkdir()
    (member / "pyproject.toml").write_text(required(*OWN).replace('"demo"', '"part"'))
    assert commands(demo) == ['torchsel add --package part "torch<2.15" "torchvision<0.29.2"']
    typed(demo, commands(demo)[0])
    demo.torchsel("sync", "--all-packages")
    assert demo.installed("torch") == "2.14.1+cu126"


OTHERS = {
    "an older torch": (
        "rtx5090-570",
        required("torch<2.7", table=TABLE),
        'torchsel add "torch>=2.13.0,<2.14"',
        "2.13.0+cu129",
    ),
    "a companion": (
        "h200",
        required("torch", "torchaudio", table=NARROW),
        "torchsel remove torchaudio",
        "2.15.0+cu132",
    ),
    "not routed": ("h200", required("torch", table=TABLE), "torchsel", "2.15.0+cu132"),
    "no table": ("h200", required("torch"), "torchsel init", "2.15.0+cu132"),
}
"""Other things that are wrong: machine, project, command, and the torch that is installed then."""


@pytest.mark.parametrize("case", OTHERS)
def test_other_ways(project: MakeProject, hosts: dict[str, Path], case: str) -> None:
    host, text, way, torch = OTHERS[case]
    demo = project(text, env={"TORCHSEL_HOST": str(hosts[host])})
    assert commands(demo) == [way]
    typed(demo, way)
    demo.uv("sync")
    assert demo.installed("torch") == torch
    assert commands(demo) == []


def test_an_environment_that_is_behind(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(required("torch", table=TABLE), env={"TORCHSEL_HOST": str(hosts["cpu"])})
    demo.torchsel("sync")
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel()
    assert commands(demo) == ["uv sync"]
    typed(demo, "uv sync")
    assert demo.installed("torch") == "2.15.0+cu132"


def test_a_bound_that_no_command_changes(project: MakeProject, hosts: dict[str, Path]) -> None:
    bound = '[tool.uv]\nconstraint-dependencies = ["torch>=2.15"]\n'
    demo = project(required("torch", table=f"{bound}{TABLE}"), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel()
    assert commands(demo) == []


def test_a_scripts_requirement_is_reached(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(required(), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    script = demo.root / "train.py"
    script.write_text(
        '# /// script\n# dependencies = ["torch>=2.15.0"]\n# [tool.torchsel]\n# ///\n'
        "import torch; print(torch.__version__)\n"
    )
    told = demo.torchsel("run", "train.py")
    way = told.err.partition("warning: ")[2].splitlines()[0].rpartition(": ")[2]
    assert way == 'uv add --script train.py "torch<2.15"'
    typed(demo, way)
    assert demo.torchsel("run", "train.py").out.strip() == "2.14.1+cu126"
