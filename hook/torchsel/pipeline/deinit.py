"""``torchsel deinit``: take out all that torchsel owns, and its table; the rest stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from torchsel.files.transaction import locked
from torchsel.pipeline.holds import kept
from torchsel.pipeline.inputs import Inputs, Options, again, read_inputs, require_table
from torchsel.pipeline.plan import Plan, plan_for
from torchsel.pipeline.takeover import COMMENT, TABLE
from torchsel.project.project import Project
from torchsel.routing.changes import Changes
from torchsel.routing.wanted import Routing
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Delete, Prune
from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What was taken out; ``relocked`` tells that uv.lock came along."""

    inputs: Inputs
    plan: Plan
    relocked: bool = False

    @property
    def before(self) -> Project:
        """The project as it was."""
        return self.inputs.project

    @property
    def is_only_table(self) -> bool:
        """Whether there was no routing, so that uv.lock has nothing to follow."""
        return all(isinstance(edit, Prune) or edit.path == TABLE for edit in self.plan.changes.edits)


def deinit(
    options: Options,
    environ: Mapping[str, str],
    *,
    write: bool,
    lock: bool = True,
    say: Callable[[str], None],
) -> Removal:
    """Take torchsel out of a project; with ``write`` false only work out what would be left.

    Raises:
        ConfigError: there is no table, or the file has a shape that can't be edited.
        MachineError: the lock is held, a file can't be written, or uv failed; both files are as before.
    """
    found = read_inputs(replace(options, only_looks=True), environ)
    require_table(found.project)
    if not write:
        return _removal(found)
    with locked(found.project.root.path, environ) as place:
        removal = _removal(again(found, environ))
        project, text = removal.inputs.project, removal.plan.text
        if project.lock is None or not lock or removal.is_only_table:
            place.write(project.root.text, text)
            return removal
        held = kept(removal.inputs, removal.plan)

        def bring_along(uv: Uv) -> str | None:
            return held.lock(uv, project.folder)

        say("locking without the routing ...")
        place.write_and_lock(
            (project.root.text, project.lock.text), text, bring_along, goal="without the routing"
        )
        return replace(removal, relocked=True)


def _removal(found: Inputs) -> Removal:
    edits = (Delete(path=TABLE, comments=COMMENT), Prune(path=("tool",)))
    if found.strategy.is_users:  # all but the table is the user's
        project = found.project
        text = edit_text(project.root.text, edits)
        return Removal(inputs=found, plan=Plan(routing=Routing(), changes=Changes(edits=edits), text=text))
    return Removal(inputs=found, plan=plan_for(found.strategy, Routing(), *edits))
