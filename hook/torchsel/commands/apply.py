"""``torchsel apply``: bring the routing in sync."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import HOST, WRITING, Context
from torchsel.commands.survey import options
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.transaction import repair
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply
from torchsel.pipeline.inputs import read_inputs, require_table
from torchsel.pipeline.script import apply_script
from torchsel.project.workspace import load_project
from torchsel.strategies.protocol import Options

OPTIONS = (HOST, *WRITING)


def run(context: Context) -> Answer:
    """Route and lock, or show what would be written."""
    work = _apply_script if context.arguments.script else _apply
    return repaired(context, work) if _options(context).writes else work(context)


def _apply(context: Context) -> Answer:
    arguments, draft, given = context.arguments, context.draft, _options(context)
    require_table(load_project(given.folder))
    outcome = apply(read_inputs(given, draft), draft)
    if arguments.diff:
        draft.print(report.diff(outcome))
    report.tell(outcome, draft)
    has_written = outcome.changed and given.writes
    if has_written and arguments.no_lock and outcome.inputs.project.lock:
        draft.say("uv.lock is as it was; run 'torchsel sync' to bring it along")
    has_acted = any(kind == "say" for kind, _ in draft.notices)
    return Answer(is_lasting=not has_acted)


def _apply_script(context: Context) -> Answer:
    """Write the routing into a script's own block."""
    arguments, draft, given = context.arguments, context.draft, _options(context)
    path = Path(arguments.script or "")
    host, _ = resolve_host(option=arguments.host, environ=context.environ)
    routed = apply_script(path, host, given)
    found, plan = routed.inputs, routed.plan
    if arguments.diff:
        draft.print(report.text_diff(path.name, routed.script.text, routed.text))
    for note in routed.notes:
        draft.warn(note)
    report.warn(found, draft)
    if routed.text != routed.script.text:
        would = "" if given.writes else "would route "
        route = f"{', '.join(plan.routing.packages)} → {found.decision.tag} in {path.name}"
        draft.say(f"{would}{route} ({report.reason(found)}){report.from_others(found, plan)}")
        draft.say(
            f"if it ran before, its environment has the old torch; renew it: {shlex.join(routed.renewal)}"
        )
    return Answer()


def _options(context: Context) -> Options:
    arguments = context.arguments
    return replace(options(context), writes=not (arguments.dry_run or arguments.diff))


def repaired(context: Context, run: Callable[[Context], Answer]) -> Answer:
    """The answer of ``run``, once more where a killed run had left files that could not be read."""
    try:
        return run(context)
    except ConfigError:
        if not repair(context.start, context.environ):
            raise
        return run(context)
