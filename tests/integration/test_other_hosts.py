"""A host that only the project names, and that is not PyTorch's, is named where packages are routed to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.toolbox import Project
from torchsel.backend import host_of

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["torch"]\n'
OWN = """\
[tool.uv]
conflicts = [[{{ extra = "gpu" }}, {{ extra = "cpu" }}]]
[tool.uv.sources]
torch = [{{ index = "theirs", extra = "gpu" }}, {{ index = "cpu", extra = "cpu" }}]
[[tool.uv.index]]
name = "theirs"
url = "https://someone:hunter2@wheels.example/{0}/cu126"
explicit = true
[[tool.uv.index]]
name = "cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true
[project.optional-dependencies]
gpu = ["torch"]
cpu = ["torch"]
"""


@pytest.fixture
def demo(project: MakeProject, index: Index, hosts: dict[str, Path]) -> Project:
    """A project on a GTX 1080 Ti whose ``index-url`` is the loopback index, which no variable names."""
    made = project(
        f'{HEAD}\n[tool.torchsel]\nindex-url = "{index.whl}"\n',
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    del made.env["TORCHSEL_INDEX_URL"], made.env["TORCHSEL_COMPANION_URL"]
    return made


def test_in_what_is_said_before_and_after_writing(demo: Project, index: Index) -> None:
    host = host_of(index.whl)
    assert host.startswith("127.0.0.1:")
    demo.uv("lock")
    end = f"(GTX 1080 Ti, driver 580.65.06), with packages from {host}"
    assert demo.torchsel("--dry-run").err.endswith(f"would route torch 2.14.1 → cu126 {end}\n")
    locking, result = demo.torchsel().err.splitlines()[-2:]
    assert locking == f"torchsel: locking for cu126, from {host} ..."
    assert result == f"torchsel: torch 2.14.1 → cu126 {end} (uv.lock updated)"
    page, record = demo.torchsel("status").out, demo.torchsel("status", "--json").out
    assert f"\nindex    {host}: neither PyTorch's own nor set by you\n" in page
    assert json.loads(record)["other_hosts"] == [host]


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_for_several_machines(strategy: str, demo: Project, index: Index) -> None:
    demo.pyproject.write_text(f'{demo.text()}strategy = "{strategy}"\nbackends = ["cpu", "cu126"]\n')
    said = demo.torchsel("lock").err
    assert f"→ cpu, cu126, by {strategy[:-1]}, with packages from {host_of(index.whl)}\n" in said
    assert f"{host_of(index.whl)}: neither" in demo.torchsel("status").out


def test_in_a_script(demo: Project, index: Index) -> None:
    table = f'# [tool.torchsel]\n# index-url = "{index.whl}"\n'
    (demo.root / "s.py").write_text(f'# /// script\n# dependencies = ["torch"]\n{table}# ///\n')
    said = demo.torchsel("apply", "--script", "s.py").err
    assert f"in s.py (GTX 1080 Ti, driver 580.65.06), with packages from {host_of(index.whl)}\n" in said


def test_where_init_takes_over_a_routing(demo: Project, index: Index) -> None:
    demo.torchsel()
    demo.pyproject.write_text(
        demo.text().partition("\n[tool.torchsel]")[0] + demo.text().partition('/whl"\n')[2]
    )
    said = demo.torchsel("init").err
    assert f"with packages from {host_of(index.whl)}" in said


def test_the_users_own_and_pytorchs_are_not_named(demo: Project, index: Index) -> None:
    demo.env["TORCHSEL_INDEX_URL"] = index.whl
    assert "127.0.0.1" not in demo.torchsel("--no-lock").err
    assert "127.0.0.1" not in demo.torchsel("status").out
    assert json.loads(demo.torchsel("status", "--json").out)["other_hosts"] == []
    del demo.env["TORCHSEL_INDEX_URL"]
    demo.pyproject.write_text(f"{HEAD}\n[tool.torchsel]\n")
    said = demo.torchsel("--no-lock").err + demo.torchsel("status").out
    assert "download.pytorch.org" not in said
    assert "neither" not in said


def test_hosts_of_companions(demo: Project, index: Index, hosts: dict[str, Path]) -> None:
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.pyproject.write_text(
        HEAD.replace('"torch"', '"torch", "flash-attn"') + '\n[tool.torchsel]\ncompanions = ["flash-attn"]\n'
    )
    assert demo.torchsel("--dry-run").err.endswith(", with packages from wheels.astral.sh\n")
    assert json.loads(demo.torchsel("status", "--json").out)["other_hosts"] == ["wheels.astral.sh"]
    demo.env["TORCHSEL_COMPANION_URL"] = index.companions
    assert "with packages from" not in demo.torchsel("--dry-run").err


def test_without_credentials_where_the_routing_is_the_projects_own(demo: Project) -> None:
    demo.pyproject.write_text(HEAD + OWN.format("whl"))
    page, record = demo.torchsel("status").out, demo.torchsel("status", "--json").out
    assert "\nindex    wheels.example: neither PyTorch's own nor set by you\n" in page
    assert json.loads(record)["other_hosts"] == ["wheels.example"]
    assert "hunter2" not in page + record
    assert "wheels.example" in demo.torchsel("init").err


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://download.pytorch.org/whl/cu126", "download.pytorch.org"),
        ("https://Mirror.Example:8443/whl", "mirror.example:8443"),
        ("https://user:secret@mirror.example/whl", "mirror.example"),
        ("https://evil.example/@download.pytorch.org", "evil.example"),
        ("https://evil.example\\@download.pytorch.org/whl", "evil.example"),
        ("https://user:se/cret@mirror.example/whl", ""),
        ("./wheels", ""),
        ("file:///wheels", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
