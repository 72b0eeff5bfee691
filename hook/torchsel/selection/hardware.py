"""Which of the host's accelerators decide, and what is known of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from torchsel.catalog.catalog import Catalog
from torchsel.catalog.kernels import gfx_rank
from torchsel.catalog.rows import Gpu, release_key
from torchsel.host import Accelerator, Host
from torchsel.selection.device import Device, short_name
from torchsel.selection.remedy import Remedy
from torchsel.vendors import Vendor

_XPU_NAMES = re.compile(r"\bArc\b|Data Center GPU Max", re.ASCII)
_OLDER_INTEL_NAMES = re.compile(r"\bU?HD Graphics\b|\bIris\b", re.ASCII)


def devices_of(host: Host, vendor: Vendor, catalog: Catalog) -> tuple[Device, ...]:
    """The host's devices of one vendor, most capable first; those of one target are one device.

    One without a name gets that of its PCI id.
    """
    found: dict[tuple[str | None, str, str], Device] = {}
    for accelerator in host.accelerators:
        if accelerator.vendor == vendor:
            device = _device(accelerator, catalog)
            key = (device.target, device.fault, device.torch_from)
            before = found.get(key)
            found[key] = _together(before, device) if before else device
    return tuple(sorted(found.values(), key=lambda item: item.rank, reverse=True))


def _together(one: Device, other: Device) -> Device:
    return replace(one, accelerators=(*one.accelerators, *other.accelerators))


def deciding(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    """Those that count: integrated graphics do so only where there is nothing else."""
    return tuple(item for item in devices if not item.integrated) or devices


def _device(accelerator: Accelerator, catalog: Catalog) -> Device:
    row = catalog.gpu(accelerator.pci_id)
    if row and accelerator.name is None:
        accelerator = replace(accelerator, name=row.name)
    return _READERS[accelerator.vendor](accelerator, row, catalog)


def _nvidia(accelerator: Accelerator, row: Gpu | None, _: Catalog) -> Device:
    capability = accelerator.compute_capability or (row.target if row else None)
    rank = release_key(capability) if capability else ()
    return Device(vendor="nvidia", accelerators=(accelerator,), target=capability, rank=rank)


def _amd(accelerator: Accelerator, row: Gpu | None, catalog: Catalog) -> Device:
    target = accelerator.gfx_target or (row.target if row else None)
    if target is None:
        fault = f"the gfx target of {short_name(accelerator)} is unknown"
        remedy = Remedy(kind="gfx-target")
        return Device(vendor="amd", accelerators=(accelerator,), target=None, fault=fault, remedy=remedy)
    target = target.lower().partition(":")[0]
    integrated = target in catalog.integrated_targets
    return Device(
        vendor="amd",
        accelerators=(accelerator,),
        target=target,
        rank=gfx_rank(target),
        integrated=integrated,
    )


def _intel(accelerator: Accelerator, row: Gpu | None, _: Catalog) -> Device:
    """Supported by its PCI id; where that is in no list, by the name of a series."""
    support = row.target if row else _xpu_support(accelerator.label)
    name = short_name(accelerator)
    faults = {
        "no": f"{name} is not among the devices that PyTorch's XPU build supports",
        "unknown": f"{name} is not named among the devices that PyTorch's XPU build supports",
        "unlisted": f"the Intel device {name} is in no list of torchsel's",
    }
    return Device(
        vendor="intel",
        accelerators=(accelerator,),
        target=None,
        rank=(1 if support == "yes" else 0,),
        integrated=row.integrated == "yes" if row else support != "yes",
        fault=faults.get(support, ""),
        remedy=Remedy(kind="ask-xpu") if support == "unlisted" else None,
        torch_from=row.torch_from if row else "",
    )


def _xpu_support(label: str) -> str:
    """What a name alone says of a device's support by PyTorch's XPU build."""
    if _XPU_NAMES.search(label):
        return "yes"
    return "no" if _OLDER_INTEL_NAMES.search(label) else "unlisted"


def jetson_fault(host: Host) -> str:
    """Why PyTorch's wheels don't run on a Jetson of JetPack 6 or older; empty for every other machine.

    JetPack 7 has kernel 6.8 and runs the ordinary aarch64 wheels.
    """
    kernel = host.kernel or ""
    if "tegra" not in kernel or release_key(kernel.partition("-")[0]) >= (6,):
        return ""
    return "a Jetson with JetPack 6 or older can't run PyTorch's aarch64 wheels"


_READERS: Mapping[Vendor, Callable[[Accelerator, Gpu | None, Catalog], Device]] = {
    "nvidia": _nvidia,
    "amd": _amd,
    "intel": _intel,
}
"""What reads a vendor's accelerators, given the catalog's row for the device where it has one."""
