"""Ways out: what would make a build run where none does, found among the remedies of faults, and told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torchsel.catalog.rows import release_key
from torchsel.selection.case import Case
from torchsel.selection.device import Devices
from torchsel.selection.faults import MENDABLE, JudgedBuild, focus, is_hopeless
from torchsel.selection.hardware import jetson_fault
from torchsel.selection.remedy import Remedy, RemedyKind, WayOut
from torchsel.vendors import Vendor


def ways_out(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> tuple[WayOut, ...]:
    """What would make a vendor's builds run, each way alone enough; empty where nothing is known."""
    devices = focus(case.devices[vendor], builds)
    if vendor == "nvidia" and jetson_fault(case.host):
        return ((Remedy(kind="jetpack"),),)
    if vendor == "nvidia" and case.host.nvidia_driver is None:
        return ((_driver_to_install(builds, devices),),)
    ways = list(_driver_ways(builds, devices, case))
    for kind in MENDABLE[1:]:
        ways += [judged.way_out(devices) for judged in builds if judged.kinds(devices) == {kind}][:1]
    if vendor == "amd":
        ways += [(remedy,) for remedy in _amd_remedies(builds, devices, case)]
    return tuple(ways or [*_together(builds, devices, case)] or [*_resorts(builds, devices, case)])


def _driver_ways(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[WayOut]:
    """A newer driver: the least that helps, and what the newest torch would need."""
    waiting = [
        judged
        for judged in builds
        if judged.kinds(devices) == {"driver"} and _is_driver_made(judged, devices, case)
    ]
    if not waiting:
        return
    easiest = _easiest(waiting, devices)
    yield easiest.way_out(devices)
    newest = _easiest([judged for judged in waiting if judged.torch == waiting[0].torch], devices)
    if newest.torch != easiest.torch:
        yield newest.way_out(devices)


def _easiest(waiting: Iterable[JudgedBuild], devices: Devices) -> JudgedBuild:
    """The build that the oldest driver is enough for."""
    return min(waiting, key=lambda judged: release_key(judged.needed_driver(devices)))


def _together(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[WayOut]:
    """Where no one thing helps: all that the build with the fewest kinds of faults needs."""
    able = [
        judged
        for judged in builds
        if judged.kinds(devices) <= set(MENDABLE) and _is_driver_made(judged, devices, case)
    ]
    if able:
        yield min(able, key=lambda judged: len(judged.kinds(devices))).way_out(devices)


def _resorts(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[WayOut]:
    """Where no wheel has kernels for the devices at all."""
    own = [device.remedy for device in devices if device.remedy]
    if own:
        yield (own[0],)
    elif is_hopeless(builds, devices) and not all(device.integrated or device.fault for device in devices):
        kinds: tuple[RemedyKind, ...] = ("source", "cpu")
        if case.catalog.is_narrowed:
            kinds = ("offer-backend", "lock-torch")
        yield from ((Remedy(kind=kind),) for kind in kinds)


def _amd_remedies(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[Remedy]:
    """AMD's override for the relatives of gfx1030, and what there is besides PyTorch's own index.

    gfx1033 is no such relative: with gfx1030's kernels it computes wrong gradients (unslothai/unsloth#8412).
    """
    targets = [device.target or "" for device in devices]
    there = {row.gfx for row in case.catalog.amd_index}
    if not builds:
        yield Remedy(kind="linux" if case.host.system == "win32" else "x86-64")
        yield Remedy(kind="amd-index")
    elif case.host.system == "linux":
        yield from [Remedy(kind="amd-wheels", value=target) for target in targets if target in there][:1]
    relatives = [target for target in targets if target.startswith("gfx103") and target != "gfx1033"]
    able = (judged for judged in builds if "gfx1030" in judged.build.kernels and not judged.against(()))
    build = next(able, None)
    if relatives and build:
        yield Remedy(kind="gfx-override", value=relatives[0], backend=build.backend.tag)


def _driver_to_install(builds: Sequence[JudgedBuild], devices: Devices) -> Remedy:
    """The driver for the newest torch whose builds have kernels and lack nothing else."""
    ready = [judged for judged in builds if judged.kinds(devices) == {"machine"}]
    remedies = [fault.remedy for judged in ready[:1] for fault in judged.against(devices) if fault.remedy]
    return remedies[0] if remedies else Remedy(kind="install-driver")


def _is_driver_made(judged: JudgedBuild, devices: Devices, case: Case) -> bool:
    """Whether NVIDIA still makes the driver that a build needs for every device."""
    drivers = [remedy.value for remedy in judged.way_out(devices) if remedy.kind == "driver"]
    last = {row.compute_capability: row.last_branch for row in case.catalog.architectures}
    ends = [int(end) for device in devices if (end := last.get(device.target or ""))]
    return all(release_key(driver)[0] <= end for driver in drivers for end in ends)
