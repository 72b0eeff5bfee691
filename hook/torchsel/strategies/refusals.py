"""Projects in which uv could not choose by group or extra: said before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.rows import release_key
from torchsel.errors import ConfigError
from torchsel.project.places import canonical
from torchsel.project.requirement import lacking, parse_specifiers
from torchsel.selection.releases import allowed_releases, platforms, reference_release, shared_releases
from torchsel.selection.remedy import add_commands, line_of_backends, typed
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.setting import Setting

_PIN = 'or write strategy = "pin" in [tool.torchsel]'


def refuse_unfit(setting: Setting, backends: Iterable[Backend], routed: Collection[str]) -> None:
    """Refuse what has no solution, or one without the chosen build (seen with uv 0.13.9).

    ``routed`` are the packages that the project names.

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
        if item.place == "tool.uv.override-dependencies" and item.name in routed:
            msg = (
                f"{root.path}: {item.place}: {str(item.requirement)!r} replaces every requirement of"
                f" {item.name}, those of {strategy} too, so that none of them is chosen; move it to"
                f" tool.uv.constraint-dependencies, {_PIN}"
            )
            raise ConfigError(msg)
    _refuse_required_environments(setting, backends)


def refuse_switched_off(setting: Setting, routed: Collection[str]) -> None:
    """Refuse a project that has uv read no sources, at least not those of a routed package.

    Raises:
        ConfigError: naming the key.
    """
    uv = setting.present.uv
    listed = uv.get("no-sources-package", [])
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    if uv.get("no-sources") is True:
        key = "no-sources"
    elif any(canonical(name) in routed for name in names):
        key = "no-sources-package"
    else:
        return
    msg = (
        f"{setting.project.root.path}: tool.uv.{key}: uv passes over the sources of torch with it, so that"
        " [tool.torchsel] has no effect; take it out"
    )
    raise ConfigError(msg)


def refuse_what_never_fits(setting: Setting, offered: Alternatives) -> None:
    """Refuse a backend without a release that the project allows: uv would find no solution for it.

    Raises:
        ConfigError: there is one.
    """
    demand, catalog = setting.demand(), setting.catalog
    tags = [tag for tag in offered.tags if tag in catalog.tags]
    empty = [tag for tag in tags if not allowed_releases(tag, demand, catalog)]
    if setting.config.channel == "stable" and empty and len(empty) < len(tags):
        left = line_of_backends(tag for tag in offered.tags if tag not in empty)
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
    demand, catalog = setting.demand(), setting.catalog
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
    listed = setting.present.uv.get("required-environments", [])
    markers = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    for backend in backends if markers else ():
        torch = reference_release(setting.demand(), backend, setting.catalog)
        if missing := lacking(markers, platforms(backend, torch, setting.catalog)):
            where = f"{setting.project.root.path}: tool.uv.required-environments"
            msg = (
                f"{where}: torch has no {backend.tag} wheel for"
                f" {missing[0]!r}, so that uv finds no solution; leave {backend.tag} out of"
                f" tool.torchsel.backends, {_PIN}"
            )
            raise ConfigError(msg)
