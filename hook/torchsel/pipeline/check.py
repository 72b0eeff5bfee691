"""Is the routing in the file what ``[tool.torchsel]`` generates, for some allowed backend?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.pipeline.plan import make_plan
from torchsel.toml.edits import Delete, dotted

if TYPE_CHECKING:
    from torchsel.pipeline.inputs import Inputs
    from torchsel.strategies.protocol import Strategy
    from torchsel.toml.edits import Edit


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``drift`` says what differs, nothing when in sync; ``notes`` name entries that are the user's."""

    backends: tuple[str, ...]
    drift: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check(strategy: Strategy) -> Verdict:
    """Compare without looking at hardware.

    Raises:
        ConfigError: the routing can't be generated at all.
    """
    project, alternatives = strategy.setting.project, strategy.alternatives
    routed = strategy.setting.present.routed()
    where = project.root.path.name
    plan = make_plan(strategy, Backend.parse(routed or "cpu"))
    drift = [f"{where}: {_describe(edit)}" for edit in plan.changes.edits]
    if alternatives is None and routed is None and drift:
        drift = [f"{where}: torch is not routed yet"]
    drift = [*(f"{where}: {reason}" for reason in strategy.forbidden()), *drift]
    tags = alternatives.tags if alternatives else (routed,) if routed else ()
    return Verdict(backends=tags, drift=tuple(drift), notes=plan.changes.left_alone)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostVerdict:
    """What one recorded host would get; ``is_served`` is False where the commit has nothing for it."""

    sentence: str
    is_served: bool


def check_host(name: str, found: Inputs) -> HostVerdict:
    """Say which of the committed backends a host would get, and whether uv.lock has it.

    A host that no build runs on at all is not served; one whose GPU none of the backends runs on gets the
    CPU build, which is said.
    """
    decision, present = found.decision, found.setting.present
    tag = decision.tag
    entries = found.strategy.locked(decision)
    locked = [item.version for item in entries if present.backends.get(item.registry or "") == tag]
    state = f"uv.lock has torch {', '.join(locked)}" if locked else "uv.lock does not have it"
    is_served = found.selection.usable or bool(found.host.accelerators)
    choice = ""
    if decision.alternatives is None:
        routed = found.strategy.routed(decision)
        if routed != tag:
            state = f"routed to {routed} now; 'torchsel' there changes it"
    elif decision.chosen is None:
        listed = ", ".join(decision.alternatives.tags)
        return HostVerdict(sentence=f"{name}: needs {tag}, which is not among {listed}", is_served=False)
    else:
        choice = f" ({decision.alternatives.scope} {decision.chosen})"
        is_served &= bool(locked) or found.project.lock is None
    said = "".join(f"; {warning}" for warning in found.selection.warnings)
    return HostVerdict(sentence=f"{name}: {tag}{choice}; {state}{said}", is_served=is_served)


def _describe(edit: Edit) -> str:
    return f"{dotted(edit.path)} {'is stale' if isinstance(edit, Delete) else 'is missing or differs'}"
