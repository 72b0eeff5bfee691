"""``scripts/catalog/refresh.py --companions``: root pages of an index in Astral's form, on loopback."""

from __future__ import annotations

import json

import pytest

from scripts.catalog import companions, refresh
from scripts.catalog.fetch import FetchError, Page
from tests.support.index import Index
from torchsel.catalog.catalog import load_catalog


def page(text: str) -> Page:
    return Page(url="https://mirror.example/simple/cu130/", kind="application/json", text=text)


def root(*names: str) -> str:
    return json.dumps({"meta": {"api-version": "1.4"}, "projects": [{"name": name} for name in names]})


def run(*words: str) -> int:
    return refresh.refresh(refresh._arguments(["--timeout", "5", *words]))


def test_the_packages_of_a_root_page() -> None:
    assert companions.projects(page(root("flash-attn", "Torch_Scatter"))) == {"flash-attn", "torch-scatter"}


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"projects": [1]}', '{"projects": [{}]}'])
def test_another_page_is_none(text: str) -> None:
    with pytest.raises(FetchError, match="not a root page"):
        companions.projects(page(text))


def test_differences_are_told_for_what_was_read() -> None:
    found = companions.Found(packages={"cu130": {"flash-attn", "apex"}, "cu134": {"flash-attn"}})
    rows = [row for row in load_catalog().companion_indexes if row.package in ("flash-attn", "deepspeed")]
    assert list(companions.differences(rows, found)) == [
        "new package: apex for cu130",
        "new: flash-attn for cu134",
        "gone: deepspeed for cu130",
    ]


def test_the_catalog_is_in_step_with_itself() -> None:
    rows = load_catalog().companion_indexes
    tags = {tag for row in rows for tag in row.backends}
    there = {tag: {row.package for row in rows if tag in row.backends} for tag in tags}
    assert not list(companions.differences(rows, companions.Found(packages=there)))


def test_an_index_is_read_and_only_what_it_has(index: Index, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--companions", index.companions) == 1
    told = capsys.readouterr()
    assert "gone: deepspeed for cu130\n" in told.out
    assert "flash-attn for cu130" not in told.out
    assert "rocm" not in told.out
    assert "read the pages of cpu, cu118, cu126, cu128, cu129, cu130, cu132; differences" in told.err
    assert run("--companions", index.companions, "--backend", "rocm7.2") == 3
    assert run("--companions", "ftp://mirror.example") == 2
    assert "--companions: expected an https URL" in capsys.readouterr().err
