"""``torchsel deinit``: take out all that torchsel owns, and its table; the rest stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torchsel.answer import Answer
from torchsel.commands.context import NO_LOCK, ONLY_PRINTS, Context
from torchsel.commands.survey import options
from torchsel.files.transaction import Workplace, locked
from torchsel.pipeline import report
from torchsel.pipeline.inputs import Inputs, Outcome, again, read_inputs, require_table
from torchsel.pipeline.locking import kept, lock_held
from torchsel.pipeline.plan import Plan, plan_for
from torchsel.pipeline.takeover import COMMENT, TABLE
from torchsel.routing.changes import Changes
from torchsel.routing.wanted import Routing
from torchsel.strategies.protocol import Options
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Delete, Prune

OPTIONS = (NO_LOCK, ONLY_PRINTS)


def run(context: Context) -> Answer:
    """Print the change, and make it."""
    draft, is_dry = context.draft, context.arguments.dry_run
    outcome = deinit(replace(options(context), writes=not is_dry), draft.say_at_once)
    draft.print(report.diff(outcome))
    lock = " (uv.lock updated)" if outcome.relocked else ""
    would, name = "would be " if is_dry else "", outcome.inputs.project.root.path.name
    draft.say(f"torchsel {would}taken out of {name}{lock}; plain uv takes its own choice of torch")
    return Answer()


def deinit(options: Options, say: Callable[[str], None]) -> Outcome:
    """Take torchsel out of a project, or only work out what would be left.

    Raises:
        ConfigError: there is no table, or the file has a shape that can't be edited.
        MachineError: the lock is held, a file can't be written, or uv failed; both files are as before.
    """
    found = read_inputs(replace(options, only_looks=True))
    require_table(found.project)
    if not options.writes:
        return _removal(found)
    with locked(found.project.root.path, options.environ) as place:
        removal = _removal(again(found))
        return replace(removal, relocked=_write(removal, place, say))


def _removal(found: Inputs) -> Outcome:
    text = found.project.root.text
    edits = (Delete(path=TABLE, comments=COMMENT), Prune(path=("tool",)))
    if found.strategy.is_users:  # all but the table is the user's
        plan = Plan(routing=Routing(), changes=Changes(edits=edits), text=edit_text(text, edits))
    else:
        plan = plan_for(found.strategy, Routing(), *edits)
    return Outcome(inputs=found, plan=plan, before=text, after=plan.text)


def _write(removal: Outcome, place: Workplace, say: Callable[[str], None]) -> bool:
    """Whether uv.lock came along; where there was no routing, it has nothing to follow."""
    found, plan = removal.inputs, removal.plan
    lock = found.project.lock
    is_only_table = all(isinstance(edit, Prune) or edit.path == TABLE for edit in plan.changes.edits)
    if lock is None or not found.setting.options.locks or is_only_table:
        place.write(removal.before, removal.after)
        return False
    tries, goal = kept(found, plan), "without the routing"
    say(f"locking {goal} ...")
    texts = (removal.before, lock.text)
    place.write_and_lock(texts, removal.after, lambda uv: lock_held(uv, found, plan, tries), goal=goal)
    return True
