"""Builds that the catalog promises and the index does not have: asked for, left out, remembered.

That ``uv lock`` failed may have a hundred reasons, and its sentence is not for programs. So the index is
asked about the build alone (`Uv.finds`, past every cache); what it does not have is left out only where it
does have the next candidate, so that a network that is down proves nothing; and the finding stays only where
the project then locks with that one.

Under pin the finding is remembered on this machine. What groups and extras have is committed for all
machines, so that it can't depend on what one of them found out: there uv.lock gets the next candidate, which
is then what is kept, and where the file would have to say it the user is told what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TypeVar

from torchsel.answer import Speaker
from torchsel.backend import Backend
from torchsel.errors import ConfigError, MachineError
from torchsel.files.transaction import LockError
from torchsel.pipeline.inputs import Inputs, again, decide, memory_of
from torchsel.selection.remedy import line_of_backends
from torchsel.strategies.packages import index_url
from torchsel.strategies.table import strategy_of
from torchsel.uv.program import Uv

MOST = 6
"""Candidates that are asked about; each takes a request."""

Builds = tuple[tuple[str, str], ...]
"""Builds, each a release of torch and a backend."""

Other = TypeVar("Other")


def locked_without(
    inputs: Inputs,
    failure: LockError,
    uv: Uv,
    speaker: Speaker,
    *,
    instead: Callable[[Builds], Other],
    lock: Callable[[Other], object],
) -> Other:
    """What there is ``instead``, without the builds that the index lacks, once ``lock`` has locked that.

    ``failure`` is why the project of ``inputs`` could not be locked with them.

    Raises:
        LockError: ``failure``: the index lacks none, or it can't be locked without them either.
        MachineError: as `learn`.
    """
    if not (builds := learn(inputs, uv)):
        raise failure
    other = instead(builds)
    if inputs.strategy.alternatives:  # what is remembered, under pin, is named by each run's warnings
        for sentence in _sentences(inputs, builds):
            speaker.warn(sentence)
    try:
        lock(other)
    except LockError:
        unlearn(inputs, builds)
        raise failure from None
    return other


def learn(inputs: Inputs, uv: Uv) -> Builds:
    """The builds that the index lacks; under pin they are remembered.

    Empty where it lacks none, so that something else keeps uv from locking.

    Raises:
        MachineError: the state folder can't be used, or no other build is usable with ``fallback = "error"``.
    """
    missing = tuple(_missing(inputs, uv))
    if missing and inputs.strategy.is_for_one:
        memory_of(inputs.setting).add(missing)
    return missing


def unlearn(inputs: Inputs, builds: Builds) -> None:
    """Take that back: the project can't be locked without those builds either."""
    memory_of(inputs.setting).forget(builds)


def without(inputs: Inputs, builds: Builds) -> Inputs:
    """The project without those builds.

    Raises:
        ConfigError: its file would have to say so; the sentence tells what to write.
    """
    if inputs.strategy.is_for_one:
        return again(inputs, upgrade=inputs.setting.options.upgrade)
    rows = "; ".join(_sentences(inputs, builds))
    try:
        found = _without(inputs, builds)
        text = found.plan().text
    except ConfigError as error:
        msg = f"{rows}; {error}"
        raise ConfigError(msg) from None
    if text != inputs.plan().text:
        msg = f"{rows}; every machine has to know that: {_what_to_write(inputs, found)}"
        raise ConfigError(msg)
    return found


def _sentences(inputs: Inputs, builds: Builds) -> list[str]:
    """Each build, and where it was looked for."""
    urls = {tag: index_url(inputs.setting, Backend.parse(tag)) for _, tag in builds}
    promise = "which torchsel's catalog promises"
    return [f"{urls[tag]} has no torch {torch}, {promise}" for torch, tag in builds]


def _what_to_write(inputs: Inputs, found: Inputs) -> str:
    before, after = inputs.strategy.alternatives, found.strategy.alternatives
    if after and before and before.tags != after.tags:
        return f"write {line_of_backends(after.tags)} under [tool.torchsel]"
    return f"require torch<={found.strategy.promised(found.decision)[0][0]}"


def _missing(inputs: Inputs, uv: Uv) -> list[tuple[str, str]]:
    """Builds that come before the best ones that the index has; none where something else is wrong."""
    if not inputs.project.is_configured:
        return []
    missing: list[tuple[str, str]] = []
    there: set[tuple[str, str]] = set()
    found, is_shared = inputs, not inputs.strategy.is_for_one
    for _ in range(MOST):
        promised = set(found.strategy.promised(found.decision))
        ours, before = found.selection, inputs.selection
        # A machine is not left with the CPU build because an index is behind; other machines have their own.
        is_as_good = is_shared or (ours.usable == before.usable and ours.family == before.family)
        if not promised or not is_as_good:
            return []
        lacking = sorted(build for build in promised - there if not _has(found, uv, *build))
        there |= promised.difference(lacking)
        if not lacking:
            # of a backend that is left out altogether another torch has to be there, or its index is down
            left = {tag for _, tag in missing} - {tag for _, tag in promised}
            is_sure = all(_has(found, uv, "", tag) for tag in left) if is_shared else True
            return missing if is_sure else []
        missing += lacking
        try:
            found = _without(found, missing)
        except (ConfigError, MachineError):
            if is_shared:
                return []
            raise
    return []


def _has(found: Inputs, uv: Uv, torch: str, tag: str) -> bool:
    """Whether the index of a backend has that torch, any where it is empty."""
    backend = Backend.parse(tag)
    url, name = index_url(found.setting, backend), backend.index_name
    return uv.finds(f"torch=={torch}" if torch else "torch", index=f"{name}={url}")


def _without(found: Inputs, builds: Collection[tuple[str, str]]) -> Inputs:
    setting = found.setting
    strategy = strategy_of(replace(setting, catalog=setting.catalog.without(builds)))
    return decide(strategy, found.host, found.findings)
