"""What is chosen is what plain uv installs, also where the index has newer releases that do not run here."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import OLDEST_UV, Project

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
CASES = {
    "a V100 beside an RTX 5090": ("v100-rtx5090", "", "2.10.0+cu129"),
    "a V100 and one backend": ("v100", 'backends = ["cpu", "cu128"]\n', "2.10.0+cu128"),
}


def anchors(demo: Project) -> list[str]:
    groups: dict[str, list[str]] = tomllib.loads(demo.text()).get("dependency-groups", {})
    return groups.get("torchsel", [])


@pytest.mark.parametrize("uv_version", [None, OLDEST_UV])
@pytest.mark.parametrize("requirement", ["torch", "trainkit"])
@pytest.mark.parametrize(("host", "table", "version"), CASES.values(), ids=CASES)
def test_plain_uv_keeps_what_was_chosen(
    host: str,
    table: str,
    version: str,
    requirement: str,
    uv_version: str | None,
    project: MakeProject,
    hosts: dict[str, Path],
) -> None:
    demo = project(
        f'{HEAD}dependencies = ["{requirement}"]\n\n[tool.torchsel]\n{table}',
        uv_version=uv_version,
        env={"TORCHSEL_HOST": str(hosts[host])},
    )
    told = json.loads(demo.torchsel("status", "--json").out)
    assert f"{told['torch']}+{told['backend']}" == version
    demo.torchsel()
    assert any(item.startswith("torch<") for item in anchors(demo))
    for words in (
        ("sync",),
        ("lock", "--upgrade"),
        ("sync",),
        ("add", "webkit9"),
        ("run", "python", "-c", "0"),
    ):
        demo.uv(*words)
    assert demo.installed("torch") == version
    demo.torchsel("check")
    text = demo.text()
    demo.torchsel()
    assert demo.text() == text


def test_the_bound_goes_where_it_is_not_needed(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n')
    demo.torchsel("--host", str(hosts["h200"]))
    before = demo.text()
    demo.torchsel("--host", str(hosts["v100-rtx5090"]))
    assert anchors(demo) != []
    demo.torchsel("--host", str(hosts["h200"]))
    assert demo.text() == before


def test_a_locked_release_that_runs_needs_none(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n')
    demo.uv("lock", "-P", "torch==2.12.1")
    demo.torchsel("--host", str(hosts["h200"]))
    assert "2.12.1+cu132" in demo.locked("torch")
    assert anchors(demo) == []


def test_ci_keeps_the_bound(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n')
    demo.torchsel("--host", str(hosts["v100-rtx5090"]))
    before = demo.text()
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1", "ROCR_VISIBLE_DEVICES": "-1"}
    demo.env.update(CI="true", **hidden)
    demo.torchsel()
    assert demo.text() == before
