"""``torchsel schema``: the JSON Schema of ``[tool.torchsel]``."""

from __future__ import annotations

from argparse import ArgumentParser

from torchsel.answer import Answer
from torchsel.commands.context import Context, add_host
from torchsel.config.schema import to_text


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing that matters."""
    add_host(parser)


def run(context: Context) -> Answer:
    """Print the schema."""
    context.draft.print(to_text())
    return context.draft.answer()
