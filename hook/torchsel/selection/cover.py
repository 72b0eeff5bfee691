"""The fewest backends that serve every known GPU with every driver, for what a project asks of torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from torchsel.backend import CPU, Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Architecture, Build, release_key
from torchsel.config.config import Config
from torchsel.host import Accelerator, Host
from torchsel.selection.case import Case, Demand
from torchsel.selection.companions import vetoes
from torchsel.selection.hardware import deciding, devices_of
from torchsel.selection.judge import assess
from torchsel.selection.releases import find_releases, lacking_python
from torchsel.vendors import FAMILIES, VENDORS

_PLATFORM = "linux_x86_64"
"""Where every family has builds."""
_OLDEST_DRIVER = (525,)
"""The first NVIDIA driver branch for a CUDA that PyTorch still builds for."""


def covering(demand: Demand, config: Config, catalog: Catalog) -> tuple[str, ...]:
    """Tags by which each known machine gets the newest torch that it can have, and the CPU's.

    Where a locked release runs on a machine it is that one.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    general = Case(
        host=Host(system="linux", machine="x86_64"),
        demand=demand,
        config=config,
        catalog=catalog,
        releases=(releases := find_releases(demand, config, catalog)),
        devices={},
        lacking=lacking_python(demand, releases.allowed, catalog, _PLATFORM),
        vetoes={tag: tuple(vetoes(tag, demand, catalog)) for tag in catalog.tags},
    )
    machines = _known_machines(catalog, is_strict=config.cuda_compat == "strict")
    builds = catalog.builds(platform=_PLATFORM)
    offers = [offer for host in machines if (offer := _best_for(host, general, builds))]
    chosen: list[Backend] = []
    while offers:
        counts = Counter(tag for offer in offers for tag in offer)
        best = max(map(Backend.parse, counts), key=lambda item: (counts[item.tag], item.release))
        chosen.append(best)
        offers = [offer for offer in offers if best.tag not in offer]
    if any(build.backend == "cpu" and build.torch in releases.allowed for build in catalog.all_builds):
        chosen.append(CPU)
    return tuple(
        item.tag for item in sorted(chosen, key=lambda item: (FAMILIES.index(item.family), item.release))
    )


def _known_machines(catalog: Catalog, *, is_strict: bool) -> Iterator[Host]:
    """One of each kind of GPU, NVIDIA's with each driver that makes a difference and knows the card."""
    targets = {(row.vendor, row.target, row.torch_from): row for row in catalog.gpus if row.target}
    knows = {row.compute_capability: row for row in catalog.architectures}
    minima = [row.linux for row in catalog.drivers if is_strict or "." not in row.cuda]
    firsts = [row.linux for row in catalog.architectures]
    drivers = [item for item in {*minima, *firsts} if item and release_key(item) >= _OLDEST_DRIVER]
    for (vendor, target, _), row in targets.items():
        if vendor == "nvidia":
            card = Accelerator(vendor="nvidia", compute_capability=target)
            known = knows.get(target)
            yield from (_host(card, driver) for driver in drivers if known and _is_made(driver, known))
        elif vendor == "amd":
            yield _host(Accelerator(vendor="amd", gfx_target=target))
        elif target == "yes":
            yield _host(Accelerator(vendor="intel", pci_id=row.pci_id))


def _host(card: Accelerator, driver: str | None = None) -> Host:
    return Host(system="linux", machine="x86_64", nvidia_driver=driver, accelerators=(card,))


def _is_made(driver: str, known: Architecture) -> bool:
    """Whether NVIDIA makes such a driver for the card."""
    is_old = bool(known.linux) and release_key(driver) < release_key(known.linux)
    is_past = bool(known.last_branch) and release_key(driver)[0] > int(known.last_branch)
    return not is_old and not is_past


def _best_for(host: Host, general: Case, builds: Collection[Build]) -> frozenset[str]:
    """The backends with the newest torch that runs on a machine, of a locked release where there is one."""
    devices = {vendor: deciding(devices_of(host, vendor, general.catalog)) for vendor in VENDORS}
    case = replace(general, host=host, devices=devices)
    releases = general.releases
    return _newest_for(case, builds, releases.locked) or _newest_for(case, builds, releases.allowed)


def _newest_for(case: Case, builds: Collection[Build], rows: Collection[str]) -> frozenset[str]:
    """Those of the newest of ``rows`` that runs, one that is not disputed before others."""
    found: dict[bool, dict[str, str]] = {False: {}, True: {}}
    for build in builds:
        offer = found[False]
        if offer and build.torch not in offer.values():
            break
        if build.torch not in rows or not case.devices_for(Backend.parse(build.backend)):
            continue
        judged = assess(build, case)
        if not judged.faults:
            same = found[bool(judged.doubt)]
            if not same or build.torch in same.values():
                same[build.backend] = build.torch
    return frozenset(found[False] or found[True])
