"""When there is nothing to do: torchsel alone, before uv, and in the shell."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Iterator

from scripts.bench.projects import Stage
from scripts.bench.timing import Row, at_most, paired
from tests.support.toolbox import Project

CALLS = 300
"""Calls of the shell function in one measurement."""

SHELL = """\
eval "$({torchsel} hook {shell})"
command() {{ :; }}
uv sync
began=$EPOCHREALTIME
i=0; while [ $i -lt {calls} ]; do uv sync; i=$((i+1)); done
ended=$EPOCHREALTIME
echo $began $ended
cd {other}
began=$EPOCHREALTIME
i=0; while [ $i -lt {calls} ]; do uv sync; i=$((i+1)); done
ended=$EPOCHREALTIME
echo $began $ended
"""
"""``command`` is shadowed, so that only what the shell itself does is timed."""


def no_op(here: Stage) -> Iterator[Row]:
    """Whole processes with nothing to do, on a tiny project and on an ordinary one."""
    tiny = here.synced(here.project("tiny", "torch", "torchvision"))
    yield from _beside_uv(here, tiny, "no-op, tiny project")
    ordinary = here.synced(here.project("ordinary", "torch", "torchvision", "application"))
    yield from _beside_uv(here, ordinary, "no-op, ordinary project")


def _beside_uv(here: Stage, at: Project, part: str) -> Iterator[Row]:
    short = ("backend", "check", "env")
    for words in ((), *((name,) for name in short), ("uv", "sync"), ("run", "python", "-c", "")):
        here.warm(at, *words)
    commands = {
        "bare": here.command(at, here.python, "-I", "-c", "pass"),
        "sync": here.command(at, here.uv, "sync"),
        "torchsel": here.command(at, here.torchsel),
        **{name: here.command(at, here.torchsel, name) for name in short},
        "torchsel uv sync": here.command(at, here.torchsel, "uv", "sync"),
        "run": here.command(at, here.uv, "run", "python", "-c", ""),
        "torchsel run": here.command(at, here.torchsel, "run", "python", "-c", ""),
        "long": here.command(at, here.torchsel, "--no-cache"),
    }
    times = paired(commands, here.rounds)
    bare, sync, run = times["bare"], times["sync"], times["run"]
    yield Row(part=part, name="python -I -c pass", ms=bare.median, note=f"noise {bare.spread:.0%}")
    yield Row(
        part=part,
        name="uv sync",
        ms=sync.median,
        ratio=f"{sync.ratio(bare):.2f} x bare Python",
        note=f"{_packages(at)} packages, noise {sync.spread:.0%}",
    )
    yield at_most(part, "torchsel", times["torchsel"], sync, 1.0, "uv sync")
    yield at_most(part, "torchsel, beside Python itself", times["torchsel"], bare, 1.5, "bare Python")
    for name in short:
        yield at_most(part, f"torchsel {name}", times[name], times["torchsel"], 1.25, "torchsel")
    yield at_most(part, "torchsel uv sync", times["torchsel uv sync"], sync, 2.0, "uv sync")
    yield Row(part=part, name="uv run python -c ''", ms=run.median, note=f"noise {run.spread:.0%}")
    yield at_most(part, "torchsel run python -c ''", times["torchsel run"], run, 2.0, "uv run")
    yield Row(
        part=part,
        name="torchsel --no-cache",
        ms=times["long"].median,
        ratio=f"{times['long'].ratio(sync):.2f} x uv sync",
        note="looks at everything anew: what the record saves",
    )


def _packages(at: Project) -> int:
    """How many uv.lock has."""
    lock = tomllib.loads((at.root / "uv.lock").read_text(encoding="utf-8"))
    return len({package["name"] for package in lock["package"]})


def shell(here: Stage) -> Iterator[Row]:
    """What the function named uv adds to a call before anything is started."""
    at = here.project("shell", "torch")
    outside = here.world.folder / "outside"
    outside.mkdir()
    for name in ("bash", "zsh"):
        program = shutil.which(name)
        if program is None:
            yield Row(part="shell", name=name, note="not installed here")
            continue
        text = SHELL.format(torchsel=here.torchsel, shell=name, calls=CALLS, other=outside)
        start = "zmodload zsh/datetime\n" if name == "zsh" else ""
        done = subprocess.run(
            [program, "-c", start + text], cwd=at.root, env=at.env, capture_output=True, text=True, check=True
        )
        pairs = [line.split() for line in done.stdout.splitlines()]
        inside, beyond = ((float(ended) - float(began)) / CALLS * 1e3 for began, ended in pairs)
        yield _hooked(f"uv's function in {name}, in a project", inside)
        yield _hooked(f"uv's function in {name}, outside", beyond)
    yield Row(
        part="shell", name="cd into a project", ms=0.0, goal="at most 5 ms", is_met=True, note="no hook on it"
    )


def _hooked(name: str, ms: float) -> Row:
    return Row(part="shell", name=name, ms=ms, goal="at most 5 ms", is_met=ms <= 5)
