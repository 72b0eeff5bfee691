"""Everything a command decides on, read once: project, configuration, request, host and the selection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from torchsel.catalog.catalog import load_catalog
from torchsel.config.keys import Config, parse_config
from torchsel.config.request import Request, resolve_host, resolve_request
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError, DemandError, MachineError
from torchsel.project import requirements
from torchsel.project.owned import owned_urls
from torchsel.project.workspace import load_project
from torchsel.selection.select import Demand, select
from torchsel.strategies.ci import KEPT, committed_backend, sentence
from torchsel.strategies.named import offered

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torchsel.catalog.catalog import Catalog
    from torchsel.host import Host
    from torchsel.probes.findings import Finding
    from torchsel.project.workspace import Project
    from torchsel.selection.select import Selection
    from torchsel.strategies.adopted_choice import Adopted
    from torchsel.strategies.named import Choices
    from torchsel.uv.call import UvCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says about where to look and what to want.

    ``only_looks`` is for a picture of what is wrong: then ``fallback = "error"`` stops nothing.
    """

    folder: Path
    backend: str | None = None
    host: str | None = None
    upgrade: bool = False
    call: UvCall | None = None
    only_looks: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """The state of project and machine, with the selection made from it."""

    project: Project
    config: Config
    request: Request
    host: Host
    findings: tuple[Finding, ...]
    python: str | None
    choices: Choices | None
    selection: Selection
    catalog: Catalog
    adopted: Adopted | None = None


def survey(options: Options, environ: Mapping[str, str]) -> Survey:
    """Read project and machine, and select.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read, or no build is usable with ``fallback = "error"``.
    """
    project = load_project(options.folder)
    config = read_config(project, environ)
    if options.only_looks:
        config = replace(config, fallback="cpu")
    request = read_request(project, config, options.backend, environ)
    host, findings = resolve_host(option=options.host, environ=environ)
    if not project.is_configured:
        uv_table = project.root.table("tool", "uv")
        wish = resolve_request(option=options.backend, environ=environ, config=config, uv_table=uv_table)
        if found := _adopted(project, config, wish, host, options):
            return replace(found, findings=findings)
    kept = committed_backend(project, config, request, options.host, environ)
    try:
        decided = decide(project, config, request, host, findings, upgrade=options.upgrade)
        if kept is None or decided.selection.family != "cpu":
            return decided
    except MachineError:
        if kept is None:
            raise
    return decide(project, config, Request(backend=kept, source=KEPT), host, findings)


def with_warning(found: Survey, warning: str) -> Survey:
    """The same survey with one more warning, the first."""
    warnings = (warning, *found.selection.warnings)
    return replace(found, selection=replace(found.selection, warnings=warnings))


def decide(
    project: Project,
    config: Config,
    request: Request,
    host: Host,
    findings: tuple[Finding, ...] = (),
    *,
    upgrade: bool = False,
) -> Survey:
    """Select for what has been read."""
    catalog = project_catalog(config)
    python = requirements.project_python(project.folder)
    demand = torch_demand(project, host, python, upgrade=upgrade)
    try:
        choices = offered(config, torch_demand(project, None, None), catalog)
        if choices:
            selection = select_offered(project, config, request, host, demand, choices)
        else:
            selection = select(
                host=host, requested=request.backend, demand=demand, config=config, catalog=catalog
            )
        if request.source == KEPT:
            selection = replace(selection, warnings=(sentence(request.backend),))
    except DemandError as error:
        places = ", ".join(requirements.places_of(project, "torch")) or "torch"
        msg = f"{project.root.path}: {places}: {error}"
        raise DemandError(msg) from None
    return Survey(
        project=project,
        config=config,
        request=request,
        host=host,
        findings=findings,
        python=python,
        choices=choices,
        selection=selection,
        catalog=catalog,
    )


def _adopted(
    project: Project, config: Config, request: Request, host: Host, options: Options
) -> Survey | None:
    """The survey of a project that routes torch by extras or groups of its own, None for any other."""
    from torchsel.strategies.adopted_choice import Situation, adopt  # noqa: PLC0415 - start-up time

    catalog = project_catalog(config)
    adopted = adopt(
        Situation(
            project=project,
            folder=options.folder,
            config=config,
            request=request,
            host=host,
            catalog=catalog,
            call=options.call,
        )
    )
    if adopted is None:
        return None
    return Survey(
        project=project,
        config=config,
        request=request,
        host=host,
        findings=(),
        python=requirements.project_python(project.folder),
        choices=adopted.choices,
        selection=adopted.selection,
        catalog=catalog,
        adopted=adopted,
    )


def again(found: Survey, environ: Mapping[str, str], *, upgrade: bool = False) -> Survey:
    """The survey for the project's files as they are now, on the same machine.

    Raises:
        ConfigError: a file, key or variable is wrong.
        MachineError: a file can't be read.
    """
    project = load_project(found.project.folder)
    config, request = read_config(project, environ), found.request
    if request.source not in ("--backend", KEPT):
        request = read_request(project, config, None, environ)
    return decide(project, config, request, found.host, found.findings, upgrade=upgrade)


def project_catalog(config: Config) -> Catalog:
    """The catalog with the builds that the project adds to it."""
    return load_catalog().with_builds(config.catalog)


def select_offered(
    project: Project, config: Config, request: Request, host: Host, demand: Demand, choices: Choices
) -> Selection:
    """Select among what the project's groups or extras offer, at the releases that uv.lock has of each.

    Raises:
        ConfigError: a backend was asked for that is not offered.
    """
    if request.backend not in ("auto", *choices.tags):
        listed = ", ".join(choices.tags)
        msg = f"{request.source} asks for {request.backend}, which is not among this project's: {listed}"
        raise ConfigError(msg)
    catalog = _as_locked(project_catalog(config), project, choices)
    return select(
        host=host,
        requested=request.backend,
        demand=replace(demand, locked=()),
        config=replace(config, backends=choices.tags),
        catalog=catalog,
    )


def _as_locked(catalog: Catalog, project: Project, choices: Choices) -> Catalog:
    """The catalog with only the locked release of each backend that uv.lock has from its index."""
    urls = owned_urls(project.root.data)
    locked: dict[str, set[str]] = {}
    for item in requirements.locked_packages(project.lock, ["torch"]):
        if item.registry in urls:
            locked.setdefault(urls[item.registry], set()).add(item.public)
    known = {tag: releases for tag, releases in locked.items() if releases & set(catalog.releases)}
    kept = (build for build in catalog.all_builds if build.torch in known.get(build.backend, {build.torch}))
    if not known.keys() & set(choices.tags):
        return catalog
    return replace(catalog, all_builds=tuple(kept), is_narrowed=True)


def read_config(project: Project, environ: Mapping[str, str]) -> Config:
    """The project's configuration, with ``TORCHSEL_INDEX_URL`` over ``index-url``.

    Raises:
        ConfigError: with every fault of the table, or the variable's.
    """
    table = project.root.table("tool").get("torchsel", {})
    config = parse_config(table, where=str(project.root.path), line_of=partial(_line_of, project))
    if url := environ.get("TORCHSEL_INDEX_URL"):
        try:
            return replace(config, index_url=check_index_url(url))
        except ValueError as error:
            msg = f"TORCHSEL_INDEX_URL: {error}"
            raise ConfigError(msg) from None
    return config


def _line_of(project: Project, key: str) -> int:
    from torchsel.toml.edit import line_of  # noqa: PLC0415 - only for an error

    return line_of(f"{project.root.text.removeprefix(chr(0xFEFF))}\n", ("tool", "torchsel", key))


def require_table(project: Project) -> None:
    """Refuse a project without ``[tool.torchsel]``.

    Raises:
        ConfigError: there is none.
    """
    if not project.is_configured:
        msg = f"{project.root.path}: no [tool.torchsel]; run 'torchsel init' to have torch routed"
        raise ConfigError(msg)


def torch_demand(project: Project, host: Host | None, python: str | None, *, upgrade: bool = False) -> Demand:
    """What the project asks of torch on ``host``; on any machine where None."""
    entries = requirements.locked_packages(project.lock, ["torch"])
    here = requirements.locked_here(entries, host, python) if host else entries
    required = project.root.table("project").get("requires-python")
    return Demand(
        specifiers=requirements.specifiers(project, "torch", host=host, python=python),
        requires_python=required if isinstance(required, str) else None,
        python=python,
        locked=requirements.newest_first(item.public for item in here),
        upgrade=upgrade,
    )


def read_request(project: Project, config: Config, option: str | None, environ: Mapping[str, str]) -> Request:
    """The wish, else the backend that a requirement such as ``torch==2.5.1+cu121`` leaves no choice of.

    Raises:
        ConfigError: the wish is not ``auto`` or a torch backend.
    """
    uv_table = project.root.table("tool", "uv")
    request = resolve_request(option=option, environ=environ, config=config, uv_table=uv_table)
    pinned = requirements.pinned_local(project, "torch")
    if request.source == "default" and pinned:
        return Request(backend=pinned[0], source=f"torch's local version in {pinned[1]}")
    return request
