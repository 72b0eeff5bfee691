"""Display devices on the PCI bus: known by their ids even where no driver or tool answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torchsel.host import VENDORS, Accelerator, Vendor
from torchsel.probes.seam import System

DEVICES = "/sys/bus/pci/devices"
PASSED_TO_A_GUEST = "vfio-pci"
SET_ASIDE = f"is set aside for a virtual machine ({PASSED_TO_A_GUEST})"

_VENDORS: dict[int, Vendor] = {row.pci: vendor for vendor, row in VENDORS.items()}
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a vendor's probe works on: the machine, the variables, and the vendor's cards on the bus."""

    system: System
    environ: Mapping[str, str]
    cards: tuple[PciDevice, ...]


def pci_id(vendor: int, device: int) -> str:
    """The id as a recorded host has it, ``10de:2335``."""
    return f"{vendor:04x}:{device:04x}"


def display_devices(system: System) -> tuple[PciDevice, ...]:
    """The display devices of the vendors that torchsel knows, in bus order."""
    found: Iterable[PciDevice | None] = ()
    match system.platform().name:
        case "win32":
            found = map(_windows_device, system.windows_display_ids() or ())
        case "linux":
            found = (_linux_device(system, address) for address in system.list_dir(DEVICES))
    return tuple(device for device in found if device)


def _linux_device(system: System, address: str) -> PciDevice | None:
    folder = f"{DEVICES}/{address}"
    kind = (_hexadecimal(system.read_text(f"{folder}/class")) or 0) >> 16
    if kind not in (_DISPLAY, _PROCESSING_ACCELERATOR):
        return None
    vendor = _hexadecimal(system.read_text(f"{folder}/vendor"))
    device = _hexadecimal(system.read_text(f"{folder}/device"))
    if vendor not in _VENDORS or device is None or device > 0xFFFF:
        return None
    if kind == _PROCESSING_ACCELERATOR and _VENDORS[vendor] != "amd":
        return None
    if system.read_link(f"{folder}/physfn"):  # a virtual function of a card that is listed itself
        return None
    driver = system.read_link(f"{folder}/driver")
    return PciDevice(
        vendor=_VENDORS[vendor],
        pci_id=pci_id(vendor, device),
        address=address,
        driver=driver.rsplit("/", 1)[-1] if driver else None,
    )


def _windows_device(text: str) -> PciDevice | None:
    match = re.match(_WINDOWS_ID, text)
    vendor = _VENDORS.get(int(match[1], 16)) if match else None
    return PciDevice(vendor=vendor, pci_id=f"{match[1]}:{match[2]}".lower()) if match and vendor else None


def _hexadecimal(text: str | None) -> int | None:
    """A number of the kernel's, of 32 bits at most; None for anything else."""
    match = re.fullmatch(r"(?:0x)?([0-9A-Fa-f]{1,8})", (text or "").strip())
    return int(match[1], 16) if match else None
