"""The choice where nobody asked for a backend: by the GPUs of the machine, else the CPU build."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torchsel.backend import CPU
from torchsel.catalog.rows import release_key
from torchsel.errors import MachineError
from torchsel.selection.case import Case
from torchsel.selection.companions import mismatches
from torchsel.selection.explain import (
    doubts,
    ignored,
    left_out,
    moved,
    out_of_reach,
    ruled_out,
    said,
    why_chosen,
)
from torchsel.selection.faults import Fault, JudgedBuild, Pick, is_hopeless
from torchsel.selection.rank import (
    choose,
    list_candidates,
    newest_with_wheels,
    of_vendor,
    release_left,
    vendors_in_order,
)
from torchsel.selection.remedy import WayOut
from torchsel.selection.selection import Selection
from torchsel.selection.troubles import cpu_trouble, no_build_for, no_wheels
from torchsel.selection.ways_out import ways_out
from torchsel.vendors import Vendor

_WISHES = frozenset({"release", "python", "backends", "max-cuda", "held", "companion"})
"""Kinds of faults that are the project's own choice."""


def automatic(builds: Sequence[JudgedBuild], case: Case) -> Selection:
    """The best build that runs here, of a locked release where there is one.

    Raises:
        MachineError: nothing is usable and ``fallback`` is ``error``.
    """
    if case.host.system == "darwin":
        return _on_macos(builds, case)
    if trouble := no_wheels(case.host, case.catalog.platforms):
        no_wheel = Fault(kind="machine", text="no wheels for this system")
        useless = [replace(judged, faults=(no_wheel, *judged.faults)) for judged in builds]
        return _on_cpu(useless, case, warnings=[trouble], usable=False)
    for forgiven in ((), ("held",)):
        allowed = [judged.without(*forgiven) for judged in builds] if forgiven else builds
        for rows in (case.releases.locked, case.releases.allowed):
            pool = [judged for judged in allowed if judged.torch in rows]
            for vendor in vendors_in_order(case):
                if pick := choose(of_vendor(pool, vendor), case.devices[vendor], case):
                    return _accelerated(pick, vendor, allowed, case)
    return _without_accelerator(builds, case)


def _accelerated(pick: Pick, vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> Selection:
    row, mine = pick.judged.torch, of_vendor(builds, vendor)
    torch, moved_from = case.releases.public(row), release_left(row, case)
    beside = left_out(pick, mine, case)
    stays = row in case.releases.locked
    reasons = [
        why_chosen(pick.judged, pick.served, case),
        ruled_out(pick, mine),
        f"uv.lock has torch {torch}, which stays"
        if stays
        else out_of_reach(mine, pick.judged, pick.served, case),
        beside if case.config.gpus == "best" else "",
    ]
    warnings = [
        beside if case.config.gpus == "all" else "",
        moved(moved_from, pick.judged, mine, case),
        *doubts(pick),
        *mismatches(pick.judged.backend.tag, case.demand, case.catalog),
        *_passed_over(vendor, builds, case),
    ]
    return Selection(
        backend=pick.judged.backend,
        torch=torch,
        reasons=said([*reasons, *ignored(case)]),
        candidates=list_candidates(builds, case, chosen=pick.judged, served=pick.served),
        warnings=said(warnings),
        accelerators=pick.accelerators,
        moved_from=moved_from,
        bound=_bound(pick, mine),
    )


def _bound(pick: Pick, builds: Sequence[JudgedBuild]) -> str:
    """What keeps uv from newer releases on the chosen index: the first of them that does not run here."""
    chosen = release_key(pick.judged.torch)
    ahead = [
        judged.torch
        for judged in builds
        if judged.backend == pick.judged.backend
        and release_key(judged.torch) > chosen
        and judged.kinds(pick.served) & {"kernels", "broken", "driver"}
        and "release" not in judged.kinds(pick.served)
    ]
    first = min(ahead, key=release_key, default="")
    return first and f"<{first.removesuffix('.0')}"


def _without_accelerator(builds: Sequence[JudgedBuild], case: Case) -> Selection:
    """CPU, because there is no GPU or because nothing runs on those there are."""
    vendors = vendors_in_order(case)
    if not vendors:
        return _on_cpu(builds, case, reasons=["no GPU found", *ignored(case)], usable=True)
    wanted = [judged for judged in builds if judged.vendor in vendors and judged.backend.family != "cpu"]
    excluded = any(judged.kinds(case.devices[judged.vendor]) <= _WISHES for judged in wanted if judged.vendor)
    allowed = " that the project allows" if excluded else ""
    reasons = [f"no build{allowed} runs on the GPU of this machine"]
    warnings: list[str] = []
    ways: list[WayOut] = []
    for vendor in vendors:
        mine = of_vendor(builds, vendor)
        helping = ways_out(vendor, mine, case)
        ways += helping
        told = no_build_for(vendor, mine, helping, case)
        (reasons if _is_no_gpu(vendor, builds, case) else warnings).append(told)
    reasons += ignored(case)
    selection = _on_cpu(builds, case, reasons=reasons, warnings=warnings, usable=False)
    return replace(selection, ways_out=tuple(ways))


def _is_no_gpu(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> bool:
    """Integrated graphics that no build was ever made for: not worth a warning on every run."""
    devices = case.devices[vendor]
    known = all(device.integrated and device.remedy is None for device in devices)
    return known and is_hopeless(of_vendor(builds, vendor), devices)


def _on_cpu(
    builds: Sequence[JudgedBuild],
    case: Case,
    *,
    reasons: Sequence[str] = (),
    warnings: Sequence[str] = (),
    usable: bool,
) -> Selection:
    """The CPU build as the way out, or an error where the project does not want that.

    Raises:
        MachineError: ``fallback`` is ``error``.
    """
    if case.config.fallback == "error":
        why = "; ".join([*warnings, *reasons])
        msg = f"no usable build of torch for this machine, and tool.torchsel.fallback is 'error': {why}"
        raise MachineError(msg)
    chosen = newest_with_wheels([judged for judged in builds if judged.backend.family == "cpu"], case)
    moved_from = release_left(chosen.torch, case) if chosen else None
    return Selection(
        backend=CPU,
        torch=case.releases.public(chosen.torch) if chosen else None,
        reasons=said(reasons),
        candidates=list_candidates(builds, case, chosen=chosen, whole=not usable),
        warnings=said([*warnings, cpu_trouble(chosen, builds, case)]),
        moved_from=moved_from,
        usable=usable,
    )


def _on_macos(builds: Sequence[JudgedBuild], case: Case) -> Selection:
    chosen = newest_with_wheels(builds, case)
    return Selection(
        backend=CPU,
        torch=case.releases.public(chosen.torch) if chosen else None,
        reasons=("macOS builds use MPS; uv's default index has them",),
        candidates=list_candidates(builds, case, chosen=chosen),
        warnings=said([cpu_trouble(chosen, builds, case)]),
        moved_from=release_left(chosen.torch, case) if chosen else None,
        usable=chosen is not None,
    )


def _passed_over(chosen: Vendor, builds: Sequence[JudgedBuild], case: Case) -> Iterator[str]:
    """Why a vendor that comes before the chosen one in the order of preference was not taken."""
    order = vendors_in_order(case)
    for vendor in order[: order.index(chosen)]:
        if choose(of_vendor(builds, vendor), case.devices[vendor], case) is None:
            mine = of_vendor(builds, vendor)
            yield no_build_for(vendor, mine, ways_out(vendor, mine, case), case)
        else:
            names = ", ".join(device.names for device in case.devices[vendor])
            yield f"{names} not used: no build of the torch in uv.lock runs on it (--upgrade may help)"
