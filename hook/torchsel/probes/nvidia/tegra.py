"""NVIDIA's Tegra systems (Jetson), whose GPU is part of the chip, and what to do where wheels fail."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, ProbeResult
from torchsel.probes.nvidia.driver import driver_version
from torchsel.probes.seam import System

_COMPATIBLE = ("/proc/device-tree/compatible", "/sys/firmware/devicetree/base/compatible")
_MODEL = ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model")
_RELEASE = "/etc/nv_tegra_release"
_CHIP = re.compile(r"nvidia,(tegra\d+)", re.ASCII)
_R = re.compile(r"# R(\d{1,4})", re.ASCII)

_NAME = "Tegra"
# Chip, its GPU's compute capability (developer.nvidia.com/cuda-gpus) and a name for want of a model.
_CHIPS = {
    "tegra210": ("5.3", "Jetson Nano or TX1"),
    "tegra186": ("6.2", "Jetson TX2"),
    "tegra194": ("7.2", "Jetson Xavier"),
    "tegra234": ("8.7", "Jetson Orin"),
    "tegra264": ("11.0", "Jetson Thor"),
}
# JetPack 6 supports Orin alone, on Linux 5.15 (Jetson Linux 36 release notes).
_ORIN_KERNEL = "5.15."
# From this driver branch on (JetPack 7) CUDA is the servers' one (SBSA); JetPack 6 has 540.
_SERVER_DRIVER = 580


@dataclass(frozen=True, kw_only=True, slots=True)
class Tegra:
    """A Tegra system: its GPU, and its Jetson Linux release (36 is JetPack 6)."""

    accelerator: Accelerator
    release: int | None


def find_tegra(system: System) -> Tegra | None:
    """The Tegra system this is, by device tree, release file or kernel; None where it is none."""
    platform = system.platform()
    if platform.name != "linux" or platform.machine != "aarch64":
        return None
    kernel = platform.kernel or ""
    chip = _CHIP.search(_first(system, _COMPATIBLE) or "")
    release = system.read_text(_RELEASE)
    if not (chip or release or "tegra" in kernel):
        return None
    known = chip[1] if chip else "tegra234" if kernel.startswith(_ORIN_KERNEL) else ""
    capability, name = _CHIPS.get(known, (None, "Jetson"))
    model = (_first(system, _MODEL) or "").strip("\0 \n")
    accelerator = Accelerator(vendor="nvidia", name=model or name, compute_capability=capability)
    number = _R.match(release or "")
    return Tegra(accelerator=accelerator, release=int(number[1]) if number else None)


def probe_tegra(tegra: Tegra, driver: str | None) -> ProbeResult:
    """The chip's GPU.

    The driver is listed only where PyTorch's aarch64 builds work with it: those are for servers (SBSA), and
    up to JetPack 6 a Jetson's CUDA is its own.
    """
    finding = Finding(
        probe=_NAME, outcome="found", why=f"{tegra.accelerator.label}, Jetson Linux {tegra.release or '?'}"
    )
    version = driver_version(driver)
    if _like_a_server(version):
        return ProbeResult(findings=(finding,), accelerators=(tegra.accelerator,), driver=version)
    note = (
        f"{tegra.accelerator.label}: PyTorch's own CUDA builds don't run on JetPack 6 and older. Route torch "
        "to the wheels that NVIDIA's Jetson AI Lab makes for your JetPack, or install JetPack 7.2 or newer, "
        "which runs cu130."
    )
    return ProbeResult(findings=(finding,), accelerators=(tegra.accelerator,), notes=(note,))


def _like_a_server(driver: str | None) -> bool:
    return driver is not None and int(driver.split(".")[0]) >= _SERVER_DRIVER


def _first(system: System, paths: tuple[str, ...]) -> str | None:
    return next((text for path in paths if (text := system.read_text(path))), None)
