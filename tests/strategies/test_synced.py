"""What a uv command line installs of a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.project.workspace import load_project
from torchsel.strategies.choice import synced
from torchsel.uv.call import read_uv_call

ROOT = """\
[project]
name = "demo"
optional-dependencies = { a = [], b = [] }
[dependency-groups]
dev = []
docs = []
[tool.uv]
default-groups = [{defaults}]
workspace = { members = ["m"] }
"""


@pytest.mark.parametrize(
    ("line", "groups", "extras", "has_base"),
    [
        ("sync", "dev", "", True),
        ("sync --no-default-groups", "", "", True),
        ("sync --no-dev --group docs", "docs", "", True),
        ("sync --no-group dev", "", "", True),
        ("sync --all-groups --all-extras --no-extra a", "dev docs", "b", True),
        ("run --extra a,b x --extra c", "dev", "a b", True),
        ("sync --only-group docs --extra a", "docs", "", False),
        ("export --only-dev", "dev", "", False),
    ],
)
def test_parts(tmp_path: Path, line: str, groups: str, extras: str, has_base: bool) -> None:
    (tmp_path / "pyproject.toml").write_text(ROOT.replace("{defaults}", '"dev"'))
    call = read_uv_call(line.split(), tmp_path)
    (part,) = synced(load_project(tmp_path), call)
    assert (part.package, part.has_base) == ("demo", has_base)
    assert set(part.lists["group"]) == set(groups.split())
    assert set(part.lists["extra"]) == set(extras.split())


@pytest.mark.parametrize(
    ("line", "folder", "packages"),
    [
        ("sync", "", "demo"),
        ("sync", "m", "m"),
        ("sync --package m", "", "m"),
        ("sync --all-packages", "m", "demo m"),
    ],
)
def test_packages(tmp_path: Path, line: str, folder: str, packages: str) -> None:
    (tmp_path / "pyproject.toml").write_text(ROOT.replace("{defaults}", ""))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "pyproject.toml").write_text('[project]\nname = "m"\n')
    start = tmp_path / folder
    parts = synced(load_project(start), read_uv_call(line.split(), start))
    assert {part.package for part in parts} == set(packages.split())
