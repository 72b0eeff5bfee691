"""NVIDIA GPUs as NVML lists them, or nvidia-smi on a machine where NVML can't be loaded.

No CUDA context is made; both only ask the driver.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from torchsel.host import Accelerator
from torchsel.probes.findings import ProbeResult, absent, failed, found
from torchsel.probes.nvidia.driver import Driver, driver_version
from torchsel.probes.scene import pci_id
from torchsel.probes.seam import System

NVML = "NVML"
NVIDIA_SMI = "nvidia-smi"

_VERSION_MISMATCH = 18  # nvml.h, nvmlReturn_t
# MIG instances are of Ampere's data center GPUs and newer ones
_MIG_SINCE = 8

_FIELDS = ("driver_version", "compute_cap", "name", "pci.device_id")
_FIELDS_BEFORE_510 = ("driver_version", "name", "pci.device_id")
_CAPABILITY = re.compile(r"\d{1,3}\.\d{1,2}", re.ASCII)
# The device in the high half, the vendor in the low one: 0x233510DE.
_DEVICE_ID = re.compile(r"0x([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})", re.ASCII)

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """Call ``work``, which has no time limit of its own, in a daemon thread and wait ``seconds`` for it.

    Raises:
        TimeoutError: it did not come back; the thread is left behind and dies with the process.
        Exception: whatever ``work`` raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=call, name="torchsel-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        msg = f"no answer within {seconds:g} s"
        raise TimeoutError(msg)
    return results[0]


def from_nvml(system: System, driver: Driver) -> tuple[ProbeResult, bool]:
    """NVML's GPUs, and whether nvidia-smi, which asks the same library, would be no better."""
    try:
        module = system.nvml()
    except OSError as error:
        return failed(NVML, str(error)), False
    try:
        return within(system.timeout, lambda: ask_nvml(module)), True
    except TimeoutError as error:
        note = f"The NVIDIA driver does not respond ({error}); a reboot may help."
        return failed(NVML, str(error), note), True
    except module.NVMLError as error:
        if error.value == _VERSION_MISMATCH:
            note = (
                f"The NVIDIA driver was updated while {driver.version or 'the old one'} stays loaded "
                "(library and kernel module differ); CUDA fails until you reboot, or restart the container."
            )
            return failed(NVML, str(error), note), True
        note = (
            f"NVIDIA's management library fails ({str(error).rstrip('.')}), so CUDA will, too, "
            "until 'nvidia-smi' lists the GPU; a reboot may help."
        )
        return failed(NVML, str(error), note), False


def ask_nvml(nvml: Any) -> ProbeResult:
    """Ask the ``pynvml`` module, or a stand-in with its functions, for every GPU, in PCI order.

    Raises:
        nvml.NVMLError: NVML doesn't start or can't count; one GPU's failure is a note instead.
    """
    nvml.nvmlInitWithFlags(nvml.NVML_INIT_FLAG_NO_GPUS)
    try:
        driver = driver_version(_text(_optional(nvml, nvml.nvmlSystemGetDriverVersion)))
        answers = [_device(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
    accelerators = [item for item, _ in answers if item]
    notes = dict.fromkeys(note for _, note in answers if note)
    if not accelerators:
        return absent(NVML, "the driver runs no GPU", *notes)
    return found(NVML, accelerators, *notes, driver=driver)


def _device(nvml: Any, index: int) -> tuple[Accelerator | None, str | None]:
    """A GPU, and a sentence about an odd one."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        return None, f"NVIDIA GPU {index} does not answer ({error}) and is left out; a reboot may help."
    capability = _optional(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    # the vendor in the low 16 bits, the device in the high ones (nvml.h)
    packed = getattr(_optional(nvml, nvml.nvmlDeviceGetPciInfo, handle), "pciDeviceId", 0)
    accelerator = Accelerator(
        vendor="nvidia",
        name=_text(_optional(nvml, nvml.nvmlDeviceGetName, handle)),
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        pci_id=pci_id(packed & 0xFFFF, packed >> 16 & 0xFFFF) if packed else None,
    )
    can_divide = capability and capability[0] >= _MIG_SINCE
    modes = _optional(nvml, nvml.nvmlDeviceGetMigMode, handle) if can_divide else None
    if not modes or modes[0] != 1:
        return accelerator, None
    return accelerator, (
        f"{accelerator.label} is divided into MIG instances; "
        f"they have its compute capability, {accelerator.compute_capability}."
    )


def _optional(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (nvml.NVMLError, ValueError):  # ValueError: a name that is not UTF-8
        return None


def _text(value: str | bytes | None) -> str | None:
    """Older bindings answer in bytes."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return (text or "").strip() or None


class SmiRow(NamedTuple):
    """One line of nvidia-smi's query: the driver version and the GPU."""

    driver: str
    accelerator: Accelerator


def ask_nvidia_smi(system: System) -> ProbeResult:
    """The GPUs and the driver version by ``nvidia-smi --query-gpu``, never by its banner."""
    program = system.find_program(NVIDIA_SMI)
    if not program:
        return absent(NVIDIA_SMI, "not installed")
    for fields in (_FIELDS, _FIELDS_BEFORE_510):
        arguments = (f"--query-gpu={','.join(fields)}", "--format=csv,noheader")
        done = system.run(program, arguments)
        if done.trouble:
            return failed(NVIDIA_SMI, done.trouble)
        if rows := parse_rows(done.output, fields) if done.code == 0 else ():
            return found(NVIDIA_SMI, (row.accelerator for row in rows), driver=rows[0].driver)
        if "not a valid field" not in done.output:
            break
    first = next((line.strip() for line in done.output.splitlines() if line.strip()), "no output")
    return failed(NVIDIA_SMI, f"exit code {done.code}: {first[:200]}")


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
    return SmiRow(driver=row[0], accelerator=accelerator)
