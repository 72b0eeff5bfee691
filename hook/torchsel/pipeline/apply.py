"""Bringing a project in sync: pyproject.toml and uv.lock change together or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count

from torchsel.answer import Speaker
from torchsel.errors import MachineError
from torchsel.files.replace import ChangedError
from torchsel.files.transaction import LockError, Workplace, is_repair_due, locked
from torchsel.pipeline.inputs import Inputs, Outcome, again
from torchsel.pipeline.locking import holds, lock_held, locked_without, may_move, routed_releases, without
from torchsel.pipeline.plan import Plan, other_hosts, plan_for
from torchsel.project.lock import locked_packages
from torchsel.project.workspace import load_project
from torchsel.routing.wanted import Routing
from torchsel.uv.call import UvCall
from torchsel.uv.halves import for_lock
from torchsel.uv.program import Uv

ROUNDS = 5
"""A new lock can name further packages to route (torchvision through another package), and another program
can change a file while it is looked at; then once more."""


def apply(inputs: Inputs, speaker: Speaker) -> Outcome:
    """Bring the routing in sync with the selection, and uv.lock with it, as far as the options allow.

    ``speaker`` is told of steps that take time and, before them, of what to mind: a lock that fails is
    explained by it.

    Raises:
        ConfigError: the file can't be edited as needed.
        MachineError: the lock is held, a file can't be written, or uv failed, and both files are as before;
            or uv locked another torch than the routed one.
    """
    first, plan, relocked = inputs, inputs.plan, False
    taken_out, options, project = plan.changes.taken_out, inputs.setting.options, inputs.project
    target = project.root.path
    is_due = options.writes and (
        not plan.is_in_sync or _is_lock_due(inputs, plan) or is_repair_due(target, options.environ)
    )
    if is_due:
        with locked(target, options.environ) as place:
            if load_project(project.folder) != project:  # by another program, or repaired just now
                first = again(inputs, upgrade=options.upgrade)
            inputs, plan, relocked = _write_all(first, place, speaker)
    return Outcome(
        inputs=inputs,
        plan=plan,
        before=first.project.root.text,
        after=inputs.project.root.text if options.writes else plan.text,
        relocked=relocked,
        warnings=first.warnings(plan),
        taken_out=taken_out,  # once it is gone, no later plan knows of it
    )


def _write_all(inputs: Inputs, place: Workplace, speaker: Speaker) -> tuple[Inputs, Plan, bool]:
    """With the project locked: write until nothing is left to change; also whether uv.lock came along."""
    relocked = False
    for tries in count():
        plan = inputs.plan
        is_due = _is_lock_due(inputs, plan) and not relocked
        if (plan.is_in_sync and not is_due) or tries == ROUNDS:
            break
        try:
            relocked = _write_best(inputs, place, speaker) or relocked
        except ChangedError:
            if tries == ROUNDS - 1:
                raise
            inputs = again(inputs, upgrade=inputs.setting.options.upgrade)
        else:
            inputs = again(inputs)
    if relocked and plan.is_in_sync and (drift := inputs.lock_drift):
        why = "though it was just made: a variable such as UV_INDEX, or uv.toml, leads uv there"
        raise MachineError(f"{drift.partition(';')[0]}, {why}")
    return inputs, plan, relocked


def _is_lock_due(inputs: Inputs, plan: Plan) -> bool:
    """Whether uv.lock has no torch from what is routed, or one that does not run here, or is to move."""
    options = inputs.setting.options
    if inputs.project.lock is None or not options.locks or plan.changes.is_users:
        return False
    if options.upgrade:
        return True  # what there is to move to, only uv can say
    entries = locked_packages(inputs.project.lock, ["torch"])
    if not entries:
        return False  # nothing requires it, or uv has yet to lock it, with the routing that is there by then
    if plan.is_in_sync and inputs.lock_drift:
        return True
    # a locked torch that has no build for this machine is moved; one that only is not the newest stays
    wanted = inputs.strategy.release(inputs.decision, inputs.host)
    if wanted is None or inputs.selection.moved_from is None or not inputs.selection.usable:
        return False
    return wanted not in routed_releases(entries, inputs.setting.present.backends)


def _write_best(inputs: Inputs, place: Workplace, speaker: Speaker) -> bool:
    """As `write`; where the index lacks the build that was chosen, with the best one that it has."""

    def write_it(found: Inputs) -> bool:
        return write(found, place, speaker, before=found.project.root.text)

    try:
        return write_it(inputs)
    except LockError as failure:
        other = partial(without, inputs)
        locked_without(inputs, failure, place.uv(), speaker, instead=other, lock=write_it)
        return True


def write(inputs: Inputs, place: Workplace, speaker: Speaker, *, before: str) -> bool:
    """Write what is planned over the text ``before``; returns whether uv.lock was brought along.

    Raises:
        ChangedError: a file is another text by now.
        MachineError: a file can't be written, or uv failed.
    """
    plan, lock = inputs.plan, inputs.project.lock
    strategy, options = inputs.strategy, inputs.setting.options
    if lock is None or not options.locks:
        place.write(before, plan.text)
        return False
    first = {} if options.upgrade else strategy.first_releases()
    for warning in inputs.warnings(plan):
        speaker.warn(warning)
    for sentence in (*_moves(inputs, first), *may_move(inputs, plan)):
        speaker.say(sentence)
    tags = strategy.alternatives.tags if strategy.alternatives else (inputs.decision.tag,)
    goal, hosts = f"for {', '.join(tags)}", ", ".join(other_hosts(inputs.setting, plan))
    speaker.say_at_once(f"locking {goal}{f', from {hosts}' if hosts else ''} ...")
    texts, folder = (before, lock.text), inputs.project.folder
    if first:
        # uv takes one --upgrade-package bound for all lists. Where they need different ones, the lists say
        # them until uv.lock has the releases, which it then keeps.
        exact = plan_for(strategy, strategy.routing(inputs.selection.backend, releases=first) or Routing())
        names = ("torch", *(name for name in exact.routing.sources if name != "torch"))
        place.write_and_lock(
            texts, exact.text, lambda uv: _ready(uv, inputs).lock(folder, upgrade=names), goal=goal
        )
        made = load_project(folder).lock
        texts = (exact.text, made.text if made else "")
        place.write_and_lock(texts, plan.text, lambda uv: _ready(uv, inputs).lock(folder), goal=goal)
    else:
        tries = holds(inputs, plan)
        place.write_and_lock(
            texts, plan.text, lambda uv: lock_held(_ready(uv, inputs), inputs, plan, tries), goal=goal
        )
    return True


def _ready(uv: Uv, inputs: Inputs) -> Uv:
    # here and not before the files are locked: a run without anything to write asks no uv for its version
    uv.require(inputs.strategy.oldest_uv, f" for {inputs.strategy.name}")
    return told_of(uv, inputs.setting.options.call)


def told_of(uv: Uv, call: UvCall | None) -> Uv:
    """Uv with what its lock is told of a call, to be read in the folder that relative paths are meant for."""
    told = for_lock(call) if call else ()
    return replace(uv, told=told, start=call.directory) if call and told else uv


def _moves(inputs: Inputs, first: Mapping[str, str]) -> Iterator[str]:
    """Which backend gets which release, where it is not the locked one."""
    locked = inputs.setting.demand.locked
    alternatives = inputs.strategy.alternatives
    takers: dict[str, list[str]] = {}
    for name, release in first.items():
        if alternatives and release not in locked:
            takers.setdefault(release, []).append(alternatives.names[name])
    for release, tags in takers.items():
        listed = ", ".join(tags)
        yield f"torch {', '.join(locked)} in uv.lock has no build for {listed}: torch {release} there"
