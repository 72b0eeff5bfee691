"""The installed torch, read from the environment's metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.project.environment import installed_version


def install(site: Path, *names: str) -> None:
    for name in names:
        (site / f"{name}.dist-info").mkdir(parents=True)


def test_version_with_its_local_part(tmp_path: Path) -> None:
    site = tmp_path / ".venv/lib/python3.12/site-packages"
    install(
        site, "torch-2.9.1+cu130", "torchvision-0.24.1+cu130", "pytorch_triton_rocm-3.5.0", "torch_tb-1.0"
    )
    assert installed_version(tmp_path, "torch", {}) == "2.9.1+cu130"
    assert installed_version(tmp_path, "pytorch-triton-rocm", {}) == "3.5.0"
    assert installed_version(tmp_path, "torchaudio", {}) is None
    assert installed_version(tmp_path, "triton", {}) is None


def test_windows_layout(tmp_path: Path) -> None:
    install(tmp_path / ".venv/Lib/site-packages", "torch-2.9.1+cpu")
    assert installed_version(tmp_path, "torch", {}) == "2.9.1+cpu"


@pytest.mark.parametrize("named", ["env", "{0}/elsewhere"])
def test_another_environment(named: str, tmp_path: Path) -> None:
    install(tmp_path / ".venv/lib/python3.12/site-packages", "torch-1.0")
    environ = {"UV_PROJECT_ENVIRONMENT": named.format(tmp_path)}
    assert installed_version(tmp_path, "torch", environ) is None
    install(tmp_path / Path(named.format(tmp_path)) / "lib/python3.12/site-packages", "torch-2.0")
    assert installed_version(tmp_path, "torch", environ) == "2.0"
    assert installed_version(tmp_path, "torch", {"UV_PROJECT_ENVIRONMENT": ""}) == "1.0"


def test_no_environment(tmp_path: Path) -> None:
    assert installed_version(tmp_path, "torch", {}) is None
