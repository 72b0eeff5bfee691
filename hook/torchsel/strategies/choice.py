"""What one call of uv installs anyway, and how it is told which alternative to take with that.

By flags, or by a variable that reaches further: what uv starts inherits it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from torchsel.errors import MachineError
from torchsel.project.folders import find_pyproject
from torchsel.project.lock import Part, reached
from torchsel.project.places import canonical, names_in
from torchsel.project.present import Present
from torchsel.project.project import Project
from torchsel.strategies.alternatives import Alternatives, repeated
from torchsel.strategies.offers import targets
from torchsel.strategies.packages import named_packages
from torchsel.strategies.protocol import Decision, Setting, Strategy
from torchsel.uv.call import UvCall
from torchsel.uv.program import Uv

VARIABLE = "UV_NO_GROUP"
"""uv's own: groups to leave out, with spaces between; ``--no-group`` takes its place (uv 0.13.9)."""

OLDEST_UV = (0, 9, 8)
"""The first uv that reads `VARIABLE`."""

_ONLY = frozenset({"--only-group", "--only-dev"})
_ONLY_BY_FLAGS = _ONLY | {"--no-group", "--no-default-groups", "--package"}
"""Options with which uv does not read the variable, or takes no group that isn't named."""


class Choice(NamedTuple):
    """Flags for right behind uv's command, and variables."""

    flags: tuple[str, ...] = ()
    variables: Mapping[str, str] = MappingProxyType({})


class Refusal(NamedTuple):
    """The value of `VARIABLE`; ``dropped`` are words of the user's that uv would stop at."""

    value: str
    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def choose(
    setting: Setting, decision: Decision, call: UvCall, *, environ: Mapping[str, str], uv: Uv
) -> Choice:
    """What to add to ``call``; ``uv`` is asked for its release only where that decides."""
    alternatives = decision.alternatives
    if alternatives is None:
        return Choice()
    refusal = refuse(alternatives, alternatives.taken(decision.chosen, call), setting.project, environ)
    if decision.chosen and _is_by_variable(setting, call) and _reads_variable(uv):
        return Choice(variables={VARIABLE: refusal.value})
    flags = alternatives.flags(decision.chosen, call)
    # uv doesn't read its variable beside the flag, so that the user's words there become flags
    if "--no-group" in flags and "--no-group" not in call.options:
        flags = (*flags, *repeated("--no-group", refusal.kept))
    return Choice(flags=flags)


def refuse(
    alternatives: Alternatives, taken: Collection[str], project: Project, environ: Mapping[str, str]
) -> Refusal:
    """Refuse all alternatives but those ``taken``, and what the user refuses already."""
    ours = set(map(canonical, alternatives.names))
    # uv stops at a group that nobody defines, but for `dev`
    known = {"dev"}.union(*(file.present.names("group") for file in project.files))
    words = [word for word in dict.fromkeys(environ.get(VARIABLE, "").split()) if canonical(word) not in ours]
    kept = tuple(word for word in words if canonical(word) in known)
    others = (name for name in alternatives.names if name not in taken)
    return Refusal(
        value=" ".join((*kept, *others)),
        kept=kept,
        dropped=tuple(word for word in words if word not in kept),
    )


def _is_by_variable(setting: Setting, call: UvCall) -> bool:
    if setting.config.default_backend != "none" or _ONLY_BY_FLAGS.intersection(call.options):
        return False
    return is_at_root(setting.project, call.folder)


def is_at_root(project: Project, folder: Path) -> bool:
    """Whether uv, called in ``folder``, works on the root: in a member's it takes no group of the root."""
    return find_pyproject(folder).resolve() == project.root.path.resolve()


def _reads_variable(uv: Uv) -> bool:
    try:
        return uv.version() >= OLDEST_UV
    except MachineError:  # flags do in any release
        return False


def is_wanted(strategy: Strategy, call: UvCall) -> bool:
    """Whether what ``call`` installs anyway comes to torch; the user's own lists bring theirs themselves."""
    setting = strategy.setting
    if not _ONLY.intersection(call.options) and (strategy.is_users or setting.config.names):
        return True
    return comes_to(setting.project, call, named_packages(setting))


def comes_to(project: Project, call: UvCall, packages: Collection[str]) -> bool:
    """Whether ``call`` installs one of ``packages`` by what the user requires."""
    # without a lock that can't be known, and it is better to choose once too often
    return project.lock is None or not reached(project.lock, synced(project, call)).isdisjoint(packages)


def synced(project: Project, call: UvCall) -> Iterator[Part]:
    """The parts of the project that ``call`` names, without torchsel's own groups and extras."""
    is_only = bool(_ONLY.intersection(call.options))
    for file in targets(project, call.folder, call):
        present = file.present
        groups = _groups(present, call, is_only=is_only) - present.own_lists["group"]
        extras = set() if is_only else _extras(present, call) - present.own_lists["extra"]
        yield Part(package=present.package, lists={"group": groups, "extra": extras}, has_base=not is_only)


def unasked_groups(project: Project, call: UvCall, alternatives: Alternatives) -> list[str]:
    """Groups that uv takes by default, sorted: none of the alternatives, and none that ``call`` names."""
    named = names_in((*alternatives.names, *call.values_of("--group")))
    files = targets(project, call.folder, call)
    return sorted({name for file in files for name in file.present.default_groups} - named)


def _groups(present: Present, call: UvCall, *, is_only: bool) -> set[str]:
    named = names_in(call.values_of("--group", "--only-group"))
    if {"--dev", "--only-dev"}.intersection(call.options):
        named.add("dev")
    if "--all-groups" in call.options:
        named.update(present.names("group"))
    elif not is_only and "--no-default-groups" not in call.options:
        named.update(present.default_groups)
    refused = {"dev"} if "--no-dev" in call.options else set()
    return named - refused - names_in(call.values_of("--no-group"))


def _extras(present: Present, call: UvCall) -> set[str]:
    named = names_in(call.values_of("--extra"))
    if "--all-extras" in call.options:
        named.update(present.names("extra"))
    return named - names_in(call.values_of("--no-extra"))
