"""The rules by which machine code, PTX and drivers fit a device; pure functions on version texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from torchsel.catalog.rows import release_key


def driver_meets(driver: str, minimum: str) -> bool:
    """Whether an NVIDIA driver is at least ``minimum``, part by part: ``580.65.06`` meets ``580``."""
    return release_key(driver) >= release_key(minimum)


def has_machine_code(kernels: Iterable[str], capability: str) -> bool:
    """Whether a cubin among ``kernels`` runs on ``capability``: X.y runs on X.z with z >= y, same major.

    Source: CUDA C++ Programming Guide, "Binary Compatibility". Tegra with nvgpu was an exception (8.0 not on
    8.7) that builds with CUDA 13.2 or newer lift (torch/cuda/__init__.py of 2.11 to 2.15); as cu130 was seen
    to run there with JetPack 7, with a warning of torch's, it is none here.
    """
    major, minor = _pair(capability)
    return any(have == major and least <= minor for have, least in map(_pair, kernels))


def has_ptx(ptx: Iterable[str], capability: str) -> bool:
    """Whether embedded PTX can be compiled for ``capability``: that of X.y on anything from X.y on.

    Needs a driver as new as the CUDA release that made the PTX: minor-version compatibility leaves PTX out.
    Source: docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html.
    """
    return any(_pair(have) <= _pair(capability) for have in ptx)


def span(kernels: tuple[str, ...]) -> str:
    """Capabilities in a few characters, ``7.5-12.0``."""
    ordered = sorted(kernels, key=_pair)
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]}-{ordered[-1]}"


def gfx_rank(target: str) -> tuple[int, ...]:
    """A gfx target as numbers, ``gfx90a`` before ``gfx1100``: major, minor, hexadecimal stepping (LLVM)."""
    match = re.fullmatch(r"(?:gfx)?(\d+)([0-9a-f])([0-9a-f])", target, re.ASCII)
    return (int(match[1]), int(match[2], 16), int(match[3], 16)) if match else ()


@lru_cache(maxsize=64)
def _pair(capability: str) -> tuple[int, int]:
    major, _, minor = capability.partition(".")
    return int(major), int(minor or 0)
