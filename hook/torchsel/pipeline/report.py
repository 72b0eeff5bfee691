"""Sentences and pictures of what was done; no decisions."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

from torchsel.console import redacted

if TYPE_CHECKING:
    from torchsel.answer import Speaker
    from torchsel.pipeline.apply import Outcome
    from torchsel.pipeline.inputs import Inputs
    from torchsel.probes.findings import Finding
    from torchsel.selection.select import Selection


def tell(outcome: Outcome, console: Speaker, *, dry: bool = False) -> None:
    """Say what was left alone, what to mind, and in one line what was done."""
    for note in (*outcome.plan.changes.past, *outcome.plan.changes.left_alone):
        console.warn(note)
    if outcome.inputs.strategy.alternatives is None:
        for warning in outcome.warnings:
            console.warn(warning)
    if outcome.changed:
        console.say(change(outcome, dry=dry))
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


def change(outcome: Outcome, *, dry: bool) -> str:
    """One line: packages, backend and what it was chosen for."""
    would = "would route " if dry else ""
    lock = " (uv.lock updated)" if outcome.relocked else ""
    return f"{would}{route(outcome)}{lock}"


def route(outcome: Outcome) -> str:
    """``torch, torchvision → cu126 (GTX 1080 Ti, driver 580.65.06)``."""
    packages, alternatives = ", ".join(outcome.plan.routing.packages), outcome.inputs.strategy.alternatives
    if alternatives:
        return f"{packages} → {', '.join(alternatives.tags)}, by {alternatives.scope}"
    return f"{packages} → {outcome.inputs.decision.tag} ({reason(outcome.inputs)})"


def reason(found: Inputs) -> str:
    """What the backend was chosen for, in a few words."""
    if found.request.backend != "auto":
        return f"asked for by {found.request.source}"
    return hardware(found.selection, found.host.nvidia_driver)


def hardware(selection: Selection, driver: str | None) -> str:
    """The accelerators served and the driver, or the reason there are none."""
    if not selection.accelerators:
        return selection.reasons[0] if selection.reasons else "no GPU"
    names: dict[str, int] = {}
    for item in selection.accelerators:
        names[item.label] = names.get(item.label, 0) + 1
    parts = [f"{count} x {name}" if count > 1 else name for name, count in names.items()]
    if driver and selection.backend.family == "cuda":
        parts.append(f"driver {driver}")
    return ", ".join(parts)


def finding(item: Finding) -> str:
    """What one way of looking came to."""
    return f"{item.probe}: {item.outcome}: {item.why}"


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
