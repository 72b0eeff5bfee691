"""``torchsel init``: write ``[tool.torchsel]`` and route; prints the change."""

from __future__ import annotations

from typing import get_args

from torchsel.answer import Answer
from torchsel.commands.context import HOSTS, NO_LOCK, ONLY_PRINTS, Context, Option
from torchsel.commands.survey import options
from torchsel.config.config import Strategy
from torchsel.config.request import resolve_host
from torchsel.hosts.load import read_hosts
from torchsel.pipeline import init, report
from torchsel.project.environment import EXAMPLE
from torchsel.project.workspace import load_project

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
    arguments, draft, environ = context.arguments, context.draft, context.environ
    root = load_project(context.start).root
    if "torchsel" in root.table("tool"):
        draft.say(f"{root.path} has [tool.torchsel] already; run 'torchsel' to bring the routing in sync")
        return Answer()
    hosts = read_hosts(arguments.all_hosts, "--host", draft.warn)
    host = hosts[0].host if hosts else resolve_host(option=None, environ=environ)[0]
    wish = init.Wish(
        options=options(context),
        strategy=arguments.strategy,
        lock=not arguments.no_lock,
        hosts=tuple(named.host for named in hosts),
    )
    if arguments.dry_run:
        start = init.prepare(wish, host, environ)
    else:
        start = init.write(wish, host, environ, speaker=draft)
    draft.print(report.diff(start.outcome))
    for note in start.takeover.notes:
        draft.say(note)
    report.tell(start.outcome, draft, dry=arguments.dry_run)
    if start.inputs.strategy.name == "groups":
        draft.say(
            "where machines share this folder, add this line to [tool.torchsel], so that each build has an"
            f" environment of its own: {EXAMPLE}"
        )
    return Answer()
