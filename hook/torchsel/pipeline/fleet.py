"""The one build of a project that serves several machines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchsel.errors import MachineError
from torchsel.project.python import project_python
from torchsel.selection.fleet import Fleet, Member, one_backend_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchsel.hosts.load import NamedHost
    from torchsel.strategies.protocol import Strategy


def backend_for(strategy: Strategy, hosts: Iterable[NamedHost]) -> str:
    """The tag of the backend that serves all of these machines, among those that the project offers.

    Raises:
        ConfigError: no release of torch meets what the project asks for on a machine.
        MachineError: no one backend does; with what each machine would take.
    """
    setting, offered = strategy.setting, strategy.alternatives
    python = project_python(setting.project.folder)
    members = [
        Member(name=item.name, host=item.host, demand=setting.demand(item.host, python)) for item in hosts
    ]
    config = replace(setting.config, backends=offered.tags) if offered else setting.config
    fleet = one_backend_for(members, config, setting.catalog)
    if fleet.backend is None:
        raise MachineError(_why_none(fleet))
    return fleet.backend.tag


def _why_none(fleet: Fleet) -> str:
    each = ", ".join(f"{member.name}: {own.backend.tag}" for member, own in fleet.alone)
    if fleet.unserved:
        names = ", ".join(fleet.unserved)
        return (
            f"no build that the project allows runs on the GPU of {names}; each by itself would take {each}"
        )
    return (
        f"no one build serves all of these machines; each by itself would take {each}; "
        "strategy 'groups' has one lock with a build for each"
    )
