"""What another party's index has beside what the catalog says of it: root pages of PEP 691 by backend."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name

from scripts.catalog.fetch import Fetcher, FetchError, Page
from torchsel.backend import known_backend
from torchsel.catalog.rows import CompanionIndex

ABSENT = (403, 404)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The packages of each backend whose root page there is, and what could not be read."""

    packages: dict[str, set[str]] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def read_roots(fetcher: Fetcher, base: str, tags: Iterable[str]) -> Found:
    """Read ``{base}/{backend}/`` for each; a backend that the index does not have is passed over."""
    found = Found()
    for tag in tags:
        try:
            found.packages[tag] = projects(fetcher.page(f"{base}/{tag}/"))
        except FetchError as error:
            if error.status not in ABSENT:
                found.troubles.append(f"{tag}: {error}")
    return found


def projects(page: Page) -> set[str]:
    """The normalised names of the packages on the root page of an index.

    Raises:
        FetchError: it is no such page.
    """
    try:
        return {canonicalize_name(str(item["name"])) for item in json.loads(page.text)["projects"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        msg = f"{page.url}: not a root page of the simple API (PEP 691)"
        raise FetchError(msg) from None


def differences(rows: Iterable[CompanionIndex], found: Found) -> Iterator[str]:
    """A line for each package and backend that one of both has alone, among the backends that were read."""
    known = {(tag, row.package) for row in rows for tag in row.backends}
    there = {(tag, package) for tag, packages in found.packages.items() for package in packages}
    packages = {package for _, package in known}
    for tag, package in sorted(there - known, key=lambda pair: (pair[1], _order(pair[0]))):
        what = "new" if package in packages else "new package"
        yield f"{what}: {package} for {tag}"
    gone = [pair for pair in known - there if pair[0] in found.packages]
    for tag, package in sorted(gone, key=lambda pair: (pair[1], _order(pair[0]))):
        yield f"gone: {package} for {tag}"


def _order(tag: str) -> tuple[str, tuple[int, ...]]:
    backend = known_backend(tag)
    return (backend.family, backend.release) if backend else (tag, ())
