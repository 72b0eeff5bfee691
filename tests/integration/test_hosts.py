"""From an inventory to recorded hosts, and what a project has for each of them."""

from __future__ import annotations

import re
import sys
import tomllib

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import CASES

PROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch{bound}"]

[tool.torchsel]
strategy = "groups"
default-backend = "none"
backends = ["cpu", "cu126", "cu132"]
"""
V100, H100 = "gpu=V100*4,driver=580.65.06", "gpu=H100*8,driver=580.65.06"


def test_an_inventory_becomes_recorded_hosts(project: MakeProject) -> None:
    demo = project(PROJECT.format(bound=""))
    (demo.root / "nodes.json").write_bytes((CASES / "inventories" / "kubernetes-nvidia.in").read_bytes())
    told = demo.torchsel_inprocess("hosts", "nodes.json", "-o", "hosts")
    assert told.code == 0
    assert told.out.splitlines()[0] == (
        "v100x4-driver570  gpu=Tesla V100*4,driver=570.124.06  3 nodes: v100-1, v100-2, v100-3"
    )
    assert "unlabelled: has 4 of 'nvidia.com/gpu', but no label" in told.err
    assert len(list((demo.root / "hosts").glob("*.json"))) == len(told.out.splitlines())
    named = demo.torchsel_inprocess("--host", "hosts/v100x4-driver570.json", "backend")
    assert named.out == "cu126\n"


def test_from_standard_input(project: MakeProject) -> None:
    demo = project(PROJECT.format(bound=""))
    told = demo.run(
        sys.executable,
        "-m",
        "torchsel",
        "hosts",
        "--driver",
        "570.124",
        stdin="n1 gpu:v100:4(S:0-1) x\nn2 gpu:v100:4 y\n",
    )
    assert told.out == "v100x4-driver570  gpu=Tesla V100*4,driver=570.124  2 nodes: n1, n2\n"
    assert told.err == ""
    assert (
        "is no GPU"
        in demo.run(sys.executable, "-m", "torchsel", "hosts", stdin="n1 gpu:banana:4 x\n", code=2).err
    )


def test_the_backend_for_all(project: MakeProject) -> None:
    demo = project(PROJECT.format(bound=""))
    assert demo.torchsel_inprocess("backend", "--host", V100).out == "cu126\n"
    assert demo.torchsel_inprocess("backend", "--host", H100, "cpu").out == "cu132\n"
    assert demo.torchsel_inprocess("backend", "--host", V100, H100, "cpu").out == "cu126\n"
    none = demo.torchsel_inprocess("backend", "--host", H100, "cpu,system=macos")
    assert (none.code, none.out) == (3, "")
    assert f"no one build serves all of these machines; each by itself would take {H100}: cu132, " in none.err
    wrong = demo.torchsel_inprocess("backend", "--host", "H10", "banana")
    assert wrong.code == 2
    assert "'H10' is no GPU that torchsel knows; near it are 'H100'" in wrong.err
    assert "'banana' is no GPU" in wrong.err


def test_init_for_several_machines(project: MakeProject) -> None:
    plain = PROJECT.format(bound="").partition("\n[tool.torchsel]")[0]
    demo = project(plain)
    demo.torchsel("init", "--host", V100, H100, H100, "gfx942", "cpu")
    table = tomllib.loads(demo.text())["tool"]["torchsel"]
    assert (table["strategy"], table["backends"]) == ("groups", ["cpu", "cu126", "cu132", "rocm7.2"])
    demo.uv("lock")
    assert demo.torchsel_inprocess("check", "--host", V100, H100, "gfx942", "cpu").code == 0
    extras = project(plain)
    extras.torchsel("init", "--strategy", "extras", "--host", H100)
    table = tomllib.loads(extras.text())["tool"]["torchsel"]
    assert (table["strategy"], table["backends"]) == ("extras", ["cpu", "cu132"])


def test_a_release_that_drops_a_card_fails_where_there_is_no_gpu(project: MakeProject) -> None:
    demo = project(PROJECT.format(bound=">=2.14"))
    demo.torchsel("--host", "cpu")
    demo.uv("lock")
    assert demo.torchsel_inprocess("check", "--host", V100, H100, "cpu").code == 0
    (demo.root / "sinfo.txt").write_text("n1 gpu:v100:4 x\nn2 gpu:h100:8 y\nlogin (null) (null)\n")
    told = demo.torchsel_inprocess("check", "--host", "sinfo.txt")
    assert (told.code, [line.split()[0] for line in told.out.splitlines()]) == (0, ["ok"] * 3)
    demo.pyproject.write_text(demo.text().replace(">=2.14", ">=2.15").replace('"cu126", ', ""))
    demo.torchsel("--host", "cpu")
    demo.uv("lock")
    told = demo.torchsel_inprocess("check", "--host", V100, H100, "cpu")
    assert told.code == 1
    assert [line.split()[0] for line in told.out.splitlines()] == ["FAIL", "ok", "ok"]
    told = demo.torchsel_inprocess("check", "--host", "sinfo.txt")
    failed = [line.split()[1] for line in told.out.splitlines() if line.startswith("FAIL")]
    assert (told.code, failed) == (1, ["v100x4-driver580:"])


@pytest.mark.parametrize(
    ("name", "unserved", "one"),
    [("kubernetes-nvidia", ["sm140x2-driver700:"], "cu129\n"), ("slurm", [], ""), ("words", [], "")],
)  # the one not served is a GPU of the future
def test_an_inventory_itself_is_taken(project: MakeProject, name: str, unserved: list[str], one: str) -> None:
    demo = project(PROJECT.format(bound="").partition("\n[tool.torchsel]")[0])
    (demo.root / "nodes").write_bytes((CASES / "inventories" / f"{name}.in").read_bytes())
    told = demo.torchsel("init", "--host", "nodes")
    assert "warning: nodes: " in told.err
    table = tomllib.loads(demo.text())["tool"]["torchsel"]
    assert table["strategy"] == "groups"
    assert {"cpu", "cu126"} < set(table["backends"])
    demo.uv("lock")
    told = demo.torchsel_inprocess("check", "--host", "nodes")
    failed = [line.split()[1] for line in told.out.splitlines() if not line.startswith("ok ")]
    assert (told.code, failed) == (int(bool(unserved)), unserved)
    named = demo.torchsel_inprocess("backend", "--host", "nodes")
    assert (named.code, named.out) == (0 if one else 3, one)
    assert one or "no build that the project allows" in named.err or "no one build serves all" in named.err


def test_what_one_build_for_all_leaves_out_is_said_with_what_it_needs(project: MakeProject) -> None:
    table = PROJECT.partition("[tool.torchsel]")[0].format(bound="")
    demo = project(f"{table}[tool.torchsel]\n")
    demo.torchsel("--host", H100, "sync")
    told = demo.torchsel_inprocess("check", "--host", V100, "gfx942")
    group = "strategy = 'groups' has a build for each machine ('torchsel help strategy')"
    assert told.out.splitlines() == [
        f"FAIL {V100}: cu132, torch 2.15.0; can't run that (no kernels for 7.0 (4x Tesla V100); has 7.5-12.0)"
        f" and needs cu126, torch 2.14.1; {group}",
        f"FAIL gfx942: cu132, torch 2.15.0; can't run that and needs rocm7.2, torch 2.14.1; {group}",
    ]


def test_asking_for_what_the_lists_lack_says_the_line_to_write(project: MakeProject) -> None:
    demo = project(PROJECT.format(bound=""))
    demo.torchsel("--host", "cpu")
    told = demo.torchsel_inprocess("--backend", "xpu", "lock")
    assert told.code == 2
    assert told.err.startswith("error: --backend asks for xpu: none of the groups is for xpu; add 'xpu' to")
    line = told.err.partition("tool.torchsel.backends (")[2].partition(")\n")[0]
    demo.pyproject.write_text(re.sub(r"^backends = .*$", line, demo.text(), flags=re.MULTILINE))
    demo.torchsel("--backend", "xpu", "lock")
    assert "torch-xpu" in demo.text()
