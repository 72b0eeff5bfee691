"""``torchsel env``: the variables by which plain uv takes this machine's group and environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import HOST, Context, Option
from torchsel.commands.survey import options
from torchsel.errors import MachineError
from torchsel.pipeline import report
from torchsel.pipeline.inputs import Inputs, read_inputs
from torchsel.shells import SHELLS
from torchsel.strategies.choice import OLDEST_UV, VARIABLE, is_at_root, refuse
from torchsel.uv.program import Uv, dotted, find_uv

_MEMBER = (
    "in the folder of a workspace's member plain uv takes no group of the root, so it has"
    " a torch of its own choice there; use 'torchsel uv' or the shell hook, or uv in the root's folder"
)

OPTIONS = (
    HOST,
    Option("--shell", choices=tuple(SHELLS), help="whose syntax (default: bash, which zsh reads too)"),
)


def run(context: Context) -> Answer:
    """Print the export lines alone."""
    arguments, draft = context.arguments, context.draft
    given = options(context)
    found = read_inputs(given, draft)
    report.warn(found, draft)
    environment = found.environment()
    variables = environment.variables(context.environ)
    alternatives, mine = found.decision.alternatives, found.decision.chosen
    why_not = _why_not(found, given.folder)
    if alternatives and mine and not why_not:
        refusal = refuse(alternatives, (mine,), found.project, context.environ)
        if refusal.dropped:
            draft.say(f"{VARIABLE}: {', '.join(refusal.dropped)} left out, no group of this project")
        if sentence := _too_old(found, context.environ):
            draft.say(sentence)
        variables[VARIABLE] = refusal.value
    elif not variables:
        draft.say(f"nothing to set: {why_not}")
    elif alternatives:
        draft.say(f"no group to set: {why_not}")
    if environment.note:
        draft.say(environment.note)
    for name, value in variables.items():
        draft.print(f"{SHELLS[arguments.shell].assigned(name, value)}\n")
    return Answer(is_lasting=True)


def _why_not(found: Inputs, folder: Path) -> str:
    """Why plain uv in ``folder`` can't be told to take this machine's group, or need not be."""
    alternatives = found.decision.alternatives
    if alternatives is None or alternatives.scope != "group" or not found.project.is_configured:
        return _unneeded(found)
    if found.config.default_backend != "none":
        return (
            f"plain uv chooses by {VARIABLE} only with default-backend = 'none', and here it is"
            f" {found.config.default_backend!r}; use 'torchsel uv' or the shell hook"
        )
    if not is_at_root(found.project, folder):
        return _MEMBER
    return found.strategy.drift(found.decision) if found.decision.chosen is None else ""


def _unneeded(found: Inputs) -> str:
    if not found.project.is_configured:
        return "there is no [tool.torchsel] here; use 'torchsel uv' or 'torchsel init'"
    if found.strategy.name == "extras":
        return "uv has no variable for extras; use 'torchsel uv' or the shell hook"
    return "the routing is in pyproject.toml, and plain uv follows it"


def _too_old(found: Inputs, environ: Mapping[str, str]) -> str:
    """The sentence for a uv that does not read the variable, or that can't be asked."""
    try:
        uv = Uv(program=find_uv(environ, outside=found.project.folder), environ=environ)
        version = uv.version()
    except MachineError as error:
        return str(error)
    if version >= OLDEST_UV:
        return ""
    return (
        f"uv {dotted(version)} does not read {VARIABLE}; update it to {dotted(OLDEST_UV)} or newer,"
        " or use 'torchsel uv'"
    )
