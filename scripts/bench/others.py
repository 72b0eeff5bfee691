"""The others, in the same run: what each costs, and what it does and does not do for that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.projects import FOLDER, Stage
from scripts.bench.timing import Command, Row, paired

VERSIONS = {"uv-torch-compass": "0.7.0", "light-the-torch": "0.8.1", "torchruntime": "2.24.0"}
DETECT = (
    "from light_the_torch._cb import detect_compatible_computation_backends as found;"
    " print(*sorted(map(str, found())))"
)
EARLY = "takes only official indexes, so it stops early here, with no candidate tested"
NOTES = {
    "torchsel backend": "driver and kernels of every build; the answer on record",
    "torchsel --no-cache backend": "the same, everything looked at anew",
    "uv pip install --dry-run --torch-backend=auto": "driver alone; stops at the first index page, offline",
    "torchruntime info": "PCI ids; for pip, no project, no lock",
    "light-the-torch, detection": "NVIDIA's driver alone, by nvidia-smi; for pip, no project, no lock",
    "uv-torch-compass check": f"would run the installed torch; {EARLY}",
    "uv-torch-compass plan": f"would install candidates and run them; {EARLY}",
}
"""What each does and does not do for its time."""


def others(here: Stage) -> Iterator[Row]:
    """Each in the same small project, in turn."""
    at = here.synced(here.project("others", "torch", "torchvision"))
    here.warm(at, "backend")
    tools = {name: _install(here, name, version) for name, version in VERSIONS.items()}
    compass, ltt, runtime = (tools[name] for name in VERSIONS)
    uv = (here.uv, "pip", "install", "--dry-run", "--offline", "--torch-backend=auto", "--reinstall", "torch")
    lines: dict[str, tuple[str, ...] | None] = {
        "torchsel backend": (here.torchsel, "backend"),
        "torchsel --no-cache backend": (here.torchsel, "--no-cache", "backend"),
        "uv pip install --dry-run --torch-backend=auto": uv,
        "torchruntime info": _in(runtime, "torchruntime", "info"),
        "light-the-torch, detection": _in(ltt, "python", "-c", DETECT),
        "uv-torch-compass check": _in(compass, "uv-torch-compass", "check"),
        "uv-torch-compass plan": _in(compass, "uv-torch-compass", "plan"),
    }
    codes = range(256)
    commands = {
        name: Command(words=words, cwd=at.root, env=at.env, codes=codes)
        for name, words in lines.items()
        if words
    }
    times = paired(commands, max(here.rounds // 6, 4))
    for name in lines:
        if name not in times:
            yield Row(part="others", name=name, note="could not be installed here")
            continue
        took, code = times[name], _code(commands[name])
        ended = f" (exit code {code})" if code else ""
        ratio = took.ratio(times["torchsel --no-cache backend"])
        yield Row(
            part="others",
            name=name,
            ms=took.median,
            ratio=f"{ratio:.2f} x torchsel --no-cache",
            note=NOTES[name] + ended,
        )


def _in(folder: Path | None, program: str, *words: str) -> tuple[str, ...] | None:
    return (str(folder / program), *words) if folder else None


def _code(command: Command) -> int:
    return subprocess.run(
        command.words, cwd=command.cwd, env=command.env, capture_output=True, check=False
    ).returncode


def _install(here: Stage, name: str, version: str) -> Path | None:
    """A tool's folder of programs, in an environment of its own; None where it can't be installed."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    commands: tuple[list[str | Path], ...] = (
        [here.uv, "venv", "--quiet", "--python", sys.executable, folder],
        [
            here.uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            python,
            f"{name}=={version}",
        ],
    )
    for command in commands:
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
    return folder / "bin"
