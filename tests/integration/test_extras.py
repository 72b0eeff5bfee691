"""Extras are published: they name nothing that only a backend's own index has; a checkout still has it."""

from __future__ import annotations

import tomllib
import zipfile
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project

FIRST_WITH_CONFLICTS, FIRST_WITH_VARIABLE = "0.5.8", "0.9.8"
HELPERS = ("triton-rocm", "triton-xpu", "pytorch-triton-rocm", "pytorch-triton-xpu", "rocm")
HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
BUILD = '[build-system]\nrequires = ["uv_build"]\nbuild-backend = "uv_build"\n\n'
TABLE = 'strategy = "extras"\nbackends = ["cpu", "cu126", "rocm7.1", "rocm7.2", "xpu"]\n'
INSTALLED = {
    "cpu": ("2.15.0+cpu", {}),
    "gtx1080ti": ("2.14.1+cu126", {}),
    "rx7900": ("2.14.1+rocm7.2", {"triton-rocm": "3.8.0"}),
    "b580": ("2.15.0+xpu", {"triton-xpu": "3.9.0"}),
}
"""Machines, the torch that they get, and what comes with it from its index."""


def text(dependency: str = "torch", *, build: str = "", table: str = TABLE) -> str:
    return f'{HEAD}dependencies = ["{dependency}"]\n\n{build}[tool.torchsel]\n{table}'


def routing(demo: Project) -> dict[str, Any]:
    """What stands in the file, indexes in order of their names."""
    data = tomllib.loads(demo.text())
    data["tool"]["uv"]["index"].sort(key=itemgetter("name"))
    return data


def helpers_in(demo: Project) -> dict[str, str]:
    found = {name: demo.installed(name) for name in HELPERS}
    return {name: version for name, version in found.items() if version}


@pytest.mark.parametrize("uv_version", [None, FIRST_WITH_VARIABLE, FIRST_WITH_CONFLICTS])
@pytest.mark.parametrize("dependency", ["torch", "trainkit"])
def test_one_lock_and_every_machine(
    project: MakeProject, hosts: dict[str, Path], dependency: str, uv_version: str | None
) -> None:
    demo = project(text(dependency), uv_version=uv_version)
    demo.torchsel("--host", str(hosts["cpu"]))
    demo.uv("lock")
    for host, (torch, helpers) in INSTALLED.items():
        demo.torchsel("--host", str(hosts[host]), "sync", "--locked", "--all-groups")
        assert (demo.installed("torch"), helpers_in(demo)) == (torch, helpers), host
    demo.uv("sync", "--locked", "--extra", "rocm7-1")
    assert (demo.installed("torch"), helpers_in(demo)) == ("2.13.0+rocm7.1", {"triton-rocm": "3.7.1"})


def test_a_build_with_helpers_of_its_own(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text(table='strategy = "extras"\nbackends = ["cpu", "rocm7.2", "rocm7.14"]\n'))
    demo.torchsel("--host", str(hosts["rx7900"]), "sync")
    assert helpers_in(demo) == {"triton-rocm": "3.9.0", "rocm": "7.14.0"}
    demo.uv("sync", "--locked", "--extra", "rocm7-2")
    assert helpers_in(demo) == {"triton-rocm": "3.8.0"}


def test_what_is_published_names_no_helper(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text(build=BUILD))
    (demo.root / "src" / "demo").mkdir(parents=True)
    (demo.root / "src" / "demo" / "__init__.py").touch()
    demo.torchsel("--host", str(hosts["rx7900"]), "sync")
    assert helpers_in(demo) == {"triton-rocm": "3.8.0"}
    demo.uv("build", "--wheel")
    with zipfile.ZipFile(next((demo.root / "dist").glob("*.whl"))) as wheel:
        metadata = wheel.read("demo-0.1.0.dist-info/METADATA").decode()
    required = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert "Requires-Dist: torch ; extra == 'rocm7-2'" in required
    assert {line.split()[1] for line in required} == {"torch"}


@pytest.mark.parametrize("names", ["", '{ cpu = "cpu", amd = "rocm7.2" }'])
def test_extras_that_name_them_are_brought_in_line(
    project: MakeProject, hosts: dict[str, Path], names: str
) -> None:
    """As earlier releases wrote them; nobody's torch moves."""
    listed = names or '["cpu", "rocm7.2"]'
    demo = project(text(table=f'strategy = "extras"\nbackends = {listed}\n'))
    before = demo.text()
    demo.torchsel("--host", str(hosts["rx7900"]))
    wanted, extra = demo.text(), "amd" if names else "rocm7-2"
    listed = f'{extra} = [\n    "torch",\n'
    written = wanted.replace(listed, f'{listed}    "triton-rocm",\n')
    group = written[written.index("[dependency-groups]") : written.index("[tool.torchsel]")]
    written = written.replace(group, "").replace('group = "torchsel"', f'extra = "{extra}"')
    demo.pyproject.write_text(written)
    demo.uv("lock", "-P", "torch==2.13.0")
    assert "2.13.0+rocm7.2" in demo.locked("torch")
    assert "dependency-groups.torchsel is missing" in demo.torchsel("check", code=1).err
    demo.torchsel("--host", str(hosts["cpu"]))
    now, then = tomllib.loads(demo.text()), tomllib.loads(wanted)
    assert (now["tool"], now["project"], now["dependency-groups"]) == (
        then["tool"],
        then["project"],
        then["dependency-groups"],
    )
    assert {release.partition("+")[0] for release in demo.locked("torch")} == {"2.13.0"}
    demo.torchsel("--host", str(hosts["rx7900"]), "sync", "--locked")
    assert helpers_in(demo) == {"triton-rocm": "3.7.1"}
    demo.torchsel("deinit")
    assert demo.text() == before.partition("\n[tool.torchsel]")[0]


@pytest.mark.parametrize("groups", ['"all"', '["dev", "torchsel"]'])
def test_default_groups_take_no_anchor(project: MakeProject, hosts: dict[str, Path], groups: str) -> None:
    more = f'\n[dependency-groups]\ndev = ["testkit"]\n\n[tool.uv]\ndefault-groups = {groups}\n'
    demo = project(text(table='strategy = "extras"\nbackends = ["cpu", "xpu"]\n') + more)
    demo.torchsel("--host", str(hosts["cpu"]), "sync")
    assert (demo.installed("torch"), demo.installed("testkit"), helpers_in(demo)) == ("2.15.0+cpu", "8.0", {})


def test_where_an_environment_has_no_such_build(project: MakeProject, hosts: dict[str, Path]) -> None:
    platforms = "[\"sys_platform == 'linux'\", \"sys_platform == 'win32'\"]"
    demo = project(text() + f"\n[tool.uv]\nenvironments = {platforms}\n")
    demo.torchsel("--host", str(hosts["rx7900"]), "sync")
    assert (demo.installed("torch"), helpers_in(demo)) == ("2.14.1+rocm7.2", {"triton-rocm": "3.8.0"})


def test_to_groups_and_pin_and_back(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text(), env={"TORCHSEL_HOST": str(hosts["rx7900"])})
    demo.torchsel("sync")
    first = routing(demo)
    for strategy in ("groups", "pin", "extras"):
        old = tomllib.loads(demo.text())["tool"]["torchsel"]["strategy"]
        demo.pyproject.write_text(demo.text().replace(f'"{old}"', f'"{strategy}"'))
        demo.torchsel("sync")
        demo.torchsel("check")
        assert (demo.installed("torch"), helpers_in(demo)) == ("2.14.1+rocm7.2", {"triton-rocm": "3.8.0"})
    assert routing(demo) == first
