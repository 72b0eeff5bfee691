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

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from torchsel.answer import Speaker
from torchsel.backend import Backend
from torchsel.errors import ConfigError, MachineError
from torchsel.files.transaction import LockError
from torchsel.pipeline.inputs import Inputs, again, decide, memory_of
from torchsel.pipeline.plan import make_plan
from torchsel.selection.remedy import line_of_backends
from torchsel.strategies import strategy_of
from torchsel.strategies.packages import index_url
from torchsel.uv.program import Uv

MOST = 6
"""Candidates that are asked about; each takes a request."""


def learn(inputs: Inputs, uv: Uv, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The builds that the index lacks, each a release and a backend; under pin they are remembered.

    Empty where it lacks none, so that something else keeps uv from locking.

    Raises:
        MachineError: the state folder can't be used, or no other build is usable with ``fallback = "error"``.
    """
    missing = tuple(_missing(inputs, uv))
    if missing and inputs.strategy.is_for_one:
        memory_of(inputs.setting, environ).add(missing)
    return missing


@contextmanager
def on_trial(
    inputs: Inputs, builds: Collection[tuple[str, str]], environ: Mapping[str, str], failure: LockError
) -> Iterator[None]:
    """Let the project be locked without those builds: where it can't be, they are not to blame.

    Raises:
        LockError: ``failure``, what uv said of the project with them.
    """
    try:
        yield
    except LockError:
        unlearn(inputs, builds, environ)
        raise failure from None


def unlearn(inputs: Inputs, builds: Collection[tuple[str, str]], environ: Mapping[str, str]) -> None:
    """Take that back: the project can't be locked without those builds either."""
    memory_of(inputs.setting, environ).forget(builds)


def without(
    inputs: Inputs, builds: Collection[tuple[str, str]], environ: Mapping[str, str], *, upgrade: bool = False
) -> Inputs:
    """The project without those builds.

    Raises:
        ConfigError: its file would have to say so; the sentence tells what to write.
    """
    if inputs.strategy.alternatives is None:
        return again(inputs, environ, upgrade=upgrade)
    rows = "; ".join(_sentences(inputs, builds))
    try:
        found = _without(inputs, builds)
        text = make_plan(found.strategy, found.selection.backend).text
    except ConfigError as error:
        msg = f"{rows}; {error}"
        raise ConfigError(msg) from None
    if text != make_plan(inputs.strategy, inputs.selection.backend).text:
        msg = f"{rows}; every machine has to know that: {_what_to_write(inputs, found)}"
        raise ConfigError(msg)
    return found


def tell(inputs: Inputs, builds: Collection[tuple[str, str]], speaker: Speaker) -> None:
    """Name what the index lacks; what is remembered, under pin, is named by each run's warnings."""
    if inputs.strategy.alternatives:
        for sentence in _sentences(inputs, builds):
            speaker.warn(sentence)


def _sentences(inputs: Inputs, builds: Collection[tuple[str, str]]) -> tuple[str, ...]:
    """Each build, and where it was looked for."""
    urls = {tag: index_url(inputs.setting, Backend.parse(tag)) for _, tag in builds}
    promise = "which torchsel's catalog promises"
    return tuple(f"{urls[tag]} has no torch {torch}, {promise}" for torch, tag in builds)


def _what_to_write(inputs: Inputs, found: Inputs) -> str:
    before, after = inputs.strategy.alternatives, found.strategy.alternatives
    if after and before and before.tags != after.tags:
        return f"write {line_of_backends(after.tags)} under [tool.torchsel]"
    return f"require torch<={found.strategy.promised(found.decision)[0][0]}"


def _missing(inputs: Inputs, uv: Uv) -> list[tuple[str, str]]:
    """Builds that come before the best ones that the index has."""
    if not inputs.project.is_configured:
        return []
    missing: list[tuple[str, str]] = []
    there: set[tuple[str, str]] = set()
    found = inputs
    for _ in range(MOST):
        promised = set(found.strategy.promised(found.decision))
        if not promised or not _is_as_good(found, inputs):
            return []
        lacking = sorted(build for build in promised - there if not _has(found, uv, *build))
        there |= promised.difference(lacking)
        if not lacking:
            left = {tag for _, tag in missing} - {tag for _, tag in promised}
            is_sure = inputs.strategy.alternatives is None or all(_has(found, uv, "", tag) for tag in left)
            return missing if is_sure else []
        missing += lacking
        try:
            found = _without(found, missing)
        except (ConfigError, MachineError):
            if inputs.strategy.alternatives is None:
                raise
            return []
    return []


def _is_as_good(found: Inputs, inputs: Inputs) -> bool:
    """Under pin, whether this machine would still get a build of its kind; other machines have their own."""
    ours, before = found.selection, inputs.selection
    is_shared = inputs.strategy.alternatives is not None
    return is_shared or (ours.usable == before.usable and ours.family == before.family)


def _has(found: Inputs, uv: Uv, torch: str, tag: str) -> bool:
    """Whether the index of a backend has that torch, any where it is empty."""
    backend = Backend.parse(tag)
    url, name = index_url(found.setting, backend), backend.index_name
    return uv.finds(f"torch=={torch}" if torch else "torch", index=f"{name}={url}")


def _without(found: Inputs, builds: Collection[tuple[str, str]]) -> Inputs:
    setting = found.setting
    strategy = strategy_of(replace(setting, catalog=setting.catalog.without(builds)))
    return decide(strategy, found.host, found.findings, options=found.options)
