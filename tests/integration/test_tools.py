"""Make, just, nox, tox-uv and validate-pyproject with torchsel, each started as its users start it."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import MakeProject
from tests.support.pages import blocks_in, guide, recipe, section
from tests.support.toolbox import Project, Result

Reader = Callable[[str], list[tuple[str, dict[str, str]]]]

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[dependency-groups]
dev = ["numberkit"]

[tool.torchsel]
"""


@pytest.fixture
def old_card(project: MakeProject, hosts: dict[str, Path]) -> Project:
    """A project on a GTX 1080 Ti."""
    return project(PYPROJECT, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})


def own(project: Project, program: str, *args: str, code: int = 0) -> Result:
    """Run a program of this environment or of the system."""
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.exists() else shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return project.run(found, *args, code=code)


def stand_in(project: Project, *names: str) -> None:
    """Programs that print how they were called and do nothing."""
    folder = project.root.parent / "stand-ins"
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} <$*>"\n')
        (folder / name).chmod(0o755)
    project.env["PATH"] = f"{folder}{os.pathsep}{project.env['PATH']}"


def test_make(old_card: Project) -> None:
    (old_card.root / "Makefile").write_text(recipe("tasks", "Make", "make"))
    built = own(old_card, "make", "sync")
    assert "→ cu126 (" in built.err
    assert old_card.installed("torch") == "2.14.1+cu126"
    stand_in(old_card, "docker")
    assert own(old_card, "make", "image").out.splitlines()[-1] == (
        "docker <build --build-arg UV_TORCH_BACKEND=cu126 -t demo:cu126 .>"
    )
    old_card.env["TORCHSEL_HOST"] = "/nonexistent"
    assert "no such file" in own(old_card, "make", "sync", code=2).err
    assert "torchsel found no backend" in own(old_card, "make", "image", code=2).err


def test_just(old_card: Project) -> None:
    (old_card.root / "justfile").write_text(recipe("tasks", "just", "just"))
    own(old_card, "just", "sync")
    assert old_card.installed("torch") == "2.14.1+cu126"
    assert own(old_card, "just", "which").out == "this machine takes cu126\n"


def test_nox(old_card: Project) -> None:
    (old_card.root / "noxfile.py").write_text(recipe("tasks", "nox", "python"))
    ran = own(old_card, "nox", "-s", "tests")
    assert "2.14.1+cu126" in ran.out + ran.err
    assert list((old_card.root / ".nox").rglob("torch-2.14.1+cu126.dist-info"))


def test_tox_uv(old_card: Project) -> None:
    (old_card.root / "tox.toml").write_text(recipe("tasks", "tox", "toml"))
    old_card.torchsel()
    old_card.uv("lock")
    ran = own(old_card, "tox", "-e", "tests")
    assert "2.14.1+cu126" in ran.out
    assert list((old_card.root / ".tox").rglob("torch-2.14.1+cu126.dist-info"))


@pytest.mark.parametrize(
    ("line", "code"),
    [('backend = "auto"', 0), ('backend = "cuda"', 1), ("[[tool.torchsel.catalog.builds]]", 1)],
)
def test_validate_pyproject(project: MakeProject, line: str, code: int) -> None:
    demo = project(f"{PYPROJECT}{line}\n")
    said = own(demo, "validate-pyproject", "pyproject.toml", code=code)
    assert "tool.torchsel" in said.out + said.err if code else "Valid" in said.out + said.err


def steps_on_github(text: str) -> list[tuple[str, dict[str, str]]]:
    steps = yaml.safe_load(text)["jobs"]["tests"]["steps"]
    return [(step["run"], step.get("env", {})) for step in steps if "run" in step]


def steps_on_gitlab(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(step, {}) for step in yaml.safe_load(text)["tests"]["script"]]


def steps_in_docker(text: str) -> list[tuple[str, dict[str, str]]]:
    argument = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    return [(step, argument) for step in re.findall(r"^RUN (?:--mount=\S+ )?(.*)$", text, re.MULTILINE)]


@pytest.mark.parametrize(
    ("topic", "heading", "language", "read", "torch"),
    [
        ("ci", "GitHub Actions", "yaml", steps_on_github, "2.15.0+cpu"),
        ("ci", "GitLab CI", "yaml", steps_on_gitlab, "2.15.0+cpu"),
        ("images", "Docker", "dockerfile", steps_in_docker, "2.15.0+cu130"),
    ],
)
def test_the_steps_of_builders(
    project: MakeProject,
    hosts: dict[str, Path],
    topic: str,
    heading: str,
    language: str,
    read: Reader,
    torch: str,
) -> None:
    demo = project(PYPROJECT, env={"CI": "true"})
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    steps = [(run, env) for run, env in read(recipe(topic, heading, language)) if " install " not in run]
    assert len(steps) >= 2
    for run, env in steps:
        clean = dict(demo.env)
        demo.env.update(env)
        said = demo.run("/bin/sh", "-c", run)
        demo.env.clear()
        demo.env.update(clean)
    assert demo.installed("torch") == torch
    assert language != "yaml" or said.out.strip() == torch, "the last step shows it"


def test_vs_code(old_card: Project) -> None:
    tasks, profile = map(json.loads, blocks_in(section(guide("tasks"), "VS Code"), "json"))
    task = tasks["tasks"][0]
    old_card.run(task["command"], *task["args"])
    assert old_card.installed("torch") == "2.14.1+cu126"
    old_card.pyproject.write_text(PYPROJECT + 'strategy = "groups"\ndefault-backend = "none"\n')
    shell = profile["terminal.integrated.profiles.linux"]["uv with torchsel"]
    said = old_card.run(shell["path"], *shell["args"], stdin="echo $UV_NO_GROUP").out
    assert "torch-cu132" in said
    assert "torch-cu126" not in said


def test_mise_could_read_its_recipe() -> None:
    assert tomllib.loads(recipe("tasks", "mise", "toml")) == {"tasks": {"sync": {"run": "torchsel sync"}}}
