"""The program that children run: it must be read by Python 3.9, and be right about the real torch."""

from __future__ import annotations

import ast
import json
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.stand_ins import real_torch
from tests.verify.conftest import CPU, asked
from torchsel.verify.child import TOLERANCES
from torchsel.verify.run import PROGRAM
from torchsel.verify.verify import verify


def test_every_python_that_torch_has_reads_it() -> None:
    ast.parse(PROGRAM.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_it_imports_nothing_but_the_standard_library() -> None:
    tree = ast.parse(PROGRAM.read_text(encoding="utf-8"))
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "contextlib", "pathlib", "typing", "collections.abc"}


@pytest.mark.parametrize("release", ["3.9", "3.10", "3.14"])
def test_another_python_runs_it_up_to_the_import(tmp_path: Path, release: str) -> None:
    program = shutil.which(f"python{release}")
    if program is None or subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"no Python {release} here")
    task = {"kind": "look", "family": "cpu", "module": "nonexistent", "seconds": 9, "result": f"{tmp_path}/r"}
    done = subprocess.run(
        [program, "-I", str(PROGRAM), json.dumps(task)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "No module named 'nonexistent'" in (tmp_path / "r").read_text()


def test_the_real_torch_works_on_the_cpu() -> None:
    environment = real_torch()
    if isinstance(environment, str):
        pytest.skip(environment)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = verify(asked(environment.folder, host=CPU, backend="cpu", timeout=120.0))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (found.verdict, found.exit_code) == ("works", 0), found
    assert [item.name for item in found.devices] == ["CPU"]
    steps = found.devices[0].steps
    assert set(steps) == set(TOLERANCES)
    assert all(off is not None and off <= TOLERANCES[step] for step, off in steps.items())
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used <= 10.0, "seconds of one core: no more than that by the clock on an idle machine"
