"""CI without a GPU keeps what was committed for other machines, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project, World

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
"""
SAID = (
    "warning: CI without a usable GPU: the routing to cu126 stays as committed;"
    " choose with --backend, TORCHSEL_BACKEND or TORCHSEL_HOST\n"
)


@pytest.fixture(scope="module")
def committed(
    world: World, hosts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[bytes, bytes]:
    """pyproject.toml and uv.lock as made on a GTX 1080 Ti."""
    demo = world.project(tmp_path_factory.mktemp("committed") / "demo", PYPROJECT)
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.uv("lock")
    return state(demo)


@pytest.fixture
def builder(project: MakeProject, committed: tuple[bytes, bytes]) -> Project:
    """That project in CI, on a machine without accelerators."""
    demo = project(committed[0].decode(), env={"CI": "true"})
    (demo.root / "uv.lock").write_bytes(committed[1])
    hide_gpus(demo)
    return demo


def hide_gpus(demo: Project) -> None:
    """Make sure that the machine these tests run on shows no GPU, should it have one."""
    demo.env.update(CUDA_VISIBLE_DEVICES="-1", HIP_VISIBLE_DEVICES="-1", ROCR_VISIBLE_DEVICES="-1")


def configure(demo: Project, line: str) -> None:
    demo.pyproject.write_text(demo.text().replace("[tool.torchsel]\n", f"[tool.torchsel]\n{line}\n"))


def state(demo: Project) -> tuple[bytes, bytes]:
    return demo.pyproject.read_bytes(), (demo.root / "uv.lock").read_bytes()


@pytest.mark.parametrize("ci", ["true", "woodpecker"])
def test_the_committed_routing_is_kept_and_said(builder: Project, ci: str) -> None:
    builder.env["CI"] = ci
    before = state(builder)
    assert builder.torchsel().err == SAID
    assert builder.torchsel("sync").err.startswith(SAID)
    builder.torchsel("sync", "--locked")
    assert builder.installed("torch") == "2.14.1+cu126"
    backend = builder.torchsel("backend")
    assert (backend.out, backend.err) == ("cu126\n", SAID)
    assert builder.torchsel("-q").err == ""
    assert state(builder) == before
    status = json.loads(builder.torchsel("status", "--json").out)
    assert (status["backend"], status["requested_by"]) == ("cu126", "the committed routing, kept in CI")
    assert status["in_sync"]


def test_a_new_package_follows_the_committed_backend(builder: Project) -> None:
    builder.pyproject.write_text(builder.text().replace('["torch"]', '["torch", "torchvision"]'))
    told = builder.torchsel()
    assert SAID in told.err
    assert "→ cu126 (asked for by the committed routing, kept in CI)" in told.err
    builder.torchsel("check")


def test_with_fallback_error_too(builder: Project) -> None:
    configure(builder, 'fallback = "error"')
    assert builder.torchsel().err == SAID
    builder.env["CI"] = ""
    assert "CI" not in builder.torchsel(code=3).err


@pytest.mark.parametrize(
    ("told", "env", "backend"),
    [
        ((), {"CI": ""}, "cpu"),
        ((), {"CI": "false"}, "cpu"),
        (("--backend", "auto"), {}, "cpu"),
        (("--backend", "cu130"), {}, "cu130"),
        ((), {"TORCHSEL_BACKEND": "cpu"}, "cpu"),
        ((), {"UV_TORCH_BACKEND": "auto"}, "cpu"),
        ((), {"UV_TORCH_BACKEND": "cu132"}, "cu132"),
        ((), {"UV_CUDA_DRIVER_VERSION": "580.65.06"}, "cu132"),
        ((), {"UV_AMD_GPU_ARCHITECTURE": "gfx942"}, "rocm7.2"),
    ],
)
def test_who_is_told_obeys(
    builder: Project, told: tuple[str, ...], env: dict[str, str], backend: str
) -> None:
    builder.env.update(env)
    said = builder.torchsel(*told)
    assert "as committed" not in said.err
    assert f"→ {backend} (" in said.err


def test_a_host_is_told_by_option_or_variable(builder: Project, hosts: dict[str, Path]) -> None:
    assert builder.torchsel("--host", str(hosts["cpu"]), "backend").out == "cpu\n"
    builder.env["TORCHSEL_HOST"] = str(hosts["h200"])
    assert builder.torchsel("backend").out == "cu132\n"


def test_what_the_configuration_forbids_is_not_kept(builder: Project) -> None:
    configure(builder, 'backends = ["cpu", "cu130"]')
    assert "→ cpu (" in builder.torchsel().err


def test_nothing_committed_is_nothing_to_keep(project: MakeProject) -> None:
    demo = project(PYPROJECT, env={"CI": "true"})
    hide_gpus(demo)
    assert "→ cpu (" in demo.torchsel().err
    assert "CI" not in demo.torchsel().err
