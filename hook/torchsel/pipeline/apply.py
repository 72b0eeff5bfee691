"""Bringing a project in sync: pyproject.toml and uv.lock change together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torchsel.answer import Speaker
from torchsel.errors import MachineError
from torchsel.files.replace import ChangedError
from torchsel.files.transaction import LockError, Workplace, is_repair_due, locked
from torchsel.pipeline.holds import holds, lock_drift, may_move, routed_releases
from torchsel.pipeline.inputs import Inputs, again
from torchsel.pipeline.missing import learn, on_trial, tell, without
from torchsel.pipeline.outcome import Mode, Outcome, warnings
from torchsel.pipeline.plan import Plan, make_plan, other_hosts, plan_for
from torchsel.project.lock import locked_packages
from torchsel.project.workspace import load_project
from torchsel.routing.wanted import Routing
from torchsel.uv.program import Uv

ROUNDS = 5
"""A new lock can name further packages to route (torchvision through another package), and another program
can change a file while it is looked at; then once more."""


def apply(inputs: Inputs, mode: Mode, environ: Mapping[str, str], *, speaker: Speaker) -> Outcome:
    """Bring the routing in sync with the selection, and uv.lock with it.

    ``speaker`` is told of steps that take time and, before them, of what to mind: a lock that fails is
    explained by it.

    Raises:
        ConfigError: the file can't be edited as needed.
        MachineError: the lock is held, a file can't be written, or uv failed, and both files are as before;
            or uv locked another torch than the routed one.
    """
    before = inputs.project.root.text
    plan = make_plan(inputs.strategy, inputs.selection.backend, inputs.decision.bound)
    outcome = Outcome(
        inputs=inputs,
        plan=plan,
        before=before,
        after=plan.text,
        warnings=warnings(inputs, plan),
        taken_out=plan.changes.taken_out,
    )
    if not mode.write:
        return outcome
    target = inputs.project.root.path
    if plan.is_in_sync and not lock_is_due(inputs, plan, mode) and not is_repair_due(target, environ):
        return outcome
    with locked(target, environ) as place:
        if not mode.upgrade and load_project(inputs.project.folder) == inputs.project:
            return replace(_write(inputs, mode, place, speaker, plan), taken_out=outcome.taken_out)
        fresh = again(inputs, environ, upgrade=mode.upgrade)
        return replace(_write(fresh, mode, place, speaker), taken_out=outcome.taken_out)


def _write(
    inputs: Inputs,
    mode: Mode,
    place: Workplace,
    speaker: Speaker,
    planned: Plan | None = None,
) -> Outcome:
    """With the project locked: write until nothing is left to change; ``planned`` is the first round's."""
    first, relocked, tries = inputs, False, ROUNDS
    while True:
        plan = planned or make_plan(inputs.strategy, inputs.selection.backend, inputs.decision.bound)
        planned = None
        is_due = lock_is_due(inputs, plan, mode) and not relocked
        if (plan.is_in_sync and not is_due) or not tries:
            break
        tries -= 1
        try:
            relocked = _write_best(inputs, plan, mode, place, speaker) or relocked
        except ChangedError:
            if not tries:
                raise
        inputs = again(inputs, place.environ)
    if relocked and plan.is_in_sync and (drift := lock_drift(inputs)):
        why = "though it was just made: a variable such as UV_INDEX, or uv.toml, leads uv there"
        raise MachineError(f"{drift.partition(';')[0]}, {why}")
    texts = (first.project.root.text, inputs.project.root.text)
    return Outcome(
        inputs=inputs,
        plan=plan,
        before=texts[0],
        after=texts[1],
        relocked=relocked,
        warnings=warnings(first, plan),
    )


def _write_best(inputs: Inputs, plan: Plan, mode: Mode, place: Workplace, speaker: Speaker) -> bool:
    """As `_write_once`; where the index lacks the build that was chosen, with the best one that it has."""
    try:
        return _write_once(inputs, plan, mode, place, speaker)
    except LockError as failure:
        if not (builds := learn(inputs, place.uv(), place.environ)):
            raise
        other = without(inputs, builds, place.environ, upgrade=mode.upgrade)
        tell(inputs, builds, speaker)
        plan = make_plan(other.strategy, other.selection.backend, other.decision.bound)
        with on_trial(inputs, builds, place.environ, failure):
            return _write_once(other, plan, mode, place, speaker)


def lock_is_due(inputs: Inputs, plan: Plan, mode: Mode) -> bool:
    """Whether uv.lock has no torch from what is routed, or one that does not run here, or is to move."""
    if inputs.project.lock is None or not mode.lock or plan.changes.is_users:
        return False
    if mode.upgrade:
        return True
    entries = locked_packages(inputs.project.lock, ["torch"])
    if not entries:
        return False
    if plan.is_in_sync and lock_drift(inputs):
        return True
    wanted = inputs.strategy.release(inputs.decision, inputs.host)
    if wanted is None or inputs.selection.moved_from is None or not inputs.selection.usable:
        return False
    return wanted not in routed_releases(entries, inputs.setting.present.backends)


def _write_once(inputs: Inputs, plan: Plan, mode: Mode, place: Workplace, speaker: Speaker) -> bool:
    """Write what is planned; returns whether uv.lock came along."""
    project = inputs.project
    if project.lock is None or not mode.lock:
        place.write(project.root.text, plan.text)
        return False
    texts = (project.root.text, project.lock.text)
    bring_along(inputs, plan, place, speaker, before=texts, mode=mode)
    return True


def bring_along(
    inputs: Inputs,
    plan: Plan,
    place: Workplace,
    speaker: Speaker,
    *,
    before: tuple[str, str],
    mode: Mode,
) -> None:
    """Write what is planned, and have uv.lock brought along; ``before`` are both texts as they are.

    uv takes one ``--upgrade-package`` bound for all lists; where they need different ones, the lists say them
    until uv.lock has the releases, which it then keeps.

    Raises:
        ChangedError: one of the two is another text by now.
        MachineError: a file can't be written, or uv failed.
    """
    strategy, folder = inputs.strategy, inputs.project.folder
    goal = f"for {', '.join(strategy.alternatives.tags) if strategy.alternatives else inputs.decision.tag}"
    first = strategy.first_releases() if not mode.upgrade else {}
    for warning in warnings(inputs, plan):
        speaker.warn(warning)
    for sentence in (*_moves(inputs, first), *may_move(inputs, plan)):
        speaker.say(sentence)
    hosts = ", ".join(other_hosts(strategy, plan))
    speaker.say_at_once(f"locking {goal}{f', from {hosts}' if hosts else ''} ...")

    def ready(uv: Uv) -> Uv:
        uv.require(strategy.oldest_uv, f" for {strategy.name}")
        return replace(uv, told=mode.told, start=mode.start)

    if not first:
        held = holds(inputs, plan, upgrade=mode.upgrade)
        place.write_and_lock(before, plan.text, lambda uv: held.lock(ready(uv), folder), goal=goal)
        return
    exact = plan_for(strategy, strategy.routing(inputs.selection.backend, releases=first) or Routing())
    names = ("torch", *(name for name in exact.routing.sources if name != "torch"))
    place.write_and_lock(before, exact.text, lambda uv: ready(uv).lock(folder, upgrade=names), goal=goal)
    lock = load_project(folder).lock
    texts = (exact.text, lock.text if lock else "")
    place.write_and_lock(texts, plan.text, lambda uv: ready(uv).lock(folder), goal=goal)


def _moves(inputs: Inputs, first: Mapping[str, str]) -> Iterator[str]:
    """Which backend gets which release, where it is not the locked one."""
    locked = ", ".join(inputs.setting.demand.locked)
    alternatives = inputs.strategy.alternatives
    takers: dict[str, list[str]] = {}
    for name, release in first.items():
        if alternatives and release not in inputs.setting.demand.locked:
            takers.setdefault(release, []).append(alternatives.names[name])
    for release, tags in takers.items():
        listed = ", ".join(tags)
        yield f"torch {locked} in uv.lock has no build for {listed}: torch {release} there"
