"""What would make a build run where none does: a driver, another release, a key of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.catalog.catalog import release_key
from torchsel.selection.judge import dotted, jetson_fault
from torchsel.selection.wayout import below, focus, is_hopeless

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torchsel.host import Host, Vendor
    from torchsel.selection.judge import Case, Fit, Kind
    from torchsel.selection.wayout import Devices

_MENDABLE: tuple[Kind, ...] = ("driver", "release", "backends", "max-cuda", "python")


def ways_out(vendor: Vendor, fits: Sequence[Fit], case: Case) -> str:
    """What would make a build run, joined by "or"; empty where nothing is known to help."""
    devices = focus(case.devices[vendor], fits)
    if vendor == "nvidia" and jetson_fault(case.host):
        return "use the wheels that NVIDIA and Jetson AI Lab build for JetPack, or update to JetPack 7"
    if vendor == "nvidia" and case.host.nvidia_driver is None:
        return _install_driver(fits, devices, case)
    ways = list(_driver_ways(fits, devices, case))
    for kind in _MENDABLE[1:]:
        found = next((fit for fit in fits if fit.kinds(devices) == {kind}), None)
        if found:
            ways.append(_mend(kind, found, devices, case))
    if vendor == "amd":
        ways += _amd_ways(fits, devices, case.host)
    return ", or ".join(ways or [*_together(fits, devices, case), *_resort(fits, devices, case)][:1])


def _driver_ways(fits: Sequence[Fit], devices: Devices, case: Case) -> Iterator[str]:
    """A newer driver: the least that helps, and what the newest torch would need."""
    waiting = [fit for fit in fits if fit.kinds(devices) == {"driver"} and _can_drive(fit, devices, case)]
    if not waiting:
        return
    easiest = min(waiting, key=lambda fit: release_key(fit.needed_driver(devices)))
    yield _mend("driver", easiest, devices, case)
    best = min(
        (fit for fit in waiting if fit.build.torch == waiting[0].build.torch),
        key=lambda fit: release_key(fit.needed_driver(devices)),
    )
    if best.build.torch != easiest.build.torch:
        yield f"to >= {best.needed_driver(devices)} for {best.name}"


def _mend(kind: Kind, fit: Fit, devices: Devices, case: Case) -> str:
    """What mends the faults of one kind that a build has."""
    if kind == "driver":
        return f"update the NVIDIA driver to >= {fit.needed_driver(devices)} for {fit.name}"
    if kind == "release":
        if release_key(fit.build.torch) > release_key(case.scope.allowed[0]):
            return f"allow torch {fit.build.torch} ({fit.backend.tag})"
        return f"require torch<{below(fit.build.torch, case.catalog)} (for {fit.name})"
    if kind == "backends":
        return f"add {fit.backend.tag!r} to tool.torchsel.backends"
    if kind == "max-cuda":
        return f"raise tool.torchsel.max-cuda to {dotted(fit.backend.release)}"
    return _mend_python(fit, case)


def _mend_python(fit: Fit, case: Case) -> str:
    oldest, lacking = case.lacking
    if fit.build.backend in lacking:
        return f"raise requires-python above {oldest} (for {fit.name})"
    python = fit.build.python
    return f"use Python {python[0]} to {python[-1].rstrip('t')} (for {fit.name})"


def _together(fits: Sequence[Fit], devices: Devices, case: Case) -> Iterator[str]:
    """Where no one thing helps: all that the build with the fewest kinds of faults needs."""
    able = [
        fit
        for fit in fits
        if fit.has_kernels(devices)
        and fit.kinds(devices) <= set(_MENDABLE)
        and ("driver" not in fit.kinds(devices) or _can_drive(fit, devices, case))
    ]
    if able:
        best = min(able, key=lambda fit: len(fit.kinds(devices)))
        kinds = [kind for kind in _MENDABLE if kind in best.kinds(devices)]
        yield " and ".join(_mend(kind, best, devices, case) for kind in kinds)


def _resort(fits: Sequence[Fit], devices: Devices, case: Case) -> Iterator[str]:
    """Where no wheel has kernels for the devices at all."""
    if any(device.target is None and device.vendor == "amd" for device in devices):
        yield "set UV_AMD_GPU_ARCHITECTURE to it"
    elif is_hopeless(fits, devices) and not all(device.integrated or device.fault for device in devices):
        if case.catalog.is_narrowed:
            yield "offer another backend, or lock another torch"
        else:
            yield "build torch from source, or set tool.torchsel.backend to 'cpu'"


def _amd_ways(fits: Sequence[Fit], devices: Devices, host: Host) -> Iterator[str]:
    """AMD's override for the relatives of gfx1030, and what there is besides PyTorch's own index."""
    if not fits:
        yield "use Linux or WSL 2" if host.system == "win32" else "use an x86_64 machine"
        yield "use AMD's own index"
    relatives = [item.target for item in devices if (item.target or "").startswith("gfx103")]
    build = next((fit for fit in fits if "gfx1030" in fit.build.kernels and not _rules_out(fit)), None)
    if relatives and build:
        trick = "set HSA_OVERRIDE_GFX_VERSION=10.3.0, which AMD does not support"
        yield f"{trick}, and ask for backend {build.backend.tag} to run gfx1030's kernels on {relatives[0]}"


def _install_driver(fits: Sequence[Fit], devices: Devices, case: Case) -> str:
    """The driver for the newest torch whose builds have kernels and lack nothing else."""
    ready = [fit for fit in fits if fit.kinds(devices) == {"machine"}]
    passed = "if this is a container, start it with the GPU passed in"
    if not ready:
        return f"install NVIDIA's driver; {passed}"
    mode = case.config.cuda_compat
    minimum = case.catalog.driver_minimum(ready[0].backend.release, case.driver_table, mode)
    return f"install NVIDIA's driver, >= {minimum} for {ready[0].name}; {passed}"


def _can_drive(fit: Fit, devices: Devices, case: Case) -> bool:
    """Whether NVIDIA still makes such a driver for every device."""
    branch = release_key(fit.needed_driver(devices))[0]
    last = {row.compute_capability: row.last_branch for row in case.catalog.architectures}
    return all(not (end := last.get(device.target or "")) or branch <= int(end) for device in devices)


def _rules_out(fit: Fit) -> bool:
    return any(fault.device is None for fault in fit.faults)
