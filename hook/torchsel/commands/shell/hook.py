"""``torchsel hook``: the shell function ``uv``."""

from __future__ import annotations

from argparse import ArgumentParser

from torchsel.answer import Answer
from torchsel.commands.context import Context, add_host
from torchsel.shells import SHELLS, uv_function
from torchsel.uv.call import HOOKED_COMMANDS
from torchsel.uv.options import before_a_command


def add_arguments(parser: ArgumentParser) -> None:
    """The shell."""
    add_host(parser)
    parser.add_argument("shell", choices=tuple(SHELLS), help="which shell")
    parser.epilog = 'in ~/.bashrc: eval "$(torchsel hook bash)"'


def run(context: Context) -> Answer:
    """Print the function."""
    context.draft.print(hook(context.arguments.shell))
    return context.draft.answer()


def hook(shell: str) -> str:
    """The function for the commands and options that uv has."""
    return uv_function(
        shell,
        commands=HOOKED_COMMANDS,
        values=before_a_command(with_value=True),
        flags=before_a_command(with_value=False),
    )
