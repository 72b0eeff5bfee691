"""What a verdict says to type is typed, with real uv, and the next verification finds that torch works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.support.stand_ins import Environment
from tests.support.toolbox import HOSTS, Project
from tests.verify.test_verify import COMPANIONS, NO_IMAGE, TOO_OLD, raising

PLAIN = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch", "torchvision"]
"""
PIN = f"{PLAIN}\n[tool.torchsel]\n"
MISSING = "raise ImportError('libcudnn.so.9: cannot open shared object file: No such file or directory')"

WAYS: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "no environment": (PIN, (), "", "not installed"),
    "not even a table": (PLAIN, (), "", "not installed"),
    "a CPU build": (PIN, ("torchsel --backend cpu sync",), "", "cpu build"),
    "the build of uv's default index": (PIN, ("uv sync",), raising("Tensor.fill_", NO_IMAGE), "no kernels"),
    "a build for newer drivers": (
        PIN,
        ("uv sync",),
        raising("cuda.get_device_properties", TOO_OLD),
        "driver too old",
    ),
    "a damaged installation": (PIN, ("torchsel sync",), MISSING, "library missing"),
    "a crash": (PIN, ("torchsel sync",), "os.abort()", "crashed"),
    "only slow": (PIN, ("torchsel sync",), "time.sleep(4)", "hung"),
}


def record(made: Project, *args: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.torchsel(*args, "verify", "--json", code=None).out)
    return found


def follow(made: Project, commands: list[str]) -> None:
    """Type each as it is printed; a verification's own exit code is its verdict."""
    for command in commands:
        made.run("bash", "-c", command, code=None if " verify " in command else 0)


@pytest.mark.parametrize("name", WAYS)
def test_the_way_out_of_each_verdict(name: str, project: MakeProject) -> None:
    pyproject, before, damage, verdict = WAYS[name]
    made = project(pyproject, env={"TORCHSEL_HOST": str(HOSTS / "gtx1080ti.json")})
    follow(made, list(before))
    environment = Environment(folder=made.root / ".venv")
    if damage:
        with (environment.site / "torch" / "__init__.py").open("a") as file:
            file.write(f"\n{damage}\n")
    limit = ("--timeout", "2") if verdict == "hung" else ()
    found = json.loads(made.torchsel("verify", "--json", *limit, code=1).out)
    assert found["verdict"] == verdict
    assert found["commands"]
    follow(made, found["commands"])
    assert record(made)["verdict"] == "works"


def test_a_gpu_that_is_free_again(project: MakeProject) -> None:
    made = project(PIN, env={"TORCHSEL_HOST": str(HOSTS / "gtx1080ti.json")})
    made.torchsel("sync")
    module = Environment(folder=made.root / ".venv").site / "torch" / "__init__.py"
    whole = module.read_text()
    module.write_text(f"{whole}\ncuda.mem_get_info = lambda at: (0, 8 << 30)\n")
    told = made.torchsel("verify", "--json", code=3)
    found = json.loads(told.out)
    assert (found["verdict"], found["commands"]) == ("busy", ["torchsel verify"])
    module.write_text(whole)
    made.run("bash", "-c", found["commands"][0])


def test_a_companion_of_another_build(project: MakeProject) -> None:
    made = project(PIN, env={"TORCHSEL_HOST": str(HOSTS / "gtx1080ti.json")})
    made.torchsel("sync")
    environment = Environment(folder=made.root / ".venv")
    made.uv("pip", "uninstall", "-q", "torchvision")
    environment.add("torchvision", "0.20.0", COMPANIONS["torchvision for another CUDA"][1])
    (environment.site / "torchvision-0.20.0.dist-info" / "RECORD").write_text("torchvision/__init__.py,,\n")
    found = record(made)
    assert (found["verdict"], found["commands"]) == ("library missing", ["torchsel sync"])
    follow(made, found["commands"])
    assert record(made)["verdict"] == "works"


def test_a_row_for_the_catalog_is_pasted_and_another_build_chosen(project: MakeProject) -> None:
    pyproject = PIN.replace('"torch"', '"torch>=2.13,!=2.14.0"')  # what the test's index has
    made = project(pyproject, env={"TORCHSEL_HOST": str(HOSTS / "gtx1080ti.json")})
    made.torchsel("sync")
    environment = Environment(folder=made.root / ".venv")
    with (environment.site / "torch" / "__init__.py").open("a") as file:
        file.write(
            f"\n{raising('Tensor.fill_', NO_IMAGE)}\ncuda.get_arch_list = lambda: ['sm_75', 'sm_90']\n"
        )
    found = record(made)
    assert (found["verdict"], found["predicted"], found["commands"]) == (
        "no kernels",
        True,
        ["torchsel sync"],
    )
    assert found["notes"] == ["torchsel's catalog says that this build runs here, and it does not"]
    made.pyproject.write_text(f"{made.text()}\n{found['catalog_row']}")
    follow(made, found["commands"])
    after = record(made)
    assert after["verdict"] == "works"
    assert after["torch"] != found["torch"]


def test_the_cpu_until_the_catalog_is_mended(project: MakeProject) -> None:
    made = project(PIN, env={"TORCHSEL_HOST": str(HOSTS / "h200.json")})
    made.torchsel("sync")
    with (Environment(folder=made.root / ".venv").site / "torch" / "__init__.py").open("a") as file:
        file.write(f"\n{raising('Tensor.fill_', NO_IMAGE)}\n")
    found = record(made)
    assert (found["verdict"], found["commands"]) == ("no kernels", ["torchsel --backend cpu sync"])
    follow(made, found["commands"])
    assert record(made, "--backend", "cpu")["verdict"] == "works"
