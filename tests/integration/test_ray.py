"""Two of Ray's nodes on this machine: each worker has the build of its own node, from one lock."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.pages import console, guide
from tests.support.slurm import PROJECT, free_ports
from tests.support.toolbox import ROOT, Project

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None or sys.platform != "linux",
    reason="no ray here (dependency group 'ray'), or no Linux",
)

HOSTS = {"n1": "gpu=V100*4,driver=580.65.06", "n2": "gpu=H100*2,driver=580.65.06"}
BUILDS = ["n1 2.14.1+cu126", "n2 2.15.0+cu132"]
DRIVER = """\
import ray

ray.init(logging_level="error")

@ray.remote(num_cpus=0)
def build():
    import torch
    return torch.__version__

for node in ("n1", "n2"):
    print(node, ray.get(build.options(resources={node: 0.1}).remote(), timeout=100))
"""


@pytest.fixture
def demo(project: MakeProject) -> Project:
    """A project for both nodes, locked; it has no Ray of its own, but takes that of the tests."""
    made = project(PROJECT)
    made.torchsel("--host", "cpu")
    made.uv("lock")
    (made.root / "driver.py").write_text(DRIVER)
    made.env.update(
        PATH=f"{sysconfig.get_path('scripts')}:{made.env['PATH']}",
        PYTHONPATH=f"{sysconfig.get_path('purelib')}:{ROOT / 'hook'}",
        RAY_USAGE_STATS_ENABLED="0",
    )
    return made


def test_what_the_guide_says_where_nodes_have_no_network(demo: Project, tmp_path: Path) -> None:
    exports = dict(re.findall(r"export (\w+)=([\w./]+)", guide("ray")))
    hook = {"RAY_RUNTIME_ENV_HOOK": "torchsel.ray.hook", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
    assert exports == {**hook, "UV_CACHE_DIR": "/shared/uv", "UV_OFFLINE": "1"}
    demo.env["UV_CACHE_DIR"] = str(tmp_path / "shared" / "uv")
    demo.torchsel("sync", "--for", *HOSTS.values(), "cpu")
    demo.env.update(hook, UV_OFFLINE="1")
    with nodes(demo) as address:
        assert driven(demo, address) == BUILDS


def test_rays_own_hook_where_torchsel_starts_the_nodes(demo: Project) -> None:
    [start] = [command for command in console(guide("ray")) if "ray start" in command]
    with nodes(demo, *start.partition(" ray ")[0].split()) as address:
        assert driven(demo, address) == BUILDS


def test_rays_own_hook_takes_uvs_command_line_without_groups(demo: Project) -> None:
    show = "from ray._private.runtime_env.uv_runtime_env_hook import hook; print(hook({})['py_executable'])"
    command = demo.torchsel("--host", HOSTS["n1"], "run", "--locked", "python", "-c", show).out.split()
    assert command[-1] == "python"
    assert "--locked" in command
    assert not any("group" in word for word in command)


def driven(demo: Project, address: str) -> list[str]:
    """What the driver says of the workers, started on a machine of its own by the guide's command."""
    demo.env.update(RAY_ADDRESS=address, TORCHSEL_HOST="cpu")
    [command] = [line for line in console(guide("ray")) if line.endswith("driver.py")]
    ran = demo.run("bash", "-c", command)
    found = [line for line in ran.out.splitlines() if line.startswith("n")]
    assert len(found) == len(HOSTS), ran.err
    return found


@contextlib.contextmanager
def nodes(demo: Project, *launcher: str) -> Iterator[str]:
    """The address of a cluster with a node for each of `HOSTS`; its sockets need a short folder."""
    port, *agents = free_ports(3)
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        starts = (
            ("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"),
            (f"--address={address}",),
        )
        running: list[subprocess.Popen[bytes]] = []
        try:
            for name, agent, start in zip(HOSTS, agents, starts, strict=True):
                command = [*launcher, "ray", "start", "--block", *start]
                command += ["--min-worker-port=0", "--max-worker-port=0"]  # any that are free
                command += ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000"]
                command += [f'--resources={{"{name}": 1}}', f"--dashboard-agent-listen-port={agent}"]
                with (Path(folder) / f"{name}.out").open("wb") as out:
                    started = subprocess.Popen(
                        command,
                        cwd=demo.root,
                        env={**demo.env, "TORCHSEL_HOST": HOSTS[name]},
                        stdout=out,
                        stderr=subprocess.STDOUT,
                    )
                running.append(started)
                await_start(Path(folder) / f"{name}.out")
            yield address
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait(60)


def await_start(out: Path) -> None:
    """Until Ray says that a node runs."""
    end = time.monotonic() + 90
    while "Ray runtime started" not in out.read_text(errors="replace"):
        assert time.monotonic() < end, out.read_text(errors="replace")
        time.sleep(0.3)
