"""``[tool.torchsel.catalog]``: builds that a project adds to the catalog, or has in place of its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import Build
from torchsel.config.builds import read_catalog
from torchsel.config.keys import parse_config
from torchsel.config.values import InsideError

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
"""
NEW = """
[[tool.torchsel.catalog.builds]]
torch = "2.16.0"
backend = "cu134"
platform = "linux_x86_64"
kernels = ["9.0", "10.0"]
"""
CHANGED = """
[[tool.torchsel.catalog.builds]]
torch = "2.15.0"
backend = "cu132"
platform = "linux_x86_64"
kernels = "12.0"
"""
ROW = {"torch": "2.16.0", "backend": "cu134", "platform": "linux_x86_64"}


@pytest.mark.parametrize("value", [[ROW], {"builds": [ROW]}])
def test_a_list_or_a_table_with_it(value: object) -> None:
    assert read_catalog(value) == (Build(torch="2.16.0", backend="cu134", platform="linux_x86_64"),)


@pytest.mark.parametrize("value", [[], {}, {"builds": []}])
def test_nothing_to_add_leaves_the_catalog(value: object) -> None:
    config = parse_config({"catalog": value}, where="x")
    assert load_catalog().with_builds(config.catalog) is load_catalog()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("cu134", ": expected a list of tables, found a string"),
        ({"builds": {}}, ".builds: expected a list of tables, found a table"),
        ([ROW, "cu134"], "[1]: expected a table, found a string"),
        ([{**ROW, "torch": "2.16"}], "[0].torch: '2.16' is not a release such as '2.16.0'"),
    ],
)
def test_faults_have_their_place(value: Any, fault: str) -> None:
    with pytest.raises(InsideError) as caught:
        read_catalog(value)
    assert caught.value.faults == (fault,)


@pytest.mark.parametrize(
    ("rows", "host", "backend"),
    [
        ("", "h200", "cu132"),
        (NEW, "h200", "cu134"),
        (NEW, "gtx1080ti", "cu126"),
        (CHANGED, "h200", "cu130"),
    ],
    ids=["none", "new", "new-elsewhere", "changed"],
)
def test_every_command_takes_them(
    project: MakeProject, hosts: dict[str, Path], rows: str, host: str, backend: str
) -> None:
    demo = project(HEAD + rows, env={"TORCHSEL_HOST": str(hosts[host])})
    assert demo.torchsel_inprocess("backend").out == f"{backend}\n"
    status = json.loads(demo.torchsel_inprocess("status", "--json").out)
    assert status["backend"] == backend
    assert ("2.16.0" in {item["torch"] for item in status["candidates"]}) == (rows == NEW)
    assert demo.torchsel_inprocess("apply", "--no-lock").code == 0
    assert f'{{index = "pytorch-{backend}"' in demo.text().replace("{ ", "{")
    assert demo.torchsel_inprocess("check").code == 0


def test_groups_offer_them(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(f'{HEAD}strategy = "groups"\n{NEW}')
    assert demo.torchsel_inprocess("--host", str(hosts["h200"]), "apply", "--no-lock").code == 0
    assert "torch-cu134 = [" in demo.text()
    assert demo.torchsel_inprocess("check").code == 0


def test_check_tells_a_row_that_is_wrong(project: MakeProject) -> None:
    demo = project(HEAD + NEW.replace("9.0", "sm_90"))
    told = demo.torchsel_inprocess("check")
    assert told.code == 2
    assert "tool.torchsel.catalog.builds[0].kernels: 'sm_90' is not what cu134 builds have" in told.err
