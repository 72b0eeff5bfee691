"""What uv is told to hold, so that a change of backend moves no release.

uv takes a package from a new index only when told to upgrade it, and moves it to the newest release there
unless it is bounded; a bound with a marker leaves the other platforms' fork as it is (seen with uv 0.13.9).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from torchsel.pipeline.inputs import Inputs
from torchsel.pipeline.plan import Plan
from torchsel.project.lock import Locked, locked_packages
from torchsel.project.places import table
from torchsel.project.project import Project
from torchsel.project.requirement import newest_first, parse_specifiers
from torchsel.project.requirements import unmarked_specifiers
from torchsel.uv.program import Uv

Tries = tuple[tuple[str, ...], ...]
"""``--upgrade-package`` requirements, torch first; each try is for where the one before has no solution."""


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
