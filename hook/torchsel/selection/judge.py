"""Every fault of every build, in a few words, with what would mend it; and packages that break beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build, Companion, CompanionRule, is_within, release_key, release_text
from torchsel.config.config import Config
from torchsel.host import Host
from torchsel.project.requirement import parse_specifiers
from torchsel.selection.releases import find_releases, lacking_python, python_matches
from torchsel.selection.remedy import Cure, backends_line, remedy_for, remove_commands
from torchsel.selection.rules import deciding, rules_of
from torchsel.selection.values import Case, Demand, Fault, JudgedBuild
from torchsel.vendors import VENDORS, Vendor


def case_of(
    host: Host, demand: Demand, config: Config, catalog: Catalog, vendors: Iterable[Vendor] = tuple(VENDORS)
) -> Case:
    """All that builds are judged by on a machine, where devices of these vendors decide.

    Raises:
        ConfigError: no release of torch meets the demand.
    """
    releases = find_releases(demand, config, catalog)
    lacking = lacking_python(demand, releases.allowed, catalog, host.platform)
    return Case(
        host=host,
        demand=demand,
        config=config,
        catalog=catalog,
        releases=releases,
        devices=deciding(host, vendors, catalog),
        # what there is for another Python can't be told by some of the builds
        lacking=("", frozenset()) if catalog.is_narrowed else lacking,
        vetoes={tag: tuple(vetoes(tag, demand, catalog)) for tag in catalog.tags},
    )


def assess(build: Build, case: Case) -> JudgedBuild:
    """Everything that speaks against ``build`` in ``case``."""
    backend = Backend.parse(build.backend)
    faults = (*_wish_faults(build, backend, case), *machine_faults(build, case))
    verdicts = (
        (device, case.catalog.verdict_on(device.target or "", backend.release, "disputed"))
        for device in case.devices_for(backend)
    )
    doubts = (f"{item.label} with {backend.tag} is disputed: {why}" for item, why in verdicts if why)
    return JudgedBuild(build=build, backend=backend, faults=faults, doubt=next(doubts, ""))


def _wish_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    """What the project's requirements and configuration have against ``build``."""
    config = case.config
    if build.torch not in case.releases.allowed:
        text = f"the project requires torch{case.demand.wanted or 'another release'}"
        yield Fault(kind="release", text=text, remedy=case.release_remedy(build))
    yield from _python_faults(build, case)
    if config.backends is not None and build.backend not in config.backends:
        line = backends_line(build.backend, config.names, config.backends)
        remedy = remedy_for(Cure.BACKENDS, build.backend, build, line=line)
        yield Fault(kind="backends", text="not in tool.torchsel.backends", remedy=remedy)
    for package, text in case.vetoes.get(build.backend, ()):
        without = remove_commands(package, case.demand.direct)
        remedy = remedy_for(Cure.COMPANION, package, build, commands=without)
        yield Fault(kind="companion", text=text, remedy=remedy)
    # whoever lists a backend means it
    held = case.catalog.held_back(build.backend, build.torch)
    if held and build.backend not in (config.backends or ()):
        yield Fault(kind="held", text=f"only where nothing else runs: {held}")
    for text in missed(backend, config, case.catalog):
        yield Fault(kind="held", text=f"only where nothing else runs: {text}")
    if not config.admits(backend):
        release, limit = release_text(backend.release), release_text(config.max_cuda or ())
        text = f"CUDA {release} is above max-cuda {limit}"
        yield Fault(kind="max-cuda", text=text, remedy=remedy_for(Cure.MAX_CUDA, release, build))


def _python_faults(build: Build, case: Case) -> Iterator[Fault]:
    if not python_matches(build.python, case.demand):
        wanted = case.demand.python or case.demand.requires_python
        remedy = remedy_for(Cure.PYTHON, build.python_span, build)
        yield Fault(kind="python", text=f"no wheel for Python {wanted}", remedy=remedy)
    oldest, lacking = case.lacking
    if build.backend in lacking:
        text = f"no {build.backend} wheel of any release for Python {oldest}, which requires-python allows"
        yield Fault(kind="python", text=text, remedy=remedy_for(Cure.REQUIRES_PYTHON, oldest, build))


def machine_faults(build: Build, case: Case) -> Iterator[Fault]:
    """What the machine lacks for ``build``."""
    backend = Backend.parse(build.backend)
    if backend.vendor is None:
        return
    rules, devices = rules_of(backend.vendor), case.devices_for(backend)
    if devices:
        yield from rules.machine_faults(build, backend, case)
    else:
        yield Fault(kind="machine", text=f"no {VENDORS[backend.vendor].name} GPU found")
    for device in devices:
        if device.fault:
            yield Fault(kind="machine", text=device.fault, device=device, remedy=device.remedy)
        else:
            yield from rules.device_faults(build, backend, device, case)


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
        if family not in ("cpu", "cuda") or _is_other_cuda(tag, cuda.partition(".")[0]):
            yield f"{package} comes from an address for CUDA {cuda} and may not work beside torch for {tag}"


def _built_for(demand: Demand, catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Each package with the CUDA to keep: its own, or its major where no torch allowed suits all of them.

    None where even the majors differ, or no torch has them.
    """
    if not demand.built_for:
        return ()
    # packages for two releases of a major can't both have theirs: then the major has to do
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
    # what is not locked yet will be its newest, whose row has no end
    locked = dict(demand.versions)
    for row in catalog.companions:
        if row.rule == rule and row.package in demand.packages:
            version = locked.get(row.package)
            is_newest = version is None and not row.version_until
            if is_newest or (version and is_within(version, row.version_from, row.version_until)):
                yield row
