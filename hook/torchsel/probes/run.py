"""All probes, one after another, each guarded: whatever the machine does, a host comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torchsel.host import Host
from torchsel.probes.amd import probe_amd
from torchsel.probes.findings import Finding, ProbeResult, failed
from torchsel.probes.intel import probe_intel
from torchsel.probes.nvidia.probe import probe_nvidia
from torchsel.probes.scene import PciDevice, Scene, display_devices, read_machine
from torchsel.probes.seam import System
from torchsel.probes.system import RealSystem
from torchsel.vendors import VENDORS, Vendor

PROBES: Mapping[Vendor, Callable[[Scene], ProbeResult]] = {
    "nvidia": probe_nvidia,
    "amd": probe_amd,
    "intel": probe_intel,
}
"""What judges a vendor's devices. A further one is a row here and a module."""


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
    host, devices = Host(system="linux", machine="unknown"), tuple[PciDevice, ...]()
    results: list[ProbeResult] = []
    with _guarded("platform", results):
        host, platform = read_machine(system)
        results.append(platform)
    with _guarded("PCI", results):
        devices = display_devices(system)
    for vendor, row in VENDORS.items():
        cards = tuple(device for device in devices if device.vendor == vendor)
        with _guarded(row.name, results):
            results.append(PROBES[vendor](Scene(system=system, environ=environ, cards=cards)))
    return _combine(host, results)


@contextmanager
def _guarded(name: str, results: list[ProbeResult]) -> Iterator[None]:
    """Whatever is raised becomes a failed finding and a note: a probe must never stop a user's uv."""
    try:
        yield
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        note = f"The {name} probe failed ({why}) and is left out; please report it."
        results.append(failed(name, why, note))


def _combine(host: Host, results: list[ProbeResult]) -> tuple[Host, tuple[Finding, ...]]:
    notes = (note for result in results for note in result.notes)
    combined = replace(
        host,
        nvidia_driver=next((result.driver for result in results if result.driver), None),
        accelerators=tuple(item for result in results for item in result.accelerators),
        notes=tuple(dict.fromkeys(notes)),
    )
    return combined, tuple(finding for result in results for finding in result.findings)
