"""``torchsel backend``: the tag alone on standard output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from torchsel.answer import Answer
from torchsel.commands.context import HOSTS, Context
from torchsel.commands.survey import options_anywhere
from torchsel.errors import MachineError
from torchsel.hosts.load import NamedHost, read_hosts
from torchsel.pipeline import report
from torchsel.pipeline.inputs import read_inputs, read_strategy
from torchsel.selection.fleet import Fleet, Member, one_backend_for
from torchsel.strategies.protocol import Strategy

OPTIONS = (HOSTS,)


def run(context: Context) -> Answer:
    """Select, and print the backend's tag; of several machines that of the one build for all."""
    given = options_anywhere(context)
    hosts = read_hosts(context.arguments.all_hosts, "--host", context.draft.warn)
    if len(hosts) > 1 or any(named.is_listed for named in hosts):
        strategy = read_strategy(given)
        context.draft.print(f"{_one_for(strategy, hosts)}\n")
        return Answer()
    found = read_inputs(given, context.draft)
    report.warn(found, context.draft)
    context.draft.print(f"{found.decision.tag}\n")
    return Answer(is_lasting=found.project.is_there)


def _one_for(strategy: Strategy, hosts: Iterable[NamedHost]) -> str:
    """The tag of the backend that serves all of these machines, among those that the project offers.

    Raises:
        ConfigError: no release of torch meets what the project asks for on a machine.
        MachineError: no one backend does; with what each machine would take.
    """
    setting, offered = strategy.setting, strategy.alternatives
    members = [Member(name=item.name, host=item.host, demand=setting.demand_on(item.host)) for item in hosts]
    config = replace(setting.config, backends=offered.tags) if offered else setting.config
    fleet = one_backend_for(members, config, setting.catalog)
    if fleet.backend is None:
        raise MachineError(_why_none(fleet))
    return fleet.backend.tag


def _why_none(fleet: Fleet) -> str:
    each = ", ".join(f"{member.name}: {own.backend.tag}" for member, own in fleet.alone)
    alone = f"each by itself would take {each}"
    if fleet.unserved:
        return f"no build that the project allows runs on the GPU of {', '.join(fleet.unserved)}; {alone}"
    return (
        f"no one build serves all of these machines; {alone};"
        " strategy 'groups' has one lock with a build for each"
    )
