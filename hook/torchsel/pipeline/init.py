"""``torchsel init``: write ``[tool.torchsel]``, taking over routing that is there, and route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torchsel.answer import Speaker
from torchsel.backend import CPU
from torchsel.errors import ConfigError
from torchsel.files.transaction import LockError, Workplace, locked
from torchsel.host import Host
from torchsel.pipeline.apply import apply, bring_along
from torchsel.pipeline.inputs import Inputs, Options, decide, read_strategy, strategy_in
from torchsel.pipeline.missing import learn, on_trial, tell
from torchsel.pipeline.outcome import Mode, Outcome, warnings
from torchsel.pipeline.plan import Plan, make_plan
from torchsel.pipeline.takeover import Takeover, take_over
from torchsel.project.project import Project
from torchsel.project.toml_file import parse_toml
from torchsel.project.workspace import load_project
from torchsel.selection.cover import covering
from torchsel.selection.select import select
from torchsel.strategies import TABLE
from torchsel.strategies.protocol import Setting
from torchsel.toml.edit import edit_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What init would write: ``after`` is the text with table and routing; ``inputs`` are of that table.

    ``written`` are the inputs afterwards, None where nothing was written.
    """

    project: Project
    takeover: Takeover
    inputs: Inputs
    plan: Plan
    after: str
    written: Inputs | None = None

    @property
    def before(self) -> str:
        """The present text."""
        return self.project.root.text

    @property
    def changes_lock(self) -> bool:
        """Whether more than the table is new, which uv.lock knows nothing of."""
        return bool(self.plan.changes.edits) or bool(self.takeover.edits)

    @property
    def outcome(self) -> Outcome:
        """The same as what ``apply`` does."""
        return Outcome(
            inputs=self.written or self.inputs,
            plan=self.plan,
            before=self.before,
            after=self.after,
            warnings=warnings(self.inputs, self.plan),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the command line asks of init; ``hosts`` are the machines that it names."""

    options: Options
    strategy: str | None = None
    lock: bool = True
    hosts: tuple[Host, ...] = ()


def prepare(wish: Wish, host: Host, environ: Mapping[str, str]) -> Start:
    """Work out what to write.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
    """
    setting = read_strategy(wish.options, environ).setting
    project = setting.project
    takeover = take_over(project, wish.strategy, wish.options.backend, setting.catalog)
    _provide_for(wish.hosts, takeover.table, setting)
    text = edit_text(project.root.text, takeover.all_edits)
    root = replace(project.root, text=text, data=parse_toml(text, project.root.path))
    started = strategy_in(replace(project, root=root), wish.options, environ)
    found = decide(started, host, options=wish.options)
    plan = make_plan(started, found.selection.backend, found.decision.bound)
    if plan.changes.is_users and not started.is_users:
        why = plan.changes.left_alone[0].removesuffix("; left alone")
        msg = (
            f"{project.root.path}: {why}, so that [tool.torchsel] would have no effect (nothing was changed)"
        )
        raise ConfigError(msg)
    return Start(project=project, takeover=takeover, inputs=found, plan=plan, after=plan.text)


def _provide_for(hosts: tuple[Host, ...], table: dict[str, Any], setting: Setting) -> None:
    """For several machines groups, unless another strategy is wanted, and the list of backends written out.

    Those that the machines take, and the CPU's; without machines the fewest for every known GPU.
    """
    if len(hosts) > 1:
        table.setdefault("strategy", "groups")
    strategy = TABLE[table.get("strategy", "pin")]
    if strategy.is_for_one or strategy.is_users:
        return
    if table["strategy"] == "groups":
        table.setdefault("default-backend", "none")
    if "backends" in table:
        return
    if not hosts:
        table["backends"] = list(covering(setting.demand, setting.config, setting.catalog))
        return
    config = replace(setting.config, fallback="cpu")
    taken = {"cpu": CPU}
    for host in dict.fromkeys(hosts):
        own = select(
            host=host,
            requested="auto",
            demand=setting.demand_on(host),
            config=config,
            catalog=setting.catalog,
        )
        taken[own.backend.tag] = own.backend
    table["backends"] = sorted(taken, key=lambda tag: (taken[tag].family, taken[tag].release))


def write(wish: Wish, host: Host, environ: Mapping[str, str], *, speaker: Speaker) -> Start:
    """Write table and routing, and bring uv.lock along, as one change.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
        MachineError: a file can't be written or uv failed; both files are as before.
    """
    with locked(load_project(wish.options.folder).root.path, environ) as place:
        start = prepare(wish, host, environ)
        wish = replace(wish, options=replace(wish.options, anew=False))
        try:
            _write(start, wish, place, speaker)
        except LockError as failure:
            if not (builds := learn(start.inputs, place.uv(), environ)):
                raise
            tell(start.inputs, builds, speaker)
            wish = replace(wish, options=replace(wish.options, lacking=builds))
            start = prepare(wish, host, environ)
            with on_trial(start.inputs, builds, environ, failure):
                _write(start, wish, place, speaker)
    written = decide(read_strategy(wish.options, environ), host, options=wish.options)
    applied = apply(written, Mode(lock=wish.lock), environ, speaker=speaker)
    return replace(start, after=applied.after, written=applied.inputs)


def _write(start: Start, wish: Wish, place: Workplace, speaker: Speaker) -> None:
    lock = start.project.lock
    if lock is None or not wish.lock or not start.changes_lock:
        place.write(start.before, start.after)
        return
    bring_along(start.inputs, start.plan, place, speaker, before=(start.before, lock.text), mode=Mode())
