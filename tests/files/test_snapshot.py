"""What uv changed is taken back where the rest fails."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from torchsel.files.snapshot import taken_back
from torchsel.project.workspace import load_project

BEFORE = '[project]\nname = "demo"\n'
AFTER = BEFORE + "# added\n"


@pytest.mark.parametrize("end", ["done", "failed", "raised"])
@pytest.mark.parametrize("lock", [None, "version = 1\n"])
def test_taking_back(tmp_path: Path, end: str, lock: str | None) -> None:
    pyproject, lock_file = tmp_path / "pyproject.toml", tmp_path / "uv.lock"
    pyproject.write_text(BEFORE)
    if lock is not None:
        lock_file.write_text(lock)
    ends_badly = pytest.raises(ZeroDivisionError) if end == "raised" else nullcontext()
    with ends_badly, taken_back(load_project(tmp_path)) as changed:
        pyproject.write_text(AFTER)
        lock_file.write_text("version = 2\n")
        changed.note()
        changed.is_done = end == "done"
        if end == "raised":
            raise ZeroDivisionError
    assert pyproject.read_text() == (AFTER if end == "done" else BEFORE)
    assert lock_file.exists() == (end == "done" or lock is not None)
    assert end == "done" or lock is None or lock_file.read_text() == lock


def test_what_somebody_wrote_meanwhile_stays(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(BEFORE)
    with taken_back(load_project(tmp_path)) as changed:
        pyproject.write_text(AFTER)
        changed.note()
        pyproject.write_text(AFTER + "# mine\n")
    assert pyproject.read_text() == AFTER + "# mine\n"
