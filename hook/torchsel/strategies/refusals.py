"""Projects that torchsel can't route, or uv not lock or choose in: said before anything is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.rows import release_key
from torchsel.errors import ConfigError
from torchsel.project.places import canonical, texts
from torchsel.project.project import Project
from torchsel.project.requirement import admitted, lacking, parse_specifiers
from torchsel.selection.releases import allowed_releases, platforms, reference_release, shared_releases
from torchsel.selection.remedy import add_commands, line_of_backends, typed
from torchsel.strategies.offers import conflict_sets
from torchsel.strategies.protocol import Setting

_PIN = 'or write strategy = "pin" in [tool.torchsel]'


def refuse_unknown_kinds(project: Project) -> None:
    """Refuse what torchsel can't route, so that nothing is written.

    Raises:
        ConfigError: naming the kind, the entry and what to write instead.
    """
    reasons = (reason(project) for reason in (_no_project, _taken_out, _chosen_by_marker, _forwarded))
    if said := next(filter(None, reasons), ""):
        msg = f"{project.root.path}: {said} (nothing was changed)"
        raise ConfigError(msg)


def _no_project(project: Project) -> str:
    # uv takes a root for a project where one of these tables is there (seen with 0.13.9)
    data, uv = project.root.data, project.root.present.uv
    if "project" in data or "dependency-groups" in data or "workspace" in uv or "dev-dependencies" in uv:
        return ""
    return "there is no [project] table, without which uv locks and syncs nothing here; 'uv init' writes one"


def _taken_out(project: Project) -> str:
    for item in project.naming("torch"):
        marker = item.requirement.marker
        if item.is_override and marker and not admitted(str(marker)):
            return f"{item.place}: {str(item.requirement)!r} takes torch out of the project on every platform"
    return ""


def _chosen_by_marker(project: Project) -> str:
    source = project.root.present.sources.get("torch")
    markers = [str(item.get("marker", "")) for item in source.items] if source else []
    found = next((text for text in markers if re.search(r"\bextra\b", text)), "")
    return found and (
        f"tool.uv.sources.torch: chosen by the marker {found!r}, which torchsel does not read; write"
        ' extra = "NAME" in place of it, and the extras as a set of tool.uv.conflicts'
    )


def _forwarded(project: Project) -> str:
    """Choices that are only those of a dependency outside the workspace."""
    if any(item.name == "torch" for item in project.required):
        return ""
    members = {file.present.package for file in project.files}
    chosen = {place.name for members in conflict_sets(project) for place in members if place.scope == "extra"}
    for item in project.required:
        extra = canonical(item.place.rpartition("optional-dependencies.")[2])
        source = project.root.present.sources.get(item.name)
        is_local = source is not None and any("path" in entry for entry in source.items)
        if extra in chosen and item.requirement.extras and is_local and item.name not in members:
            return (
                f"{item.place}: {str(item.requirement)!r} chooses by an extra of a path dependency, which"
                " torchsel does not read; make that a workspace member (tool.uv.workspace)"
            )
    return ""


def refuse_unfit(setting: Setting, tags: Collection[str], routed: Collection[str]) -> None:
    """Refuse what has no solution, or one without the chosen build (seen with uv 0.13.9).

    ``tags`` are the backends to route to, ``routed`` the packages that the project names.

    Raises:
        ConfigError: naming the key and what to write instead.
    """
    root, strategy = setting.project.root, setting.config.strategy
    if "project" not in root.data:
        msg = (
            f"{root.path}: tool.torchsel.strategy: {strategy!r} needs a [project] table, as uv reads"
            ' conflicts of a package alone; write strategy = "pin" in [tool.torchsel]'
        )
        raise ConfigError(msg)
    for item in setting.project.bounds:
        if item.is_override and item.name in routed:
            msg = (
                f"{root.path}: {item.place}: {str(item.requirement)!r} replaces every requirement of"
                f" {item.name}, those of {strategy} too, so that none of them is chosen; move it to"
                f" tool.uv.constraint-dependencies, {_PIN}"
            )
            raise ConfigError(msg)
    _refuse_required_environments(setting, map(Backend.parse, tags))
    _refuse_what_never_fits(setting, tags)


def refuse_switched_off(setting: Setting, routed: Collection[str]) -> None:
    """Refuse a project that has uv read no sources, at least not those of a routed package.

    Raises:
        ConfigError: naming the key.
    """
    uv = setting.present.uv
    if uv.get("no-sources") is True:
        key = "no-sources"
    elif any(canonical(name) in routed for name in texts(uv.get("no-sources-package"))):
        key = "no-sources-package"
    else:
        return
    msg = (
        f"{setting.project.root.path}: tool.uv.{key}: uv passes over the sources of torch with it, so that"
        " [tool.torchsel] has no effect; take it out"
    )
    raise ConfigError(msg)


def _refuse_what_never_fits(setting: Setting, tags: Collection[str]) -> None:
    """Refuse a backend without a release that the project allows."""
    demand, catalog = setting.demand, setting.catalog
    known = [tag for tag in tags if tag in catalog.tags]
    # uv would find no solution for these
    empty = [tag for tag in known if not allowed_releases(tag, demand, catalog)]
    if setting.config.channel == "stable" and empty and len(empty) < len(known):
        left = line_of_backends(tag for tag in tags if tag not in empty)
        shorter = f" ({left})" if not setting.config.names else ""
        one, it = ("has", "it") if len(empty) == 1 else ("have", "them")
        nearest, allowing = _nearest(setting, empty)
        msg = (
            f"tool.torchsel.backends: {', '.join(empty)} {one} no build of the torch that the project"
            f" requires ({','.join(demand.specifiers)}){nearest}: take {it} out of the"
            f" list{shorter}{allowing}"
        )
        raise ConfigError(msg)


def _nearest(setting: Setting, tags: Iterable[str]) -> tuple[str, str]:
    """What backends have next to what is required, and how to allow it; empty where they share nothing."""
    demand, catalog = setting.demand, setting.catalog
    others = replace(demand, specifiers=tuple(cap for _, cap in demand.caps))
    common = shared_releases(tags, others, catalog)
    if not common:
        return "", ""
    known = list(parse_specifiers(demand.specifiers).filter(catalog.releases))
    is_older = bool(known) and release_key(known[0]) < release_key(common[-1])
    nearest = common[-1] if is_older else common[0]
    bounds = catalog.bounds_from(nearest, demand.packages)
    if not is_older:  # so that what has a newer one keeps it
        bounds = tuple(text.partition(",")[0] for text in bounds)
    commands = add_commands(bounds, demand.direct, is_refused=True)
    allowing = f", or allow torch {nearest}{typed(commands)}"
    return f", the {'oldest' if is_older else 'newest'} is {nearest}", allowing


def _refuse_required_environments(setting: Setting, backends: Iterable[Backend]) -> None:
    markers = texts(setting.present.uv.get("required-environments"))
    for backend in backends if markers else ():
        torch = reference_release(setting.demand, backend, setting.catalog)
        if missing := lacking(markers, platforms(backend, torch, setting.catalog)):
            msg = (
                f"{setting.project.root.path}: tool.uv.required-environments: torch has no"
                f" {backend.tag} wheel for {missing[0]!r}, so that uv finds no solution; leave"
                f" {backend.tag} out of tool.torchsel.backends, {_PIN}"
            )
            raise ConfigError(msg)
