"""Run the tests with the lowest releases of the dependencies that pyproject.toml allows.

    python3 scripts/robustness/lowest.py                    a quick choice of tests
    python3 scripts/robustness/lowest.py tests -k index     these arguments for pytest instead

Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import ROOT, BootstrapError, development_requirements, ensure_environment, run

LOWEST = ROOT / ".work" / "lowest"
TOOLS = ("hypothesis", "pytest", "pytest-mock", "uv")
QUICK = (
    "files/test_replace",
    "project/test_requirements",
    "probes/test_nvml",
    "config/test_keys",
    "toml/test_edit",
)
"""Tests of the modules that use a dependency, and take no time."""


def main(argv: list[str]) -> int:
    """Make the environment where pyproject.toml changed, and run the tests in it."""
    try:
        python = lowest_environment(ensure_environment().with_name(f"uv{_suffix()}"))
    except BootstrapError as error:
        print(f"scripts/robustness/lowest.py: {error}", file=sys.stderr)
        return 3
    files = [path for name in QUICK if (path := ROOT / "tests" / f"{name}.py").exists()]
    return run(python, "-m", "pytest", "-q", *(argv or files), check=False)


def lowest_environment(uv: Path) -> Path:
    """The Python of an environment with the lowest releases.

    Raises:
        BootstrapError: something can't be installed.
    """
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    python = LOWEST / ("Scripts" if os.name == "nt" else "bin") / f"python{_suffix()}"
    stamp = LOWEST / "stamp"
    wanted = hashlib.sha256(f"{text}{sys.version}{ROOT}".encode()).hexdigest()
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(LOWEST, ignore_errors=True)
    pyproject = tomllib.loads(text)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    run(uv, "venv", "--quiet", "--python", sys.executable, LOWEST)
    run(*install, "--resolution", "lowest-direct", *pyproject["project"]["dependencies"])
    run(*install, *_tools(pyproject))
    run(*install, "--no-deps", "--editable", ROOT)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _tools(pyproject: dict[str, Any]) -> list[str]:
    """The requirements of what the tests need."""
    listed = development_requirements(pyproject)
    return [text for text in listed if re.split(r"[^\w-]", text)[0] in TOOLS]


def _suffix() -> str:
    return ".exe" if os.name == "nt" else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
