"""``torchsel status``: the whole picture."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from dataclasses import replace

from torchsel.answer import Answer
from torchsel.commands.context import Context, add_host
from torchsel.commands.survey import options_anywhere
from torchsel.console import visible_in_json
from torchsel.errors import MachineError
from torchsel.pipeline import status, status_page
from torchsel.pipeline.inputs import read_inputs, with_warning


def add_arguments(parser: ArgumentParser) -> None:
    """The machine, and for whom."""
    add_host(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(context: Context) -> Answer:
    """Print the page, or the same as JSON."""
    draft, console, given = context.draft, context.console, options_anywhere(context)
    try:
        found = read_inputs(given, draft)
    except MachineError as error:
        looked = read_inputs(replace(given, only_looks=True))
        found = with_warning(looked, str(error))
    picture = status.take(found)
    if context.arguments.json:
        draft.print(f"{visible_in_json(status.to_json(picture))}\n")
    else:
        page = status_page.to_text(picture, lambda text, style: console.paint(text, style, sys.stdout))
        draft.print_painted(f"{page}\n")
    return draft.answer()
