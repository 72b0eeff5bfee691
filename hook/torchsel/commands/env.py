"""``torchsel env``: the variables by which plain uv takes this machine's group."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.answer import Repeat
from torchsel.commands.context import add_host
from torchsel.commands.survey import surveyed
from torchsel.errors import MachineError
from torchsel.pipeline import report
from torchsel.project.present import canonical
from torchsel.project.workspace import find_pyproject
from torchsel.shells import SHELLS
from torchsel.uv.program import Uv, find_uv

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping
    from pathlib import Path

    from torchsel.answer import Answer
    from torchsel.commands.context import Context
    from torchsel.pipeline.inputs import Inputs
    from torchsel.shells import Shell
    from torchsel.strategies.alternatives import Alternatives

VARIABLE = "UV_NO_GROUP"
_MEMBER = (
    "nothing to set: in the folder of a workspace's member plain uv takes no group of the root, so it has"
    " a torch of its own choice there; use 'torchsel uv' or the shell hook, or uv in the root's folder"
)
OLDEST_UV = (0, 9, 8)
"""The first uv that reads `VARIABLE`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """The value of `VARIABLE`, None where it is not to be set, and sentences for people."""

    value: str | None = None
    notices: tuple[str, ...] = ()


def add_arguments(parser: ArgumentParser) -> None:
    """The machine, and the shell."""
    add_host(parser)
    parser.add_argument("--shell", choices=SHELLS, help="whose syntax (default: bash, which zsh reads too)")
    parser.epilog = 'in .envrc, for direnv: eval "$(torchsel env)"'


def run(context: Context) -> Answer:
    """Print the export line alone."""
    arguments, draft = context.arguments, context.draft
    found = surveyed(context)
    report.warn(found, draft)
    advice = advise(found, arguments.folder, context.environ)
    for notice in advice.notices:
        draft.say(notice)
    if advice.value is not None:
        draft.print(f"{export(arguments.shell, advice.value)}\n")
    return draft.answer(repeat=Repeat())


def advise(found: Inputs, folder: Path, environ: Mapping[str, str]) -> Advice:
    """What plain uv in ``folder`` has to be told so that it takes this machine's group."""
    alternatives, tag = found.decision.alternatives, found.decision.tag
    if alternatives is None or alternatives.scope != "group" or not found.project.is_configured:
        return Advice(notices=(_unneeded(found),))
    if found.config.default_backend != "none":
        return Advice(
            notices=(
                f"nothing to set: plain uv chooses by {VARIABLE} only with default-backend = 'none', and here"
                f" it is {found.config.default_backend!r}; use 'torchsel uv' or the shell hook",
            )
        )
    if find_pyproject(folder).resolve() != found.project.root.path.resolve():
        return Advice(notices=(_MEMBER,))
    mine = found.decision.chosen
    if mine is None:
        offered = ", ".join(alternatives.tags)
        return Advice(notices=(f"nothing to set: this machine needs {tag}, which is not among {offered}",))
    kept, dropped = _others(found, alternatives, environ)
    refused = [name for name in alternatives.names if name != mine]
    notices = [f"{VARIABLE}: {', '.join(dropped)} left out, no group of this project"] if dropped else []
    return Advice(value=" ".join([*kept, *refused]), notices=(*notices, *_too_old(found, environ)))


def export(shell: Shell, value: str) -> str:
    """The line that sets `VARIABLE` in ``shell``, whatever ``value`` holds."""
    if shell == "fish":
        quoted = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"set -gx {VARIABLE} '{quoted}'"
    if shell == "powershell":
        # PowerShell takes the typographic quotes for quotes as well
        quoted = "".join(char * 2 if char in "'\u2018\u2019\u201a\u201b" else char for char in value)
        return f"$env:{VARIABLE} = '{quoted}'"
    return f"export {VARIABLE}={shlex.quote(value)}"


def _unneeded(found: Inputs) -> str:
    if not found.project.is_configured:
        return "nothing to set: there is no [tool.torchsel] here; use 'torchsel uv' or 'torchsel init'"
    if found.strategy.name == "extras":
        return "nothing to set: uv has no variable for extras; use 'torchsel uv' or the shell hook"
    return "nothing to set: the routing is in pyproject.toml, and plain uv follows it"


def _others(
    found: Inputs, alternatives: Alternatives, environ: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Groups refused already, without this routing's; and those that uv would stop at, being undefined."""
    ours = {canonical(name) for name in alternatives.names}
    defined = {canonical(name) for file in found.project.files for name in file.table("dependency-groups")}
    words = [word for word in environ.get(VARIABLE, "").split() if canonical(word) not in ours]
    words = list(dict.fromkeys(words))
    return (
        [word for word in words if canonical(word) in defined | {"dev"}],
        [word for word in words if canonical(word) not in defined | {"dev"}],
    )


def _too_old(found: Inputs, environ: Mapping[str, str]) -> list[str]:
    """The sentence for a uv that does not read the variable, or that can't be asked."""
    try:
        uv = Uv(program=find_uv(environ, outside=found.project.folder), environ=environ)
        version = uv.version()
    except MachineError as error:
        return [str(error)]
    if version >= OLDEST_UV:
        return []
    present, oldest = (".".join(map(str, numbers)) for numbers in (version, OLDEST_UV))
    return [f"uv {present} does not read {VARIABLE}; update it to {oldest} or newer, or use 'torchsel uv'"]
