"""Accelerators as selection sees them, and the names of vendors and families."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.selection.remedy import Remedy
from torchsel.vendors import Family, Vendor

FAMILIES: Mapping[Vendor, tuple[Family, str]] = {
    "nvidia": ("cuda", "CUDA"),
    "amd": ("rocm", "ROCm"),
    "intel": ("xpu", "XPU"),
}
"""The family of builds for a vendor's devices, and its name in sentences."""

FAMILY_NAMES: Mapping[Vendor, str] = {vendor: name for vendor, (_, name) in FAMILIES.items()}
FAMILY_VENDORS: Mapping[str, Vendor] = {family: vendor for vendor, (family, _) in FAMILIES.items()}

_MAKERS = re.compile(r"^(NVIDIA|AMD|Intel(\(R\))?)\s+(GeForce\s+)?", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Accelerators that a build serves alike: one target.

    ``target`` is a compute capability or gfx target, None where unknown. ``fault`` says why no build can
    run on it at all, ``remedy`` what would change that. ``torch_from`` is the first torch that supports it,
    empty for any.
    """

    vendor: Vendor
    accelerators: tuple[Accelerator, ...]
    target: str | None
    rank: tuple[int, ...] = ()
    integrated: bool = False
    fault: str = ""
    remedy: Remedy | None = None
    torch_from: str = ""

    @property
    def names(self) -> str:
        """Their names with counts, ``3x Tesla P40``."""
        counts = Counter(short_name(item) for item in self.accelerators)
        return ", ".join(f"{count}x {name}" if count > 1 else name for name, count in counts.items())

    @property
    def label(self) -> str:
        """Target and names, ``6.1 (3x Tesla P40)``."""
        return f"{self.target} ({self.names})" if self.target and self.target != self.names else self.names


Devices = tuple[Device, ...]


def short_name(accelerator: Accelerator) -> str:
    """The accelerator's name without its maker, ``GTX 1080 Ti``."""
    return _MAKERS.sub("", accelerator.label)


def labels_of(devices: Iterable[Device]) -> str:
    """Targets and names of devices."""
    return ", ".join(device.label for device in devices)
