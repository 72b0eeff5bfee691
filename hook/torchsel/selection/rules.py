"""The rules of each vendor: what its accelerators are, and what its builds need of a machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.kernels import driver_meets, gfx_rank, has_machine_code, has_ptx, span
from torchsel.catalog.rows import Build, Gpu, release_key, release_text
from torchsel.host import Accelerator, Host
from torchsel.selection.remedy import Cure, Remedy, remedy_for
from torchsel.selection.values import Case, Device, Devices, Fault, JudgedBuild, labels_of, short_name
from torchsel.vendors import Vendor

_XPU_NAMES = re.compile(r"\bArc\b|Data Center GPU Max", re.ASCII)
_OLDER_INTEL_NAMES = re.compile(r"\bU?HD Graphics\b|\bIris\b", re.ASCII)


class Rules:
    """What holds for every vendor; one with rules of its own says so below.

    ``target`` is what a target is called where a device without a known one is judged by the driver alone.
    """

    target = ""

    def device(self, accelerator: Accelerator, row: Gpu | None, catalog: Catalog) -> Device:
        """An accelerator as selection sees it; ``row`` is the catalog's for it where it has one."""
        target = accelerator.compute_capability or (row.target if row else None)
        rank = release_key(target) if target else ()
        return Device(vendor=accelerator.vendor, accelerators=(accelerator,), target=target, rank=rank)

    def obstacle(self, host: Host) -> Fault | None:
        """What keeps every build from this machine, whatever else it has."""
        return None

    def lacks_driver(self, host: Host) -> bool:
        """Whether no driver is loaded without which no build runs."""
        return False

    def machine_faults(self, build: Build, backend: Backend, case: Case) -> Iterable[Fault]:
        """What the machine lacks for a build, whichever device is to run it."""
        return ()

    def device_faults(self, build: Build, backend: Backend, device: Device, case: Case) -> Iterator[Fault]:
        """Why a build does not run on a device."""
        target = device.target or ""
        if build.kernels and device.target is not None and target not in build.kernels:
            yield Fault(kind="kernels", text=f"no kernels for {device.label}", device=device)
        elif reason := case.catalog.verdict_on(target, backend.release, "broken"):
            yield Fault(kind="broken", text=f"{target}: {reason}", device=device)
        elif release_key(build.torch) < release_key(device.torch_from):
            text = f"{device.names} is supported from torch {device.torch_from} on"
            yield Fault(kind="kernels", text=text, device=device)

    def why_chosen(self, backend: Backend, served: Devices, case: Case) -> str:
        """Why this build: what it has for the devices, and the driver rule it meets."""
        return f"{backend.tag} supports {labels_of(served)}"

    def remedies(self, builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[Remedy]:
        """What else there is for devices that no build runs on, each alone enough."""
        yield from ()


class Nvidia(Rules):
    """Kernels by compute capability, drivers by the CUDA they came with."""

    target = "compute capability"

    def obstacle(self, host: Host) -> Fault | None:
        """A Jetson of JetPack 6 or older."""
        kernel = host.kernel or ""
        # JetPack 7 has kernel 6.8 and runs the ordinary aarch64 wheels
        if "tegra" not in kernel or release_key(kernel.partition("-")[0]) >= (6,):
            return None
        text = "a Jetson with JetPack 6 or older can't run PyTorch's aarch64 wheels"
        return Fault(kind="machine", text=text, remedy=Remedy(kind=Cure.JETPACK))

    def lacks_driver(self, host: Host) -> bool:
        """Without NVIDIA's there is no CUDA."""
        return host.nvidia_driver is None

    def machine_faults(self, build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
        """The Jetson's, and a driver older than the CUDA."""
        driver, minimum = case.host.nvidia_driver, case.driver_minimum(backend)
        if obstacle := self.obstacle(case.host):
            yield obstacle
        if driver is None:
            remedy = remedy_for(Cure.INSTALL_DRIVER if minimum else Cure.ANY_DRIVER, minimum or "", build)
            yield Fault(kind="machine", text="no NVIDIA driver is loaded", remedy=remedy)
        elif minimum and not driver_meets(driver, minimum):
            text = f"driver {driver} < {minimum} (CUDA {_cuda(backend, case)})"
            yield Fault(kind="driver", text=text, remedy=remedy_for(Cure.DRIVER, minimum, build))

    def device_faults(self, build: Build, backend: Backend, device: Device, case: Case) -> Iterator[Fault]:
        """A driver that does not know the device, or no kernels; PTX for it needs the driver of its CUDA."""
        capability = device.target
        if capability is None:
            return
        system = case.host.driver_system
        known = case.catalog.architecture(capability)
        first = (known.windows if system == "win32" else known.linux) if known else ""
        if _is_below(case.host, first):
            yield _driver_fault(first, device.label, build, device, case)
        # no list of kernels: nothing is known against it
        if not build.kernels or has_machine_code(build.kernels, capability):
            return
        if not has_ptx(build.ptx, capability):
            text = f"no kernels for {device.label}; has {span(build.kernels)}"
            yield Fault(kind="kernels", text=text, device=device)
            return
        # the driver compiles PTX, and minor-version compatibility leaves that out
        native = case.catalog.driver_minimum(backend.release, system, "strict")
        if native and _is_below(case.host, native):
            need = f"PTX of CUDA {release_text(backend.release)} for {device.label}"
            yield _driver_fault(native, need, build, device, case)

    def why_chosen(self, backend: Backend, served: Devices, case: Case) -> str:
        """By its kernels, where targets are known, and the driver."""
        met = f"meets the minimum of CUDA {_cuda(backend, case)}, {case.driver_minimum(backend)}"
        rule = f"driver {case.host.nvidia_driver} {met}"
        known = tuple(device for device in served if device.target is not None)
        return f"{backend.tag} has kernels for {labels_of(known)}; {rule}" if known else rule


class Amd(Rules):
    """Kernels by gfx target."""

    def device(self, accelerator: Accelerator, row: Gpu | None, catalog: Catalog) -> Device:
        """By its gfx target, which no build does without."""
        known = accelerator.gfx_target or (row.target if row else None)
        # without its features, gfx90a:sramecc+:xnack-
        target = known.lower().partition(":")[0] if known else None
        return Device(
            vendor="amd",
            accelerators=(accelerator,),
            target=target,
            rank=gfx_rank(target or ""),
            integrated=target in catalog.integrated_targets,
            fault="" if known else f"the gfx target of {short_name(accelerator)} is unknown",
            remedy=None if known else Remedy(kind=Cure.GFX_TARGET),
        )

    def remedies(self, builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[Remedy]:
        """AMD's own index, and its override for the relatives of gfx1030."""
        targets = [device.target or "" for device in devices]
        there = {row.gfx for row in case.catalog.amd_index}
        if not builds:
            yield Remedy(kind=Cure.LINUX if case.host.system == "win32" else Cure.X86_64)
            yield Remedy(kind=Cure.AMD_INDEX)
        elif case.host.system == "linux":
            own = [target for target in targets if target in there]
            yield from [Remedy(kind=Cure.AMD_WHEELS, value=target) for target in own[:1]]
        # gfx1033 is no relative: with gfx1030's kernels it computes wrong gradients (unslothai/unsloth#8412)
        relatives = [target for target in targets if target.startswith("gfx103") and target != "gfx1033"]
        able = [judged for judged in builds if "gfx1030" in judged.build.kernels and not judged.against(())]
        if relatives and able:
            yield Remedy(kind=Cure.GFX_OVERRIDE, value=relatives[0], backend=able[0].backend.tag)


class Intel(Rules):
    """Supported or not, by device."""

    def device(self, accelerator: Accelerator, row: Gpu | None, catalog: Catalog) -> Device:
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
            remedy=Remedy(kind=Cure.ASK_XPU) if support == "unlisted" else None,
            torch_from=row.torch_from if row else "",
        )


_OWN: Mapping[Vendor, Rules] = {"nvidia": Nvidia(), "amd": Amd(), "intel": Intel()}
_COMMON = Rules()


def rules_of(vendor: Vendor) -> Rules:
    """The vendor's own rules, else those that hold for every vendor."""
    return _OWN.get(vendor, _COMMON)


def devices_of(host: Host, vendor: Vendor, catalog: Catalog) -> Devices:
    """The host's devices of one vendor, most capable first; those of one target are one device.

    One without a name gets that of its PCI id.
    """
    found: dict[tuple[str | None, str, str], Device] = {}
    for accelerator in host.accelerators:
        if accelerator.vendor == vendor:
            row = catalog.gpu(accelerator.pci_id)
            # where no tool answered, the bus knows a card by its id alone
            name = row.name if row and accelerator.name is None else accelerator.name
            named = replace(accelerator, name=name)
            device = rules_of(vendor).device(named, row, catalog)
            key = (device.target, device.fault, device.torch_from)
            alike = found.get(key, replace(device, accelerators=()))
            found[key] = replace(alike, accelerators=(*alike.accelerators, named))
    return tuple(sorted(found.values(), key=lambda item: item.rank, reverse=True))


def deciding(host: Host, vendors: Iterable[Vendor], catalog: Catalog) -> dict[Vendor, Devices]:
    """The devices that count: integrated graphics do so only where a vendor has nothing else."""
    each = {vendor: devices_of(host, vendor, catalog) for vendor in vendors}
    return {
        vendor: tuple(item for item in devices if not item.integrated) or devices
        for vendor, devices in each.items()
    }


def _cuda(backend: Backend, case: Case) -> str:
    # minor-version compatibility asks for the driver of the major alone
    is_strict = case.config.cuda_compat == "strict"
    return release_text(backend.release if is_strict else backend.release[:1])


def _is_below(host: Host, minimum: str) -> bool:
    return host.nvidia_driver is not None and not driver_meets(host.nvidia_driver, minimum)


def _driver_fault(minimum: str, need: str, build: Build, device: Device, case: Case) -> Fault:
    text = f"driver {case.host.nvidia_driver} < {minimum} ({need})"
    return Fault(kind="driver", text=text, device=device, remedy=remedy_for(Cure.DRIVER, minimum, build))


def _xpu_support(label: str) -> str:
    """What a name alone says of a device's support by PyTorch's XPU build."""
    if _XPU_NAMES.search(label):
        return "yes"
    return "no" if _OLDER_INTEL_NAMES.search(label) else "unlisted"
