"""The choice: which backend this machine should have for this project, and every reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.errors import MachineError
from torchsel.selection.buildable import best_release, buildable
from torchsel.selection.case import Case
from torchsel.selection.companions import mismatches, vetoes
from torchsel.selection.demand import Demand, find_releases, lacking_python
from torchsel.selection.devices import VENDORS, deciding, devices_of
from torchsel.selection.explain import (
    cpu_trouble,
    doubts,
    ignored,
    left_out,
    moved,
    no_build_for,
    no_wheels,
    not_in_backends,
    obeyed_trouble,
    out_of_reach,
    ruled_out,
    why_chosen,
)
from torchsel.selection.judge import Fault, assess, is_hopeless
from torchsel.selection.rank import choose, list_candidates, of_vendor, vendors_in_order
from torchsel.selection.remedies import ways_out
from torchsel.selection.selection import Candidate, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchsel.catalog.catalog import Catalog
    from torchsel.config.keys import Config
    from torchsel.host import Accelerator, Host, Vendor
    from torchsel.selection.judge import FaultKind, JudgedBuild
    from torchsel.selection.rank import Pick
    from torchsel.selection.selection import WayOut

__all__ = ["Candidate", "Demand", "Selection", "best_release", "buildable", "select"]

_CPU = Backend(tag="cpu", family="cpu")
_WISHES = frozenset({"release", "python", "backends", "max-cuda", "held", "companion"})
"""Kinds of faults that are the project's own choice."""
_UNASKED: tuple[FaultKind, ...] = ("backends", "max-cuda", "held", "companion")
"""Kinds of faults that speak only against choosing a build unasked."""


def select(*, host: Host, requested: str, demand: Demand, config: Config, catalog: Catalog) -> Selection:
    """Choose a backend; pure: the same arguments give the same selection.

    ``requested`` is ``auto`` or a tag.

    Raises:
        ConfigError: the tag is malformed, or no release of torch meets the demand.
        MachineError: nothing is usable and ``fallback`` is ``error``.
    """
    releases = find_releases(demand, config, catalog)
    vendors = config.vendors if requested == "auto" else VENDORS
    devices = {vendor: deciding(devices_of(host, vendor, catalog)) for vendor in vendors}
    case = Case(
        host=host,
        demand=demand,
        config=config,
        catalog=catalog,
        releases=releases,
        devices=devices,
        lacking=lacking_python(demand, releases.allowed, catalog, host.platform),
        vetoes={tag: tuple(vetoes(tag, demand, catalog)) for tag in catalog.tags},
    )
    builds = [assess(build, case) for build in catalog.builds(platform=host.platform)]
    if requested == "auto":
        selection = _automatic(builds, case)
    else:
        selection = _obeyed(Backend.parse(requested), builds, case)
    if config.channel != "stable":
        return replace(selection, reasons=_said((*selection.reasons, *releases.notes)))
    return replace(selection, warnings=_said((*releases.notes, *selection.warnings)))


def _automatic(builds: Sequence[JudgedBuild], case: Case) -> Selection:
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
    torch, moved_from = case.releases.public(row), _moved_from(row, case)
    beside = left_out(pick, case)
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
        reasons=_said([*reasons, *ignored(case)]),
        candidates=list_candidates(builds, case, chosen=pick.judged, served=pick.served),
        warnings=_said(warnings),
        accelerators=tuple(_accelerators(pick)),
        moved_from=moved_from,
    )


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
    chosen = _without_faults([judged for judged in builds if judged.backend.family == "cpu"], case)
    moved_from = _moved_from(chosen.torch, case) if chosen else None
    return Selection(
        backend=_CPU,
        torch=case.releases.public(chosen.torch) if chosen else None,
        reasons=_said(reasons),
        candidates=list_candidates(builds, case, chosen=chosen, whole=not usable),
        warnings=_said([*warnings, cpu_trouble(chosen, builds, case)]),
        moved_from=moved_from,
        usable=usable,
    )


def _on_macos(builds: Sequence[JudgedBuild], case: Case) -> Selection:
    chosen = _without_faults(builds, case)
    return Selection(
        backend=_CPU,
        torch=case.releases.public(chosen.torch) if chosen else None,
        reasons=("macOS builds use MPS; uv's default index has them",),
        candidates=list_candidates(builds, case, chosen=chosen),
        warnings=_said([cpu_trouble(chosen, builds, case)]),
        moved_from=_moved_from(chosen.torch, case) if chosen else None,
        usable=chosen is not None,
    )


def _obeyed(backend: Backend, builds: Sequence[JudgedBuild], case: Case) -> Selection:
    """The backend that was asked for, whatever this machine is."""
    tag = backend.tag
    if not case.catalog.known(tag):
        text = (
            f"{tag} is not in torchsel's catalog: routed as it is; tool.torchsel.catalog can tell its builds"
        )
        return Selection(backend=backend, torch=None, reasons=(f"{tag} was asked for",), warnings=(text,))
    torch = best_release(case.demand, tag, case.config, case.catalog)
    mine = [judged.without(*_UNASKED) for judged in builds if judged.build.backend == tag]
    chosen = _without_faults(mine, case)
    pick = choose([chosen], case.devices_for(backend), case) if chosen else None
    moved_from = _moved_from(chosen.torch, case) if chosen else None
    usable = chosen is not None and (backend.family == "cpu" or pick is not None)
    trouble = obeyed_trouble(backend, torch, chosen, pick, case)
    warnings = [not_in_backends(tag, case), trouble if usable else f"{trouble}; {_instead(builds, case)}"]
    beside = mismatches(tag, case.demand, case.catalog)
    if chosen:
        warnings.append(moved(moved_from, chosen, mine, case))
    return Selection(
        backend=backend,
        torch=case.releases.public(chosen.torch) if chosen else torch,
        reasons=(f"{tag} was asked for",),
        candidates=list_candidates(mine, case, chosen=chosen, served=pick.served if pick else ()),
        warnings=_said([*warnings, *beside, *(doubts(pick) if pick else ())]),
        accelerators=tuple(_accelerators(pick)) if pick else (),
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


def _without_faults(builds: Sequence[JudgedBuild], case: Case) -> JudgedBuild | None:
    """The newest build that the project's torch and Python allow, of a locked release where there is one."""
    for rows in (case.releases.locked, case.releases.allowed):
        for judged in builds:
            if judged.torch in rows and not any(fault.kind == "python" for fault in judged.faults):
                return judged
    return None


def _moved_from(row: str, case: Case) -> str | None:
    """The locked release that ``row`` takes the place of, None where it is the locked one or none is."""
    if row in case.releases.locked:
        return None
    lost = (*(case.releases.public(item) for item in case.releases.locked), *case.releases.lost)
    return lost[0] if lost else None


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


def _accelerators(pick: Pick) -> Iterator[Accelerator]:
    """Those that the chosen build runs on."""
    for device in (*pick.served, *pick.left_out):
        if not pick.judged.against((device,)):
            yield from device.accelerators


def _said(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts that say something, each once."""
    return tuple(dict.fromkeys(text for text in texts if text))
