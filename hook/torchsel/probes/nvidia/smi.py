"""NVIDIA GPUs as nvidia-smi's query lists them: the last resort, for a machine where NVML can't be loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, Outcome, ProbeResult, listing
from torchsel.probes.nvidia.driver import driver_version
from torchsel.probes.pci import pci_id
from torchsel.probes.seam import System

PROGRAM = "nvidia-smi"

_FIELDS = ("driver_version", "compute_cap", "name", "pci.device_id")
_FIELDS_BEFORE_510 = ("driver_version", "name", "pci.device_id")
_CAPABILITY = re.compile(r"\d{1,3}\.\d{1,2}", re.ASCII)
# The device in the high half, the vendor in the low one: 0x233510DE.
_DEVICE_ID = re.compile(r"0x([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class SmiRow:
    """One line of the query: the driver version and the GPU."""

    driver: str | None
    accelerator: Accelerator


def ask_nvidia_smi(system: System) -> ProbeResult:
    """The GPUs and the driver version by ``nvidia-smi --query-gpu``, never by its banner."""
    program = system.find_program(PROGRAM)
    if not program:
        return _without_gpu("absent", "not installed")
    rows: tuple[SmiRow, ...] = ()
    for fields in (_FIELDS, _FIELDS_BEFORE_510):
        arguments = (f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
        done = system.run(program, arguments, timeout=system.timeout)
        if done.trouble:
            return _without_gpu("failed", done.trouble)
        rows = parse_rows(done.output, fields) if done.code == 0 else ()
        if rows or "not a valid field" not in done.output:
            break
    if not rows:
        return _without_gpu("failed", f"exit code {done.code}: {_first_line(done.output)}")
    accelerators = tuple(row.accelerator for row in rows)
    return ProbeResult(
        findings=(Finding(probe=PROGRAM, outcome="found", why=listing(accelerators)),),
        accelerators=accelerators,
        driver=next((row.driver for row in rows if row.driver), None),
    )


def parse_rows(output: str, fields: tuple[str, ...] = _FIELDS) -> tuple[SmiRow, ...]:
    """The rows of a query for ``fields``; a line that doesn't fit is passed over.

    A name may hold commas, so it is what stays between the fields before and after it.
    """
    before = fields.index("name")
    rows = (re.split(r"\s*,\s*", line.strip()) for line in output.splitlines())
    return tuple(_row(row, before) for row in rows if len(row) >= len(fields) and driver_version(row[0]))


def _row(row: list[str], before: int) -> SmiRow:
    capability = row[1] if before == 2 else ""
    name = ", ".join(row[before:-1])
    device = _DEVICE_ID.fullmatch(row[-1])
    accelerator = Accelerator(
        vendor="nvidia",
        name=None if name.startswith("[") else name or None,
        compute_capability=capability if _CAPABILITY.fullmatch(capability) else None,
        pci_id=pci_id(int(device[2], 16), int(device[1], 16)) if device else None,
    )
    return SmiRow(driver=driver_version(row[0]), accelerator=accelerator)


def _without_gpu(outcome: Outcome, why: str) -> ProbeResult:
    return ProbeResult(findings=(Finding(probe=PROGRAM, outcome=outcome, why=why),))


def _first_line(output: str) -> str:
    return next((line.strip() for line in output.splitlines() if line.strip()), "no output")[:200]
