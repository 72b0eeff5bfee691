"""What ``uv lock`` is told: which releases it holds, and which builds it goes without, as no index has them.

uv takes a package from a new index only when told to upgrade it, and moves it to the newest release there
unless it is bounded; a bound with a marker leaves the other platforms' fork as it is (seen with uv 0.13.9).

That ``uv lock`` failed may have a hundred reasons, and its sentence is not for programs. So the index is
asked about the build alone (`Uv.finds`, past every cache); what it does not have is left out only where it
does have the next candidate, so that a network that is down proves nothing; and the finding stays only where
the project then locks with that one.

Under pin the finding is remembered on this machine. What groups and extras have is committed for all
machines, so that it can't depend on what one of them found out: there uv.lock gets the next candidate, which
is then what is kept, and where the file would have to say it the user is told what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from torchsel.answer import Speaker
from torchsel.backend import Backend
from torchsel.errors import ConfigError, MachineError
from torchsel.files.transaction import LockError
from torchsel.pipeline.inputs import Inputs, again, decide, memory_of
from torchsel.pipeline.plan import Plan
from torchsel.project.lock import Locked, locked_packages
from torchsel.project.places import table
from torchsel.project.project import Project
from torchsel.project.requirement import newest_first, parse_specifiers
from torchsel.project.requirements import unmarked_specifiers
from torchsel.selection.remedy import line_of_backends
from torchsel.strategies import strategy_of
from torchsel.strategies.packages import index_url
from torchsel.uv.program import Uv

Tries = tuple[tuple[str, ...], ...]
"""``--upgrade-package`` requirements, torch first; each try is for where the one before has no solution."""

MOST = 6
"""Candidates that are asked about; each takes a request."""

Builds = tuple[tuple[str, str], ...]
"""Builds, each a release of torch and a backend."""

Other = TypeVar("Other")


def lock_held(uv: Uv, found: Inputs, plan: Plan, tries: Tries) -> str | None:
    """Run ``uv lock``; what uv said of the last of ``tries``, None where one worked."""
    failure: str | None = None
    for held in tries:
        failure = uv.lock(found.project.folder, upgrade=held)
        if failure is None:
            return None
    why = unseen(found.setting.present.uv, uv.environ, sorted(plan.routing.sources))
    return failure and "\n".join((failure, *why))


def unseen(settings: Mapping[str, Any], environ: Mapping[str, str], routed: Collection[str]) -> Iterator[str]:
    """Why uv may see nothing of what is ``routed``; a sentence for each of its settings."""
    freed = table(settings, "exclude-newer-package")
    kept = [name for name in routed if freed.get(name) is not False]
    variable = "UV_EXCLUDE_NEWER"
    where = variable if environ.get(variable) else "tool.uv.exclude-newer"
    if kept and (environ.get(variable) or "exclude-newer" in settings):
        free = ", ".join(f"{name} = false" for name in kept)
        way = f"add {free} to" if freed else f"write exclude-newer-package = {{ {free} }} in"
        whose = "tool.uv.exclude-newer-package" if freed else "[tool.uv]"
        yield f"{where} leaves out what an index gives no upload date for; {way} {whose}"
    if routed:
        yield from no_index(settings)


def no_index(settings: Mapping[str, Any]) -> Iterator[str]:
    """That uv asks no index at all."""
    if settings.get("no-index") is True:
        yield (
            "tool.uv.no-index keeps uv from every index, the routed one too; take it out, or have uv take"
            " torch as it does without torchsel: torchsel deinit"
        )


def holds(found: Inputs, plan: Plan) -> Tries:
    """What keeps the torch family at its locked releases; with ``--upgrade`` it is free to move.

    Where this machine decides on another torch, that is what all are told.
    """
    locked = _locked(found, plan)
    if found.setting.options.upgrade:
        return (tuple(locked),)
    wanted = found.strategy.release(found.decision, found.host)
    if wanted is None or wanted in routed_releases(locked["torch"], found.setting.present.backends):
        return kept(found, plan)
    others = tuple(name for name in locked if name != "torch")
    tries = ((f"torch=={wanted}", *others), (f"torch<={wanted}", *others))
    return tries if _companions(found, plan) else tries[:1]


def kept(found: Inputs, plan: Plan) -> Tries:
    """What keeps the torch family at its locked releases, whatever machine this is.

    Each fork is held at its own release, else none past its newest, else torch alone; last, where a companion
    requires the torch that it was built for, torch may go back.
    """
    locked, urls = _locked(found, plan), found.setting.present.backends
    bounded = [_bound(name, items, urls, plan.routing.marker) for name, items in locked.items()]
    exact = [text for name, items in locked.items() for text in _forks(name, items)]
    free = [bounded[0], *(name for name in locked if name != "torch")]
    tries = [exact, bounded, free]
    if _companions(found, plan) and locked["torch"]:
        newest = newest_first(item.public for item in locked["torch"])[0]
        tries.append([f"torch<={newest}", *free[1:]])
    return tuple(dict.fromkeys(map(tuple, tries)))


def _companions(found: Inputs, plan: Plan) -> tuple[str, ...]:
    # Each requires the torch that it was built for.
    return tuple(name for name in found.setting.companions if name in plan.routing.sources)


def may_move(found: Inputs, plan: Plan) -> Iterator[str]:
    """A sentence where companions come to a locked torch, which they may not have builds for."""
    locked = _locked(found, plan)
    added = ", ".join(name for name in _companions(found, plan) if name not in locked)
    releases = ", ".join(newest_first(item.public for item in locked["torch"]))
    if added and releases:
        yield f"{added} requires the torch that it was built for: torch {releases} may have to go back for it"


def routed_releases(items: list[Locked], urls: Collection[str]) -> set[str]:
    """Public releases locked from torchsel's indexes; where there are none, from any."""
    return {item.public for item in items if item.registry in urls} or {item.public for item in items}


def _locked(found: Inputs, plan: Plan) -> dict[str, list[Locked]]:
    """What uv.lock has of the torch family and the project still allows, torch first."""
    family = found.catalog.family_packages | plan.routing.sources.keys()
    locked: dict[str, list[Locked]] = {"torch": []}
    for item in locked_packages(found.project.lock, family):
        locked.setdefault(item.name, []).append(item)
    return {name: _allowed(found.project, name, items) for name, items in locked.items()}


def _allowed(project: Project, name: str, items: list[Locked]) -> list[Locked]:
    # what the project no longer allows would leave uv without a solution
    allowed = parse_specifiers(unmarked_specifiers(project, name))
    return [item for item in items if allowed.contains(item.public, prereleases=True)]


def _forks(name: str, items: list[Locked]) -> list[str]:
    """Each fork at its own release."""
    markers: dict[str, list[str]] = {}
    for item in items:
        markers.setdefault(item.public, []).extend(item.markers or [""])
    if len(markers) == 1:
        return [f"{name}=={release}" for release in markers]
    if any("" in texts for texts in markers.values()):  # uv.lock does not say whose each release is
        return [_bound(name, items, (), "")]
    return [
        f"{name}=={release} ; {' or '.join(f'({text})' for text in dict.fromkeys(texts))}"
        for release, texts in markers.items()
    ]


def _bound(name: str, items: list[Locked], urls: Collection[str], marker: str) -> str:
    routed = newest_first(routed_releases(items, urls))
    if not routed:
        return name
    # several are locked where uv forked by platform or Python: none may move past the newest
    bound = f"{name}=={routed[0]}" if len(routed) == 1 else f"{name}<={routed[0]}"
    # a bound with a marker leaves the other platforms' fork as it is (uv 0.13.9)
    is_forked = len({item.public for item in items}) > 1
    return f"{bound} ; {marker}" if is_forked and marker else bound


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
        text = found.plan.text
    except ConfigError as error:
        msg = f"{rows}; {error}"
        raise ConfigError(msg) from None
    if text != inputs.plan.text:
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
            is_sure = not is_shared or all(_has(found, uv, "", tag) for tag in left)
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
