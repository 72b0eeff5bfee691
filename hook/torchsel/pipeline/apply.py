"""Bringing a project in sync: pyproject.toml and uv.lock change together or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.files.replace import ChangedError
from torchsel.files.transaction import Workplace, is_repair_due, locked
from torchsel.pipeline.inputs import Survey, again
from torchsel.pipeline.plan import Plan, make_plan
from torchsel.project import owned, requirements
from torchsel.project.workspace import load_project

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from torchsel.project.requirements import Locked
    from torchsel.uv.program import Uv

ROUNDS = 5
"""A new lock can name further packages to route (torchvision through another package), and another program
can change a file while it is looked at; then once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What `apply` found and did; ``before`` and ``after`` are pyproject.toml's text.

    ``survey`` is the last one made, ``warnings`` those of the first, which tell what had to be left.
    """

    survey: Survey
    plan: Plan
    before: str
    after: str
    relocked: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether pyproject.toml is, or with ``write`` would be, another text."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How far `apply` may go: write at all, run ``uv lock`` where there is a uv.lock, let releases move."""

    write: bool = True
    lock: bool = True
    upgrade: bool = False


def apply(survey: Survey, mode: Mode, environ: Mapping[str, str], *, say: Callable[[str], None]) -> Outcome:
    """Bring the routing in sync with the selection, and uv.lock with it.

    ``say`` is told of steps that take time.

    Raises:
        ConfigError: the file can't be edited as needed.
        MachineError: the lock is held, a file can't be written, or uv failed; both files are as before.
    """
    before = survey.project.root.text
    plan = make_plan(survey.project, survey.config, survey.selection.backend, survey.catalog)
    warnings = survey.selection.warnings
    outcome = Outcome(survey=survey, plan=plan, before=before, after=plan.text, warnings=warnings)
    if not mode.write:
        return outcome
    target = survey.project.root.path
    if plan.is_in_sync and not lock_is_due(survey, plan, mode) and not is_repair_due(target, environ):
        return outcome
    with locked(target, environ) as place:
        if not mode.upgrade and load_project(survey.project.folder) == survey.project:
            return _write(survey, mode, place, say, plan)
        return _write(again(survey, environ, upgrade=mode.upgrade), mode, place, say)


def _write(
    survey: Survey,
    mode: Mode,
    place: Workplace,
    say: Callable[[str], None],
    planned: Plan | None = None,
) -> Outcome:
    """With the project locked: write until nothing is left to change; ``planned`` is the first round's."""
    first, relocked, tries = survey, False, ROUNDS
    while True:
        plan = planned or make_plan(survey.project, survey.config, survey.selection.backend, survey.catalog)
        planned = None
        is_due = lock_is_due(survey, plan, mode) and not relocked
        if (plan.is_in_sync and not is_due) or not tries:
            break
        tries -= 1
        try:
            relocked = _write_once(survey, plan, mode, place, say) or relocked
        except ChangedError:
            if not tries:
                raise
        survey = again(survey, place.environ)
    texts = (first.project.root.text, survey.project.root.text)
    return Outcome(
        survey=survey,
        plan=plan,
        before=texts[0],
        after=texts[1],
        relocked=relocked,
        warnings=first.selection.warnings,
    )


def lock_is_due(survey: Survey, plan: Plan, mode: Mode) -> bool:
    """Whether uv.lock has a torch without kernels for this machine though the routing fits, or is to move."""
    if survey.project.lock is None or not mode.lock or plan.changes.is_users:
        return False
    if mode.upgrade:
        return True
    selection = survey.selection
    decides = plan.choices is None and survey.host.system != "darwin" and selection.usable
    if not decides or selection.torch is None or selection.moved_from is None:
        return False
    entries = requirements.locked_packages(survey.project.lock, ["torch"])
    routed = _routed_releases(entries, owned.owned_urls(survey.project.root.data))
    return bool(routed) and selection.torch not in routed


def _write_once(survey: Survey, plan: Plan, mode: Mode, place: Workplace, say: Callable[[str], None]) -> bool:
    """Write what is planned; returns whether uv.lock came along."""
    project = survey.project
    if project.lock is None or not mode.lock:
        place.write(project.root.text, plan.text)
        return False
    goal = ", ".join(plan.choices.tags) if plan.choices else survey.selection.backend.tag
    say(f"locking for {goal} ...")
    held = holds(survey, plan, upgrade=mode.upgrade)

    def lock(uv: Uv) -> str | None:
        said = lock_holding(uv, project.folder, held)
        return said and f"uv lock failed for {goal}, so nothing was changed; uv said:\n{said}"

    place.write_and_lock((project.root.text, project.lock.text), plan.text, lock)
    return True


def lock_holding(uv: Uv, folder: Path, held: tuple[str, ...]) -> str | None:
    """Lock with all of ``held``; where a companion's release is not there, with torch's alone."""
    failure = uv.lock(folder, upgrade=held)
    if failure and len(held) > 1:
        free = [held[0], *(re.split("[=<]", text)[0] for text in held[1:])]
        return uv.lock(folder, upgrade=free)
    return failure


def holds(survey: Survey, plan: Plan, *, upgrade: bool) -> tuple[str, ...]:
    """``--upgrade-package`` requirements that keep the torch family at its locked releases, torch first.

    uv takes a package from a new index only when told to upgrade it, and moves it to the newest release
    there unless it is bounded; a bound with a marker leaves the other platforms' fork as it is (seen with
    uv 0.13.9).
    """
    family = survey.catalog.family_packages | {*plan.packages, *plan.helpers}
    locked: dict[str, list[Locked]] = {"torch": []}
    for item in requirements.locked_packages(survey.project.lock, family):
        locked.setdefault(item.name, []).append(item)
    if upgrade:
        return tuple(locked)
    decides = plan.choices is None and survey.host.system != "darwin"
    wanted = survey.selection.torch if decides else None
    urls = owned.owned_urls(survey.project.root.data)
    moves = wanted is not None and wanted not in _routed_releases(locked["torch"], urls)
    return tuple(
        _hold(name, items, urls, plan.marker)
        if not moves
        else f"torch=={wanted}"
        if name == "torch"
        else name
        for name, items in locked.items()
    )


def _hold(name: str, items: list[Locked], urls: Collection[str], marker: str) -> str:
    """Several releases are locked where uv forked by platform or Python: none may move past its newest."""
    routed = requirements.newest_first(_routed_releases(items, urls))
    if not routed:
        return name
    bound = f"{name}=={routed[0]}" if len(routed) == 1 else f"{name}<={routed[0]}"
    is_forked = len({item.public for item in items}) > 1
    return f"{bound} ; {marker}" if is_forked and marker else bound


def _routed_releases(items: list[Locked], urls: Collection[str]) -> set[str]:
    """Public releases locked from torchsel's indexes; where there are none, from any."""
    return {item.public for item in items if item.registry in urls} or {item.public for item in items}
