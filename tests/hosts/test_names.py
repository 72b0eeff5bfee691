from __future__ import annotations

import pytest

from torchsel.catalog.catalog import accelerator_of, load_catalog
from torchsel.host import Accelerator
from torchsel.hosts.names import find_accelerator, find_gpu, near_names, slug


@pytest.mark.parametrize(
    ("name", "known_as"),
    [
        ("V100", "Tesla V100"),
        ("tesla_v100", "Tesla V100"),
        ("Tesla-V100-SXM2-32GB", "Tesla V100"),
        ("Tesla-V100-SXM2-32GB-SHARED", "Tesla V100"),
        ("v100s", "Tesla V100S"),
        ("NVIDIA-A100-SXM4-40GB", "A100"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "A100"),
        ("NVIDIA-A100-SXM4-40GB-MIG-INVALID", "A100"),
        ("NVIDIA-H100-80GB-HBM3-MIG-3g.40gb-SHARED", "H100"),
        ("nvidia_h100_80gb_hbm3_3g.40gb", "H100"),
        ("a100_1g.5gb+me", "A100"),
        ("a100_80gb", "A100"),
        ("NVIDIA GH200 480GB", "GH200"),
        ("NVIDIA-A10G", "A10G"),
        ("rtx3090", "GeForce RTX 3090"),
        ("RTX 3090 Ti", "GeForce RTX 3090 Ti"),
        ("2080ti", "GeForce RTX 2080 Ti"),
        ("nvidia_geforce_rtx_2080_ti", "GeForce RTX 2080 Ti"),
        ("NVIDIA GeForce RTX 4070 Laptop GPU", "GeForce RTX 4070"),
        ("titan_rtx", "TITAN RTX"),
        ("NVIDIA-RTX-6000-Ada-Generation", "RTX 6000 Ada Generation"),
        ("quadro_rtx_6000", "Quadro RTX 6000"),
        ("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000 Blackwell"),
        ("A16", "A2 / A16"),
        ("DGX Spark", "GB10 (DGX Spark)"),
        ("mi300x", "Instinct MI300X"),
        ("AMD_Instinct_MI300X_OAM", "Instinct MI300X"),
        ("7900xtx", "Radeon RX 7900 XTX"),
        ("Arc B580", "Arc B580"),
        ("b580", "Arc B580"),
        # too little to tell which, or nothing at all
        ("rtx6000", None),
        ("mi300", None),
        ("nvidia", None),
        ("tesla", None),
        ("gpu", None),
        ("1g.5gb", None),
        ("banana", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_spellings(name: str, known_as: str | None) -> None:
    row = find_gpu(name)
    assert (row.name if row else None) == known_as


def test_every_device_of_the_catalog_is_found_by_its_name() -> None:
    for row in load_catalog().gpus:
        found = find_gpu(row.name)
        assert found is not None, row
        assert (found.vendor, found.target) == (row.vendor, row.target), row
        assert slug(accelerator_of(row)).isalnum()


@pytest.mark.parametrize(
    ("text", "accelerator"),
    [
        ("sm_61", Accelerator(vendor="nvidia", compute_capability="6.1")),
        ("SM120", Accelerator(vendor="nvidia", compute_capability="12.0")),
        ("sm_90a", Accelerator(vendor="nvidia", compute_capability="9.0")),
        ("gfx90a", Accelerator(vendor="amd", gfx_target="gfx90a")),
        ("GFX1100", Accelerator(vendor="amd", gfx_target="gfx1100")),
        ("T4", Accelerator(vendor="nvidia", name="Tesla T4", compute_capability="7.5")),
        ("8086:FFF0", Accelerator(vendor="intel", pci_id="8086:fff0")),
        ("8086:e20b", Accelerator(vendor="intel", name="Arc B580", pci_id="8086:e20b")),
        ("10de:1eb8", Accelerator(vendor="nvidia", name="Tesla T4", compute_capability="7.5")),
        ("10de:ffff", None),
        ("b58", None),
        ("sm_1", None),
        ("gfx9", None),
        ("sm_٦١", None),
    ],
)
def test_targets_are_names_too(text: str, accelerator: Accelerator | None) -> None:
    assert find_accelerator(text) == accelerator


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("v10", "Tesla V100"),
        ("mi300", "Instinct MI300X"),
        ("rtx6000", "RTX A6000"),
        ("rtx8000", "Quadro RTX 8000"),
    ],
)
def test_near_names(name: str, near: str) -> None:
    assert near in near_names(name)
    assert len(near_names(name)) <= 3


def test_slugs() -> None:
    names = {
        "Tesla V100": "v100",
        "GeForce RTX 3090": "rtx3090",
        "Instinct MI300X": "mi300x",
        "GB10 (DGX Spark)": "gb10",
    }
    for name, expected in names.items():
        row = find_gpu(name)
        assert row
        assert slug(accelerator_of(row)) == expected
    assert slug(Accelerator(vendor="nvidia", name="../../etc", compute_capability="8.6")) == "sm86"
    assert slug(Accelerator(vendor="amd", name="../../etc")) == "etc"
    assert slug(Accelerator(vendor="intel", name="///")) == "intel"
