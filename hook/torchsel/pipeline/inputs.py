"""Everything a command decides on, read once: project, configuration, request and host, and the decision."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from torchsel.answer import Speaker
from torchsel.backend import Backend, host_of
from torchsel.catalog.catalog import Catalog, load_catalog
from torchsel.config.config import Config
from torchsel.config.keys import parse_config
from torchsel.config.request import resolve_host, resolve_request
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError, DemandError
from torchsel.files.missing import Memory, Missing
from torchsel.host import Host
from torchsel.pipeline.plan import Plan, make_plan
from torchsel.probes.findings import Finding
from torchsel.project.environment import (
    VARIABLE,
    Environment,
    any_environment,
    environment_for,
    present_environments,
    project_python,
)
from torchsel.project.lock import Locked, locked_here
from torchsel.project.project import Project, no_project
from torchsel.project.workspace import load_project
from torchsel.selection.values import Selection
from torchsel.strategies import TABLE, strategy_of
from torchsel.strategies.protocol import Decision, Options, Setting, Strategy
from torchsel.toml.edit import line_of

_INDEX_URL, _COMPANION_URL = "TORCHSEL_INDEX_URL", "TORCHSEL_COMPANION_URL"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The state of project and machine, with the decision made from it."""

    strategy: Strategy
    host: Host
    findings: tuple[Finding, ...]
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

    @cached_property
    def locked(self) -> Locked | None:
        """The torch that uv.lock has for this machine, of what was chosen."""
        entries = self.strategy.locked(self.decision)
        return next(iter(locked_here(entries, self.host, self.setting.python)), None)

    @property
    def lock_drift(self) -> str:
        """Why uv.lock, of a project in sync, has not what this machine needs; empty where it has."""
        return self.strategy.lock_drift(self.decision, self.host, self.locked)

    def environment(self, tag: str | None = None) -> Environment:
        """Where the environment with this machine's build is, or with that of another ``tag``.

        Raises:
            ConfigError: ``TORCHSEL_ENVIRONMENT`` has no pattern.
        """
        backend = Backend.parse(tag) if tag else self.selection.backend
        environ = _environ_for_places(self.setting.options, is_ours=self.is_ours)
        return environment_for(self.project.folder, backend, self.host, self.config.environment, environ)

    @cached_property
    def plan(self) -> Plan:
        """What would be written for what was decided.

        Raises:
            ConfigError: as `make_plan`.
        """
        return make_plan(self.strategy, self.selection.backend, self.decision.bound)

    def warnings(self, plan: Plan) -> tuple[str, ...]:
        """What to mind: entries left alone and, where one machine decides for the file, its selection's.

        Of groups and extras each call of uv takes its own, which is told then.
        """
        chosen = () if self.strategy.alternatives else self.selection.warnings
        return (*plan.changes.past, *plan.changes.left_alone, *chosen)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What bringing a project in sync came to; ``before`` and ``after`` are pyproject.toml's text.

    ``inputs`` and ``plan`` are the last ones, ``warnings`` and ``taken_out`` those of the first, which tell
    what had to be left or to go.
    """

    inputs: Inputs
    plan: Plan
    before: str
    after: str
    relocked: bool = False
    warnings: tuple[str, ...] = ()
    taken_out: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether pyproject.toml is, or would be, another text."""
        return self.before != self.after


def read_inputs(options: Options, speaker: Speaker | None = None) -> Inputs:
    """Read project and machine, and decide; ``-v`` tells what the probes found.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read, or no build is usable with ``fallback = "error"``.
    """
    strategy = read_strategy(options)
    host, findings = resolve_host(option=options.host, environ=options.environ)
    found = decide(strategy, host, findings)
    if speaker:
        for finding in findings:
            speaker.detail(finding.line)
    return found


def read_strategy(options: Options) -> Strategy:
    """What does not depend on the machine: the project, its configuration, what is asked for.

    Raises:
        ConfigError: a file, key, variable or option is wrong.
        MachineError: a file can't be read.
    """
    project = no_project(options.folder) if options.without_project else load_project(options.folder)
    return strategy_in(project, options)


def strategy_in(project: Project, options: Options) -> Strategy:
    """As `read_strategy`, for a project that has been read."""
    environ, config = options.environ, read_config(project, options.environ)
    if options.only_looks:  # a picture of what is wrong has to come about where nothing is usable, too
        config = replace(config, fallback="cpu")
    uv_table = project.root.table("tool", "uv")
    wish = resolve_request(option=options.backend, environ=environ, config=config, uv_table=uv_table)
    setting = Setting(
        options=options,
        project=project,
        config=config,
        request=wish,
        catalog=load_catalog(),
        python=_python(project, config, options),
        mirror=_url_in(environ, _COMPANION_URL),
        own_hosts=frozenset(host_of(_url_in(environ, name)) for name in (_INDEX_URL, _COMPANION_URL)),
    )
    missing = _found_missing(setting)
    lacking = {*(item.build for item in missing), *options.lacking}
    # the project's own builds come last: what somebody wrote down is not doubted
    catalog = setting.catalog.without(lacking).with_builds(config.catalog)
    return strategy_of(replace(setting, catalog=catalog, missing=missing))


def decide(strategy: Strategy, host: Host, findings: tuple[Finding, ...] = ()) -> Inputs:
    """Decide for a machine.

    Raises:
        ConfigError: what was asked for is not to be had in this project.
        MachineError: no build is usable with ``fallback = "error"``.
    """
    setting = strategy.setting
    try:
        decision = strategy.decide(host, upgrade=setting.options.upgrade)
    except DemandError as error:
        named = (item.place for item in setting.project.naming("torch"))
        places = ", ".join(dict.fromkeys(named)) or "torch"
        msg = f"{setting.project.root.path}: {places}: {error}"
        raise DemandError(msg) from None
    return _told_of_missing(Inputs(strategy=strategy, host=host, findings=findings, decision=decision))


def again(found: Inputs, *, upgrade: bool = False) -> Inputs:
    """The inputs for the project's files as they are now, on the same machine.

    Raises:
        ConfigError: a file, key or variable is wrong.
        MachineError: a file can't be read.
    """
    options = replace(found.setting.options, upgrade=upgrade, anew=False, lacking=())
    strategy = strategy_in(load_project(found.project.folder), options)
    return decide(strategy, found.host, found.findings)


def with_warning(found: Inputs, warning: str) -> Inputs:
    """The same inputs with one more warning, the first."""
    selection = replace(found.selection, warnings=(warning, *found.selection.warnings))
    return replace(found, decision=replace(found.decision, selection=selection))


def memory_of(setting: Setting) -> Memory:
    """What is remembered of the project's indexes."""
    base = f"{setting.config.index_url} {setting.config.channel}"
    return Memory(base=base, environ=setting.options.environ, project=setting.project.folder)


def read_config(project: Project, environ: Mapping[str, str]) -> Config:
    """The project's configuration, with ``TORCHSEL_INDEX_URL`` over ``index-url``.

    Raises:
        ConfigError: with every fault of the table, or the variable's.
    """
    table = project.root.table("tool").get("torchsel", {})
    url = _url_in(environ, _INDEX_URL)
    config = parse_config(
        table,
        where=str(project.root.path),
        line_of=lambda keys: line_of(project.root.text, ("tool", "torchsel", *keys)),
        any_tag=bool(url),
    )
    return replace(config, index_url=url) if url else config


def require_table(project: Project) -> None:
    """Refuse a project without ``[tool.torchsel]``.

    Raises:
        ConfigError: there is none.
    """
    if not project.is_configured:
        msg = f"{project.root.path}: no [tool.torchsel]; run 'torchsel init' to have torch routed"
        raise ConfigError(msg)


def _environ_for_places(options: Options, *, is_ours: bool) -> Mapping[str, str]:
    """Variables that say where an environment is; torchsel's own count only where it has a say."""
    environ = options.environ
    return environ if is_ours else {VARIABLE: environ.get(VARIABLE, "")}


def _python(project: Project, config: Config, options: Options) -> str | None:
    environ = _environ_for_places(options, is_ours=project.is_configured)
    place = any_environment(project.folder, config.environment, environ)
    return project_python(project.folder, present_environments(place))


def _found_missing(setting: Setting) -> tuple[Missing, ...]:
    # what is committed for all machines can't depend on what one of them found out
    if not setting.project.is_configured or not TABLE[setting.config.strategy].is_for_one:
        return ()
    memory = memory_of(setting)
    if setting.options.anew:
        memory.forget()
    return memory.read()


def _told_of_missing(found: Inputs) -> Inputs:
    """With a warning where the choice would be a build that the index was found not to have."""
    setting, missing = found.setting, {item.build: item for item in found.setting.missing}
    if not missing:
        return found
    catalog = load_catalog().with_builds(setting.config.catalog)
    whole = strategy_of(replace(setting, catalog=catalog, missing=()))
    best = whole.decide(found.host, upgrade=setting.options.upgrade).selection
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
