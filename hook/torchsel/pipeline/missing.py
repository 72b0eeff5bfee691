"""Builds that the catalog promises and the index does not have: asked for, left out, remembered.

That ``uv lock`` failed may have a hundred reasons, and its sentence is not for programs. So the index is
asked about the build alone (`Uv.finds`, past every cache); what it does not have is left out only where it
does have the next candidate, so that a network that is down proves nothing; and the finding stays only where
the project then locks with that one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from torchsel.pipeline.inputs import decide, memory_of
from torchsel.strategies.packages import index_url
from torchsel.strategies.table import strategy_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torchsel.pipeline.inputs import Inputs
    from torchsel.uv.program import Uv

MOST = 6
"""Candidates that are asked about; each takes a request."""


def learn(inputs: Inputs, uv: Uv, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The builds that the index lacks, each a release and a backend, which are remembered from now on.

    Empty where it lacks none, so that something else keeps uv from locking.

    Raises:
        MachineError: the state folder can't be used, or no other build is usable with ``fallback = "error"``.
    """
    missing = tuple(_missing(inputs, uv))
    if missing:
        memory_of(inputs.setting, environ).add(missing)
    return missing


def unlearn(inputs: Inputs, builds: Collection[tuple[str, str]], environ: Mapping[str, str]) -> None:
    """Take that back: the project can't be locked without those builds either."""
    memory_of(inputs.setting, environ).forget(builds)


def _missing(inputs: Inputs, uv: Uv) -> list[tuple[str, str]]:
    """Builds that come before the best one that the index has."""
    if not inputs.strategy.is_for_one or not inputs.project.is_configured:
        return []
    missing: list[tuple[str, str]] = []
    found = inputs
    for _ in range(MOST):
        selection = found.selection
        is_as_good = (
            selection.usable == inputs.selection.usable and selection.family == inputs.selection.family
        )
        if selection.torch is None or not is_as_good:
            return []
        if _has(found, uv):
            return missing
        missing.append((selection.torch, selection.backend.tag))
        found = _without(found, missing)
    return []


def _has(found: Inputs, uv: Uv) -> bool:
    selection, setting = found.selection, found.setting
    url, name = index_url(setting, selection.backend), selection.backend.index_name
    return uv.finds(f"torch=={selection.torch}", index=f"{name}={url}")


def _without(found: Inputs, builds: list[tuple[str, str]]) -> Inputs:
    setting = found.setting
    strategy = strategy_of(replace(setting, catalog=setting.catalog.without(builds)))
    return decide(strategy, found.host, found.findings, options=found.options)
