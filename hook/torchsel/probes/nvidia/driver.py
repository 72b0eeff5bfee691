"""Whether NVIDIA's driver is loaded, and which, from the kernel's own files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchsel.probes.platform import is_wsl
from torchsel.probes.seam import NVML_DLL, WSL_LIBRARIES, System

CONTROL_NODE = "/dev/nvidiactl"

_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_WSL_NVML = f"{WSL_LIBRARIES}/libnvidia-ml.so.1"
_VERSION = r"[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}"
# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  <date>", and of the open module
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (builder)  <date>".
_NVRM = rf"Kernel Module(?: for \S+)?[ \t]+({_VERSION})(?!\S)"


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
    name = system.platform().name
    if name == "linux":
        return _linux_driver(system)
    return Driver(where=NVML_DLL) if name == "win32" and system.exists(NVML_DLL) else None


def _linux_driver(system: System) -> Driver | None:
    if version := driver_version(system.read_text(_MODULE)):
        return Driver(version=version, where=_MODULE)
    if match := re.search(_NVRM, system.read_text(_PROC) or ""):
        return Driver(version=match[1], where=_PROC)
    if system.exists(CONTROL_NODE):
        return Driver(where=CONTROL_NODE)
    return Driver(where="WSL 2") if _windows_shares_a_driver(system) else None


def _windows_shares_a_driver(system: System) -> bool:
    """In WSL 2 itself by the library that Windows mounts, in a container there by the tool passed in."""
    if not is_wsl(system) or not system.exists("/dev/dxg"):
        return False
    return system.exists(_WSL_NVML) or system.find_program("nvidia-smi") is not None
