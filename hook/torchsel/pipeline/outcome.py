"""What bringing a project in sync comes to, and how far it may go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torchsel.pipeline.inputs import Inputs
from torchsel.pipeline.plan import Plan


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What `apply` found and did; ``before`` and ``after`` are pyproject.toml's text.

    ``inputs`` are the last ones read, ``warnings`` and ``taken_out`` those of the first, which tell what had
    to be left or to go.
    """

    inputs: Inputs
    plan: Plan
    before: str
    after: str
    relocked: bool = False
    warnings: tuple[str, ...] = ()
    taken_out: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether pyproject.toml is, or with ``write`` would be, another text."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How far `apply` may go: write at all, run ``uv lock`` where there is a uv.lock, let releases move.

    ``told`` are options for ``uv lock``, to be read in the folder ``start``.
    """

    write: bool = True
    lock: bool = True
    upgrade: bool = False
    told: tuple[str, ...] = ()
    start: Path | None = None


def warnings(inputs: Inputs, plan: Plan) -> tuple[str, ...]:
    """What to mind: entries that are left alone and, where one machine decides for the file, its selection's.

    Of groups and extras each call of uv takes its own, which is told then.
    """
    chosen = () if inputs.strategy.alternatives else inputs.selection.warnings
    return (*plan.changes.past, *plan.changes.left_alone, *chosen)
