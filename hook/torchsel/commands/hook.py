"""``torchsel hook``: the shell function ``uv``."""

from __future__ import annotations

from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import HOST, Context, Option
from torchsel.shells import SHELLS
from torchsel.uv.call import ANYWHERE, HOOKED_COMMANDS, options

_FOLDER = Path(__file__).parents[1] / "data" / "shell"

SHELL = Option("shell", choices=tuple(SHELLS), help="which shell")
OPTIONS = (HOST, SHELL)


def run(context: Context) -> Answer:
    """Print the function."""
    context.draft.print(hook(context.arguments.shell))
    return Answer()


def hook(shell: str) -> str:
    """The text to evaluate in ``shell``; it holds nothing from the project, the environment or the user."""
    row, before = SHELLS[shell], options()[ANYWHERE]
    words = {
        "@COMMANDS@": HOOKED_COMMANDS,
        # options that may stand before those commands; whatever has another one goes through torchsel as well
        "@VALUES@": [option for option, takes_value in before.items() if takes_value],
        "@FLAGS@": [option for option, takes_value in before.items() if not takes_value],
    }
    text = (_FOLDER / row.file).read_text(encoding="utf-8")
    for place, listed in words.items():
        text = text.replace(place, row.listed(listed))
    return text
