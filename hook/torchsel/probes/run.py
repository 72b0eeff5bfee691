"""All probes, one after another, each guarded: whatever the machine does, a host comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from torchsel.host import Host
from torchsel.probes.amd.probe import probe_amd
from torchsel.probes.findings import Finding, ProbeResult
from torchsel.probes.intel import probe_intel
from torchsel.probes.nvidia.probe import probe_nvidia
from torchsel.probes.pci import PciDevice, display_devices
from torchsel.probes.platform import read_machine
from torchsel.probes.seam import System
from torchsel.probes.system import RealSystem
from torchsel.vendors import VENDORS, Vendor

T = TypeVar("T")


PROBES: Mapping[Vendor, Callable[[System, Mapping[str, str], Sequence[PciDevice]], ProbeResult]] = {
    "nvidia": probe_nvidia,
    "amd": probe_amd,
    "intel": probe_intel,
}
"""What judges a vendor's devices. A further one is a row here and a module."""

PCI_VENDORS: Mapping[int, Vendor] = {row.pci: vendor for vendor, row in VENDORS.items()}


def probe(
    system: System | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Host, tuple[Finding, ...]]:
    """Look at the machine, or at what ``system`` and ``environ`` show of one. Never raises.

    Returns:
        The host and every probe's finding, in the order they were made. ``Host.notes`` holds the sentences
        for the user; ``Host.nvidia_driver`` is set only where an NVIDIA accelerator is listed.
    """
    system = RealSystem() if system is None else system
    environ = os.environ if environ is None else environ
    host, platform = _guarded("platform", lambda: read_machine(system), _unknown_machine)
    devices, bus = _guarded(
        "PCI", lambda: (display_devices(system, PCI_VENDORS), ProbeResult()), lambda failed: ((), failed)
    )
    results = [platform, bus]
    for vendor, row in VENDORS.items():
        cards = tuple(device for device in devices if device.vendor == vendor)
        look = partial(PROBES[vendor], system, environ, cards)
        results.append(_guarded(row.name, look, lambda failed: failed))
    return _combine(host, results)


def _combine(host: Host, results: list[ProbeResult]) -> tuple[Host, tuple[Finding, ...]]:
    notes = (note for result in results for note in result.notes)
    combined = replace(
        host,
        nvidia_driver=next((result.driver for result in results if result.driver), None),
        accelerators=tuple(item for result in results for item in result.accelerators),
        notes=tuple(dict.fromkeys(notes)),
    )
    return combined, tuple(finding for result in results for finding in result.findings)


def _guarded(name: str, look: Callable[[], T], instead: Callable[[ProbeResult], T]) -> T:
    """What ``look`` finds; whatever it raises becomes a failed finding and a note."""
    try:
        return look()
    except Exception as error:  # a probe must never stop a user's uv
        why = f"{type(error).__name__}: {error}"
        note = f"The {name} probe failed ({why}) and is left out; please report it."
        return instead(ProbeResult(findings=(Finding(probe=name, outcome="failed", why=why),), notes=(note,)))


def _unknown_machine(failed: ProbeResult) -> tuple[Host, ProbeResult]:
    return Host(system="linux", machine="unknown"), failed
