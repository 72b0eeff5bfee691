"""``torchsel deinit``: the text of before under every strategy, and uv.lock in step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeProject

PLAIN = """\
# a project
[project]
name = "demo"  # its name
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch<2.15", "trainkit"]

[dependency-groups]
dev = ["testkit"]

[tool.other]
x = 1
"""
STRATEGIES = ("pin", "groups", "extras")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("host", ["gtx1080ti", "rx7900", "v100-rtx5090"])
def test_the_text_of_before(strategy: str, host: str, project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(PLAIN, env={"TORCHSEL_HOST": str(hosts[host])})
    demo.uv("lock")
    releases = sorted({item.partition("+")[0] for item in demo.locked("torch")})
    demo.torchsel("init", "--strategy", strategy)
    demo.torchsel("sync")
    assert "to undo all of it: torchsel deinit" in demo.text()
    dry = demo.torchsel("deinit", "--dry-run")
    assert "[tool.torchsel]" in demo.text()
    done = demo.torchsel("deinit")
    assert done.out == dry.out
    assert demo.text() == PLAIN
    demo.uv("lock", "--check")
    assert "pytorch" not in (demo.root / "uv.lock").read_text().replace("pytorch-triton", "")
    assert min(demo.locked("torch")) <= releases[-1]
    demo.uv("sync")
    assert "+" not in (demo.installed("torch") or "+")
    again = demo.torchsel("deinit", code=2)
    assert "no [tool.torchsel]" in again.err


def test_what_is_adopted_stays(project: MakeProject, hosts: dict[str, Path]) -> None:
    text = (
        PLAIN.replace('"torch<2.15", "trainkit"', "")
        + """
[project.optional-dependencies]
cpu = ["torch"]
gpu = ["torch"]

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]

[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu126", extra = "gpu" }]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu126"
url = "https://download.pytorch.org/whl/cu126"
explicit = true
"""
    )
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("init")
    assert 'strategy = "adopted"' in demo.text()
    demo.torchsel("deinit")
    assert demo.text() == text


def test_a_lock_that_fails_changes_nothing(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(PLAIN, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("init")
    demo.torchsel("sync")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    demo.env["UV_DEFAULT_INDEX"] = "http://127.0.0.1:9/simple"
    failed = demo.torchsel("deinit", code=3)
    assert "uv lock failed without the routing, so nothing was changed" in failed.err
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before
