"""``torchsel init``: write ``[tool.torchsel]``, taking over routing that is there, and route."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.files.transaction import locked
from torchsel.pipeline.apply import Mode, Outcome, apply, holds, lock_holding
from torchsel.pipeline.inputs import (
    Options,
    Survey,
    decide,
    project_catalog,
    read_config,
    read_request,
    survey,
)
from torchsel.pipeline.plan import Plan, make_plan
from torchsel.project.workspace import load_project, parse_toml
from torchsel.routing.takeover import Takeover, take_over
from torchsel.toml.edit import edit_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torchsel.host import Host
    from torchsel.project.workspace import Project
    from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """What init would write: ``after`` is the text with table and routing; ``survey`` is of that table."""

    project: Project
    takeover: Takeover
    survey: Survey
    plan: Plan
    after: str

    @property
    def before(self) -> str:
        """The present text."""
        return self.project.root.text

    @property
    def changes_lock(self) -> bool:
        """Whether more than the table is new, which uv.lock knows nothing of."""
        return bool(self.plan.changes.edits) or len(self.takeover.all_edits) > 1

    @property
    def outcome(self) -> Outcome:
        """The same as what ``apply`` does."""
        return Outcome(
            survey=self.survey,
            plan=self.plan,
            before=self.before,
            after=self.after,
            warnings=self.survey.selection.warnings,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the command line asks of init."""

    options: Options
    strategy: str | None = None
    lock: bool = True


def prepare(wish: Wish, host: Host, environ: Mapping[str, str]) -> Start:
    """Work out what to write.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
    """
    project = load_project(wish.options.folder)
    catalog = project_catalog(read_config(project, environ))
    takeover = take_over(project, wish.strategy, catalog)
    takeover.ask_for(wish.options.backend)
    text = edit_text(project.root.text, takeover.all_edits)
    root = replace(project.root, text=text, data=parse_toml(text, project.root.path))
    started = replace(project, root=root)
    config = read_config(started, environ)
    request = read_request(started, config, wish.options.backend, environ)
    found = decide(started, config, request, host)
    plan = make_plan(started, config, found.selection.backend, found.catalog)
    return Start(project=project, takeover=takeover, survey=found, plan=plan, after=plan.text)


def write(wish: Wish, host: Host, environ: Mapping[str, str], *, say: Callable[[str], None]) -> Start:
    """Write table and routing, and bring uv.lock along, as one change.

    Raises:
        ConfigError: the routing can't be taken over, or a wish or variable is wrong.
        MachineError: a file can't be written or uv failed; both files are as before.
    """
    with locked(load_project(wish.options.folder).root.path, environ) as place:
        start = prepare(wish, host, environ)
        lock = start.project.lock
        if lock is None or not wish.lock or not start.changes_lock:
            place.write(start.before, start.after)
        else:
            held = _held(start)

            def bring_along(uv: Uv) -> str | None:
                said = lock_holding(uv, start.project.folder, held)
                return said and f"uv lock failed, so nothing was changed; uv said:\n{said}"

            say("locking ...")
            place.write_and_lock((start.before, lock.text), start.after, bring_along)
    applied = apply(survey(wish.options, environ), Mode(lock=wish.lock), environ, say=say)
    return replace(start, after=applied.after)


def _held(start: Start) -> tuple[str, ...]:
    """What keeps the locked releases: those of this machine where the platforms had indexes of their own."""
    held = holds(start.survey, start.plan, upgrade=False)
    torch, marker = start.survey.selection.torch, start.plan.marker
    if not torch or not marker:
        return held
    return tuple(f"torch=={torch} ; {marker}" if text.startswith("torch<=") else text for text in held)
