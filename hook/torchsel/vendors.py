"""The vendors of accelerators and the families of builds for them, a row each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Vendor = Literal["nvidia", "amd", "intel"]
Family = Literal["cpu", "cuda", "rocm", "xpu"]


class Maker(NamedTuple):
    """A vendor of accelerators, and the family of builds that is for them.

    ``name`` and ``family_name`` are for sentences, ``pci`` is the vendor's id on the PCI bus. A tag is
    ``prefix`` and a release that looks like ``release`` (a pattern), which is empty where there is one tag.
    """

    name: str
    pci: int
    family: Family
    family_name: str
    prefix: str
    release: str = ""


VENDORS: Mapping[Vendor, Maker] = MappingProxyType(
    {
        "nvidia": Maker("NVIDIA", 0x10DE, "cuda", "CUDA", "cu", r"[0-9]{2,3}"),
        "amd": Maker("AMD", 0x1002, "rocm", "ROCm", "rocm", r"[0-9]+\.[0-9]+(\.[0-9]+)?"),
        "intel": Maker("Intel", 0x8086, "xpu", "XPU", "xpu"),
    }
)
"""In the order in which a host lists them, and in which their builds are preferred.

A further vendor is a row here, with its name and family in the types above, a module in ``probes`` with its
row in ``probes.run``, and rules in ``selection.rules`` where it has some of its own; its builds and GPUs are
rows of the catalog.
"""

FAMILIES: tuple[Family, ...] = ("cpu", *(maker.family for maker in VENDORS.values()))
