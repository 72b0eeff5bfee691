"""A file of a project, and a folder for torchsel's own state."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file of a project, alone in its folder."""
    path = tmp_path / "project" / "pyproject.toml"
    path.parent.mkdir()
    path.write_bytes(b"old")
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def fails(code: int) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def alone(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]
