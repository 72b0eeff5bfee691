"""The main job on a sample project: look at the machine, route torch, lock and sync with real uv.

    python3 scripts/demo.py                  a PyTorch-like index on loopback with tiny wheels
    python3 scripts/demo.py --real           download.pytorch.org and its full-size wheels
    python3 scripts/demo.py --host FILE      another machine, as 'torchsel detect --json' recorded it

Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from collections.abc import Mapping

from scripts.bootstrap import ROOT, enter_environment, venv_environment

FOLDER = ROOT / ".work" / "demo"
OLD_CARD = ROOT / "tests" / "cases" / "hosts" / "gtx1080ti.json"
SHOW_TORCH = "import torch; print('torch', torch.__version__)"

PYPROJECT = """\
[project]
name = "sample"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [
    "torch",  # the one line that matters
    "torchvision",
]

[tool.torchsel]
"""


def main(argv: list[str]) -> int:
    """Make the environment, then show the job in it."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    shutil.rmtree(FOLDER, ignore_errors=True)
    with ExitStack() as stack:
        environ = venv_environment() if arguments.real else _loopback(stack)
        return _show(arguments, environ)


def _show(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Two machines, one after the other, on the same project."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    host = ["--host", str(Path(arguments.host).resolve())] if arguments.host else []
    _title("What is here, and why this backend")
    show = ["uv", "run", "python", "-c", SHOW_TORCH]
    code = _run(
        [
            ["torchsel", *host, "status"],
            ["torchsel", *host, "--diff"],
            ["torchsel", *host],
            ["uv", "lock"],
            ["uv", "sync"],
            show,
            ["torchsel", "check", "-v"],
        ],
        environ,
    )
    if code == 0 and not arguments.real and not arguments.host:
        _title("The same project on a machine with a GTX 1080 Ti and driver 580")
        old = ["--host", str(OLD_CARD)]
        code = _run([["torchsel", *old], ["uv", "sync"], show, ["torchsel", *old, "-v"]], environ)
    _title("Done" if code == 0 else f"Failed with exit code {code}")
    print(f"The sample project is in {FOLDER}.")
    return code


def _run(steps: list[list[str]], environ: Mapping[str, str]) -> int:
    """Run each command in the sample project until one fails."""
    for step in steps:
        print(f"\n$ {shlex.join(step)}", flush=True)
        program = shutil.which(step[0], path=environ["PATH"])
        code = subprocess.run(
            [program or step[0], *step[1:]], cwd=FOLDER, env=environ, check=False
        ).returncode
        if code:
            return code
    return 0


def _loopback(stack: ExitStack) -> dict[str, str]:
    """An environment in which uv and torchsel know only an index that runs in this process."""
    from tests.support.index import Index  # noqa: PLC0415 - found only now
    from tests.support.toolbox import World, uv_binary  # noqa: PLC0415 - found only now

    index = stack.enter_context(Index())
    world = FOLDER.with_name("demo-world")
    world.mkdir(parents=True, exist_ok=True)
    environ = World(index=index, folder=world).environment(uv_binary())
    programs = str(Path(sys.executable).parent)
    return environ | {"PATH": os.pathsep.join([programs, environ["PATH"]])}


def _title(text: str) -> None:
    print(f"\n== {text} ==", flush=True)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--real", action="store_true", help="use download.pytorch.org")
    parser.add_argument("--host", metavar="FILE", help="a recorded host instead of this machine")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
