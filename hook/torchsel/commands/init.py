"""``torchsel init``: write ``[tool.torchsel]``, taking over routing that is there, and route."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from torchsel.answer import Answer, Speaker
from torchsel.backend import CPU
from torchsel.commands.context import Context, add_hosts
from torchsel.commands.survey import options
from torchsel.config.config import Strategy
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.transaction import LockError, Workplace, locked
from torchsel.host import Host
from torchsel.hosts.several import read_hosts
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply, write
from torchsel.pipeline.inputs import Outcome, decide, read_strategy, strategy_in
from torchsel.pipeline.missing import Builds, locked_without
from torchsel.pipeline.takeover import Takeover, take_over
from torchsel.project.environment import EXAMPLE
from torchsel.project.toml_file import parse_toml
from torchsel.project.workspace import load_project
from torchsel.selection.cover import covering
from torchsel.selection.select import select
from torchsel.strategies.setting import Options, Setting
from torchsel.toml.edit import edit_text


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the command line asks of init: for ``host``, the first of those ``hosts`` that it names."""

    options: Options
    host: Host
    strategy: str | None = None
    hosts: tuple[Host, ...] = ()


class Start(NamedTuple):
    """What is taken over, and what comes of it; the inputs are of a project that has the table already."""

    takeover: Takeover
    outcome: Outcome


def add_arguments(parser: ArgumentParser) -> None:
    """The strategy, and how far to go."""
    add_hosts(parser)
    parser.add_argument(
        "--strategy",
        choices=get_args(Strategy),
        help="'pin' is for this machine, the others for all (default: as it is routed now, else pin)",
    )
    parser.add_argument("--no-lock", action="store_true", help="leave uv.lock as it is")
    parser.add_argument("--dry-run", action="store_true", help="print the change, write nothing")


def run(context: Context) -> Answer:
    """Write the table where there is none."""
    arguments, draft = context.arguments, context.draft
    root = load_project(context.start).root
    if "torchsel" in root.table("tool"):
        draft.say(f"{root.path} has [tool.torchsel] already; run 'torchsel' to bring the routing in sync")
        return draft.answer()
    hosts = [named.host for named in read_hosts(arguments.all_hosts, "--host", draft.warn)]
    wish = Wish(
        options=replace(options(context), writes=not arguments.dry_run),
        host=hosts[0] if hosts else resolve_host(option=None, environ=context.environ)[0],
        strategy=arguments.strategy,
        hosts=tuple(hosts),
    )
    takeover, outcome = _write(wish, draft) if wish.options.writes else prepare(wish)
    draft.print(report.diff(outcome))
    for note in takeover.notes:
        draft.say(note)
    report.tell(outcome, draft)
    if takeover.table.get("strategy") == "groups":
        draft.say(
            "where machines share this folder, add this line to [tool.torchsel], so that each build has an"
            f" environment of its own: {EXAMPLE}"
        )
    return draft.answer()


def prepare(wish: Wish) -> Start:
    """Work out what to write.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
    """
    setting = read_strategy(wish.options).setting
    project, takeover = setting.project, take_over(setting, wish.strategy)
    _provide_for(wish.hosts, takeover.table, setting)
    text = edit_text(project.root.text, takeover.all_edits)
    root = replace(project.root, text=text, data=parse_toml(text, project.root.path))
    found = decide(strategy_in(replace(project, root=root), wish.options), wish.host)
    plan = found.plan()
    if plan.changes.is_users and not found.strategy.is_users:
        why = plan.changes.left_alone[0].removesuffix("; left alone")
        msg = (
            f"{project.root.path}: {why}, so that [tool.torchsel] would have no effect (nothing was changed)"
        )
        raise ConfigError(msg)
    outcome = Outcome(
        inputs=found,
        plan=plan,
        before=project.root.text,
        after=plan.text,
        warnings=found.warnings(plan),
    )
    return Start(takeover, outcome)


def _provide_for(hosts: tuple[Host, ...], table: dict[str, Any], setting: Setting) -> None:
    """For several machines groups, unless another strategy is wanted, and the list of backends written out.

    Those that the machines take, and the CPU's; without machines the fewest for every known GPU.
    """
    if len(hosts) > 1:
        table.setdefault("strategy", "groups")
    if table.get("strategy") not in ("groups", "extras"):
        return
    if table["strategy"] == "groups":
        table.setdefault("default-backend", "none")
    if "backends" in table:
        return
    if not hosts:
        table["backends"] = list(covering(setting.demand(), setting.config, setting.catalog))
        return
    config = replace(setting.config, fallback="cpu")
    taken = {"cpu": CPU}
    for host in dict.fromkeys(hosts):
        own = select(
            host=host,
            requested="auto",
            demand=setting.demand(host, setting.python),
            config=config,
            catalog=setting.catalog,
        )
        taken[own.backend.tag] = own.backend
    table["backends"] = sorted(taken, key=lambda tag: (taken[tag].family, taken[tag].release))


def _write(wish: Wish, speaker: Speaker) -> Start:
    """Write table and routing, and bring uv.lock along, as one change.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
        MachineError: a file can't be written or uv failed; both files are as before.
    """
    options = wish.options
    with locked(load_project(options.folder).root.path, options.environ) as place:
        start = prepare(wish)

        def instead(builds: Builds) -> Start:
            return prepare(replace(wish, options=replace(options, anew=False, lacking=builds)))

        def lock(start: Start) -> None:
            _write_once(start, place, speaker)

        try:
            lock(start)
        except LockError as failure:
            inputs, uv = start.outcome.inputs, place.uv()
            start = locked_without(inputs, failure, uv, speaker, instead=instead, lock=lock)
    options = replace(start.outcome.inputs.setting.options, anew=False, upgrade=False)
    applied = apply(decide(read_strategy(options), wish.host), speaker)
    outcome = replace(start.outcome, after=applied.after, inputs=applied.inputs)
    return Start(start.takeover, outcome)


def _write_once(start: Start, place: Workplace, speaker: Speaker) -> None:
    inputs, plan, before = start.outcome.inputs, start.outcome.plan, start.outcome.before
    if plan.changes.edits or start.takeover.edits:
        write(inputs, plan, place, speaker, before=before)
    else:  # uv.lock knows nothing of the table
        place.write(before, plan.text)
