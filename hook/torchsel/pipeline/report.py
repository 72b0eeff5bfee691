"""Sentences and pictures of what was done; no decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from difflib import unified_diff

from torchsel.answer import Speaker
from torchsel.console import redacted
from torchsel.pipeline.inputs import Inputs, Outcome
from torchsel.pipeline.plan import Plan, other_hosts
from torchsel.project.lock import locked_here, locked_packages
from torchsel.selection.values import short_name
from torchsel.strategies.alternatives import Alternatives


def tell(outcome: Outcome, console: Speaker) -> None:
    """Say what was left alone, what to mind, and in one line what was done."""
    for warning in outcome.warnings:
        console.warn(warning)
    if outcome.changed:
        for note in (*outcome.plan.routing.notes, *outcome.taken_out):
            console.warn(note)
        would = "" if outcome.inputs.setting.options.writes else "would route "
        lock = " (uv.lock updated)" if outcome.relocked else ""
        console.say(f"{would}{route(outcome)}{lock}")
    else:
        console.detail(f"in sync: {route(outcome)}")


def warn(found: Inputs, console: Speaker) -> None:
    """Say what to mind about the selection."""
    for warning in found.selection.warnings:
        console.warn(warning)


def tell_notes(found: Inputs, console: Speaker) -> None:
    """Say what was not understood of a project's own extras or groups, or is missing for this machine."""
    for note in found.decision.notes:
        console.warn(note)


def tell_choice(found: Inputs, console: Speaker) -> None:
    """Say which group or extra is taken, where there are several, and what to mind about it."""
    decision = found.decision
    if decision.alternatives is None:
        return
    warn(found, console)
    tell_notes(found, console)
    if decision.chosen is None:
        console.warn(found.strategy.drift(decision))
    console.detail(f"{decision.alternatives.scope} {decision.chosen}: {decision.tag} ({reason(found)})")


def route(outcome: Outcome) -> str:
    """``torch 2.14.1, torchvision 0.29.1 → cu126 (GTX 1080 Ti, driver 580.65.06)``, and a host to know of."""
    found, packages = outcome.inputs, outcome.plan.routing.packages
    alternatives, selection = found.strategy.alternatives, found.selection
    origin = from_others(found, outcome.plan)
    if alternatives:
        return f"{_route_by_name(found, packages, alternatives)}{origin}"
    known = {"torch": selection.torch or ""} | _locked_releases(found, packages, selection.backend.tag)
    return f"{_named(packages, known)} → {selection.backend.tag} ({reason(found)}){origin}"


def from_others(found: Inputs, plan: Plan) -> str:
    """The end of a sentence that names hosts to know of."""
    listed = ", ".join(other_hosts(found.setting, plan))
    return f", with packages from {listed}" if listed else ""


def _route_by_name(found: Inputs, packages: Collection[str], alternatives: Alternatives) -> str:
    # what most backends have stands in front, another torch behind the backend that has it
    each = {tag: _locked_releases(found, packages, tag) for tag in alternatives.tags}
    known: dict[str, str] = {}
    for name in packages:
        releases = Counter(filter(None, (locked.get(name) for locked in each.values())))
        if len(releases) == 1 or (name == "torch" and releases):
            known[name] = releases.most_common(1)[0][0]
    usual = known.get("torch")
    tags = [
        tag if locked.get("torch", usual) == usual else f"{tag} (torch {locked['torch']})"
        for tag, locked in each.items()
    ]
    return f"{_named(packages, known)} → {', '.join(tags)}, by {alternatives.scope}"


def _named(packages: Iterable[str], releases: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {releases.get(name, '')}".rstrip() for name in packages)


def _locked_releases(found: Inputs, packages: Collection[str], tag: str) -> dict[str, str]:
    urls = found.setting.present.backends
    entries = locked_packages(found.project.lock, packages)
    routed = [item for item in entries if urls.get(item.registry) == tag]
    here = locked_here(routed, found.host, found.setting.python)
    return {item.name: item.public for item in reversed(here)}  # of several forks the first stays


def reason(found: Inputs) -> str:
    """What the backend was chosen for: the wish, the accelerators served, or why there are none."""
    request, selection, driver = found.decision.request, found.selection, found.host.nvidia_driver
    if request.backend != "auto":
        return f"asked for by {request.source}"
    if not selection.accelerators:
        return selection.reasons[0] if selection.reasons else "no GPU"
    names = Counter(map(short_name, selection.accelerators))
    parts = [f"{count} x {name}" if count > 1 else name for name, count in names.items()]
    if driver and selection.backend.family == "cuda":
        parts.append(f"driver {driver}")
    return ", ".join(parts)


def diff(outcome: Outcome) -> str:
    """The change of pyproject.toml as a unified diff, empty where there is none."""
    return text_diff(outcome.inputs.project.root.path.name, outcome.before, outcome.after)


def text_diff(name: str, before: str, after: str) -> str:
    """A unified diff of two texts of one file; credentials that stand there are not shown."""
    old, new = (redacted(text).splitlines(True) for text in (before, after))
    lines = unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
