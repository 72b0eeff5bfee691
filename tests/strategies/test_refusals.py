"""Projects in which uv could not choose, members that route themselves, and marked alternatives."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
ROOT = '[tool.uv.workspace]\nmembers = []\n\n[dependency-groups]\nml = ["torch"]\n'


def table(strategy: str) -> str:
    return f'\n[tool.torchsel]\nstrategy = "{strategy}"\nbackends = ["cpu", "cu126"]\n'


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_without_a_project_table(strategy: str, project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(ROOT + table(strategy), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    before = demo.text()
    for command in ("apply", "check", "sync"):
        refused = demo.torchsel(command, code=2)
        assert f"tool.torchsel.strategy: '{strategy}' needs a [project] table" in refused.err
        assert 'write strategy = "pin" in [tool.torchsel]' in refused.err
    assert demo.text() == before
    demo.pyproject.write_text(before.replace(table(strategy), '\n[tool.torchsel]\nstrategy = "pin"\n'))
    demo.torchsel("apply")
    demo.uv("lock")


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_a_routed_package_that_is_overridden(
    strategy: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    override = '\n[tool.uv]\noverride-dependencies = ["torch==2.8.0"]\n'
    text = HEAD + 'dependencies = ["torch"]\n' + override + table(strategy)
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    for command in ("apply", "check", "sync"):
        refused = demo.torchsel(command, code=2)
        assert "tool.uv.override-dependencies: 'torch==2.8.0' replaces every requirement" in refused.err
    assert demo.text() == text
    demo.pyproject.write_text(text.replace("override-", "constraint-"))
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.8.0+cu126"
    demo.pyproject.write_text(text.replace(table(strategy), "\n[tool.torchsel]\n"))
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.8.0+cu126"


def test_a_member_that_routes_torch_itself(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    top = HEAD + 'dependencies = ["part"]\n[tool.uv.workspace]\nmembers = ["part"]\n'
    demo = project(
        top + "[tool.uv.sources]\npart = { workspace = true }\n[tool.torchsel]\n",
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    member = demo.root / "part" / "pyproject.toml"
    member.parent.mkdir()
    routing = f"""[tool.uv.sources]
torch = {{ index = "own" }}

[[tool.uv.index]]
name = "own"
url = "{index.whl}/cu132"
explicit = true
"""
    text = HEAD.replace("demo", "part") + 'dependencies = ["torch"]\n'
    member.write_text(text + routing)
    sentence = "part/pyproject.toml: tool.uv.sources.torch: this member routes torch itself"
    assert sentence in demo.torchsel("apply").err
    checked = demo.torchsel("check", code=1)
    assert sentence in checked.err
    assert "run 'torchsel'" not in checked.err
    member.write_text(text)
    demo.torchsel("check")


@pytest.mark.parametrize("dependency", ["torch", "trainkit"])
def test_alternatives_are_marked_where_an_environment_has_none(
    dependency: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    environments = "\n[tool.uv]\nenvironments = [\"sys_platform == 'linux'\", \"sys_platform == 'darwin'\"]\n"
    text = HEAD + f'dependencies = ["{dependency}"]\n' + environments + table("groups")
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("apply")
    sources = tomllib.loads(demo.text())["tool"]["uv"]["sources"]["torch"]
    assert [set(item) for item in sources] == [{"index", "group"}, {"index", "group", "marker"}]
    demo.torchsel("check")
    demo.torchsel("sync")
    assert str(demo.installed("torch")).endswith("+cu126")
    demo.torchsel("--host", str(hosts["cpu"]), "sync")
    assert str(demo.installed("torch")).endswith("+cpu")


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_a_required_environment_that_a_backend_lacks(
    strategy: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    required = "\n[tool.uv]\nrequired-environments = [\"sys_platform == 'darwin'\"]\n"
    text = HEAD + 'dependencies = ["torch"]\n' + required + table(strategy)
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    for command in ("apply", "check", "sync"):
        said = demo.torchsel(command, code=2).err
        assert (
            "tool.uv.required-environments: torch has no cu126 wheel for \"sys_platform == 'darwin'\"" in said
        )
        assert "leave cu126 out of tool.torchsel.backends" in said
    assert demo.text() == text
    demo.pyproject.write_text(text.replace("darwin", "linux"))
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_an_environment_of_no_certain_processor_marks_nothing(project: MakeProject) -> None:
    text = HEAD + 'dependencies = ["torch"]\n\n[tool.uv]\nenvironments = ["sys_platform == \'linux\'"]\n'
    demo = project(text + table("groups").replace('"cu126"', '"rocm7.2"'))
    demo.torchsel("apply")
    assert "marker" not in demo.text()


def test_the_oldest_python_is_that_of_the_environments(project: MakeProject, hosts: dict[str, Path]) -> None:
    environments = "\n[tool.uv]\nenvironments = [\"python_version >= '3.11'\"]\n"
    head = HEAD.replace(">=3.11", ">=3.9") + 'dependencies = ["torch"]\n' + environments
    demo = project(head + table("groups"), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    assert demo.torchsel("backend").out == "cu126\n"
    demo.torchsel("lock")
    assert demo.torchsel("backend").out == "cu126\n"
