"""Many machines: one build for several, and the fewest backends for all that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from torchsel.backend import CPU, Backend
from torchsel.catalog.catalog import Catalog, accelerator_of
from torchsel.catalog.kernels import driver_meets
from torchsel.catalog.rows import Build, release_key
from torchsel.config.config import Config
from torchsel.errors import DemandError
from torchsel.host import Host
from torchsel.selection.case import Case, Demand, Selection
from torchsel.selection.judge import assess, case_of
from torchsel.selection.rules import deciding
from torchsel.selection.select import best_there_is, select
from torchsel.vendors import FAMILIES, VENDORS

# the first NVIDIA driver branch for a CUDA that PyTorch still builds for
_OLDEST_DRIVER = (525,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A machine and what the project asks of torch there; ``name`` is for sentences."""

    name: str
    host: Host
    demand: Demand


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """The one build for all, or None with the reason in ``alone``: what each would take by itself.

    ``torch`` is the public release. ``unserved`` names members whose GPU would be left to the CPU build.
    """

    backend: Backend | None
    torch: str | None = None
    alone: tuple[tuple[Member, Selection], ...] = ()
    unserved: tuple[str, ...] = ()


def one_backend_for(members: Sequence[Member], config: Config, catalog: Catalog) -> Fleet:
    """The newest torch, and then the newest backend, that serves every machine: all GPUs that it can use.

    A machine without a GPU that any build runs on is served by whatever its platform has. A release that
    uv.lock has for every machine comes first.

    Raises:
        ConfigError: no release of torch meets the demand of a machine.
    """
    config = replace(config, fallback="cpu")
    distinct = {(member.host, member.demand): member for member in members}
    own_of = {key: _select(member, config, catalog) for key, member in distinct.items()}
    alone = tuple((member, own_of[member.host, member.demand]) for member in members)
    on_cpu = [member for member, own in alone if own.family == "cpu"]
    idle = [member.name for member in on_cpu if best_there_is(member.host, catalog).family != "cpu"]
    if idle:
        return Fleet(backend=None, alone=alone, unserved=tuple(idle))
    if len(on_cpu) == len(alone):
        releases = [own.torch for _, own in alone]
        return Fleet(backend=CPU, torch=releases[0] if len(set(releases)) == 1 else None, alone=alone)
    for torch, tag in _candidates(members, config, catalog):
        builds = catalog.builds(torch, tag)
        narrowed = replace(catalog, all_builds=builds)
        if all(_serves(member, own_of[key], config, narrowed) for key, member in distinct.items()):
            return Fleet(backend=Backend.parse(tag), torch=torch, alone=alone)
    return Fleet(backend=None, alone=alone)


def _select(member: Member, config: Config, catalog: Catalog) -> Selection:
    return select(host=member.host, requested="auto", demand=member.demand, config=config, catalog=catalog)


def _candidates(members: Iterable[Member], config: Config, catalog: Catalog) -> Sequence[tuple[str, str]]:
    """Every release and backend in the order of preference: not held back, locked for all, newest."""
    locked = set.intersection(*(set(member.demand.locked) for member in members))

    def order(pair: tuple[str, str]) -> tuple[bool, bool]:
        torch, tag = pair
        is_held = tag not in (config.backends or ()) and bool(catalog.held_back(tag, torch))
        return is_held, torch not in locked

    builds = (build for build in catalog.all_builds if build.backend != "cpu")
    return sorted(dict.fromkeys((build.torch, build.backend) for build in builds), key=order)


def _serves(member: Member, own: Selection, config: Config, narrowed: Catalog) -> bool:
    """Whether the one build of this catalog runs on all that the machine's own choice runs on."""
    if own.family == "cpu":
        return member.host.platform in narrowed.platforms
    try:
        chosen = _select(member, config, narrowed)
    except DemandError:
        return False
    return chosen.family != "cpu" and set(own.accelerators) <= set(chosen.accelerators)


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
    if any(
        build.backend == "cpu" and build.torch in general.releases.allowed for build in catalog.all_builds
    ):
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
