"""The backends that exist for what a project asks of torch, on whatever machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.selection.companions import vetoes
from torchsel.selection.demand import find_releases, python_matches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchsel.catalog.catalog import Catalog
    from torchsel.catalog.rows import Build
    from torchsel.config.config import Config
    from torchsel.selection.demand import Demand


def best_release(demand: Demand, tag: str, config: Config, catalog: Catalog) -> str | None:
    """The release of torch that a project gets with backend ``tag``, on whatever machine.

    A locked release that has the backend, else the newest one allowed; None where no allowed release has it.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    return dict(buildable(demand, config, catalog, None, only=(tag,))).get(tag)


def buildable(
    demand: Demand,
    config: Config,
    catalog: Catalog,
    platforms: Iterable[str] | None = None,
    *,
    only: tuple[str, ...] | None = None,
) -> list[tuple[str, str | None]]:
    """Every backend that exists for the project's torch, with that release, newest torch first.

    The release is the locked one where that has the backend, else the newest one allowed; it is None where
    only "newer than the catalog" is known. ``platforms`` limits which builds count, ``only`` the backends;
    otherwise those of ``backends`` and ``max-cuda`` do,
    and without ``backends`` all that no package of the project rules out.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    releases = find_releases(demand, config, catalog)
    wanted = None if platforms is None else frozenset(platforms)
    found: dict[str, str] = {}
    for rows in (releases.locked, releases.allowed):
        for build in catalog.all_builds:
            fits = build.torch in rows and python_matches(build.python, demand)
            if fits and (wanted is None or build.platform in wanted) and _is_wanted(build, config, only):
                found.setdefault(build.backend, build.torch)
    if only is None and config.backends is None:
        found = {tag: row for tag, row in found.items() if not any(vetoes(tag, demand, catalog))}
    order = sorted(found.items(), key=lambda pair: releases.allowed.index(pair[1]))
    return [(tag, releases.public(row)) for tag, row in order]


def _is_wanted(build: Build, config: Config, only: tuple[str, ...] | None) -> bool:
    if only is not None:
        return build.backend in only
    if config.backends is not None and build.backend not in config.backends:
        return False
    return config.admits(Backend.parse(build.backend))
