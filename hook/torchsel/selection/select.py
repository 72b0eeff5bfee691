"""The choice: which backend this machine should have for this project, and every reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.config.config import Config
from torchsel.errors import MachineError
from torchsel.host import Host
from torchsel.selection.automatic import automatic
from torchsel.selection.case import Case, Demand
from torchsel.selection.companions import mismatches, vetoes
from torchsel.selection.explain import doubts, left_out, moved, said
from torchsel.selection.faults import FaultKind, JudgedBuild
from torchsel.selection.hardware import deciding, devices_of
from torchsel.selection.judge import assess
from torchsel.selection.rank import choose, list_candidates, newest_with_wheels, release_left
from torchsel.selection.releases import best_release, find_releases, lacking_python
from torchsel.selection.selection import Candidate, Selection
from torchsel.selection.troubles import not_in_backends, obeyed_trouble
from torchsel.vendors import VENDORS

__all__ = ["Candidate", "Demand", "Selection", "select"]

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
    vendors = config.vendors if requested == "auto" else tuple(VENDORS)
    devices = {vendor: deciding(devices_of(host, vendor, catalog)) for vendor in vendors}
    case = Case(
        host=host,
        demand=demand,
        config=config,
        catalog=catalog,
        releases=releases,
        devices=devices,
        lacking=("", frozenset())
        if catalog.is_narrowed
        else lacking_python(demand, releases.allowed, catalog, host.platform),
        vetoes={tag: tuple(vetoes(tag, demand, catalog)) for tag in catalog.tags},
    )
    builds = [assess(build, case) for build in catalog.builds(platform=host.platform)]
    if requested == "auto":
        selection = automatic(builds, case)
    else:
        selection = _obeyed(Backend.parse(requested), builds, case)
    caps = (f"{package} is known to go with torch{cap}" for package, cap in demand.caps)
    selection = replace(selection, reasons=said((*selection.reasons, *caps)))
    if config.channel != "stable":
        return replace(selection, reasons=said((*selection.reasons, *releases.notes)))
    return replace(selection, warnings=said((*releases.notes, *selection.warnings)))


def is_accelerated(host: Host, catalog: Catalog) -> bool:
    """Whether any build there is, of whatever release, runs on an accelerator of a machine."""
    return best_there_is(host, catalog).family != "cpu"


def best_there_is(host: Host, catalog: Catalog) -> Selection:
    """The best build for a machine, of whatever release; the CPU's where none runs on its accelerators."""
    return select(host=host, requested="auto", demand=Demand(), config=Config(), catalog=catalog)


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
    chosen = newest_with_wheels(mine, case)
    pick = choose([chosen], case.devices_for(backend), case) if chosen else None
    moved_from = release_left(chosen.torch, case) if chosen else None
    usable = chosen is not None and (backend.family == "cpu" or pick is not None)
    trouble = obeyed_trouble(backend, torch, chosen, pick, case)
    trouble = trouble or (left_out(pick, builds, case) if pick else "")
    warnings = [not_in_backends(tag, case), trouble if usable else f"{trouble}; {_instead(builds, case)}"]
    beside = mismatches(tag, case.demand, case.catalog)
    if chosen:
        warnings.append(moved(moved_from, chosen, mine, case))
    return Selection(
        backend=backend,
        torch=case.releases.public(chosen.torch) if chosen else torch,
        reasons=(f"{tag} was asked for",),
        candidates=list_candidates(mine, case, chosen=chosen, served=pick.served if pick else ()),
        warnings=said([*warnings, *beside, *(doubts(pick) if pick else ())]),
        accelerators=pick.accelerators if pick else (),
        moved_from=moved_from,
        usable=usable,
    )


def _instead(builds: Sequence[JudgedBuild], case: Case) -> str:
    """What would be taken if nothing were asked for."""
    try:
        auto = automatic(builds, case)
    except MachineError:
        return "'auto' would find nothing usable either"
    torch = f" with torch {auto.torch}" if auto.torch else ""
    return f"'auto' would take {auto.backend.tag}{torch}"
