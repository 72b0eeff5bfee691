"""``torchsel init``: write ``[tool.torchsel]``, taking over routing that is there, and route."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, get_args

from torchsel.answer import Answer, Speaker
from torchsel.backend import CPU
from torchsel.commands.context import HOSTS, NO_LOCK, ONLY_PRINTS, Context, Option
from torchsel.commands.survey import options
from torchsel.config.config import Strategy
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.transaction import LockError, Workplace, locked
from torchsel.host import Host
from torchsel.hosts.load import read_hosts
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply, write
from torchsel.pipeline.inputs import Outcome, decide, read_strategy, strategy_in
from torchsel.pipeline.locking import locked_without
from torchsel.pipeline.takeover import Takeover, take_over
from torchsel.project.environment import EXAMPLE
from torchsel.project.toml_file import parse_toml
from torchsel.project.workspace import load_project
from torchsel.selection.cover import covering
from torchsel.selection.select import select
from torchsel.strategies import TABLE
from torchsel.strategies.protocol import Options, Setting
from torchsel.toml.edit import edit_text


class Start(NamedTuple):
    """What is taken over, and what comes of it; the inputs are of a project that has the table already."""

    takeover: Takeover
    outcome: Outcome


OPTIONS = (
    HOSTS,
    Option(
        "--strategy",
        choices=get_args(Strategy),
        help="'pin' is for this machine, the others for all (default: as it is routed now, else pin)",
    ),
    NO_LOCK,
    ONLY_PRINTS,
)


def run(context: Context) -> Answer:
    """Write the table where there is none."""
    arguments, draft = context.arguments, context.draft
    root = load_project(context.start).root
    if "torchsel" in root.table("tool"):
        draft.say(f"{root.path} has [tool.torchsel] already; run 'torchsel' to bring the routing in sync")
        return Answer()
    hosts = [named.host for named in read_hosts(arguments.all_hosts, "--host", draft.warn)]
    host = hosts[0] if hosts else resolve_host(option=None, environ=context.environ)[0]
    prepared = partial(prepare, host=host, strategy=arguments.strategy, hosts=hosts)
    given = replace(options(context), writes=not arguments.dry_run)
    takeover, outcome = _write(given, prepared, draft) if given.writes else prepared(given)
    draft.print(report.diff(outcome))
    for note in takeover.notes:
        draft.say(note)
    report.tell(outcome, draft)
    if takeover.table.get("strategy") == "groups":
        draft.say(
            "where machines share this folder, add this line to [tool.torchsel], so that each build has an"
            f" environment of its own: {EXAMPLE}"
        )
    return Answer()


def prepare(
    options: Options, *, host: Host, strategy: str | None = None, hosts: Sequence[Host] = ()
) -> Start:
    """Work out what to write on ``host``; ``hosts`` are the machines that the command line names.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
    """
    setting = read_strategy(options).setting
    project, takeover = setting.project, take_over(setting, strategy)
    _provide_for(hosts, takeover.table, setting)
    text = edit_text(project.root.text, takeover.all_edits)
    root = replace(project.root, text=text, data=parse_toml(text, project.root.path))
    found = decide(strategy_in(replace(project, root=root), options), host)
    plan = found.plan
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


def _provide_for(hosts: Sequence[Host], table: dict[str, Any], setting: Setting) -> None:
    """For several machines groups, unless another strategy is wanted, and the list of backends written out.

    Those that the machines take, and the CPU's; without machines the fewest for every known GPU.
    """
    if len(hosts) > 1:  # under pin each of them would route the file for itself
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


def _write(options: Options, prepared: Callable[[Options], Start], speaker: Speaker) -> Start:
    """Write table and routing, and bring uv.lock along, as one change.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
        MachineError: a file can't be written or uv failed; both files are as before.
    """
    with locked(load_project(options.folder).root.path, options.environ) as place:
        start = prepared(options)
        inputs, lock = start.outcome.inputs, partial(_write_once, place, speaker)
        options = replace(options, anew=False)  # what is found to be missing now is not to be forgotten
        try:
            lock(start)
        except LockError as failure:
            start = locked_without(
                inputs,
                failure,
                place.uv(),
                speaker,
                instead=lambda builds: prepared(replace(options, lacking=builds)),
                lock=lock,
            )
    # a lock that was just made can name further packages to route
    options = replace(start.outcome.inputs.setting.options, anew=False, upgrade=False)
    applied = apply(decide(read_strategy(options), inputs.host), speaker)
    return start._replace(outcome=replace(start.outcome, after=applied.after, inputs=applied.inputs))


def _write_once(place: Workplace, speaker: Speaker, start: Start) -> None:
    inputs, plan, before = start.outcome.inputs, start.outcome.plan, start.outcome.before
    if plan.changes.edits or start.takeover.edits:
        write(inputs, place, speaker, before=before)
    else:  # uv.lock knows nothing of the table
        place.write(before, plan.text)
