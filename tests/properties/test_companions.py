"""For every machine and set of companions: the backend has them all, or a warning says what it lacks."""

from __future__ import annotations

import csv
from fnmatch import fnmatchcase
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import DATA
from torchsel.config.config import Config
from torchsel.host import Host, parse_host
from torchsel.selection.select import select
from torchsel.selection.values import Demand

CATALOG = load_catalog()
HOST_FILES = sorted((Path(__file__).parents[1] / "cases" / "hosts").glob("*.json"))
HOSTS = [parse_host(path.read_text(encoding="utf-8"), where=path.name) for path in HOST_FILES]


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


THERE = {row["package"]: row["backends"].split() for row in table("packages")}
VETOES = {row["package"]: row["backends"].split() for row in table("companions") if row["rule"] == "veto"}
NAMES = sorted({row["package"] for row in table("companions")})
SETS = list(chain.from_iterable(combinations(NAMES, count) for count in range(len(NAMES) + 1)))


def lacking(tag: str, packages: tuple[str, ...]) -> list[str]:
    """Packages that break beside torch for a backend whose index has none of them, by the tables as text."""
    return [
        name
        for name in packages
        if any(fnmatchcase(tag, pattern) for pattern in VETOES.get(name, []))
        and not any(fnmatchcase(tag, pattern) for pattern in THERE[name])
    ]


@pytest.mark.parametrize("host", HOSTS, ids=[path.stem for path in HOST_FILES])
def test_the_backend_has_every_companion_or_a_warning_says_what_it_lacks(host: Host) -> None:
    demands: list[dict[str, Any]] = [{}, *({"locked": (release,)} for release in CATALOG.releases[::4])]
    for packages in SETS:
        for fields in demands:
            demand = Demand(packages=frozenset(packages), **fields)
            found = select(host=host, requested="auto", demand=demand, config=Config(), catalog=CATALOG)
            assert not lacking(found.backend.tag, packages), (packages, fields)


@pytest.mark.parametrize("host", HOSTS[:4], ids=[path.stem for path in HOST_FILES[:4]])
def test_what_is_asked_for_is_obeyed_and_warned_of(host: Host) -> None:
    for tag in sorted({build.backend for build in CATALOG.all_builds}):
        for packages in SETS:
            demand = Demand(packages=frozenset(packages))
            found = select(host=host, requested=tag, demand=demand, config=Config(), catalog=CATALOG)
            assert found.backend.tag == tag
            for name in lacking(tag, packages):
                assert any(f"{name} has no {tag} build" in text for text in found.warnings), (tag, packages)
