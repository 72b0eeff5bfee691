"""Display devices on the PCI bus: known by their ids even where no driver or tool answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.probes.seam import System
from torchsel.vendors import Vendor

DEVICES = "/sys/bus/pci/devices"
PASSED_TO_A_GUEST = "vfio-pci"

_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_DISPLAY = 0x03
# Instinct accelerators call themselves "processing accelerator"; so do Intel's NPUs, which are no GPUs.
_PROCESSING_ACCELERATOR = 0x12
_WINDOWS_ID = r"PCI\\VEN_([0-9A-Fa-f]{4})&DEV_([0-9A-Fa-f]{4})"


@dataclass(frozen=True, kw_only=True, slots=True)
class PciDevice:
    """One display device; ``address`` and ``driver`` (the kernel module bound to it) are Linux's."""

    vendor: Vendor
    pci_id: str
    address: str | None = None
    driver: str | None = None

    @property
    def accelerator(self) -> Accelerator:
        """The device as far as the bus knows it."""
        return Accelerator(vendor=self.vendor, pci_id=self.pci_id)


def pci_id(vendor: int, device: int) -> str:
    """The id as a recorded host has it, ``10de:2335``."""
    return f"{vendor:04x}:{device:04x}"


def display_devices(system: System, vendors: Mapping[int, Vendor]) -> tuple[PciDevice, ...]:
    """The display devices of these ``vendors`` (by PCI id), in bus order."""
    name = system.platform().name
    if name == "win32":
        return _windows_devices(system.windows_display_ids() or (), vendors)
    if name != "linux":
        return ()
    found = (_linux_device(system, address, vendors) for address in system.list_dir(DEVICES))
    return tuple(device for device in found if device)


def _linux_device(system: System, address: str, vendors: Mapping[int, Vendor]) -> PciDevice | None:
    folder = f"{DEVICES}/{address}"
    kind = (_hexadecimal(system.read_text(f"{folder}/class")) or 0) >> 16
    if kind not in (_DISPLAY, _PROCESSING_ACCELERATOR):
        return None
    vendor = _hexadecimal(system.read_text(f"{folder}/vendor"))
    device = _hexadecimal(system.read_text(f"{folder}/device"))
    if vendor is None or vendor not in vendors or device is None or device > 0xFFFF:
        return None
    if kind == _PROCESSING_ACCELERATOR and vendors[vendor] != "amd":
        return None
    if system.read_link(f"{folder}/physfn"):  # a virtual function of a card that is listed itself
        return None
    driver = system.read_link(f"{folder}/driver")
    return PciDevice(
        vendor=vendors[vendor],
        pci_id=pci_id(vendor, device),
        address=address,
        driver=driver.rsplit("/", 1)[-1] if driver else None,
    )


def _windows_devices(ids: tuple[str, ...], vendors: Mapping[int, Vendor]) -> tuple[PciDevice, ...]:
    matches = filter(None, (re.match(_WINDOWS_ID, text) for text in ids))
    pairs = ((int(match[1], 16), int(match[2], 16)) for match in matches)
    return tuple(
        PciDevice(vendor=vendors[vendor], pci_id=pci_id(vendor, device))
        for vendor, device in pairs
        if vendor in vendors
    )


def _hexadecimal(text: str | None) -> int | None:
    digits = (text or "").strip().removeprefix("0x")
    return int(digits, 16) if 0 < len(digits) <= 8 and _HEXADECIMAL.issuperset(digits) else None
