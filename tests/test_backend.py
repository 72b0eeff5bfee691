"""A backend is a value that everything follows from."""

from __future__ import annotations

from typing import get_args

import pytest

from torchsel.backend import Backend
from torchsel.errors import ConfigError
from torchsel.vendors import FAMILIES, VENDORS, Family, Vendor


@pytest.mark.parametrize(
    ("tag", "family", "release", "slug"),
    [
        ("cpu", "cpu", (), "cpu"),
        ("xpu", "xpu", (), "xpu"),
        ("cu92", "cuda", (9, 2), "cu92"),
        ("cu118", "cuda", (11, 8), "cu118"),
        ("cu130", "cuda", (13, 0), "cu130"),
        ("rocm7.2", "rocm", (7, 2), "rocm7-2"),
        ("rocm6.2.4", "rocm", (6, 2, 4), "rocm6-2-4"),
    ],
)
def test_what_follows_from_a_tag(tag: str, family: str, release: tuple[int, ...], slug: str) -> None:
    backend = Backend.parse(tag)
    assert (backend.tag, backend.family, backend.release, backend.slug) == (tag, family, release, slug)
    assert backend.index_name == f"pytorch-{tag}"


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "CU130",
        "cu130 ",
        "cu-130",
        "../cpu",
        "cpu/",
        "rocm7.",
        "13.0",
        "cü130",
        "cuda",
        "gpu",
        "rocm",
        "vulkan",
        "cu1300",
        "rocm10",
        "cu12.6",
        "CU126",
        "cuda126",
        "rocm72",
        "banana",
        "rocm7.2.0.1",
    ],
)
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(ConfigError, match=r"^'.*(not a torch|names no one) backend.*such as 'cpu', 'cu130'"):
        Backend.parse(tag)


@pytest.mark.parametrize(
    ("base", "channel", "url"),
    [
        ("https://download.pytorch.org/whl", "stable", "https://download.pytorch.org/whl/cu130"),
        ("https://mirror.example/torch/", "stable", "https://mirror.example/torch/cu130"),
        ("https://mirror.example", "test", "https://mirror.example/test/cu130"),
        ("https://mirror.example", "nightly", "https://mirror.example/nightly/cu130"),
    ],
)
def test_index_url(base: str, channel: str, url: str) -> None:
    assert Backend.parse("cu130").index_url(base, channel) == url  # type: ignore[arg-type]


def test_the_types_name_the_rows_of_the_table() -> None:
    assert tuple(VENDORS) == get_args(Vendor)
    assert get_args(Family) == FAMILIES
    assert [Backend.parse(tag).vendor for tag in ("cpu", "cu130", "rocm7.2", "xpu")] == [None, *VENDORS]
