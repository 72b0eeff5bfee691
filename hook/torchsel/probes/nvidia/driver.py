"""What the kernel's own files say of NVIDIA: which driver is loaded, and which Jetson this is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.probes.findings import ProbeResult, found
from torchsel.probes.seam import NVML_DLL, WSL_LIBRARIES, System

CONTROL_NODE = "/dev/nvidiactl"

_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_WSL_NVML = f"{WSL_LIBRARIES}/libnvidia-ml.so.1"
_VERSION = r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}"
# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  <date>", and of the open module
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (builder)  <date>".
_NVRM = rf"Kernel Module(?: for \S+)?[ \t]+({_VERSION})(?!\S)"

_CHIP = re.compile(r"nvidia,(tegra\d+)", re.ASCII)
_R = re.compile(r"# R(\d{1,4})", re.ASCII)
# Chip, its GPU's compute capability (developer.nvidia.com/cuda-gpus) and a name for want of a model.
_CHIPS = {
    "tegra210": ("5.3", "Jetson Nano or TX1"),
    "tegra186": ("6.2", "Jetson TX2"),
    "tegra194": ("7.2", "Jetson Xavier"),
    "tegra234": ("8.7", "Jetson Orin"),
    "tegra264": ("11.0", "Jetson Thor"),
}
# From this driver branch on (JetPack 7) CUDA is the servers' one (SBSA); JetPack 6 has 540.
_SERVER_DRIVER = 580


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """A loaded driver: its version, raw, where the kernel tells it, and what gave it away."""

    version: str | None = None
    where: str


def driver_version(text: str | None) -> str | None:
    """A driver version such as ``550.144.03``, kept raw; None for anything else (``[N/A]``, a stray word)."""
    word = (text or "").strip()
    return word if re.fullmatch(_VERSION, word) else None


def find_driver(system: System) -> Driver | None:
    """The loaded NVIDIA driver; None where there is no trace of one."""
    platform = system.platform()
    if platform.name != "linux":
        on_windows = platform.name == "win32" and system.exists(NVML_DLL)
        return Driver(where=NVML_DLL) if on_windows else None
    if version := driver_version(system.read_text(_MODULE)):
        return Driver(version=version, where=_MODULE)
    if match := re.search(_NVRM, system.read_text(_PROC) or ""):
        return Driver(version=match[1], where=_PROC)
    if system.exists(CONTROL_NODE):
        return Driver(where=CONTROL_NODE)
    # in WSL 2 itself there is the library that Windows mounts, in a container there the tool passed in
    in_wsl = platform.is_wsl and system.exists("/dev/dxg")
    if in_wsl and (system.exists(_WSL_NVML) or system.find_program("nvidia-smi")):
        return Driver(where="WSL 2")
    return None


def probe_tegra(system: System, driver: str | None) -> ProbeResult | None:
    """The GPU that is part of a Tegra chip, by device tree, release file or kernel; None where this is none.

    The driver is listed only where PyTorch's aarch64 builds work with it: those are for servers (SBSA), and
    up to JetPack 6 a Jetson's CUDA is its own.
    """
    platform = system.platform()
    if platform.name != "linux" or platform.machine != "aarch64":
        return None
    kernel = platform.kernel or ""
    chip = _CHIP.search(_device_tree(system, "compatible"))
    release = system.read_text("/etc/nv_tegra_release") or ""
    if not (chip or release or "tegra" in kernel):
        return None
    # JetPack 6 supports Orin alone, on Linux 5.15 (Jetson Linux 36 release notes)
    known = chip[1] if chip else "tegra234" if kernel.startswith("5.15.") else ""
    capability, name = _CHIPS.get(known, (None, "Jetson"))
    model = _device_tree(system, "model").strip("\0 \n")
    gpu = Accelerator(vendor="nvidia", name=model or name, compute_capability=capability)
    number = _R.match(release)
    why = f"{gpu.label}, Jetson Linux {number[1] if number else '?'}"
    if driver and int(driver.split(".")[0]) >= _SERVER_DRIVER:
        return found("Tegra", (gpu,), why=why, driver=driver)
    note = (
        f"{gpu.label}: PyTorch's own CUDA builds don't run on JetPack 6 and older. Route torch "
        "to the wheels that NVIDIA's Jetson AI Lab makes for your JetPack, or install JetPack 7.2 or newer, "
        "which runs cu130."
    )
    return found("Tegra", (gpu,), note, why=why)


def _device_tree(system: System, name: str) -> str:
    """A property of the root; empty where there is none."""
    folders = ("/proc/device-tree", "/sys/firmware/devicetree/base")
    return next((text for folder in folders if (text := system.read_text(f"{folder}/{name}"))), "")
