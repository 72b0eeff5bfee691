"""``torchsel status``: the whole picture."""

from __future__ import annotations

import sys
from dataclasses import replace

from torchsel.answer import Answer
from torchsel.commands.context import HOST, JSON, Context
from torchsel.commands.survey import options_anywhere
from torchsel.console import visible_in_json
from torchsel.errors import MachineError
from torchsel.pipeline import status, status_page
from torchsel.pipeline.inputs import read_inputs, with_warning

OPTIONS = (HOST, JSON)


def run(context: Context) -> Answer:
    """Print the page, or the same as JSON."""
    draft, given = context.draft, options_anywhere(context)
    try:
        found = read_inputs(given, draft)
    except MachineError as error:
        looked = read_inputs(replace(given, only_looks=True))
        found = with_warning(looked, str(error))
    picture = status.take(found)
    if context.arguments.json:
        draft.print(f"{visible_in_json(status.to_json(picture))}\n")
    else:
        paint = draft.console.paint
        page = status_page.to_text(picture, lambda text, style: paint(text, style, sys.stdout))
        draft.print(f"{page}\n", is_painted=True)
    return Answer()
