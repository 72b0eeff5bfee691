"""Which packages a project's routing is for, where each has its builds, and what stands beside torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from packaging.specifiers import SpecifierSet

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.project.lock import lock_entries, locked_packages, own_parts, reached
from torchsel.project.places import canonical
from torchsel.project.project import Project
from torchsel.project.requirement import parse_requirement, parse_specifiers, required_name
from torchsel.routing.wanted import Alternative, PackageIndex, Routing
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.protocol import Setting


def named_packages(setting: Setting) -> list[str]:
    """torch, and the packages to route beside it, sorted."""
    project, config = setting.project, setting.config
    routable = setting.catalog.routable_packages
    if config.packages is not None:
        named = set(config.packages)
    else:
        # a source reaches what others require only with an anchor, so that what uv.lock has is named too
        locked = locked_packages(project.lock, routable & _reached(project))
        named = {*(item.name for item in project.required), *(item.name for item in locked)}
        named = (named | _users_packages(setting) | _added_now(setting)) & routable
    return ["torch", *sorted(named - {"torch", *config.exclude})]


def _reached(project: Project) -> set[str]:
    """What uv.lock has for the user's own requirements."""
    if project.lock is None:
        return set()
    parts = [*own_parts(project)]  # not torchsel's groups and extras, which would keep all in them alive
    named = {str(item.get("name")) for item in lock_entries(project.lock)}
    # without an entry for the project, in a lock of another one, there is nothing to begin from
    is_known = named.issuperset(part.package for part in parts if part.package)
    return reached(project.lock, parts) if is_known else named


def _users_packages(setting: Setting) -> set[str]:
    """What the groups or extras of a table of names require: those lists are the user's own."""
    listed = (item for name in setting.config.names for item in setting.present.items_of(setting.scope, name))
    return set(filter(None, map(required_name, listed)))


def _added_now(setting: Setting) -> set[str]:
    """What ``uv add`` is to add."""
    # uv writes down the release that it finds, which is to be of the routed index
    call = setting.options.call
    words = call.brings if call else ()
    found = [item for word in words if (item := parse_requirement(word))]
    return {canonical(item.name) for item in found if not item.url}


def own_packages(setting: Setting) -> set[str]:
    """Packages whose stale sources may go."""
    named = {*named_packages(setting), *setting.config.companions, *setting.present.companions}
    return {*setting.catalog.family_packages, *named} - set(setting.config.exclude)


def routed_packages(setting: Setting) -> list[str]:
    """The named packages, and those that come from other parties' indexes."""
    return list(dict.fromkeys([*named_packages(setting), *setting.companions]))


def way_to(setting: Setting, backend: Backend, torch: str | None) -> Alternative:
    """Where there are packages beside ``torch`` of a backend, and those that it needs from its index."""
    needed = setting.catalog.index_only_packages(backend.tag, torch)
    names = (*routed_packages(setting), *(name for name in needed if name not in setting.config.exclude))
    return Alternative(
        backend=backend,
        packages={name: index for name in names if (index := _index_of(setting, backend, name))},
        also=also_for(setting.config.also or {}, backend),
    )


def _index_of(setting: Setting, backend: Backend, package: str) -> PackageIndex | None:
    """The index that a package comes from, None for uv's default one."""
    if package in setting.companions and (found := setting.catalog.companion_index(package, backend.tag)):
        name, url = found
        url = f"{setting.mirror}/{backend.tag}/" if setting.mirror else url
        return PackageIndex(name, url, is_pytorchs=False)
    tag = setting.catalog.index_of(package, backend.tag)
    if tag is None:
        return None
    beside = Backend.parse(tag)
    return PackageIndex(beside.index_name, index_url(setting, beside))


def index_url(setting: Setting, backend: Backend) -> str:
    """URL of the backend's index."""
    return backend.index_url(setting.config.index_url, setting.config.channel)


def also_for(also: Mapping[str, tuple[str, ...]], backend: Backend) -> tuple[str, ...]:
    """The requirements for a backend: of each package those of the most exact key, in the table's order."""
    major = f"{backend.family}{backend.release[0]}" if backend.release else backend.family
    keys = (backend.tag, major, backend.family)
    decides = {required_name(text): key for key in reversed(keys) for text in also.get(key, ())}
    return tuple(
        text for key, items in also.items() for text in items if decides.get(required_name(text)) == key
    )


class Beside(NamedTuple):
    """What stands beside torch of one backend: companions with the URL of their index, and requirements."""

    companions: Mapping[str, str]
    also: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """All of them, as a user wrote them; a requirement of a companion's instead of its name."""
        named = {required_name(text) for text in self.also}
        return (*(name for name in self.companions if name not in named), *self.also)


def beside(setting: Setting, backend: Backend, torch: str | None) -> Beside:
    """What ``[tool.torchsel]`` has beside ``torch`` of a backend."""
    way = way_to(setting, backend, torch)
    routed = [name for name in setting.companions if name in way.packages]
    return Beside({name: way.packages[name].url for name in routed}, way.also)


def narrowed(setting: Setting, offered: Alternatives) -> Catalog:
    """The catalog with only what the user's list for each backend allows, and what uv.lock has of each."""
    catalog, bounds, locked = setting.catalog, _bounds(setting, offered), _locked_releases(setting, offered)
    if not bounds and not locked:
        return catalog
    kept = (
        build
        for build in catalog.all_builds
        if build.torch in locked.get(build.backend, {build.torch})
        and (build.backend not in bounds or bounds[build.backend].contains(build.torch, prereleases=True))
    )
    return replace(catalog, all_builds=tuple(kept), is_narrowed=bool(locked))


def _locked_releases(setting: Setting, offered: Alternatives) -> dict[str, set[str]]:
    """Releases that uv.lock has from each backend's index; none where it has nothing of what is offered."""
    urls, allowed = setting.present.backends, parse_specifiers(setting.demand.specifiers)
    locked: dict[str, set[str]] = {}
    for item in setting.locked:
        # for one that the project no longer allows uv locks another
        if item.registry in urls and allowed.contains(item.public, prereleases=True):
            locked.setdefault(urls[item.registry], set()).add(item.public)
    known = {tag: releases for tag, releases in locked.items() if releases & set(setting.catalog.releases)}
    return known if known.keys() & set(offered.tags) else {}


def _bounds(setting: Setting, offered: Alternatives) -> dict[str, SpecifierSet]:
    """What the user's own lists allow of torch, by the backend that each is for."""
    texts: dict[str, list[str]] = {}
    for name, tag in offered.names.items():
        if not setting.present.is_generated(setting.scope, name):
            items = filter(None, map(parse_requirement, setting.present.items_of(setting.scope, name)))
            bounds = (str(item.specifier) for item in items if canonical(item.name) == "torch")
            texts.setdefault(tag, []).extend(filter(None, bounds))
    return {tag: parse_specifiers(listed) for tag, listed in texts.items() if listed}


def with_names(setting: Setting, routing: Routing, ways: Sequence[Alternative]) -> Routing:
    """A routing with the packages that it is for, and a sentence for each companion that lacks a build."""
    notes = []
    for package in setting.companions:
        without = [way for way in ways if package not in way.packages]
        if names := ", ".join(way.name for way in without):
            notes.append(f"{package} has no build for {setting.scope} {names}, and is left out there")
        elif without:
            notes.append(f"{package} has no {without[0].backend.tag} build, and is left to uv")
    packages = tuple(name for name in routed_packages(setting) if name in routing.sources)
    return replace(routing, packages=packages, notes=tuple(notes))
