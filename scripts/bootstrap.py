"""The project's own environment in ``.work/venv``: made from this Python and a package index, nothing else.

    python3 scripts/bootstrap.py
    python3 scripts/bootstrap.py ray        with a dependency group that only some tests need

Runs with the standard library only, on a machine where nothing of the project is installed yet.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".work" / "venv"
STAMP = VENV / "stamp.json"
OLDEST_PYTHON = (3, 11)


class BootstrapError(Exception):
    """The environment can't be made; the message says what to install."""


def ensure_environment() -> Path:
    """Make the environment, or bring it up to date with pyproject.toml, and return its Python.

    Raises:
        BootstrapError: this Python is too old or lacks venv, or an installation failed.
    """
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        msg = f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed; {sys.executable} is {found}"
        raise BootstrapError(msg)
    wanted = _wanted()
    if _stamp() == wanted and _answers(venv_python(), "import torchsel, pip"):
        return venv_python()
    STAMP.unlink(missing_ok=True)
    if not _usable():
        _create()
    _install()
    STAMP.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
    return venv_python()


def main(groups: list[str]) -> int:
    """Make the environment and install these dependency groups into it; 3 where that can't be done."""
    try:
        ensure_environment()
        for group in groups:
            run(*_pip(), *development_requirements(_pyproject(), group))
    except BootstrapError as error:
        print(f"scripts/bootstrap.py: {error}", file=sys.stderr)
        return 3
    return 0


def enter_environment(script: str, argv: list[str]) -> int | None:
    """Have ``script`` run in the environment: the exit code to end with, None where it runs there already."""
    try:
        python = ensure_environment()
    except BootstrapError as error:
        print(f"{Path(script).resolve().relative_to(ROOT).as_posix()}: {error}", file=sys.stderr)
        return 3
    if Path(sys.prefix) == python.parent.parent:
        return None
    return subprocess.run([python, script, *argv], check=False).returncode


def venv_python() -> Path:
    """Where the environment's Python is, made or not."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def venv_environment() -> dict[str, str]:
    """This process' environment with the programs of the project's environment first on PATH."""
    programs = str(venv_python().parent)
    return {**os.environ, "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])}


def run(*command: str | Path, check: bool = True) -> int:
    """Print a command, run it in the project's folder with its environment, return the exit code.

    Raises:
        BootstrapError: it failed and ``check`` is true.
    """
    words = [str(word) for word in command]
    print(f"$ {shlex.join(words)}", flush=True)
    code = subprocess.run(words, cwd=ROOT, env=venv_environment(), check=False).returncode
    if check and code:
        msg = f"exit code {code} from: {shlex.join(words)}"
        raise BootstrapError(msg)
    return code


def development_requirements(pyproject: dict[str, Any], group: str = "dev") -> list[str]:
    """The requirements of a dependency group, those of the groups it includes too (PEP 735)."""
    found = []
    for item in pyproject["dependency-groups"][group]:
        if isinstance(item, str):
            found.append(item)
        else:
            found += development_requirements(pyproject, item["include-group"])
    return found


def _wanted() -> dict[str, str]:
    """What the environment depends on; another Python, folder or pyproject.toml makes it out of date."""
    return {
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "python": sysconfig.get_python_version(),
        "folder": str(ROOT),
    }


def _stamp() -> dict[str, str] | None:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp


def _usable() -> bool:
    """Is there an environment of this Python release in this place, with pip?"""
    here = (sys.version_info[:2], str(VENV))
    return _answers(venv_python(), f"import sys, pip; assert (sys.version_info[:2], sys.prefix) == {here}")


def _answers(python: Path, code: str) -> bool:
    """Does that Python, which may be gone or broken, run ``code`` without an error?"""
    try:
        done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _create() -> None:
    if importlib.util.find_spec("venv") is None:
        msg = f"{sys.executable} lacks the venv module; on Debian and Ubuntu: apt install python3-venv"
        raise BootstrapError(msg)
    shutil.rmtree(VENV, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is not None:
        run(sys.executable, "-m", "venv", VENV)
        return
    if importlib.util.find_spec("pip") is None:
        msg = (
            f"{sys.executable} has neither ensurepip nor pip; on Debian and Ubuntu: apt install python3-venv"
        )
        raise BootstrapError(msg)
    run(sys.executable, "-m", "venv", "--without-pip", VENV)
    run(sys.executable, "-m", "pip", "--python", venv_python(), "install", "--quiet", "pip")


def _install() -> None:
    run(*_pip(), "--editable", ".", *development_requirements(_pyproject()))


def _pip() -> tuple[str | Path, ...]:
    return (venv_python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")


def _pyproject() -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - not in Python 3.10, which is told so before

    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
