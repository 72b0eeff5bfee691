"""The lower bounds of the dependencies hold: ``scripts/robustness/lowest.py``, its quick choice of tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from tests.support.toolbox import ROOT, SYSTEM_CERTIFICATES


def test_the_lowest_releases_work() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "robustness" / "lowest.py"],
        env=os.environ | SYSTEM_CERTIFICATES,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 3:
        pytest.skip(f"the lowest releases can't be installed here: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_dependency_has_a_lower_bound() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert dependencies
    assert all(">=" in text for text in dependencies)
