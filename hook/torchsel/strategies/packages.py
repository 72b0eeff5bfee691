"""Which packages a project's routing is for, and where each has its builds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.project.lock import locked_packages
from torchsel.project.places import LISTS, Scope, canonical
from torchsel.project.present import Present
from torchsel.project.project import Project
from torchsel.project.reach import own_parts, reached
from torchsel.project.requirement import lacking, parse_requirement, parse_specifiers, required_name
from torchsel.routing.wanted import Alternative, OtherIndex, platform_marker
from torchsel.selection.releases import platforms
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.setting import Setting


def named_packages(setting: Setting) -> list[str]:
    """torch, and the packages to route beside it, sorted."""
    project, config = setting.project, setting.config
    routable = setting.catalog.routable_packages
    if config.packages is not None:
        named = set(config.packages)
    else:
        direct = project.required
        locked = locked_packages(project.lock, routable & _reached(project))
        named = {*(item.name for item in direct), *(item.name for item in locked), *_users_packages(setting)}
        named |= _added_now(setting)
        named &= routable
    return ["torch", *sorted(named - {"torch", *config.exclude})]


def _reached(project: Project) -> set[str]:
    """What uv.lock has for the user's own requirements: torchsel's groups and extras keep nothing alive."""
    if project.lock is None:
        return set()
    parts = [*own_parts(project)]
    named = {str(item.get("name")) for item in project.lock.data.get("package", ()) if isinstance(item, dict)}
    is_known = named.issuperset(part.package for part in parts if part.package)
    return reached(project.lock, parts) if is_known else named


def own_packages(setting: Setting) -> set[str]:
    """Packages whose stale sources may go."""
    named = {*named_packages(setting), *setting.config.companions, *setting.present.companions}
    return {*setting.catalog.family_packages, *named} - set(setting.config.exclude)


def routed_packages(setting: Setting) -> list[str]:
    """The named packages, and those that come from other parties' indexes."""
    return list(dict.fromkeys([*named_packages(setting), *setting.companions]))


def way_to(setting: Setting, backend: Backend, torch: str | None) -> Alternative:
    """Where there are packages beside ``torch`` of a backend, and those that it needs from its index."""
    catalog = setting.catalog
    routed = routed_packages(setting)
    elsewhere = {name: other for name in routed if (other := _other_index(setting, backend, name))}
    there = [name for name in routed if name in elsewhere or catalog.has_package(backend.tag, name)]
    only_there = catalog.index_only_packages(backend.tag, torch)
    return Alternative(
        backend=backend,
        url=index_url(setting, backend),
        packages=(*there, *(name for name in only_there if name not in setting.config.exclude)),
        elsewhere=elsewhere,
    )


def _other_index(setting: Setting, backend: Backend, package: str) -> OtherIndex | None:
    """The index that a package comes from where that is not the backend's own, nor uv's default."""
    if package in setting.companions and (found := setting.catalog.companion_index(package, backend.tag)):
        name, url = found
        return OtherIndex(name=name, url=f"{setting.mirror}/{backend.tag}/" if setting.mirror else url)
    tag = setting.catalog.index_of(package, backend.tag)
    if tag is None or tag == backend.tag:
        return None
    beside = Backend.parse(tag)
    return OtherIndex(name=beside.index_name, url=index_url(setting, beside), is_pytorchs=True)


def index_url(setting: Setting, backend: Backend) -> str:
    """URL of the backend's index."""
    return backend.index_url(setting.config.index_url, setting.config.channel)


def marker_where_lacking(setting: Setting, backend: Backend, torch: str | None) -> str:
    """Where ``tool.uv.environments`` names a platform that a backend lacks, that of those it has.

    Elsewhere none: where torch is a plain dependency too, uv (0.13.9) pins the index before it splits by
    platform, and a marked triton then has no solution; there it is the unmarked one that has none.
    """
    there = platforms(backend, torch, setting.catalog)
    return platform_marker(there) if lacking(setting.demand().environments, there) else ""


def as_bounded(setting: Setting, offered: Alternatives, catalog: Catalog) -> Catalog:
    """The catalog with only the releases that a user's own list for each backend allows."""
    texts: dict[str, list[str]] = {}
    for name, tag in offered.names.items():
        texts.setdefault(tag, []).extend(_users_bounds(setting.present, offered.scope, name))
    allowed = {tag: parse_specifiers(listed) for tag, listed in texts.items() if listed}
    if not allowed:
        return catalog
    kept = (
        build
        for build in catalog.all_builds
        if build.backend not in allowed or allowed[build.backend].contains(build.torch, prereleases=True)
    )
    return replace(catalog, all_builds=tuple(kept))


def as_locked(setting: Setting, offered: Alternatives) -> Catalog:
    """The catalog with only the locked release of each backend that uv.lock has from its index.

    One that the project no longer allows is none: uv locks another.
    """
    catalog, urls = setting.catalog, setting.present.backends
    allowed = parse_specifiers(setting.demand().specifiers)
    locked: dict[str, set[str]] = {}
    for item in locked_packages(setting.project.lock, ["torch"]):
        if item.registry in urls and allowed.contains(item.public, prereleases=True):
            locked.setdefault(urls[item.registry], set()).add(item.public)
    known = {tag: releases for tag, releases in locked.items() if releases & set(catalog.releases)}
    if not known.keys() & set(offered.tags):
        return catalog
    kept = (build for build in catalog.all_builds if build.torch in known.get(build.backend, {build.torch}))
    return replace(catalog, all_builds=tuple(kept), is_narrowed=True)


def _users_bounds(present: Present, scope: Scope, name: str) -> Iterator[str]:
    if present.is_generated(scope, name):
        return
    lists = present.lists(scope).items()
    listed = next((items for key, items in lists if canonical(key) == canonical(name)), None)
    for item in listed if isinstance(listed, list) else ():
        requirement = parse_requirement(item)
        if requirement and canonical(requirement.name) == "torch" and requirement.specifier:
            yield str(requirement.specifier)


def _added_now(setting: Setting) -> set[str]:
    """What ``uv add`` is to add: it writes down the release it finds, which is to be of the routed index."""
    call = setting.options.call
    words = call.brings if call else ()
    found = [item for word in words if (item := parse_requirement(word))]
    return {canonical(item.name) for item in found if not item.url}


def _users_packages(setting: Setting) -> set[str]:
    """What the groups or extras of a table of names require: those lists are the user's own."""
    scope = LISTS["extra" if setting.config.strategy == "extras" else "group"]
    wanted = {canonical(name) for name in setting.config.names}
    lists = setting.project.root.table(*scope).items()
    kept = [listed for name, listed in lists if canonical(name) in wanted]
    items = [item for listed in kept if isinstance(listed, list) for item in listed]
    return {name for item in items if (name := required_name(item))}
