"""``torchsel deinit``: take torchsel out of a project."""

from __future__ import annotations

from torchsel.answer import Answer
from torchsel.commands.context import NO_LOCK, ONLY_PRINTS, Context
from torchsel.commands.survey import options
from torchsel.pipeline import report
from torchsel.pipeline.deinit import deinit

OPTIONS = (NO_LOCK, ONLY_PRINTS)


def run(context: Context) -> Answer:
    """Print the change, and make it."""
    arguments, draft = context.arguments, context.draft
    removal = deinit(
        options(context),
        context.environ,
        write=not arguments.dry_run,
        lock=not arguments.no_lock,
        say=draft.say_at_once,
    )
    root = removal.before.root
    draft.print(report.text_diff(root.path.name, root.text, removal.plan.text))
    lock = " (uv.lock updated)" if removal.relocked else ""
    would = "would be " if arguments.dry_run else ""
    draft.say(f"torchsel {would}taken out of {root.path.name}{lock}; plain uv takes its own choice of torch")
    return Answer()
