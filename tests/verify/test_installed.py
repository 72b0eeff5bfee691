"""Prediction from the catalog's tables, and the row that puts a wrong table right."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from tests.support.toolbox import HOSTS
from tests.verify.conftest import CPU, H100, PASCAL
from torchsel.catalog.catalog import Catalog, load_catalog
from torchsel.config.builds import read_catalog
from torchsel.host import Host, parse_host
from torchsel.verify.installed import InstalledTorch, read_arch_list, row_text

CATALOG = load_catalog()
LINUX = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]
WINDOWS = Host(system="win32", machine="x86_64")


def installed(version: str, host: Host, catalog: Catalog = CATALOG) -> InstalledTorch:
    return InstalledTorch(version=version, host=host, catalog=catalog)


def recorded(name: str) -> Host:
    return parse_host((HOSTS / f"{name}.json").read_text(encoding="utf-8"), where=name)


@pytest.mark.parametrize(
    ("version", "host", "tag"),
    [
        ("2.13.0+cu130", H100, "cu130"),
        ("2.13.0", H100, "cu130"),
        ("2.15.0", H100, "cu132"),
        ("2.13.0", WINDOWS, "cpu"),
        ("2.13.0+cpu", H100, "cpu"),
        ("2.9.0a0+git1234", H100, None),
        ("1.0", H100, None),
    ],
)
def test_the_backend_of_an_installed_torch(version: str, host: Host, tag: str | None) -> None:
    found = installed(version, host).backend
    assert (found.tag if found else None) == tag


@pytest.mark.parametrize(
    ("version", "host", "fault"),
    [
        ("2.13.0+cu130", H100, ""),
        ("2.13.0+cu130", CPU, ""),
        ("2.13.0+cpu", H100, ""),
        ("2.13.0+cu126", PASCAL, ""),
        ("2.13.0+own.1", PASCAL, ""),
        ("1.0+cu130", PASCAL, ""),
        ("2.13.0+cu130", PASCAL, "no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0"),
        ("2.13.0", PASCAL, "no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0"),
        ("2.13.0+cu130", replace(H100, nvidia_driver="570.124"), "driver 570.124 < 580 (CUDA 13)"),
        ("2.13.0+rocm7.2", recorded("mi50"), "gfx906"),
    ],
)
def test_whether_an_installed_torch_has_kernels_for_this_gpu(version: str, host: Host, fault: str) -> None:
    found = installed(version, host).static_fault()
    if fault:
        assert found.startswith(f"torch {version} can't run on this machine: ")
        assert fault in found
    else:
        assert found == ""


def test_the_driver_that_a_build_needs() -> None:
    old = replace(H100, nvidia_driver="470.1")
    assert installed("2.13.0+cu130", old).needed_driver() == "580"
    assert installed("2.13.0+cu126", old).needed_driver() == "525.60.13"
    assert (
        installed("2.13.0+cu126", replace(old, kernel="5.15-microsoft-standard")).needed_driver() == "528.33"
    )
    ptx = replace(H100, nvidia_driver="530.30")
    assert installed("2.13.0+cu126", ptx).needed_driver() == "560.28.03"
    assert installed("2.13.0+cu126", H100).needed_driver() == ""
    assert installed("2.13.0+rocm7.2", H100).needed_driver() == ""


@pytest.mark.parametrize(
    ("listed", "kernels", "ptx"),
    [
        (["sm_75", "sm_120", "compute_120"], ("7.5", "12.0"), ("12.0",)),
        (["sm_90", "sm_90a", "sm_90"], ("9.0",), ()),
        (["gfx90a", "gfx942:sramecc+", "gfx1100"], ("gfx90a", "gfx942", "gfx1100"), ()),
        (["", "nonsense", "sm_"], (), ()),
    ],
)
def test_reading_an_arch_list(listed: list[str], kernels: tuple[str, ...], ptx: tuple[str, ...]) -> None:
    assert read_arch_list(listed) == (kernels, ptx)


@pytest.mark.parametrize(
    ("version", "listed"),
    [
        ("2.13.0+cu130", LINUX),
        ("2.13.0+cu130", []),
        ("2.13.0+cpu", []),
        ("2.13.0a0+cu130", ["sm_75"]),
    ],
)
def test_no_row_where_the_catalog_has_it_or_nothing_was_seen(version: str, listed: list[str]) -> None:
    assert installed(version, H100).missing_row(listed) is None


@pytest.mark.parametrize(
    ("version", "listed"),
    [("2.13.0+cu130", [*LINUX, "sm_121"]), ("2.99.0+cu140", ["sm_120", "compute_120"])],
)
def test_the_row_can_be_pasted_and_mends_the_catalog(version: str, listed: list[str]) -> None:
    row = installed(version, H100).missing_row(listed)
    assert row is not None
    text = row_text(row)
    assert text.startswith("[[tool.torchsel.catalog.builds]]\n")
    read = read_catalog(tomllib.loads(text)["tool"]["torchsel"]["catalog"])
    assert [(item.kernels, item.ptx, item.python) for item in read] == [(row.kernels, row.ptx, row.python)]
    assert installed(version, H100, CATALOG.with_builds(read)).missing_row(listed) is None
