"""What uv.lock has for a part of a project."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from torchsel.project.lock import Part, is_in_lock, own_parts, reached
from torchsel.project.project import Project, TomlFile

LOCK = """\
[manifest.dependency-groups]
rootless = [{ name = "attrs" }]

[[package]]
name = "demo"
dependencies = [{ name = "kit", extra = ["fast"], marker = "sys_platform == 'linux'" }]
optional-dependencies = { more = [{ name = "extra-only" }] }
[package.dev-dependencies]
dev = [{ name = "pytest" }]
torch-cpu = [{ name = "torch" }]
torchsel = [{ name = "vision" }]
[package.metadata]
requires-dist = [{ name = "kit", extras = ["fast"], specifier = ">=1,<2" }]
requires-dev = { dev = [{ name = "pytest" }] }

[[package]]
name = "kit"
dependencies = [{ name = "demo" }]
optional-dependencies = { fast = [{ name = "rust-kit" }] }

[[package]]
name = "kit"
version = "2"
dependencies = [{ name = "fork" }]
"""
PYPROJECT = """\
[project]
name = "demo"
dependencies = ["Kit[fast]<2,>=1"]
optional-dependencies = { more = ["extra-only"] }
[dependency-groups]
dev = ["pytest"]
torch-cpu = ["torch"]
torchsel = ["vision"]
[tool.uv.sources]
torch = [{ index = "pytorch-cpu", group = "torch-cpu" }]
[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
"""


def file(text: str) -> TomlFile:
    return TomlFile(path=Path("/x/pyproject.toml"), text=text, data=tomllib.loads(text))


BASE = {"demo", "kit", "rust-kit", "fork"}


@pytest.mark.parametrize(
    ("part", "names"),
    [
        (Part(package="demo", lists={}), BASE),
        (Part(package="demo", lists={"extra": ["more"]}), BASE | {"extra-only"}),
        (Part(package="demo", lists={"group": ["dev", "none"]}, has_base=False), {"pytest"}),
        (Part(package="", lists={"group": ["rootless"]}), {"attrs"}),
        (Part(package="unknown", lists={}), set()),
    ],
)
def test_reached(part: Part, names: set[str]) -> None:
    assert reached(file(LOCK), [part]) == names


def test_own_parts_have_nothing_of_torchsels() -> None:
    found = reached(file(LOCK), own_parts(Project(root=file(PYPROJECT))))
    assert found == BASE | {"pytest"} | {"extra-only"}


@pytest.mark.parametrize(
    ("change", "is_in"),
    [
        (("", ""), True),
        (("Kit[fast]<2,>=1", "kit[fast]>=1,<2"), True),
        (("Kit[fast]<2,>=1", "kit[fast]>=1"), False),
        (("Kit[fast]", "kit"), False),
        (('dev = ["pytest"]', 'dev = ["pytest", "ruff"]'), False),
        (('"torch"]', '"torch", "new"]'), True),
    ],
)
def test_whether_a_lock_was_made_for_all(change: tuple[str, str], is_in: bool) -> None:
    text = PYPROJECT.replace('optional-dependencies = { more = ["extra-only"] }\n', "").replace(*change)
    assert is_in_lock(Project(root=file(text), lock=file(LOCK))) is is_in


@pytest.mark.parametrize(
    "metadata",
    [
        'requires-dist = [{ specifier = ">=1" }]',
        'requires-dist = [{ name = "torch", specifier = "banana" }]',
        'requires-dist = ["torch"]',
        "requires-dist = 3",
        'requires-dev = ["torch"]',
        'requires-dev = { dev = "torch" }',
    ],
)
def test_a_lock_that_is_not_uvs_has_nothing(metadata: str) -> None:
    lock = f'[[package]]\nname = "demo"\n[package.metadata]\n{metadata}\n'
    assert not is_in_lock(Project(root=file(PYPROJECT), lock=file(lock)))


@pytest.mark.parametrize(
    "lock",
    [
        'manifest = 3\n[[package]]\nname = "demo"\ndependencies = [{ name = "kit", extra = 3 }]',
        'manifest = { dependency-groups = 3 }\n[[package]]\nname = "demo"\ndependencies = [{ name = "kit" }]',
        '[[package]]\nname = "demo"\ndependencies = [{ name = "kit", extra = ["a"] }]\n'
        '[[package]]\nname = "kit"\noptional-dependencies = 3',
        '[[package]]\nname = "demo"\ndependencies = [{ name = "kit" }]\ndev-dependencies = 3',
    ],
)
def test_what_is_no_list_leads_nowhere(lock: str) -> None:
    parts = [Part(package="demo", lists={"group": ["a"]}), Part(package="", lists={"group": ["a"]})]
    assert reached(file(lock), parts) == {"kit"}
