"""What every probe looks at: the platform, what may stand between a process and the GPUs, and the PCI bus.

A display device is known by its ids even where no driver or tool answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import get_args

from torchsel.host import Accelerator, Host, normalize_machine
from torchsel.host import System as SystemName
from torchsel.probes.findings import Finding, ProbeResult
from torchsel.probes.seam import Platform, System
from torchsel.vendors import VENDORS, Vendor

DEVICES = "/sys/bus/pci/devices"
SET_ASIDE = "is set aside for a virtual machine (vfio-pci)"

_VENDORS: dict[int, Vendor] = {row.pci: vendor for vendor, row in VENDORS.items()}
_DISPLAY = 0x03
# Instinct accelerators call themselves "processing accelerator"; so do Intel's NPUs, which are no GPUs.
_PROCESSING_ACCELERATOR = 0x12
_WINDOWS_ID = r"PCI\\VEN_([0-9A-Fa-f]{4})&DEV_([0-9A-Fa-f]{4})"

_NAMES: dict[str, SystemName] = {
    **{name: name for name in get_args(SystemName)},
    # Pythons of a Unix layer on Windows
    **dict.fromkeys(("cygwin", "msys"), "win32"),
}
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "container", "SINGULARITY_NAME", "APPTAINER_NAME")
# Slurm's word for "no devices"; CUDA reads any entry that it doesn't know as the end of the list.
_NO_DEVICE_WORDS = ("nodevfiles", "none", "void")


@dataclass(frozen=True, kw_only=True, slots=True)
class PciDevice:
    """One display device; ``address`` and ``driver`` (the kernel module bound to it) are Linux's."""

    vendor: Vendor
    pci_id: str
    address: str | None = None
    driver: str | None = None

    @property
    def is_set_aside(self) -> bool:
        """Whether it is passed to a virtual machine."""
        return self.driver == "vfio-pci"

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

    @property
    def in_container(self) -> bool:
        """Whether this is a container: Docker, Podman, systemd-nspawn, Kubernetes, Apptainer."""
        told = any(self.environ.get(name) for name in _CONTAINER_VARIABLES)
        return told or any(self.system.exists(path) for path in _CONTAINER_FILES)

    def hiding_variable(self, *names: str) -> str | None:
        """The first of the variables that hides every device, as ``NAME="value"``; None where none does."""
        for name in names:
            value = self.environ.get(name, "all")
            # an empty list hides all, and so does one that starts with an index that is none, such as -1
            # (CUDA C++ Programming Guide, "CUDA Environment Variables"; HIP and ROCr read theirs alike)
            first = value.partition(",")[0].strip().lower()
            if not first or first.startswith("-") or first in _NO_DEVICE_WORDS:
                return f'{name}="{value}"'
        return None


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


def read_machine(system: System) -> tuple[Host, ProbeResult]:
    """The host without accelerators, and what is to be said about it."""
    platform = system.platform()
    libc = platform.libc
    # musl says nothing about itself; its loader in /lib does
    if not libc and platform.name == "linux":
        libc = next(("musl" for name in system.list_dir("/lib") if name.startswith("ld-musl-")), None)
    host = Host(
        system=_NAMES.get(platform.name, "linux"),
        machine=normalize_machine(platform.native_machine or platform.machine),
        libc=libc,
        kernel=platform.kernel,
    )
    details = [host.system, host.machine, libc, platform.kernel and f"kernel {platform.kernel}"]
    details += ["WSL"] if platform.is_wsl else []
    finding = Finding(probe="platform", outcome="found", why=", ".join(filter(None, details)))
    return host, ProbeResult(findings=(finding,), notes=tuple(_notes(platform, libc)))


def _notes(platform: Platform, libc: str | None) -> Iterator[str]:
    """What keeps PyTorch's wheels, or its builds for GPUs, from a machine such as this."""
    native = normalize_machine(platform.native_machine or platform.machine)
    is_emulated = native != normalize_machine(platform.machine)
    if platform.name not in _NAMES:
        yield f"PyTorch publishes no wheels for {platform.name}; torchsel treats it as Linux."
    if libc == "musl":
        yield (
            "This Python uses musl (Alpine Linux); PyTorch publishes no wheels for musl. "
            "Use an image or a distribution with glibc, such as Debian or Ubuntu."
        )
    if platform.bits == 32:
        yield "This Python is a 32-bit build; PyTorch has wheels for 64-bit Python only."
    # WSL 1 reports 4.4.0-19041-Microsoft, WSL 2 a real kernel from 4.19 on
    if platform.is_wsl and (platform.kernel or "").startswith("4.4."):
        yield "This is WSL 1, which has no access to a GPU; convert it with 'wsl --set-version <name> 2'."
    if is_emulated and platform.name == "darwin":
        yield (
            "This Python is an x86_64 build under Rosetta on Apple silicon; "
            "use an arm64 Python, since PyTorch's last release for Intel Macs is 2.2."
        )
    elif is_emulated:
        yield (
            f"This Python is built for {platform.machine} and emulated on {platform.native_machine}; "
            "CUDA and XPU builds of PyTorch don't run there."
        )
    elif platform.name == "win32" and native == "aarch64":
        yield "Windows on Arm: PyTorch has CPU wheels only for it, for Python built for Arm64."
