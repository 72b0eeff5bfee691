"""``torchsel sync --for HOST…``: an environment for each build that these machines take, made on this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from torchsel.answer import Draft
from torchsel.config.request import this_platform
from torchsel.errors import EXIT_MACHINE, EXIT_OK, ConfigError
from torchsel.host import Host
from torchsel.hosts.load import NamedHost, read_hosts
from torchsel.pipeline.check import check, check_host
from torchsel.pipeline.inputs import Inputs, decide, read_strategy, require_table
from torchsel.project.environment import EXAMPLE, VARIABLE, has_place
from torchsel.strategies.choice import choose
from torchsel.strategies.protocol import Options, Strategy
from torchsel.uv.call import KEEPS_LOCK, Given, UvCall
from torchsel.uv.program import Uv, find_uv

OPTION = "--for"

Served = tuple[str, Inputs]
"""A host by its name, and what was decided for it."""


def prepare(call: UvCall, options: Options, draft: Draft) -> int:
    """Make every environment, whatever becomes of the others; returns the exit code.

    Raises:
        ConfigError: no host is named, one is wrong, or they would share an environment.
        MachineError: uv is missing.
    """
    words, call = split_call(call)
    if not words:
        msg = f"{OPTION}: expected hosts, such as 'torchsel sync {OPTION} hosts/*.json'"
        raise ConfigError(msg)
    hosts = read_hosts(words, OPTION, draft.warn)
    # with a host named, no CI job is a builder that keeps what is committed
    strategy = read_strategy(replace(options, host=words[0], call=call))
    _refuse(strategy)
    served = list(_served(strategy, hosts, draft))
    program = find_uv(options.environ, outside=strategy.setting.project.folder)
    uv = Uv(program=program, environ=options.environ)
    is_complete = len(served) == sum(_is_like(item.host) for item in hosts)
    for path, part in _by_environment(served).items():
        names, found = ", ".join(name for name, _ in part), part[0][1]
        draft.say_at_once(f"{path}: {found.decision.tag}, for {names}")
        if code := _sync(found, call, uv):
            if code < 0:  # a signal ended uv, and is meant for the whole run
                return code
            draft.warn(f"{path}: uv sync failed, so it is not ready for {names}")
            is_complete = False
    return EXIT_OK if is_complete else EXIT_MACHINE


def split_call(call: UvCall) -> tuple[Sequence[str], UvCall]:
    """The hosts behind ``--for``, up to the next option, and uv's call without them, which keeps the lock."""
    hosts: list[str] = []
    rest: list[str] = []
    is_host = False
    for word in call.arguments:  # argparse would take uv's words that have a space for hosts as well
        name, equals, value = word.partition("=")
        if name == OPTION:
            is_host = not equals
            hosts += [value] if equals else []
        else:
            is_host = is_host and not word.startswith("-")
            (hosts if is_host else rest).append(word)
    given = tuple(item for item in call.given if item.name != OPTION)
    alone = replace(call, arguments=tuple(rest), given=given, plain=(), unknown=())
    if KEEPS_LOCK.intersection(alone.options):
        return hosts, alone
    locked = Given(name="--locked")
    return hosts, replace(alone, arguments=alone.with_flags(locked.name), given=(*given, locked))


def _refuse(strategy: Strategy) -> None:
    """Refuse where there is nothing to prepare, or no place for it.

    Raises:
        ConfigError: why, and what to do.
    """
    setting, project = strategy.setting, strategy.setting.project
    if not strategy.is_users:
        require_table(project)
        if check(strategy).drift:
            msg = f"{project.root.path}: torch is not routed as [tool.torchsel] says; run 'torchsel'"
            raise ConfigError(msg)
    if not has_place(setting.config.environment, setting.options.environ):
        msg = (
            f"{project.root.path}: {OPTION} needs an environment for each build; add this line to"
            f" [tool.torchsel]: {EXAMPLE}"
        )
        raise ConfigError(msg)


def _served(strategy: Strategy, hosts: Iterable[NamedHost], draft: Draft) -> Iterator[Served]:
    """The hosts that get what they need; the others are told."""
    for item in hosts:
        if not _is_like(item.host):
            draft.say(f"{item.name}: skipped, as it is {item.host.platform}; prepare it on such a machine")
            continue
        found = decide(strategy, item.host)
        verdict, routed = check_host(found), strategy.routed(found.decision)
        if not verdict.is_served:
            draft.warn(f"{item.name}: {verdict.sentence}")
        elif not found.decision.alternatives and routed != found.decision.tag:
            draft.warn(f"{item.name}: needs {found.decision.tag}, and torch is routed to {routed}")
        else:
            yield item.name, found


def _is_like(host: Host) -> bool:
    # what is installed here runs there: the same system, processor and kind of libc
    here = this_platform()
    is_musl = [(item.libc or "").startswith("musl") for item in (here, host)]
    return host.platform == here.platform and is_musl[0] == is_musl[1]


def _by_environment(served: Iterable[Served]) -> dict[str, list[Served]]:
    """The hosts that share each environment, by its path.

    Raises:
        ConfigError: two backends would have one environment.
    """
    parts: dict[str, list[Served]] = {}
    for name, found in served:
        environment = found.environment()
        part = parts.setdefault(environment.path, [])
        part.append((name, found))
        first, tag = part[0][1].decision.tag, found.decision.tag
        if first != tag:
            source = environment.source or VARIABLE
            msg = (
                f"{source}: {environment.path} can't be the environment of both {first} and {tag};"
                " use {backend} in it"
            )
            raise ConfigError(msg)
    return parts


def _sync(found: Inputs, call: UvCall, uv: Uv) -> int:
    """Exit code of uv sync."""
    choice = choose(found.setting, found.decision, call, environ=uv.environ, uv=uv)
    places = found.environment().variables(uv.environ)
    told = {**uv.environ, **places, **choice.variables}
    return replace(uv, environ=told).run(call.with_flags(*choice.flags))
