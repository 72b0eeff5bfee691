"""A real Slurm cluster of two nodes on this machine, for the time of a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sinfo")
PATH = os.pathsep.join(("/usr/sbin", "/usr/bin", "/sbin", "/bin"))
START = 60.0
"""Seconds that the nodes may take until they are idle."""

PROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
strategy = "groups"
default-backend = "none"
backends = ["cpu", "cu126", "cu132"]
environment = ".venv-{backend}"
"""
"""One lock for a cluster, and an environment for each build."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A node: its generic resource as sinfo prints it, and what a task finds in its environment."""

    name: str
    gres: str
    feature: str
    environ: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """A running cluster, asked through its configuration file."""

    folder: Path

    def run(self, *command: str, cwd: Path, env: Mapping[str, str]) -> str:
        """Standard output of a program of Slurm's; where it fails, so does the test, with what it said."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**env, "SLURM_CONF": str(self.folder / "slurm.conf")},
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def missing() -> str:
    """Why there can be no cluster here, empty where there can."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "Slurm's daemons run as root in this set-up"


@contextlib.contextmanager
def cluster(folder: Path, nodes: tuple[Node, ...]) -> Iterator[Cluster]:
    """Start munge, the controller and one daemon a node; all are stopped at the end, last started first."""
    _configure(folder, nodes)
    env = {"PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf"), "LANG": "C.UTF-8"}
    commands = [
        [*("munged", "--force", "--foreground", f"--socket={folder}/munge.socket"),
         *(f"--key-file={folder}/munge.key", f"--pid-file={folder}/munged.pid"),
         *(f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed")],
        ["slurmctld", "-D"],
        *(["slurmd", "-D", "-N", node.name] for node in nodes),
    ]  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (folder / f"{number}-{command[0]}.out").open("wb") as out:
                running.append(subprocess.Popen(command, env=env, stdout=out, stderr=subprocess.STDOUT))
            time.sleep(0.5)
        _wait(folder, len(nodes), env)
        yield Cluster(folder=folder)
    finally:
        for process in reversed(running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(folder: Path, count: int, env: Mapping[str, str]) -> None:
    """Until every node is idle.

    Raises:
        RuntimeError: it takes too long; with what the daemons said.
    """
    end = time.monotonic() + START
    while time.monotonic() < end:
        done = subprocess.run(
            ["sinfo", "-h", "-N", "-o", "%T"], env=env, capture_output=True, text=True, check=False
        )
        if done.stdout.split() == ["idle"] * count:
            return
        time.sleep(0.3)
    said = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.out")))
    raise RuntimeError(said)


def _configure(folder: Path, nodes: tuple[Node, ...]) -> None:
    (folder / "state").mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    prolog = folder / "prolog"
    prolog.write_text(_prolog(nodes), encoding="utf-8")
    prolog.chmod(0o755)
    gres = (f"NodeName={node.name} Name=gpu Type={_type(node)} File={_files(node)}\n" for node in nodes)
    (folder / "gres.conf").write_text("".join(gres), encoding="utf-8")
    (folder / "slurm.conf").write_text(_configuration(folder, nodes), encoding="utf-8")


def _configuration(folder: Path, nodes: tuple[Node, ...]) -> str:
    here = socket.gethostname().partition(".")[0]
    controller, *ports = free_ports(len(nodes) + 1)
    lines = [
        "ClusterName=torchsel",
        f"SlurmctldHost={here}(127.0.0.1)",
        f"SlurmctldPort={controller}",
        "SlurmUser=root",
        f"AuthInfo=socket={folder}/munge.socket",
        f"StateSaveLocation={folder}/state",
        f"SlurmdSpoolDir={folder}/spool-%n",
        f"SlurmctldPidFile={folder}/slurmctld.pid",
        f"SlurmdPidFile={folder}/slurmd-%n.pid",
        f"TaskProlog={folder}/prolog",
        "ProctrackType=proctrack/pgid",
        "TaskPlugin=task/none",
        "SelectType=select/cons_tres",
        "SlurmdParameters=config_overrides",
        "SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0",
        "ReturnToService=2",
        "GresTypes=gpu",
    ]
    lines += [
        f"NodeName={node.name} NodeHostname={here} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=4000"
        f" Gres={node.gres} Feature={node.feature}"
        for node, port in zip(nodes, ports, strict=True)
    ]
    names = ",".join(node.name for node in nodes)
    return "\n".join([*lines, f"PartitionName=all Nodes={names} Default=YES State=UP", ""])


def _prolog(nodes: tuple[Node, ...]) -> str:
    """What it prints as ``export NAME=value`` is in the task's environment."""
    cases = [
        f"{node.name})\n"
        + "".join(f"echo 'export {key}={value}'\n" for key, value in node.environ.items())
        + ";;\n"
        for node in nodes
    ]
    return f"#!/bin/sh\ncase $SLURMD_NODENAME in\n{''.join(cases)}esac\n"


def _type(node: Node) -> str:
    return node.gres.split(":")[1]


def _files(node: Node) -> str:
    """Device files that are there on every machine; nothing opens them."""
    return f"/dev/tty[0-{int(node.gres.split(':')[2]) - 1}]"


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nothing listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]
