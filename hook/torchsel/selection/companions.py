"""Packages that decide with torch, because they break beside some of its builds."""

from __future__ import annotations

from collections.abc import Iterator

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Companion, CompanionRule, is_within, release_key
from torchsel.config.config import Config
from torchsel.project.requirement import parse_specifiers
from torchsel.selection.case import Demand


def vetoes(tag: str, demand: Demand, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Each package of the project that rules the backend out, and why."""
    for row in _rows(demand, catalog, "veto"):
        if row.is_beside(tag) and not catalog.has_package(tag, row.package):
            yield row.package, f"{row.package} has no {tag} build, and {row.reason}"
    for package, cuda in _built_for(demand, catalog):
        if _is_other_cuda(tag, cuda):
            yield package, f"{package} comes from an address for CUDA {cuda}"


def missed(backend: Backend, config: Config, catalog: Catalog) -> Iterator[str]:
    """Each companion that a backend has no build of though others of its family have; a sentence each."""
    for package in config.companions:
        rows = [row for row in catalog.companion_indexes if row.package == package]
        tags = {tag for row in rows for tag in row.backends}
        kin = {tag for tag in tags if Backend.parse(tag).family == backend.family}
        if kin and backend.tag not in kin and not catalog.has_package(backend.tag, package):
            yield f"{package} has no {backend.tag} build"


def mismatches(tag: str, demand: Demand, catalog: Catalog) -> Iterator[str]:
    """What of the project won't work, or not in full, beside torch of this backend; a sentence each."""
    family = Backend.parse(tag).family
    for row in _rows(demand, catalog, "veto"):
        if family != "cpu" and not catalog.has_package(tag, row.package):
            yield f"{row.package} has no {tag} build, and {row.reason}"
    for row in _rows(demand, catalog, "built-for"):
        if family != "cpu" and not row.is_beside(tag):
            where = f"{row.package} on uv's default index is built for {row.reason}"
            yield f"{where} and may not work beside torch for {tag}"
    for package, cuda in demand.built_for:
        if family in ("rocm", "xpu") or _is_other_cuda(tag, cuda.partition(".")[0]):
            yield f"{package} comes from an address for CUDA {cuda} and may not work beside torch for {tag}"


def _built_for(demand: Demand, catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Each package with the CUDA to keep: its own, or its major where no torch allowed suits all of them.

    None where even the majors differ, or no torch has them.
    """
    if not demand.built_for:
        return ()
    allowed = parse_specifiers(demand.specifiers)
    builds = (build for build in catalog.all_builds if allowed.contains(build.torch, prereleases=True))
    tags = {build.backend for build in builds if Backend.parse(build.backend).family == "cuda"}
    majors = tuple((package, cuda.partition(".")[0]) for package, cuda in demand.built_for)
    for wanted in (demand.built_for, majors):
        if any(not any(_is_other_cuda(tag, cuda) for _, cuda in wanted) for tag in tags):
            return wanted
    return ()


def _is_other_cuda(tag: str, cuda: str) -> bool:
    backend, wanted = Backend.parse(tag), release_key(cuda)
    return backend.family == "cuda" and backend.release[: len(wanted)] != wanted


def _rows(demand: Demand, catalog: Catalog, rule: CompanionRule) -> Iterator[Companion]:
    """The rows for packages of the project, at their locked releases, else at their newest."""
    locked = dict(demand.versions)
    for row in catalog.companions:
        if row.rule == rule and row.package in demand.packages:
            version = locked.get(row.package)
            is_newest = version is None and not row.version_until
            if is_newest or (version and is_within(version, row.version_from, row.version_until)):
                yield row
