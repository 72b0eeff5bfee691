"""All probes, one after another, each guarded: whatever the machine does, a host comes back."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from torchsel.host import Host
from torchsel.probes.amd.probe import probe_amd
from torchsel.probes.findings import Finding, Reading
from torchsel.probes.intel import probe_intel
from torchsel.probes.nvidia.probe import probe_nvidia
from torchsel.probes.pci import display_devices
from torchsel.probes.platform import read_machine
from torchsel.probes.system import RealSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchsel.probes.system import System

T = TypeVar("T")

_VENDOR_PROBES = {"NVIDIA": probe_nvidia, "AMD": probe_amd, "Intel": probe_intel}


def run_probes(
    system: System | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Host, tuple[Finding, ...]]:
    """The host, and the findings of every probe. Never raises."""
    system = RealSystem() if system is None else system
    environ = os.environ if environ is None else environ
    host, platform = _guarded("platform", lambda: read_machine(system), _unknown_machine)
    devices, bus = _guarded("PCI", lambda: (display_devices(system), Reading()), lambda failed: ((), failed))
    readings = [platform, bus]
    for name, probe in _VENDOR_PROBES.items():
        readings.append(_guarded(name, partial(probe, system, environ, devices), lambda failed: failed))
    return _combine(host, readings)


def run_machine_probe(system: System | None = None) -> Host:
    """The platform alone, without a look at any device. Never raises."""
    system = RealSystem() if system is None else system
    host, platform = _guarded("platform", lambda: read_machine(system), _unknown_machine)
    return _combine(host, [platform])[0]


def _combine(host: Host, readings: list[Reading]) -> tuple[Host, tuple[Finding, ...]]:
    notes = (note for reading in readings for note in reading.notes)
    combined = replace(
        host,
        nvidia_driver=next((reading.driver for reading in readings if reading.driver), None),
        accelerators=tuple(item for reading in readings for item in reading.accelerators),
        notes=tuple(dict.fromkeys(notes)),
    )
    return combined, tuple(finding for reading in readings for finding in reading.findings)


def _guarded(name: str, look: Callable[[], T], instead: Callable[[Reading], T]) -> T:
    """What ``look`` finds; whatever it raises becomes a failed finding and a note."""
    try:
        return look()
    except Exception as error:  # a probe must never stop a user's uv
        why = f"{type(error).__name__}: {error}"
        note = f"The {name} probe failed ({why}) and is left out; please report it."
        return instead(Reading(findings=(Finding(probe=name, outcome="failed", why=why),), notes=(note,)))


def _unknown_machine(failed: Reading) -> tuple[Host, Reading]:
    return Host(system="linux", machine="unknown"), failed
