"""Is the routing in the file what ``[tool.torchsel]`` generates, and does uv.lock serve these machines?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from textwrap import shorten
from typing import Any, NamedTuple

from torchsel.backend import Backend
from torchsel.pipeline.inputs import Inputs
from torchsel.pipeline.leaks import leaks_in, leaks_out
from torchsel.pipeline.plan import make_plan
from torchsel.project.lock import Locked, locked_packages
from torchsel.project.places import canonical
from torchsel.project.requirement import holds_on, parse_requirement
from torchsel.selection.select import best_there_is, select
from torchsel.selection.values import Demand, Selection
from torchsel.strategies.packages import Beside, beside
from torchsel.strategies.protocol import Strategy
from torchsel.toml.edits import Append, Delete, Edit, Prune, apply_to_data, dotted, value_at

_FOR_EACH = "strategy = 'groups' has a build for each machine ('torchsel help strategy')"


class Verdict(NamedTuple):
    """``drift`` says what differs, nothing when in sync; ``notes`` name entries that are the user's.

    ``past`` names workspace members and dependencies by path that route a package themselves, which only the
    user can mend.
    """

    backends: tuple[str, ...]
    drift: tuple[str, ...]
    notes: tuple[str, ...]
    past: tuple[str, ...]


def check(strategy: Strategy) -> Verdict:
    """Compare without looking at hardware.

    Raises:
        ConfigError: the routing can't be generated at all.
    """
    root, present = strategy.setting.project.root, strategy.setting.present
    routed, alternatives = present.routed, strategy.alternatives
    plan = make_plan(strategy, Backend.parse(routed or "cpu"), present.bound)
    # what is routed now is compared with itself: which backend it should be is for a machine to say
    differences = [*_differences(plan.changes.edits, dict(root.data))]
    if differences and not strategy.is_routed:  # one sentence in place of one for each entry
        differences = ["torch is not routed yet"]
    return Verdict(
        backends=alternatives.tags if alternatives else tuple(filter(None, [routed])),
        drift=tuple(f"{root.path.name}: {text}" for text in (*strategy.forbidden(), *differences)),
        notes=(*plan.changes.left_alone, *filter(None, [leaks_out(strategy)])),
        past=(*plan.changes.past, *leaks_in(strategy)),
    )


class HostVerdict(NamedTuple):
    """What one host would get of the commit; ``is_served`` is False where that is not right for it."""

    sentence: str
    is_served: bool


def check_host(found: Inputs) -> HostVerdict:
    """Say what a host would get from uv.lock, and whether that runs there.

    A machine without a GPU that PyTorch supports is served by any build that its platform has.
    """
    problem, what = _problem(found)
    return HostVerdict(sentence="; ".join(filter(None, (what, problem))), is_served=not problem)


def beside_torch(found: Inputs, tag: str) -> Beside:
    """What the configuration has beside torch for a backend."""
    return beside(found.setting, Backend.parse(tag), None)


def _problem(found: Inputs) -> tuple[str, str]:
    """Why the host is not served, empty where it is, and what it would get."""
    decision = found.decision
    if decision.alternatives and decision.chosen is None:
        lacks = found.strategy.drift(decision) or f"there is only {decision.alternatives.listed}"
        return f"needs {decision.tag}, and {lacks}", ""
    if found.project.lock is None:
        return "there is no uv.lock; run 'uv lock'", _would_get(found)
    locked = found.locked
    if locked is None:
        return f"uv.lock has no torch for {decision.tag}; run 'torchsel lock'", _would_get(found)
    if gap := found.strategy.lock_gap(found.host):
        return gap, ""
    if not found.selection.usable and not found.host.accelerators:  # not even the CPU build is for it
        return _why(found.selection), _would_get(found)
    tag = _tag(found, locked)
    has = beside_torch(found, tag)
    lacking = ", ".join(_lacking(found, has))
    problem = f"uv.lock has no {lacking} for {tag}; run 'torchsel lock'" if lacking else ""
    # a GPU that no build of PyTorch's serves is no reason to fail: the CPU build is right for it
    best = best_there_is(found.host, found.catalog)
    if not problem and best.family != "cpu":
        problem = _trouble(found, tag, locked.public, best)
    return problem, ", ".join((f"{tag}, torch {locked.public}{_choice(found)}", *has.texts))


def _lacking(found: Inputs, has: Beside) -> Iterator[str]:
    """Packages that the configuration has beside torch and that uv.lock has not."""
    wanted = [item for text in has.also if (item := parse_requirement(text))]
    here = [item for item in wanted if holds_on(item.marker, found.host, found.setting.python)]
    names = dict.fromkeys(canonical(item.name) for item in here)
    locked = locked_packages(found.project.lock, {*names, *has.companions})
    known = {item.name for item in locked}
    there = {(item.name, item.registry.rstrip("/")) for item in locked}
    yield from (name for name in names if name not in known)
    yield from (name for name, url in has.companions.items() if (name, url.rstrip("/")) not in there)


def _trouble(found: Inputs, tag: str, torch: str, best: Selection) -> str:
    """Why a build does not serve the GPUs, empty where it does; ``best`` is the best that there is."""
    if tag == "cpu":
        return f"its GPU gets the CPU build: {_why(found.selection)}"
    judged = _judged(found, tag, torch)
    if judged.usable:
        could = best.accelerators if best.family == judged.family and found.config.gpus == "all" else ()
        is_chosen = (found.decision.tag, found.selection.torch) == (tag, torch)
        why = _why(found.selection if is_chosen else judged)
        return why if set(could) - set(judged.accelerators) else ""
    reasons = [f" ({item.reason})" for item in judged.candidates if item.backend == tag]
    said = f"can't run that{''.join(reasons[:1])}"
    if found.selection.family == "cpu":
        return f"{said}; {_why(found.selection)}"
    one = "" if found.decision.alternatives else f"; {_FOR_EACH}"
    return f"{said} and needs {_would_get(found)}{one}"


def _tag(found: Inputs, locked: Locked) -> str:
    """The backend of what is locked; without an index of torchsel's the one of uv's default index."""
    if index := found.setting.present.backends.get(locked.registry) or locked.local:
        return index
    if found.decision.chosen:  # an alternative of the user's own, from an index of any name
        return found.decision.tag
    row = found.catalog.release(locked.public)
    return (row and row.default_backend(found.host.platform)) or "cpu"


def _would_get(found: Inputs) -> str:
    torch = f", torch {found.selection.torch}" if found.selection.torch else ""
    return f"{found.decision.tag}{torch}{_choice(found)}"


def _choice(found: Inputs) -> str:
    alternatives, chosen = found.decision.alternatives, found.decision.chosen
    return f" ({alternatives.scope} {chosen})" if alternatives and chosen else ""


def _judged(found: Inputs, tag: str, torch: str) -> Selection:
    return select(
        host=found.host,
        requested=tag,
        demand=Demand(specifiers=(f"=={torch}",), locked=(torch,), python=found.setting.python),
        config=replace(found.config, backends=None, fallback="cpu"),
        catalog=found.catalog,
    )


def _why(selection: Selection) -> str:
    return "; ".join(selection.warnings or selection.reasons)


def _differences(edits: Iterable[Edit], data: dict[str, Any]) -> Iterator[str]:
    for edit in edits:  # each is of the document as those before left it
        if not isinstance(edit, Prune) or value_at(data, edit.path) in ({}, []):
            yield _describe(edit, data)
        data = apply_to_data(data, [edit])


def _describe(edit: Edit, data: Mapping[str, Any]) -> str:
    there, place = value_at(data, edit.path), dotted(edit.path)
    if isinstance(edit, Delete | Prune):
        return f"{place} is there and should not be"
    if isinstance(edit, Append):
        return f"{place} lacks {_shown(edit.value)}"
    should = f"should be {_shown(edit.value)}"
    return f"{place} is missing and {should}" if there is None else f"{place} is {_shown(there)} and {should}"


def _shown(value: object) -> str:
    return shorten(json.dumps(value, ensure_ascii=False, default=str), 100, placeholder=" ...")
