"""The fewest backends that serve every known GPU with every driver, for what a project asks of torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby

from torchsel.backend import CPU, Backend
from torchsel.catalog.catalog import Catalog, accelerator_of
from torchsel.catalog.kernels import driver_meets
from torchsel.catalog.rows import Build, release_key
from torchsel.config.config import Config
from torchsel.host import Host
from torchsel.selection.judge import assess, case_of
from torchsel.selection.rules import deciding
from torchsel.selection.values import Case, Demand
from torchsel.vendors import FAMILIES, VENDORS

# the first NVIDIA driver branch for a CUDA that PyTorch still builds for
_OLDEST_DRIVER = (525,)


def covering(demand: Demand, config: Config, catalog: Catalog) -> tuple[str, ...]:
    """Tags by which each known machine gets the newest torch that it can have, and the CPU's.

    Where a locked release runs on a machine it is that one.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    # where every family has builds
    general = case_of(Host(system="linux", machine="x86_64"), demand, config, catalog)
    builds = catalog.builds(platform=general.host.platform)
    offers = [offer for host in _known_machines(general) if (offer := _best_for(host, general, builds))]
    chosen: list[Backend] = []
    while offers:
        counts = Counter(tag for offer in offers for tag in offer)
        best = max(map(Backend.parse, counts), key=lambda item: (counts[item.tag], item.release))
        chosen.append(best)
        offers = [offer for offer in offers if best.tag not in offer]
    if any(build.torch in general.releases.allowed for build in catalog.builds(backend="cpu")):
        chosen.append(CPU)
    chosen.sort(key=lambda item: (FAMILIES.index(item.family), item.release))
    return tuple(item.tag for item in chosen)


def _known_machines(general: Case) -> Iterator[Host]:
    """One of each kind of GPU, NVIDIA's with each driver that makes a difference and that is made for it."""
    catalog, is_strict = general.catalog, general.config.cuda_compat == "strict"
    minima = [row.linux for row in catalog.drivers if is_strict or "." not in row.cuda]
    firsts = [row.linux for row in catalog.architectures]
    drivers = [item for item in {*minima, *firsts} if item and release_key(item) >= _OLDEST_DRIVER]
    kinds = {(row.vendor, row.target, row.torch_from): row for row in catalog.gpus if row.target}
    for card in map(accelerator_of, kinds.values()):
        known = catalog.architecture(card.compute_capability)
        made = [item for item in drivers if known and known.is_supported_by(item)]
        fitting = [item for item in made if known and driver_meets(item, known.linux)]
        for driver in fitting if known else (None,):
            yield replace(general.host, nvidia_driver=driver, accelerators=(card,))


def _best_for(host: Host, general: Case, builds: Collection[Build]) -> frozenset[str]:
    """The backends with the newest torch that runs on a machine, of a locked release where there is one."""
    case = replace(general, host=host, devices=deciding(host, VENDORS, general.catalog))
    releases = general.releases
    return _newest_for(case, builds, releases.locked) or _newest_for(case, builds, releases.allowed)


def _newest_for(case: Case, builds: Collection[Build], rows: Collection[str]) -> frozenset[str]:
    """Those of the newest of ``rows`` that runs, one that is not disputed before others."""
    there = (build for build in builds if build.torch in rows)
    mine = (build for build in there if case.devices_for(Backend.parse(build.backend)))
    running = (judged for judged in (assess(build, case) for build in mine) if not judged.faults)
    disputed: frozenset[str] = frozenset()
    for _, same in groupby(running, key=lambda judged: judged.torch):
        offer = list(same)
        if certain := frozenset(judged.backend.tag for judged in offer if not judged.doubt):
            return certain
        disputed = disputed or frozenset(judged.backend.tag for judged in offer)
    return disputed
