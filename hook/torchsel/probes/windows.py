"""What only Windows' own libraries can say, through ctypes."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

from torchsel.probes.seam import Platform

# cfgmgr32.h; the GUID is GUID_DEVCLASS_DISPLAY of devguid.h.
_FILTER_PRESENT = 0x100
_FILTER_CLASS = 0x200
_DISPLAY_CLASS = "{4d36e968-e325-11ce-bfc1-08002be10318}"
_CR_SUCCESS = 0
# winnt.h IMAGE_FILE_MACHINE_*
_MACHINES = {0x8664: "AMD64", 0xAA64: "ARM64", 0x014C: "x86"}


def platform_facts(bits: int) -> Platform:
    """The platform, with the processor's own machine where this Python runs emulated.

    ``platform.machine()`` is not asked: its answer under emulation changed between Python releases.
    """
    machine = os.environ.get("PROCESSOR_ARCHITEW6432") or os.environ.get("PROCESSOR_ARCHITECTURE") or "AMD64"
    return Platform(
        name="win32", machine=machine, native_machine=native_machine(), kernel=_version(), bits=bits
    )


def native_machine() -> str | None:
    """The processor as ``AMD64`` or ``ARM64``, by ``IsWow64Process2`` (Windows 10 1511 and later)."""
    try:
        kernel32 = _library("kernel32")
        process, native = ctypes.c_ushort(), ctypes.c_ushort()
        kernel32.GetCurrentProcess.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(kernel32.GetCurrentProcess())
        answered = kernel32.IsWow64Process2(handle, ctypes.byref(process), ctypes.byref(native))
    except (AttributeError, OSError):
        return None
    return _MACHINES.get(native.value) if answered else None


def present_display_ids() -> tuple[str, ...] | None:
    """Device ids of the display adapters that are present now, by the configuration manager.

    The registry would list adapters that were taken out, too. None where the call fails.
    """
    try:
        manager = _library("cfgmgr32")
        flags = _FILTER_CLASS | _FILTER_PRESENT
        size = ctypes.c_ulong()
        if manager.CM_Get_Device_ID_List_SizeW(ctypes.byref(size), _DISPLAY_CLASS, flags) != _CR_SUCCESS:
            return None
        buffer = ctypes.create_unicode_buffer(max(size.value, 1))
        if manager.CM_Get_Device_ID_ListW(_DISPLAY_CLASS, buffer, size, flags) != _CR_SUCCESS:
            return None
    except (AttributeError, OSError):
        return None
    return tuple(filter(None, ctypes.wstring_at(buffer, size.value).split("\0")))


def _library(name: str) -> Any:
    loader = getattr(ctypes, "WinDLL", None)
    if loader is None:
        msg = f"{name} is part of Windows"
        raise OSError(msg)
    return loader(rf"C:\Windows\System32\{name}.dll", use_last_error=True)


def _version() -> str | None:
    version = getattr(sys, "getwindowsversion", lambda: None)()
    return f"{version.major}.{version.minor}.{version.build}" if version else None
