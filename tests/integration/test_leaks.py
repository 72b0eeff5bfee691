"""Routing of a dependency by path: uv reads it too, and torchsel says so before uv does."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert refused.err == (
        f"torchsel: {lib.pyproject}: line 10: tool.uv.sources.torch leads to"
        f" {lib.env['TORCHSEL_INDEX_URL']}/cu126, which uv reads here too and refuses beside this project's"
        f" index; have strategy = 'groups' there, or run 'torchsel deinit --project {lib.root}'\n"
    )
    assert "uv reads here too" in demo.torchsel("status", "--host", str(hosts["h200"])).out.replace(
        "\n         ", " "
    )


def test_the_way_out_leads_to_the_torch_for_here(project: MakeProject, hosts: dict[str, Path]) -> None:
    lib, demo = pair(project)
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.torchsel("--host", str(hosts["h200"]))
    way = demo.torchsel("check", code=1).err.rpartition("run 'torchsel ")[2].partition("'")[0]
    demo.torchsel(*way.split())
    demo.torchsel("check")
    demo.uv("sync", "--no-install-local")
    assert demo.installed("torch") == "2.15.0+cu132"


SOURCE = '[tool.uv.sources]\n{} = {{ path = "../{}"{} }}\n\n'
SHAPES = {
    "editable": (SOURCE.format("lib", "lib", ", editable = true"), '"lib"'),
    "by address": ("", '"lib @ file://{folder}/lib"'),
    "of a dependency": (SOURCE.format("between", "between", ""), '"between"'),
    "in another workspace": (SOURCE.format("part", "lib/part", ""), '"part"'),
}
"""How a project comes to what routes torch: its sources, and what it requires."""


@pytest.mark.parametrize("shape", SHAPES)
def test_every_way_to_a_dependency_is_followed(
    project: MakeProject, hosts: dict[str, Path], shape: str
) -> None:
    sources, required = SHAPES[shape]
    lib = project(LIBRARY + '\n[tool.uv.workspace]\nmembers = ["part"]\n', name="lib")
    part = LIBRARY.partition("\n[tool")[0].replace('"lib"', '"part"')
    project(part, name="lib/part")
    between = part.replace('"part"', '"between"').replace('["torch"]', '["lib"]')
    project(f"{between}\n{SOURCE.format('lib', 'lib', '')}", name="between")
    consumer = CONSUMER.replace('lib = { path = "../lib" }', "").replace("[tool.uv.sources]\n", sources)
    folder = lib.root.parent.as_posix()
    demo = project(consumer.replace('"lib"', required.format(folder=folder)))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.torchsel("check")
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    assert "conflicting indexes" in demo.uv("lock", code=None).err
    refused = demo.torchsel("check", code=1).err
    assert refused.startswith(f"torchsel: {lib.pyproject}: line ")
    assert "run 'torchsel' to bring it in sync" not in refused


def test_what_nothing_requires_does_not_leak(project: MakeProject, hosts: dict[str, Path]) -> None:
    lib = project(LIBRARY, name="lib")
    lib.torchsel("--host", str(hosts["gtx1080ti"]))
    demo = project(CONSUMER.replace(', "lib"', ""))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.torchsel("check")
    demo.uv("lock")


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
