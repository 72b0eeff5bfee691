"""The choice: which backend this machine should have for this project, and every reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torchsel.backend import CPU, Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import release_key
from torchsel.config.config import Config
from torchsel.errors import MachineError
from torchsel.host import Host
from torchsel.selection import explain, rank, troubles
from torchsel.selection.explain import said
from torchsel.selection.judge import assess, case_of, mismatches
from torchsel.selection.releases import best_release
from torchsel.selection.remedy import WayOut
from torchsel.selection.rules import rules_of
from torchsel.selection.values import (
    Case,
    Demand,
    Fault,
    FaultKind,
    JudgedBuild,
    Pick,
    Selection,
    servable,
)
from torchsel.vendors import VENDORS, Vendor

_UNASKED: tuple[FaultKind, ...] = ("backends", "max-cuda", "held", "companion")
"""Kinds of faults that speak only against choosing a build unasked."""

_WISHES: frozenset[FaultKind] = frozenset({"release", "python", *_UNASKED})
"""Kinds of faults that are the project's own choice."""


def select(*, host: Host, requested: str, demand: Demand, config: Config, catalog: Catalog) -> Selection:
    """Choose a backend; pure: the same arguments give the same selection.

    ``requested`` is ``auto`` or a tag.

    Raises:
        ConfigError: the tag is malformed, or no release of torch meets the demand.
        MachineError: nothing is usable and ``fallback`` is ``error``.
    """
    vendors = config.vendors if requested == "auto" else tuple(VENDORS)
    case = case_of(host, demand, config, catalog, vendors)
    builds = [assess(build, case) for build in catalog.builds(platform=host.platform)]
    if requested == "auto":
        selection = _automatic(builds, case)
    else:
        selection = _obeyed(Backend.parse(requested), builds, case)
    caps = (f"{package} is known to go with torch{cap}" for package, cap in demand.caps)
    selection = replace(selection, reasons=said((*selection.reasons, *caps)))
    # on another channel that every release is newer than the catalog is no surprise
    if config.channel != "stable":
        return replace(selection, reasons=said((*selection.reasons, *case.releases.notes)))
    return replace(selection, warnings=said((*case.releases.notes, *selection.warnings)))


def best_there_is(host: Host, catalog: Catalog) -> Selection:
    """The best build for a machine, of whatever release; the CPU's where none runs on its accelerators."""
    return select(host=host, requested="auto", demand=Demand(), config=Config(), catalog=catalog)


def _automatic(builds: Sequence[JudgedBuild], case: Case) -> Selection:
    """The best build that runs here, of a locked release where there is one.

    Raises:
        MachineError: nothing is usable and ``fallback`` is ``error``.
    """
    if case.host.system == "darwin":
        mps = "macOS builds use MPS; uv's default index has them"
        return _on_cpu(builds, case, reasons=[mps], usable=rank.newest_with_wheels(builds, case) is not None)
    if trouble := troubles.no_wheels(case.host, case.catalog.platforms):
        no_wheel = Fault(kind="machine", text="no wheels for this system")
        useless = [replace(judged, faults=(no_wheel, *judged.faults)) for judged in builds]
        return _on_cpu(useless, case, warnings=[trouble], usable=False)
    # builds that are held back come when nothing else runs, of whatever vendor
    for forgiven in ((), ("held",)):
        allowed = [judged.without(*forgiven) for judged in builds] if forgiven else builds
        for rows in (case.releases.locked, case.releases.allowed):
            pool = [judged for judged in allowed if judged.torch in rows]
            for vendor in rank.vendors_in_order(case):
                if pick := rank.choose(rank.of_vendor(pool, vendor), case.devices[vendor], case):
                    return _accelerated(pick, vendor, allowed, case)
    return _without_accelerator(builds, case)


def _accelerated(pick: Pick, vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> Selection:
    row, mine = pick.judged.torch, rank.of_vendor(builds, vendor)
    torch, moved_from = case.releases.public(row), rank.release_left(row, case)
    beside = explain.left_out(pick, mine, case)
    stays = row in case.releases.locked
    reasons = [
        rules_of(vendor).why_chosen(pick.judged.backend, pick.served, case),
        explain.ruled_out(pick, mine),
        f"uv.lock has torch {torch}, which stays"
        if stays
        else explain.out_of_reach(mine, pick.judged, pick.served, case),
        beside if case.config.gpus == "best" else "",
    ]
    warnings = [
        beside if case.config.gpus == "all" else "",
        explain.moved(moved_from, pick.judged, mine, case),
        *explain.doubts(pick),
        *mismatches(pick.judged.backend.tag, case.demand, case.catalog),
        *_passed_over(vendor, builds, case),
    ]
    return Selection(
        backend=pick.judged.backend,
        torch=torch,
        reasons=said([*reasons, *explain.ignored(case)]),
        candidates=rank.list_candidates(builds, case, chosen=pick.judged, served=pick.served),
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
    vendors = rank.vendors_in_order(case)
    if not vendors:
        return _on_cpu(builds, case, reasons=["no GPU found", *explain.ignored(case)], usable=True)
    wanted = [judged for judged in builds if judged.backend.vendor in vendors]
    excluded = any(judged.kinds(case.devices_for(judged.backend)) <= _WISHES for judged in wanted)
    allowed = " that the project allows" if excluded else ""
    reasons = [f"no build{allowed} runs on the GPU of this machine"]
    warnings: list[str] = []
    ways: list[WayOut] = []
    for vendor in vendors:
        mine = rank.of_vendor(builds, vendor)
        told, helping = troubles.no_build_for(vendor, mine, case)
        ways += helping
        (reasons if _is_no_gpu(vendor, builds, case) else warnings).append(told)
    reasons += explain.ignored(case)
    selection = _on_cpu(builds, case, reasons=reasons, warnings=warnings, usable=False)
    return replace(selection, ways_out=tuple(ways))


def _is_no_gpu(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> bool:
    # integrated graphics that no build was ever made for are not worth a warning on every run
    devices = case.devices[vendor]
    known = all(device.integrated and device.remedy is None for device in devices)
    return known and not servable(devices, rank.of_vendor(builds, vendor))


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
    # on macOS it is the build for the GPU too
    if case.config.fallback == "error" and case.host.system != "darwin":
        why = "; ".join([*warnings, *reasons])
        msg = f"no usable build of torch for this machine, and tool.torchsel.fallback is 'error': {why}"
        raise MachineError(msg)
    chosen = rank.newest_with_wheels([judged for judged in builds if judged.backend.family == "cpu"], case)
    moved_from = rank.release_left(chosen.torch, case) if chosen else None
    return Selection(
        backend=CPU,
        torch=case.releases.public(chosen.torch) if chosen else None,
        reasons=said(reasons),
        candidates=rank.list_candidates(builds, case, chosen=chosen, whole=not usable),
        warnings=said([*warnings, troubles.cpu_trouble(chosen, builds, case)]),
        moved_from=moved_from,
        usable=usable,
    )


def _passed_over(chosen: Vendor, builds: Sequence[JudgedBuild], case: Case) -> Iterator[str]:
    """Why a vendor that comes before the chosen one in the order of preference was not taken."""
    order = rank.vendors_in_order(case)
    for vendor in order[: order.index(chosen)]:
        mine = rank.of_vendor(builds, vendor)
        if rank.choose(mine, case.devices[vendor], case) is None:
            yield troubles.no_build_for(vendor, mine, case)[0]
        else:
            names = ", ".join(device.names for device in case.devices[vendor])
            yield f"{names} not used: no build of the torch in uv.lock runs on it (--upgrade may help)"


def _obeyed(backend: Backend, builds: Sequence[JudgedBuild], case: Case) -> Selection:
    """The backend that was asked for, whatever this machine is."""
    tag = backend.tag
    if tag not in case.catalog.tags:
        text = (
            f"{tag} is not in torchsel's catalog, so it is taken as it is;"
            " 'torchsel help catalog' says how to add its builds"
        )
        return Selection(backend=backend, torch=None, reasons=(f"{tag} was asked for",), warnings=(text,))
    torch = best_release(case.demand, tag, case.config, case.catalog)
    mine = [judged.without(*_UNASKED) for judged in builds if judged.build.backend == tag]
    chosen = rank.newest_with_wheels(mine, case)
    pick = rank.choose([chosen], case.devices_for(backend), case) if chosen else None
    moved_from = rank.release_left(chosen.torch, case) if chosen else None
    usable = chosen is not None and (backend.family == "cpu" or pick is not None)
    trouble = troubles.obeyed_trouble(backend, torch, chosen, pick, case)
    trouble = trouble or (explain.left_out(pick, builds, case) if pick else "")
    warnings = [
        troubles.not_in_backends(tag, case),
        trouble if usable else f"{trouble}; {_instead(builds, case)}",
    ]
    beside = mismatches(tag, case.demand, case.catalog)
    if chosen:
        warnings.append(explain.moved(moved_from, chosen, mine, case))
    return Selection(
        backend=backend,
        torch=case.releases.public(chosen.torch) if chosen else torch,
        reasons=(f"{tag} was asked for",),
        candidates=rank.list_candidates(mine, case, chosen=chosen, served=pick.served if pick else ()),
        warnings=said([*warnings, *beside, *(explain.doubts(pick) if pick else ())]),
        accelerators=pick.accelerators if pick else (),
        moved_from=moved_from,
        usable=usable,
    )


def _instead(builds: Sequence[JudgedBuild], case: Case) -> str:
    """What would be taken if nothing were asked for."""
    try:
        auto = _automatic(builds, case)
    except MachineError:
        return "'auto' would find nothing usable either"
    torch = f" with torch {auto.torch}" if auto.torch else ""
    return f"'auto' would take {auto.backend.tag}{torch}"
