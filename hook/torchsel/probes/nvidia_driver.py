"""Whether NVIDIA's driver is loaded, and which, from the kernel's own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.probes.surroundings import is_wsl
from torchsel.probes.system import NVML_DLL, WSL_LIBRARIES

if TYPE_CHECKING:
    from torchsel.probes.system import System

CONTROL_NODE = "/dev/nvidiactl"

_MODULE = "/sys/module/nvidia/version"
_PROC = "/proc/driver/nvidia/version"
_WSL_NVML = f"{WSL_LIBRARIES}/libnvidia-ml.so.1"
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,6}){1,3}", re.ASCII)
# "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  <date>", and of the open module
# "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (builder)  <date>".
_NVRM = re.compile(r"Kernel Module(?: for \S+)?[ \t]+(\d{1,4}(?:\.\d{1,6}){1,3})(?!\S)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """A loaded driver: its version, raw, where the kernel tells it, and what gave it away."""

    version: str | None = None
    where: str


def driver_version(text: str | None) -> str | None:
    """A driver version such as ``550.144.03``, kept raw; None for anything else (``[N/A]``, a stray word)."""
    word = (text or "").strip()
    return word if _VERSION.fullmatch(word) else None


def find_driver(system: System) -> Driver | None:
    """The loaded NVIDIA driver; None where there is no trace of one."""
    name = system.platform().name
    if name == "linux":
        return _linux_driver(system)
    return Driver(where=NVML_DLL) if name == "win32" and system.exists(NVML_DLL) else None


def _linux_driver(system: System) -> Driver | None:
    if version := driver_version(system.read_text(_MODULE)):
        return Driver(version=version, where=_MODULE)
    if match := _NVRM.search(system.read_text(_PROC) or ""):
        return Driver(version=match[1], where=_PROC)
    if system.exists(CONTROL_NODE):
        return Driver(where=CONTROL_NODE)
    if is_wsl(system) and system.exists("/dev/dxg") and system.exists(_WSL_NVML):
        return Driver(where=_WSL_NVML)
    return None
