"""Routing of a dependency by path: uv reads it too, and torchsel says so before uv does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject
    from tests.support.toolbox import Project

BUILD = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
LIBRARY = (
    '[project]\nname = "lib"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["torch"]\n'
    "\n[tool.torchsel]\n"
)
CONSUMER = (
    '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["torch", "lib"]\n\n[tool.uv.sources]\nlib = { path = "../lib" }\n\n[tool.torchsel]\n'
)


def pair(project: MakeProject, strategy: str = "") -> tuple[Project, Project]:
    return project(LIBRARY + strategy, name="lib"), project(CONSUMER)


def test_a_dependency_with_another_index_is_named(project: MakeProject, hosts: dict[str, Path]) -> None:
    lib, demo = pair(project)
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.torchsel("--host", str(hosts["h200"]))
    assert "conflicting indexes" in demo.uv("lock", code=None).err
    refused = demo.torchsel("check", code=1)
    assert f"{demo.root.parent / 'demo' / '..' / 'lib' / 'pyproject.toml'}: line " in refused.err
    assert "take it out there, or use strategy = 'groups' there" in refused.err
    assert "uv reads here too" in demo.torchsel("status", "--host", str(hosts["h200"])).out.replace(
        "\n         ", " "
    )


def test_groups_do_not_leak(project: MakeProject, hosts: dict[str, Path]) -> None:
    lib, demo = pair(project, 'strategy = "groups"\nbackends = ["cpu", "cu126"]\n')
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    demo.torchsel("check")


def test_a_package_under_pin_is_noted(project: MakeProject, hosts: dict[str, Path]) -> None:
    lib = project(LIBRARY + BUILD, name="lib")
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    noted = lib.torchsel("check").err
    assert noted.count("this project is a package") == 1
    plain = project(LIBRARY, name="plain")
    plain.torchsel("--host", str(hosts["gtx1080ti"]))
    assert "is a package" not in plain.torchsel("check").err
