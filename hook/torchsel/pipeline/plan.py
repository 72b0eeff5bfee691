"""From a strategy, and under pin a backend, to the text of pyproject.toml; the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from torchsel.backend import DEFAULT_INDEX_URL, Backend, host_of
from torchsel.errors import NotEditableError
from torchsel.project import requirements
from torchsel.project.present import index_names
from torchsel.project.project import Project
from torchsel.routing.changes import Changes, find_changes
from torchsel.routing.wanted import Routing
from torchsel.strategies.packages import own_packages
from torchsel.strategies.protocol import Setting, Strategy
from torchsel.strategies.refusals import refuse_switched_off
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Edit


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What would be written."""

    routing: Routing
    changes: Changes
    text: str

    @property
    def is_in_sync(self) -> bool:
        """Whether nothing has to be written."""
        return not self.changes.edits


def make_plan(strategy: Strategy, backend: Backend, bound: str = "") -> Plan:
    """Work out the routing (for ``backend`` and with ``bound`` for torch, under pin) and the text with it.

    Raises:
        ConfigError: a needed name is taken, the strategy does not fit the project, or the file has a shape
            that can't be edited.
    """
    wanted = strategy.routing(backend, bound)
    if wanted is None:  # the user's own groups or extras: there is nothing to write
        text = strategy.setting.project.root.text
        return Plan(routing=Routing(packages=("torch",)), changes=Changes(is_users=True), text=text)
    refuse_switched_off(strategy.setting, wanted.packages)
    return plan_for(strategy, wanted)


def plan_for(strategy: Strategy, wanted: Routing, *more: Edit) -> Plan:
    """The plan for a routing, with ``more`` edits behind those that it needs.

    Raises:
        ConfigError: a needed name is taken, or the file has a shape that can't be edited.
    """
    project = strategy.setting.project
    members = (source for file in project.members for source in file.present.sources.values())
    found = find_changes(
        strategy.setting.present,
        wanted,
        ours=own_packages(strategy.setting),
        used=index_names(members),
        addressed=requirements.addressed(project),
    )
    past = () if found.is_users else tuple(_past(project, wanted))
    found = replace(found, edits=(*found.edits, *more), past=past)
    text = project.root.text
    try:  # nothing is parsed where nothing changes, as in nearly every run
        return Plan(routing=wanted, changes=found, text=edit_text(text, found.edits) if found.edits else text)
    except NotEditableError as error:
        msg = f"{project.root.path}: {error}"
        raise NotEditableError(msg) from None


def other_hosts(setting: Setting, plan: Plan) -> tuple[str, ...]:
    """Hosts that routed packages come from and that are neither PyTorch's nor the user's own.

    Where the routing is the user's, those that the project has torch come from.
    """
    present = setting.present
    urls: Iterable[str] = plan.routing.indexes.values()
    if plan.changes.is_users:
        names = present.sources["torch"].index_names if "torch" in present.sources else ()
        urls = [index.url for index in present.indexes if index.name in names]
    # an index in a folder has no host
    known = {"", host_of(DEFAULT_INDEX_URL), *setting.own_hosts}
    return tuple(host for host in dict.fromkeys(map(host_of, urls)) if host not in known)


def _past(project: Project, wanted: Routing) -> Iterator[str]:
    # uv takes a member's own source of what it requires, before that of the root
    for file in project.members:
        required = {item.name for item in file.required}
        for name in sorted(required & wanted.sources.keys() & file.present.sources.keys()):
            where = file.path.relative_to(project.folder).as_posix()
            key = f"tool.uv.sources.{file.present.sources[name].key}"
            yield f"{where}: {key}: this member routes {name} itself, past [tool.torchsel]; take it out there"
