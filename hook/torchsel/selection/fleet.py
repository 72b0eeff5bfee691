"""One build for several machines, where there is one that serves them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torchsel.backend import CPU, Backend
from torchsel.catalog.catalog import Catalog
from torchsel.config.config import Config
from torchsel.errors import DemandError
from torchsel.host import Host
from torchsel.selection.select import best_there_is, select
from torchsel.selection.values import Demand, Selection


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
    # a machine that has nothing but the CPU build is no error before all are looked at
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
