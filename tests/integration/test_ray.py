"""Two of Ray's nodes on this machine: each worker has the build of its own node, from one lock."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import sysconfig
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.slurm import PROJECT, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conftest import MakeProject

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None or sys.platform != "linux",
    reason="no ray here (dependency group 'ray'), or no Linux",
)

HOSTS = {"n1": "gpu=V100*4,driver=580.65.06", "n2": "gpu=H100*2,driver=580.65.06"}
DRIVER = """\
import ray

ray.init(log_to_driver=True, logging_level="error")

@ray.remote(num_cpus=0)
def build():
    import torch
    return torch.__version__

for node in ("n1", "n2"):
    print(node, ray.get(build.options(resources={node: 0.1}).remote(), timeout=100))
"""


def test_each_worker_has_the_build_of_its_node(project: MakeProject) -> None:
    demo = project(PROJECT)
    demo.torchsel("--host", "cpu")
    demo.uv("lock")
    scripts, packages = sysconfig.get_path("scripts"), sysconfig.get_path("purelib")
    # the project of the test has no ray of its own, so its workers take the one of the tests
    demo.env.update(
        PATH=f"{scripts}:{demo.env['PATH']}",
        PYTHONPATH=packages,
        RAY_USAGE_STATS_ENABLED="0",
        RAY_DEDUP_LOGS="0",
    )
    with nodes(demo.env) as address:
        demo.env.update(RAY_ADDRESS=address, RAY_RUNTIME_ENV_HOOK="torchsel.ray.hook")
        ran = demo.run(sys.executable, "-c", DRIVER)
    builds = [line for line in ran.out.splitlines() if line.startswith("n")]
    assert builds == ["n1 2.14.1+cu126", "n2 2.15.0+cu132"], ran.err


def test_rays_own_hook_takes_uvs_command_line_without_groups(project: MakeProject) -> None:
    demo = project(PROJECT, env={"TORCHSEL_HOST": HOSTS["n1"], "PYTHONPATH": sysconfig.get_path("purelib")})
    demo.torchsel("lock")
    show = "from ray._private.runtime_env.uv_runtime_env_hook import hook; print(hook({})['py_executable'])"
    command = demo.torchsel("run", "--locked", "python", "-c", show).out.split()
    assert command[-1] == "python"
    assert "--locked" in command
    assert not any("group" in word for word in command)


@contextlib.contextmanager
def nodes(env: Mapping[str, str]) -> Iterator[str]:
    """The address of a cluster with a node for each of `HOSTS`; its sockets need a short folder."""
    port, *agents = free_ports(3)
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        starts = (
            [*("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"),
             *("--min-worker-port=20000", "--max-worker-port=20999")],
            [f"--address={address}", *("--min-worker-port=21000", "--max-worker-port=21999")],
        )  # fmt: skip
        running: list[subprocess.Popen[bytes]] = []
        try:
            for name, agent, start in zip(HOSTS, agents, starts, strict=True):
                command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *start]
                command += ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000"]
                command += [f'--resources={{"{name}": 1}}', f"--dashboard-agent-listen-port={agent}"]
                with (Path(folder) / f"{name}.out").open("wb") as out:
                    environ = {**env, "TORCHSEL_HOST": HOSTS[name]}
                    running.append(
                        subprocess.Popen(command, env=environ, stdout=out, stderr=subprocess.STDOUT)
                    )
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
