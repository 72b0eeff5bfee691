"""Tags that somebody typed: real ones, newer ones, and the nearest to those that never were."""

from __future__ import annotations

import pytest

from torchsel.backend import check_tag
from torchsel.catalog.catalog import load_catalog
from torchsel.errors import ConfigError

KNOWN = load_catalog().tags


@pytest.mark.parametrize("tag", [*sorted(KNOWN), "cu134", "cu140", "rocm7.15", "rocm10.0"])
def test_what_is_known_or_newer(tag: str) -> None:
    assert check_tag(tag, KNOWN).tag == tag


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("cu127", "cu126"),
        ("cu131", "cu130"),
        ("cu119", "cu118"),
        ("cu101", "cu117"),
        ("rocm7.3", "rocm7.2"),
        ("rocm7.13", "rocm7.14"),
        ("rocm6.5", "rocm6.4"),
        ("cu12.6", "cu126"),
        ("CU126", "cu126"),
        ("cuda126", "cu126"),
        ("cuda-12.6", "cu126"),
        ("rocm72", "rocm7.2"),
        ("ROCm7.2", "rocm7.2"),
        ("cpus", "cpu"),
        ("XPU", "xpu"),
    ],
)
def test_what_never_was(tag: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"'?{tag}.*; did you mean '{meant}'\?$"):
        check_tag(tag, KNOWN)


@pytest.mark.parametrize("tag", ["banana", "vulkan", "", "../whl", "cuda", "gpu"])
def test_what_is_near_to_nothing(tag: str) -> None:
    with pytest.raises(ConfigError, match=r"such as 'cpu', 'cu130', 'rocm7\.2' or 'xpu'$"):
        check_tag(tag, KNOWN)


def test_an_index_of_which_nothing_is_known() -> None:
    assert check_tag("cu127", KNOWN, anything=True).tag == "cu127"
    with pytest.raises(ConfigError, match="did you mean 'cu126'"):
        check_tag("cu12.6", KNOWN, anything=True)


def test_rows_of_ones_own_make_a_tag_known() -> None:
    assert check_tag("cu127", KNOWN | {"cu127"}).release == (12, 7)
