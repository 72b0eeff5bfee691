"""Everything a command decides on, read once: project, configuration, request and host, and the decision."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torchsel.backend import Backend, host_of
from torchsel.catalog.catalog import Catalog, load_catalog
from torchsel.config.config import Config, Request
from torchsel.config.keys import parse_config
from torchsel.config.request import resolve_host, resolve_request
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError, DemandError
from torchsel.files.missing import Memory, Missing
from torchsel.host import Host
from torchsel.probes.findings import Finding
from torchsel.project.environment import (
    VARIABLE,
    Environment,
    any_environment,
    environment_for,
    present_environments,
    project_python,
)
from torchsel.project.project import Project, no_project
from torchsel.project.workspace import load_project
from torchsel.selection.values import Selection
from torchsel.strategies import TABLE, strategy_of
from torchsel.strategies.pin import is_builder
from torchsel.strategies.protocol import Decision, Setting, Strategy
from torchsel.toml.edit import line_of
from torchsel.uv.call import UvCall

_INDEX_URL, _COMPANION_URL = "TORCHSEL_INDEX_URL", "TORCHSEL_COMPANION_URL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line says about where to look and what to want.

    ``only_looks`` is for a picture of what is wrong: then ``fallback = "error"`` stops nothing. ``anew``
    forgets what was found out before. ``without_project`` asks what the machine would take in any project;
    none is looked for. ``lacking`` are builds, each a release and a backend, to go without.
    """

    folder: Path
    backend: str | None = None
    host: str | None = None
    upgrade: bool = False
    call: UvCall | None = None
    only_looks: bool = False
    anew: bool = False
    without_project: bool = False
    lacking: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The state of project and machine, with the decision made from it."""

    options: Options
    strategy: Strategy
    host: Host
    findings: tuple[Finding, ...]
    python: str | None
    decision: Decision

    @property
    def setting(self) -> Setting:
        """What the strategy works on."""
        return self.strategy.setting

    @property
    def project(self) -> Project:
        """The project's files."""
        return self.setting.project

    @property
    def config(self) -> Config:
        """``[tool.torchsel]``."""
        return self.setting.config

    @property
    def catalog(self) -> Catalog:
        """torchsel's, with the project's own builds."""
        return self.setting.catalog

    @property
    def request(self) -> Request:
        """What was asked for in the end."""
        return self.decision.request

    @property
    def selection(self) -> Selection:
        """The build."""
        return self.decision.selection

    @property
    def is_ours(self) -> bool:
        """Whether torchsel has a say in the project: by its table, or in the user's own routing."""
        return self.project.is_configured or self.strategy.is_users

    @property
    def sync(self) -> tuple[str, ...]:
        """The commands after which the environment has what is selected."""
        return ("torchsel sync",) if self.is_ours else ("torchsel init", "torchsel sync")

    def environment(self, environ: Mapping[str, str], tag: str | None = None) -> Environment:
        """Where the environment with this machine's build is, or with that of another ``tag``.

        Raises:
            ConfigError: ``TORCHSEL_ENVIRONMENT`` has no pattern.
        """
        backend = Backend.parse(tag) if tag else self.selection.backend
        known = environ if self.is_ours else {VARIABLE: environ.get(VARIABLE, "")}
        return environment_for(self.project.folder, backend, self.host, self.config.environment, known)


def read_inputs(options: Options, environ: Mapping[str, str]) -> Inputs:
    """Read project and machine, and decide.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read, or no build is usable with ``fallback = "error"``.
    """
    strategy = read_strategy(options, environ)
    host, findings = resolve_host(option=options.host, environ=environ)
    return decide(strategy, host, findings, options=options)


def read_strategy(options: Options, environ: Mapping[str, str]) -> Strategy:
    """What does not depend on the machine: the project, its configuration, what is asked for.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read.
    """
    project = no_project(options.folder) if options.without_project else load_project(options.folder)
    return strategy_in(project, options, environ)


def strategy_in(project: Project, options: Options, environ: Mapping[str, str]) -> Strategy:
    """As `read_strategy`, for a project that has been read."""
    config = read_config(project, environ)
    if options.only_looks:
        config = replace(config, fallback="cpu")
    uv_table = project.root.table("tool", "uv")
    wish = resolve_request(option=options.backend, environ=environ, config=config, uv_table=uv_table)
    missing = _found_missing(project, config, options, environ)
    setting = Setting(
        project=project,
        config=config,
        request=wish,
        catalog=load_catalog()
        .without({*(item.build for item in missing), *options.lacking})
        .with_builds(config.catalog),
        missing=missing,
        folder=options.folder,
        call=options.call,
        python=_python(project, config, environ),
        is_builder=is_builder(wish, options.host, environ),
        mirror=_url_in(environ, _COMPANION_URL),
        own_hosts=frozenset(host_of(_url_in(environ, name)) for name in (_INDEX_URL, _COMPANION_URL)),
    )
    return strategy_of(setting)


def decide(strategy: Strategy, host: Host, findings: tuple[Finding, ...] = (), *, options: Options) -> Inputs:
    """Decide for a machine.

    Raises:
        ConfigError: what was asked for is not to be had in this project.
        MachineError: no build is usable with ``fallback = "error"``.
    """
    project = strategy.setting.project
    python = strategy.setting.python
    try:
        decision = strategy.decide(host, upgrade=options.upgrade)
    except DemandError as error:
        places = ", ".join(dict.fromkeys(item.place for item in project.naming("torch"))) or "torch"
        msg = f"{project.root.path}: {places}: {error}"
        raise DemandError(msg) from None
    found = Inputs(
        options=options,
        strategy=strategy,
        host=host,
        findings=findings,
        python=python,
        decision=decision,
    )
    return _told_of_missing(found)


def _python(project: Project, config: Config, environ: Mapping[str, str]) -> str | None:
    key, known = config.environment, environ
    if not project.is_configured:
        known = {VARIABLE: environ.get(VARIABLE, "")}
    places = present_environments(any_environment(project.folder, key, known))
    return project_python(project.folder, places)


def again(found: Inputs, environ: Mapping[str, str], *, upgrade: bool = False) -> Inputs:
    """The inputs for the project's files as they are now, on the same machine.

    Raises:
        ConfigError: a file, key or variable is wrong.
        MachineError: a file can't be read.
    """
    options = replace(found.options, upgrade=upgrade, anew=False, lacking=())
    strategy = strategy_in(load_project(found.project.folder), options, environ)
    return decide(strategy, found.host, found.findings, options=options)


def with_warning(found: Inputs, warning: str) -> Inputs:
    """The same inputs with one more warning, the first."""
    selection = replace(found.selection, warnings=(warning, *found.selection.warnings))
    return replace(found, decision=replace(found.decision, selection=selection))


def memory_of(setting: Setting, environ: Mapping[str, str]) -> Memory:
    """What is remembered of the project's indexes."""
    return _memory(setting.project, setting.config, environ)


def _memory(project: Project, config: Config, environ: Mapping[str, str]) -> Memory:
    return Memory(base=f"{config.index_url} {config.channel}", environ=environ, project=project.folder)


def _found_missing(
    project: Project, config: Config, options: Options, environ: Mapping[str, str]
) -> tuple[Missing, ...]:
    """Under pin: what is committed for all machines can't depend on what one of them found out."""
    if not project.is_configured or not TABLE[config.strategy].is_for_one:
        return ()
    memory = _memory(project, config, environ)
    if options.anew:
        memory.forget()
    return memory.read()


def _told_of_missing(found: Inputs) -> Inputs:
    """With a warning where the choice would be a build that the index was found not to have."""
    setting, missing = found.setting, {item.build: item for item in found.setting.missing}
    if not missing:
        return found
    catalog = load_catalog().with_builds(setting.config.catalog)
    whole = strategy_of(replace(setting, catalog=catalog, missing=()))
    best = whole.decide(found.host, upgrade=found.options.upgrade).selection
    lacking = missing.get((best.torch or "", best.backend.tag))
    if lacking is None:
        return found
    index = f"{setting.config.index_url}/{lacking.backend}"
    day = time.strftime("%Y-%m-%d", time.gmtime(lacking.seen))
    instead = f"{found.selection.backend.tag} with torch {found.selection.torch} is taken"
    return with_warning(
        found,
        f"{index} has no torch {lacking.torch}, which torchsel's catalog promises (asked on {day}):"
        f" {instead}; 'torchsel --no-cache' asks again",
    )


def read_config(project: Project, environ: Mapping[str, str]) -> Config:
    """The project's configuration, with ``TORCHSEL_INDEX_URL`` over ``index-url``.

    Raises:
        ConfigError: with every fault of the table, or the variable's.
    """
    table = project.root.table("tool").get("torchsel", {})
    url = _url_in(environ, _INDEX_URL)
    config = parse_config(
        table, where=str(project.root.path), line_of=partial(_line_of, project), any_tag=bool(url)
    )
    return replace(config, index_url=url) if url else config


def _url_in(environ: Mapping[str, str], name: str) -> str:
    """The base of indexes in a variable, empty where it is not set.

    Raises:
        ConfigError: it is no such URL, or holds credentials.
    """
    try:
        return check_index_url(url) if (url := environ.get(name)) else ""
    except ValueError as error:
        msg = f"{name}: {error}"
        raise ConfigError(msg) from None


def require_table(project: Project) -> None:
    """Refuse a project without ``[tool.torchsel]``.

    Raises:
        ConfigError: there is none.
    """
    if not project.is_configured:
        msg = f"{project.root.path}: no [tool.torchsel]; run 'torchsel init' to have torch routed"
        raise ConfigError(msg)


def _line_of(project: Project, keys: tuple[str, ...]) -> int:
    return line_of(f"{project.root.text.removeprefix(chr(0xFEFF))}\n", ("tool", "torchsel", *keys))
