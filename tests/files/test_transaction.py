"""Both files changed together or not at all, and what is said where that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.errors import MachineError
from torchsel.files.journal import Journal
from torchsel.files.transaction import is_repair_due, locked
from torchsel.uv.program import Uv


@pytest.fixture
def environ(target: Path, state: Path, uv: Path) -> dict[str, str]:
    target.with_name("uv.lock").write_text("old lock")
    return {"PATH": str(uv.parent), "TORCHSEL_CACHE_DIR": str(state)}


def change(target: Path, environ: dict[str, str], *edits: tuple[str, str], raises: str = "") -> str:
    """A change whose uv fails after somebody else's ``edits``; returns what is said."""

    def fail(_: Uv) -> str | None:
        for name, text in edits:
            target.with_name(name).write_text(text)
        if raises:
            raise MachineError(raises)
        return "no solution"

    with pytest.raises(MachineError) as caught, locked(target, environ) as place:
        place.write_and_lock(("old", "old lock"), "new", fail, goal="for cu132")
    assert not is_repair_due(target, environ)
    return str(caught.value)


def texts(target: Path) -> tuple[str, str]:
    return target.read_text(), target.with_name("uv.lock").read_text()


def test_what_was_taken_back_is_told(target: Path, environ: dict[str, str]) -> None:
    said = change(target, environ, ("uv.lock", "half a lock"))
    assert said == "uv lock failed for cu132, so nothing was changed; uv said:\nno solution"
    assert change(target, environ, raises="uv hung") == "uv hung, so nothing was changed"
    assert texts(target) == ("old", "old lock")


@pytest.mark.parametrize("raises", ["", "uv hung"])
def test_what_an_edit_meanwhile_left_is_told(target: Path, environ: dict[str, str], raises: str) -> None:
    said = change(target, environ, ("pyproject.toml", "new, edited"), raises=raises)
    assert "nothing was changed" not in said
    assert said.startswith(raises or "uv lock failed for cu132; uv said:\nno solution")
    assert said.endswith(
        f"\n{target}: was edited meanwhile and stays as it is now; uv.lock is not made for it;"
        " run torchsel again"
    )
    assert texts(target) == ("new, edited", "old lock")


def test_a_change_that_works_leaves_no_record(target: Path, state: Path, environ: dict[str, str]) -> None:
    with locked(target, environ) as place:
        place.write_and_lock(("old", "old lock"), "new", lambda _: None)
    assert texts(target) == ("new", "old lock")
    assert not Journal(target, state).path.exists()
