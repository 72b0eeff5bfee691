"""How one call of uv is told which alternative to take: by flags, or by a variable that reaches further."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from torchsel.errors import MachineError
from torchsel.project.folders import find_pyproject
from torchsel.project.places import canonical
from torchsel.project.project import Project
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.packages import named_packages
from torchsel.strategies.protocol import Decision, Strategy
from torchsel.strategies.setting import Setting
from torchsel.strategies.synced import comes_to
from torchsel.uv.call import UvCall
from torchsel.uv.program import Uv

VARIABLE = "UV_NO_GROUP"
"""uv's own: groups to leave out, with spaces between; ``--no-group`` takes its place (uv 0.13.9)."""

OLDEST_UV = (0, 9, 8)
"""The first uv that reads `VARIABLE`."""

_ONLY_BY_FLAGS = frozenset({"--no-group", "--no-default-groups", "--package", "--only-group", "--only-dev"})
"""Options with which uv does not read the variable, or takes no group that isn't named."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """Flags for right behind uv's command, and variables; what uv starts inherits the variables."""

    flags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """The value of `VARIABLE`; ``dropped`` are words of the user's that uv would stop at."""

    value: str
    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def choose(
    setting: Setting,
    decision: Decision,
    call: UvCall,
    *,
    environ: Mapping[str, str],
    uv: Uv,
) -> Choice:
    """What to add to ``call``; ``uv`` is asked for its release only where that decides."""
    alternatives = decision.alternatives
    if alternatives is None:
        return Choice()
    taken = alternatives.taken(decision.chosen, call)
    refusal = refuse(alternatives, taken, setting.project, environ)
    if decision.chosen and _is_by_variable(setting, call) and _reads_variable(uv):
        return Choice(variables={VARIABLE: refusal.value})
    flags = alternatives.flags(decision.chosen, call)
    if "--no-group" in flags and "--no-group" not in call.options:  # they take the variable's place
        flags = (*flags, *(part for name in refusal.kept for part in ("--no-group", name)))
    return Choice(flags=flags)


def refuse(
    alternatives: Alternatives, taken: Collection[str], project: Project, environ: Mapping[str, str]
) -> Refusal:
    """Refuse all alternatives but those ``taken``, and what the user refuses already."""
    ours = {canonical(name) for name in alternatives.names}
    defined = {canonical(name) for file in project.files for name in file.table("dependency-groups")}
    words = [word for word in environ.get(VARIABLE, "").split() if canonical(word) not in ours]
    known = {word: canonical(word) in defined | {"dev"} for word in words}
    kept = tuple(word for word, is_known in known.items() if is_known)
    others = (name for name in alternatives.names if name not in taken)
    return Refusal(
        value=" ".join((*kept, *others)),
        kept=kept,
        dropped=tuple(word for word, is_known in known.items() if not is_known),
    )


def is_wanted(strategy: Strategy, call: UvCall) -> bool:
    """Whether what ``call`` installs anyway comes to torch; the user's own lists bring theirs themselves."""
    setting, is_only = strategy.setting, {"--only-group", "--only-dev"}.intersection(call.options)
    if not is_only and (strategy.is_users or setting.config.names):
        return True
    return comes_to(setting.project, call.folder, call, named_packages(setting))


def is_at_root(project: Project, folder: Path) -> bool:
    """Whether uv, called in ``folder``, works on the root: in a member's it takes no group of the root."""
    return find_pyproject(folder).resolve() == project.root.path.resolve()


def _reads_variable(uv: Uv) -> bool:
    try:
        return uv.version() >= OLDEST_UV
    except MachineError:
        return False


def _is_by_variable(setting: Setting, call: UvCall) -> bool:
    if setting.config.default_backend != "none" or _ONLY_BY_FLAGS.intersection(call.options):
        return False
    return is_at_root(setting.project, call.folder)
