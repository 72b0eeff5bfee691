"""``torchsel check``: is the routing in sync? It looks at no hardware."""

from __future__ import annotations

from torchsel.answer import Answer
from torchsel.commands.context import HOSTS, Context
from torchsel.commands.survey import options
from torchsel.errors import EXIT_DRIFT, EXIT_OK
from torchsel.hosts.load import read_hosts
from torchsel.pipeline.check import check, check_host
from torchsel.pipeline.inputs import decide, read_strategy, require_table
from torchsel.pipeline.leaks import has_dependencies
from torchsel.strategies.protocol import Strategy

OPTIONS = (HOSTS,)


def run(context: Context) -> Answer:
    """Exit code 0 in sync, 1 drift."""
    draft = context.draft
    strategy = read_strategy(options(context))
    require_table(strategy.setting.project)
    verdict = check(strategy)
    for note in verdict.notes:
        draft.warn(note)
    for reason in (*verdict.past, *verdict.drift):
        draft.say(reason)
    if verdict.drift:
        draft.say("run 'torchsel' to bring it in sync")
    if verdict.drift or verdict.past:
        return Answer(EXIT_DRIFT)
    draft.detail(f"in sync, routed to {', '.join(verdict.backends)}")
    return _check_hosts(context, strategy)


def _check_hosts(context: Context, strategy: Strategy) -> Answer:
    """Host by host, what each would get; drift where the commit has nothing for one."""
    are_served = True
    for named in read_hosts(context.arguments.all_hosts, "--host", context.draft.warn):
        verdict = check_host(decide(strategy, named.host))
        are_served &= verdict.is_served
        mark = "ok  " if verdict.is_served else "FAIL"
        context.draft.print(f"{mark} {named.name}: {verdict.sentence}\n")
    code = EXIT_OK if are_served else EXIT_DRIFT
    return Answer(code, is_lasting=not has_dependencies(strategy))
