"""Two nodes of a real Slurm on one checkout: each gets its own build, from one lock; Dask's workers too."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.pages import blocks_in, guide
from tests.support.slurm import PROJECT, Cluster, Node, cluster, missing
from tests.support.toolbox import Project
from torchsel.hosts.inventory import read_inventory
from torchsel.hosts.words import to_words

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
BUILDS = ["n1 2.14.1+cu126", "n2 2.15.0+cu132"]
TORCHSEL = (sys.executable, "-m", "torchsel")
SHOW = "import os, torch; print(os.environ['SLURMD_NODENAME'], torch.__version__)"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm"), NODES) as running:
        yield running


@pytest.fixture
def demo(project: MakeProject) -> Project:
    """A project for both nodes, locked."""
    made = project(PROJECT)
    made.torchsel("--host", "cpu")
    made.uv("lock")
    return made


def test_each_node_of_a_step_gets_its_build_from_one_lock(slurm: Cluster, demo: Project) -> None:
    committed = demo.text(), (demo.root / "uv.lock").read_bytes()
    named = slurm.run("srun", "-l", "-N2", "-n2", *TORCHSEL, "backend", cwd=demo.root, env=demo.env)
    assert sorted(named.splitlines()) == ["0: cu126", "1: cu132"]
    step = ("srun", "-N2", "-n2", *TORCHSEL, "run", "--locked", "python", "-c", SHOW)
    assert sorted(slurm.run(*step, cwd=demo.root, env=demo.env).splitlines()) == BUILDS
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == committed
    assert {path.name for path in demo.root.glob(".venv*")} == {".venv-cu126", ".venv-cu132"}


def test_the_job_script_of_the_guide(slurm: Cluster, demo: Project) -> None:
    (demo.root / "train.py").write_text(SHOW)
    (demo.root / "train.sbatch").write_text(blocks_in(guide("slurm"), "sh")[0])
    slurm.run("sbatch", "train.sbatch", cwd=demo.root, env=demo.env)
    end = time.monotonic() + 100
    while slurm.run("squeue", "-h", cwd=demo.root, env=demo.env):  # sbatch --wait looks every ten seconds
        assert time.monotonic() < end
        time.sleep(0.1)
    [said] = demo.root.glob("slurm-*.out")
    assert sorted(line for line in said.read_text().splitlines() if line[:1] == "n") == BUILDS


DASK = """\
from dask.distributed import Client
from dask_jobqueue import SLURMCluster

def build():
    import os, torch
    return f"{os.environ['SLURMD_NODENAME']} {torch.__version__}"

if __name__ == "__main__":
    here = {"host": "127.0.0.1", "dashboard_address": None}
    alone = ["--exclusive"]
    with SLURMCluster(
        @GUIDE@, cores=1, memory="1GB", scheduler_options=here, job_extra_directives=alone
    ) as cluster:
        cluster.scale(jobs=2)
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=100)
            print(*client.run(build).values(), sep="\\n")
"""


@pytest.mark.skipif(find_spec("dask_jobqueue") is None, reason="no Dask here (dependency group 'dask')")
def test_workers_of_dask_are_jobs_with_the_build_of_their_node(slurm: Cluster, demo: Project) -> None:
    [launcher] = re.findall(r'python="[^"]+"', blocks_in(guide("dask"), "python")[0])
    (demo.root / "driver.py").write_text(DASK.replace("@GUIDE@", launcher))
    # the project of the test has no Dask of its own, so driver and workers take the one of the tests
    environ = {**demo.env, "PYTHONPATH": sysconfig.get_path("purelib"), "TORCHSEL_HOST": "cpu"}
    driver = (*TORCHSEL, "run", "--locked", "python", "driver.py")
    assert sorted(slurm.run(*driver, cwd=demo.root, env=environ).splitlines()) == BUILDS
    assert {path.name for path in demo.root.glob(".venv*")} == {".venv-cpu", ".venv-cu126", ".venv-cu132"}


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
