"""``torchsel env``: the variables by which plain uv takes this machine's group and environment."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torchsel.answer import Answer, Repeat
from torchsel.commands.context import Context, add_host
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """The value of `VARIABLE`, or why it is not to be set, and sentences for people."""

    value: str | None = None
    why_not: str = ""
    notices: tuple[str, ...] = ()


def add_arguments(parser: ArgumentParser) -> None:
    """The machine, and the shell."""
    add_host(parser)
    parser.add_argument(
        "--shell", choices=tuple(SHELLS), help="whose syntax (default: bash, which zsh reads too)"
    )
    parser.epilog = 'in .envrc, for direnv: eval "$(torchsel env)"'


def run(context: Context) -> Answer:
    """Print the export lines alone."""
    arguments, draft = context.arguments, context.draft
    found = read_inputs(options(context), draft)
    report.warn(found, draft)
    advice = advise(found, context.start, context.environ)
    environment = found.environment()
    variables = environment.variables(context.environ)
    if advice.why_not and not variables:
        draft.say(f"nothing to set: {advice.why_not}")
    elif advice.why_not and found.decision.alternatives:
        draft.say(f"no group to set: {advice.why_not}")
    for notice in filter(None, (*advice.notices, environment.note)):
        draft.say(notice)
    if advice.value is not None:
        variables[VARIABLE] = advice.value
    for name, value in variables.items():
        draft.print(f"{SHELLS[arguments.shell].assigned(name, value)}\n")
    return draft.answer(repeat=Repeat())


def advise(found: Inputs, folder: Path, environ: Mapping[str, str]) -> Advice:
    """What plain uv in ``folder`` has to be told so that it takes this machine's group."""
    alternatives = found.decision.alternatives
    if alternatives is None or alternatives.scope != "group" or not found.project.is_configured:
        return Advice(why_not=_unneeded(found))
    if found.config.default_backend != "none":
        return Advice(
            why_not=f"plain uv chooses by {VARIABLE} only with default-backend = 'none', and here it is"
            f" {found.config.default_backend!r}; use 'torchsel uv' or the shell hook"
        )
    if not is_at_root(found.project, folder):
        return Advice(why_not=_MEMBER)
    mine = found.decision.chosen
    if mine is None:
        return Advice(why_not=found.strategy.drift(found.decision))
    refusal = refuse(alternatives, (mine,), found.project, environ)
    dropped = ", ".join(refusal.dropped)
    notices = [f"{VARIABLE}: {dropped} left out, no group of this project"] if dropped else []
    return Advice(value=refusal.value, notices=(*notices, *_too_old(found, environ)))


def _unneeded(found: Inputs) -> str:
    if not found.project.is_configured:
        return "there is no [tool.torchsel] here; use 'torchsel uv' or 'torchsel init'"
    if found.strategy.name == "extras":
        return "uv has no variable for extras; use 'torchsel uv' or the shell hook"
    return "the routing is in pyproject.toml, and plain uv follows it"


def _too_old(found: Inputs, environ: Mapping[str, str]) -> list[str]:
    """The sentence for a uv that does not read the variable, or that can't be asked."""
    try:
        uv = Uv(program=find_uv(environ, outside=found.project.folder), environ=environ)
        version = uv.version()
    except MachineError as error:
        return [str(error)]
    if version >= OLDEST_UV:
        return []
    return [
        f"uv {dotted(version)} does not read {VARIABLE}; update it to {dotted(OLDEST_UV)} or newer,"
        " or use 'torchsel uv'"
    ]
