"""Two nodes of a real Slurm on one checkout: each gets its own build, from one lock."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.slurm import PROJECT, Node, cluster, missing
from torchsel.hosts.inventory import read_inventory
from torchsel.hosts.words import to_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.support.slurm import Cluster

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "Slurm is here")

NODES = (
    Node(
        name="n1",
        gres="gpu:v100:4",
        feature="v100",
        environ={"TORCHSEL_HOST": "gpu=V100*4,driver=580.65.06"},
    ),
    Node(
        name="n2",
        gres="gpu:h100:2",
        feature="h100",
        environ={"TORCHSEL_HOST": "gpu=H100*2,driver=580.65.06"},
    ),
)
TORCHSEL = (sys.executable, "-m", "torchsel")
SHOW = "import os, torch; print(os.environ['SLURMD_NODENAME'], torch.__version__)"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm"), NODES) as running:
        yield running


def test_each_node_of_a_step_gets_its_build_from_one_lock(slurm: Cluster, project: MakeProject) -> None:
    demo = project(PROJECT)
    demo.torchsel("--host", "cpu")
    demo.uv("lock")
    committed = demo.text(), (demo.root / "uv.lock").read_bytes()
    named = slurm.run("srun", "-l", "-N2", "-n2", *TORCHSEL, "backend", cwd=demo.root, env=demo.env)
    assert sorted(named.splitlines()) == ["0: cu126", "1: cu132"]
    ran = slurm.run(
        *("srun", "-N2", "-n2", *TORCHSEL, "run", "--locked", "python", "-c", SHOW),
        cwd=demo.root,
        env=demo.env,
    )
    assert sorted(ran.splitlines()) == ["n1 2.14.1+cu126", "n2 2.15.0+cu132"]
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == committed
    assert {path.name for path in demo.root.glob(".venv*")} == {".venv-cu126", ".venv-cu132"}


def test_what_sinfo_prints_is_an_inventory(slurm: Cluster, tmp_path: Path) -> None:
    printed = slurm.run("sinfo", "-N", "-h", "-o", "%N %G %f", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    inventory = read_inventory(printed, driver="580.65.06")
    assert {machine.nodes: to_words(machine.host) for machine in inventory.machines} == {
        ("n1",): "gpu=Tesla V100*4,driver=580.65.06",
        ("n2",): "gpu=H100*2,driver=580.65.06",
    }
    assert inventory.unknown == ()


def test_nothing_runs_on_after_the_cluster(tmp_path: Path) -> None:
    with cluster(tmp_path / "slurm", NODES[:1]) as running:
        config = str(running.folder)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if config in line]
