"""NVIDIA GPUs as NVML lists them. No CUDA context is made; NVML only asks the driver."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torchsel.host import Accelerator
from torchsel.probes.nvidia.driver import driver_version
from torchsel.probes.pci import pci_id

# nvml.h, nvmlReturn_t
VERSION_MISMATCH = 18
UNKNOWN = 999

_MIG_SINCE = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class NvmlAnswer:
    """What NVML told: the driver version, the GPUs in PCI order, and sentences about odd ones."""

    driver: str | None
    accelerators: tuple[Accelerator, ...]
    notes: tuple[str, ...]


def ask_nvml(nvml: Any) -> NvmlAnswer:
    """Ask the ``pynvml`` module, or a stand-in with its functions, for every GPU.

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
    return NvmlAnswer(
        driver=driver,
        accelerators=tuple(item for item, _ in answers if item),
        notes=tuple(dict.fromkeys(note for _, note in answers if note)),
    )


def error_code(error: Exception) -> int:
    """NVML's return code behind one of its exceptions."""
    code = getattr(error, "value", UNKNOWN)
    return code if isinstance(code, int) else UNKNOWN


def _device(nvml: Any, index: int) -> tuple[Accelerator | None, str | None]:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        return None, f"NVIDIA GPU {index} does not answer ({error}) and is left out; a reboot may help."
    capability = _optional(nvml, nvml.nvmlDeviceGetCudaComputeCapability, handle)
    accelerator = Accelerator(
        vendor="nvidia",
        name=_text(_optional(nvml, nvml.nvmlDeviceGetName, handle)),
        compute_capability=f"{capability[0]}.{capability[1]}" if capability else None,
        pci_id=_pci_id(_optional(nvml, nvml.nvmlDeviceGetPciInfo, handle)),
    )
    divided = bool(capability) and capability[0] >= _MIG_SINCE and _divided(nvml, handle)
    return accelerator, _mig_note(accelerator) if divided else None


def _divided(nvml: Any, handle: Any) -> bool:
    modes = _optional(nvml, nvml.nvmlDeviceGetMigMode, handle)
    return bool(modes) and modes[0] == 1


def _mig_note(accelerator: Accelerator) -> str:
    return (
        f"{accelerator.label} is divided into MIG instances; "
        f"they have its compute capability, {accelerator.compute_capability}."
    )


def _pci_id(info: Any) -> str | None:
    """``pciDeviceId`` holds the vendor in its low 16 bits and the device in its high ones (nvml.h)."""
    packed = getattr(info, "pciDeviceId", 0)
    return pci_id(packed & 0xFFFF, packed >> 16 & 0xFFFF) if packed else None


def _optional(nvml: Any, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (nvml.NVMLError, ValueError):  # ValueError: a name that is not UTF-8
        return None


def _text(value: str | bytes | None) -> str | None:
    """Older bindings answer in bytes."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return (text or "").strip() or None
