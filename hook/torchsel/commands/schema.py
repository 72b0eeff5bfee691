"""``torchsel schema``: the JSON Schema of ``[tool.torchsel]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.commands.context import add_host
from torchsel.config.schema import to_text

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from torchsel.answer import Answer
    from torchsel.commands.context import Context


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing that matters."""
    add_host(parser)


def run(context: Context) -> Answer:
    """Print the schema."""
    context.draft.print(to_text())
    return context.draft.answer()
