"""Packages from addresses and indexes that name a CUDA."""

from __future__ import annotations

import pytest

from tests.project.test_requirements import LINUX, MAC, project
from torchsel.project.requirements import built_for

WHEEL = "https://wheels.example/flash_attn-2.8.3"
INDEX = '[[tool.uv.index]]\nname = "own"\nurl = "https://wheels.example/'


@pytest.mark.parametrize(
    ("dependency", "more", "found"),
    [
        (f"flash-attn @ {WHEEL}%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl", "", "12"),
        ("flash-attn", f'[tool.uv.sources]\nflash-attn = {{ url = "{WHEEL}+cu130torch2.11.whl" }}', "13.0"),
        ("flash-attn", '[tool.uv.sources]\nflash-attn = { git = "https://git.example/cu128" }', None),
        ("torch-scatter", f'{INDEX}whl/torch-2.8.0+cu128.html"\n[tool.uv.sources]\n'
         'torch-scatter = { index = "own" }', "12.8"),
        ("pytorch3d", f'{INDEX}simple"\n[tool.uv.sources]\npytorch3d = {{ index = "own" }}', None),
        ("pytorch3d @ https://wheels.example/pytorch3d-0.7.9+pt2.4.0cu121-cp310.whl", "", "12.1"),
        ("pycu120 @ https://wheels.example/focus128/acu128.whl", "", None),
        ("torchvision @ https://wheels.example/torchvision-0.23.0+cu128.whl", "", None),
    ],
)  # fmt: skip
def test_built_for(dependency: str, more: str, found: str | None) -> None:
    files = project(f'[project]\ndependencies = ["{dependency}"]\n{more}\n')
    name = dependency.partition(" ")[0]
    assert built_for(files, LINUX, None, but={"torchvision"}) == (((name, found),) if found else ())


def test_markers_are_asked_of_the_machine() -> None:
    source = f'{{ url = "{WHEEL}+cu128-cp312.whl", marker = "sys_platform == \'linux\'" }}'
    text = f'[project]\ndependencies = ["flash-attn"]\n[tool.uv.sources]\nflash-attn = {source}\n'
    assert built_for(project(text), LINUX, None, but=()) == (("flash-attn", "12.8"),)
    assert built_for(project(text), MAC, None, but=()) == ()
    text = f"[project]\ndependencies = [\"x @ {WHEEL}+cu128.whl ; sys_platform == 'darwin'\"]\n"
    assert built_for(project(text), LINUX, None, but=()) == ()
