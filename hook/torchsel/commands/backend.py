"""``torchsel backend``: the tag alone on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.answer import Repeat
from torchsel.commands.context import add_host
from torchsel.commands.survey import surveyed
from torchsel.pipeline import report

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from torchsel.answer import Answer
    from torchsel.commands.context import Context


def add_arguments(parser: ArgumentParser) -> None:
    """The machine."""
    add_host(parser)


def run(context: Context) -> Answer:
    """Select, and print the backend's tag."""
    found = surveyed(context)
    report.warn(found, context.draft)
    context.draft.print(f"{found.decision.tag}\n")
    return context.draft.answer(repeat=Repeat())
