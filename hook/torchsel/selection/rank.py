"""Choosing among builds that were judged: which devices to serve, and which build serves them best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torchsel.config.config import Config
from torchsel.selection.values import Candidate, Case, Devices, JudgedBuild, Pick
from torchsel.vendors import Vendor


def vendors_in_order(case: Case) -> list[Vendor]:
    """The vendors with devices, by ``vendors``."""
    present = [vendor for vendor in case.config.vendors if case.devices[vendor]]
    # unless the project set an order, integrated graphics come after any card
    if case.config.vendors == Config().vendors:
        present.sort(key=lambda vendor: all(device.integrated for device in case.devices[vendor]))
    return present


def of_vendor(builds: Sequence[JudgedBuild], vendor: Vendor) -> list[JudgedBuild]:
    """The builds whose backends are for this vendor's devices."""
    return [judged for judged in builds if judged.backend.vendor == vendor]


def choose(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Pick | None:
    """The best of ``builds`` for ``devices`` (most capable first), None where none runs on any of them.

    The newest torch wins, and of that the newest CUDA or ROCm.
    """
    catalog, platform, locked = case.catalog, case.host.platform, case.releases.locked
    each = [{build.backend for build in catalog.builds(row, platform=platform)} for row in locked]
    # uv locks several where it forks, and all of them have to come from one index
    common = set.intersection(*each) if len(each) > 1 else set()

    def preference(judged: JudgedBuild) -> tuple[bool, int, bool]:
        newest = case.releases.allowed.index(judged.torch)
        # one that is not disputed wins over a newer one that is; min() keeps the order of the catalog
        return bool(judged.doubt), newest, bool(common) and judged.build.backend not in common

    for served in _subsets(devices, case):
        running = [judged for judged in builds if not judged.against(served)]
        if running:
            best = min(running, key=preference)
            rest = tuple(device for device in devices if device not in served)
            return Pick(judged=best, served=served, left_out=rest)
    return None


def newest_with_wheels(builds: Sequence[JudgedBuild], case: Case) -> JudgedBuild | None:
    """The newest build that the project's torch and Python allow, of a locked release where there is one."""
    for rows in (case.releases.locked, case.releases.allowed):
        for judged in builds:
            if judged.torch in rows and not any(fault.kind == "python" for fault in judged.faults):
                return judged
    return None


def release_left(row: str, case: Case) -> str | None:
    """The locked release that ``row`` takes the place of, None where it is the locked one or none is."""
    if row in case.releases.locked:
        return None
    lost = (*(case.releases.public(item) for item in case.releases.locked), *case.releases.lost)
    return lost[0] if lost else None


def list_candidates(
    builds: Sequence[JudgedBuild],
    case: Case,
    *,
    chosen: JudgedBuild | None,
    served: Devices = (),
    whole: bool = False,
) -> tuple[Candidate, ...]:
    """Every build considered, down to the release of the chosen one, or all releases where ``whole``."""
    rows = case.releases.allowed
    if chosen is not None and not whole:
        rows = rows[: rows.index(chosen.torch) + 1]
        if chosen.torch in case.releases.locked:
            rows = case.releases.locked
    # builds for a vendor that this machine has nothing of are of interest where it has no GPU at all
    present = {vendor for vendor, devices in case.devices.items() if devices}
    return tuple(
        _candidate(judged, case, chosen, served)
        for judged in builds
        if judged.torch in rows and (not present or judged.backend.vendor in (None, *present))
    )


def _candidate(judged: JudgedBuild, case: Case, chosen: JudgedBuild | None, served: Devices) -> Candidate:
    is_chosen = chosen is not None and judged.build == chosen.build
    blocking = judged.against(served) if served else judged.faults
    accepted = not blocking and (judged.backend.family != "cpu" or is_chosen)
    if accepted:
        reason = "chosen" if is_chosen else "runs here too"
        # faults of devices that it does not have to serve
        beside = [fault.text for fault in judged.faults]
        beside += [f"disputed: {judged.doubt}"] if judged.doubt else []
        reason = "; ".join([reason, *beside])
    elif judged.faults:
        reason = judged.reason
    else:
        is_cpu = chosen is not None and chosen.backend.family == "cpu"
        reason = "another release is chosen" if is_cpu else "only where no other build runs"
    torch = case.releases.public(judged.torch) or judged.torch
    return Candidate(backend=judged.build.backend, torch=torch, accepted=accepted, reason=reason)


def _subsets(devices: Devices, case: Case) -> Iterator[Devices]:
    # all of them, then without the least capable, and so on; then without the most capable
    count = len(devices)
    for start in range(count):
        stop = start + 1 if case.config.gpus == "best" else count
        for end in range(stop, start, -1):
            yield devices[start:end]
