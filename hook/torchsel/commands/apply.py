"""``torchsel apply``: bring the routing in sync."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import HOST, WRITING, Context
from torchsel.commands.survey import surveyed
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.transaction import repair
from torchsel.pipeline import report
from torchsel.pipeline.apply import apply
from torchsel.pipeline.inputs import require_table
from torchsel.pipeline.outcome import Mode
from torchsel.pipeline.script import apply_script
from torchsel.project.workspace import load_project

OPTIONS = (HOST, *WRITING)


def run(context: Context) -> Answer:
    """Route and lock, or show what would be written."""
    work = _apply_script if context.arguments.script else _apply
    is_writing = not (context.arguments.dry_run or context.arguments.diff)
    return repaired(context, work) if is_writing else work(context)


def _apply(context: Context) -> Answer:
    arguments, draft = context.arguments, context.draft
    require_table(load_project(context.start))
    mode = Mode(
        write=not (arguments.dry_run or arguments.diff),
        lock=not arguments.no_lock,
        upgrade=arguments.upgrade,
    )
    outcome = apply(surveyed(context), mode, context.environ, speaker=draft)
    if arguments.diff:
        draft.print(report.diff(outcome))
    report.tell(outcome, draft, dry=not mode.write)
    if outcome.changed and mode.write and not mode.lock and outcome.inputs.project.lock:
        draft.say("uv.lock is as it was; run 'torchsel sync' to bring it along")
    has_acted = any(kind == "say" for kind, _ in draft.notices)
    return Answer(is_lasting=not has_acted)


def _apply_script(context: Context) -> Answer:
    """Write the routing into a script's own block."""
    arguments, draft = context.arguments, context.draft
    path, dry = Path(arguments.script or ""), arguments.dry_run or arguments.diff
    host, _ = resolve_host(option=arguments.host, environ=context.environ)
    plan = apply_script(path, arguments.backend, host, context.environ, write=not dry)
    if arguments.diff:
        draft.print(report.text_diff(path.name, plan.script.text, plan.text))
    for note in plan.notes:
        draft.warn(note)
    report.warn(plan.inputs, draft)
    if plan.text != plan.script.text:
        would = "would route " if dry else ""
        tag, why = plan.inputs.selection.backend.tag, report.reason(plan.inputs)
        origin = report.from_others(plan.other_hosts)
        draft.say(f"{would}{', '.join(plan.packages)} → {tag} in {path.name} ({why}){origin}")
        draft.say(
            f"if it ran before, its environment has the old torch; renew it: {shlex.join(plan.renewal)}"
        )
    return Answer()


def repaired(context: Context, run: Callable[[Context], Answer]) -> Answer:
    """The answer of ``run``, once more where a killed run had left files that could not be read."""
    try:
        return run(context)
    except ConfigError:
        if not repair(context.start, context.environ):
            raise
        return run(context)
