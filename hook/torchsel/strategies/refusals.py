"""Projects in which uv could not choose by group or extra: said before anything is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.errors import ConfigError
from torchsel.project.places import canonical
from torchsel.project.requirement import lacking
from torchsel.selection.releases import platforms, reference_release

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from torchsel.backend import Backend
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
