"""The tables of packages: which index has their builds, and how they go with torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

from torchsel.catalog import rows
from torchsel.catalog.rows import is_within, matches, release_key, table


@dataclass(frozen=True, kw_only=True)
class PackageTables:
    """What is known of packages beside torch."""

    index_only: tuple[rows.IndexOnly, ...] = table("index_only", rows.IndexOnly)
    packages: tuple[rows.Package, ...] = table("packages", rows.Package)
    companions: tuple[rows.Companion, ...] = table("companions", rows.Companion)
    companion_indexes: tuple[rows.CompanionIndex, ...] = table("companion_indexes", rows.CompanionIndex)
    caps: tuple[rows.Cap, ...] = table("caps", rows.Cap)

    def has_package(self, backend: str, package: str) -> bool:
        """Whether the backend's index is known to have the package."""
        # the index answers 403 for any other
        known: list[rows.Package | rows.IndexOnly] = [*self.packages, *self.index_only]
        return any(row.package == package and matches(row.backends, backend) for row in known)

    def index_of(self, package: str, backend: str) -> str | None:
        """The backend from whose index a package comes beside torch of ``backend``, None for uv's default."""
        if self.has_package(backend, package):
            return backend
        beside = [row.index for row in self.companions if row.package == package and row.is_beside(backend)]
        return next(filter(None, beside), None)

    def companion_index(self, package: str, backend: str) -> tuple[str, str] | None:
        """Name and URL of another party's index with the package's builds for ``backend``, None for none."""
        for row in self.companion_indexes:
            if row.package == package and matches(row.backends, backend):
                return row.index.format(backend=backend), row.url.format(backend=backend)
        return None

    @cached_property
    def companion_templates(self) -> frozenset[tuple[str, str]]:
        """Name and URL of each other party's indexes, with ``{backend}``."""
        return frozenset((row.index, row.url) for row in self.companion_indexes)

    @cached_property
    def companion_packages(self) -> frozenset[str]:
        """Every package that some other party's index has builds of, by backend."""
        return frozenset(row.package for row in self.companion_indexes)

    @cached_property
    def routable_packages(self) -> frozenset[str]:
        """Every package with builds by backend that some index has, the index-only ones left out."""
        return frozenset(row.package for row in self.packages)

    @cached_property
    def deciding_packages(self) -> frozenset[str]:
        """Every package that a choice of torch looks at."""
        companions = {row.package for row in self.companions}
        return frozenset({"torchvision", *companions, *(row.package for row in self.caps)})

    def cap_on_torch(self, package: str, version: str | None) -> str:
        """The specifier of torch that a release of a package, None for its newest, has; empty for none."""
        known = [row for row in self.caps if row.package == package]
        if version is None:
            # uv will lock its newest
            newest = max(known, key=lambda row: release_key(row.version_from), default=None)
            return newest.torch if newest else ""
        within = (row.torch for row in known if is_within(version, row.version_from, row.version_until))
        return next(within, "")

    @cached_property
    def helpers(self) -> frozenset[str]:
        """Packages that only some backends' own indexes have, such as triton-rocm."""
        return frozenset(row.package for row in self.index_only)

    @cached_property
    def family_packages(self) -> frozenset[str]:
        """Every package with builds by backend, those that only one backend's index has included."""
        return self.routable_packages | self.helpers


@cache
def load_packages() -> PackageTables:
    """Those that come with torchsel."""
    return PackageTables()
