"""Agreement with real ``uv pip compile --torch-backend=auto`` over every kind of machine in the catalog."""

from __future__ import annotations

import csv

import pytest

from scripts.catalog import compare_uv, comparison
from tests.support.toolbox import ROOT
from torchsel.catalog.rows import DATA

Row = dict[str, str]


@pytest.fixture(scope="module")
def found() -> list[comparison.Comparison]:
    """Every comparison; asks uv some ninety times."""
    return comparison.compare_all()


def table(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def newest(backend: str, platform: str) -> Row | None:
    rows = [row for row in table("builds") if (row["backend"], row["platform"]) == (backend, platform)]
    return max(rows, key=lambda row: numbers(row["torch"]), default=None)


def has_kernels(row: Row, target: str) -> bool:
    """By machine code alone, which is what every build that uv takes first has for the cards it serves."""
    if target.startswith("gfx"):
        return target in row["kernels"].split()
    x, y = numbers(target)
    return any(numbers(item)[0] == x and numbers(item)[1] <= y for item in row["kernels"].split())


def test_every_kind_of_machine_is_compared(found: list[comparison.Comparison]) -> None:
    listed = {row["target"] for row in table("gpus") if row["vendor"] == "nvidia"}
    jetsons = {"7.2", "8.7"}  # their driver comes with the kernel and has no number of this kind
    assert listed - jetsons <= {item.machine.target for item in found}
    assert {item.machine.platform for item in found} == {"linux_x86_64", "linux_aarch64", "win_amd64"}
    assert {item.uv for item in found} >= {"cu118", "cu129", "cu132", "rocm7.2"}
    assert len(found) == len({item.machine for item in found}) > 478


def test_where_uv_is_right_torchsel_agrees(found: list[comparison.Comparison]) -> None:
    latest = max((row["torch"] for row in table("builds")), key=numbers)
    right = 0
    for item in found:
        row = newest(item.uv, item.machine.platform)
        if row and row["torch"] == latest and has_kernels(row, item.machine.target):
            assert item.ours == item.uv, item
            assert item.verdict == "same"
            right += 1
    assert right > 50


def test_every_difference_is_one_that_the_catalog_explains(found: list[comparison.Comparison]) -> None:
    for item in found:
        row = newest(item.uv, item.machine.platform)
        if item.verdict == "same":
            assert (item.uv, item.uv_torch) == (item.ours, item.our_torch)
        elif item.verdict == "no build":
            assert row is None, item
        elif item.verdict == "older torch":
            assert row is not None
            assert numbers(row["torch"]) < numbers(item.our_torch), item
        else:
            assert item.verdict == "can't run", item
            assert row is not None
            assert not has_kernels(row, item.machine.target) or "rocBLAS" in item.why, item
        assert bool(item.why) == (item.verdict != "same")


def test_what_no_index_explains_is_told() -> None:
    machine = comparison.Machine(platform="linux_x86_64", target="9.0", driver="580.65.06")
    assert comparison.compare(machine, "cu132").verdict == "same"
    assert comparison.compare(machine, "cu130").verdict == "unexplained"


def test_the_readme_has_the_table(found: list[comparison.Comparison]) -> None:
    text = (ROOT / "scripts/catalog/README.md").read_text(encoding="utf-8")
    assert compare_uv.spliced(text, comparison.markdown(found)) == text, (
        "run scripts/catalog/compare_uv.py --write"
    )


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = f"a\n{compare_uv.START}\nold\n{compare_uv.END}\nb\n"
    assert compare_uv.spliced(text, "new") == f"a\n{compare_uv.START}\n\nnew\n\n{compare_uv.END}\nb\n"
    with pytest.raises(ValueError, match="needs the lines"):
        compare_uv.spliced("a\nb\n", "new")
