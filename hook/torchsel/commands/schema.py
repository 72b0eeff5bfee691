"""``torchsel schema``: the JSON Schema of ``[tool.torchsel]``."""

from __future__ import annotations

from torchsel.answer import Answer
from torchsel.commands.context import HOST, Context
from torchsel.config.schema import to_text

OPTIONS = (HOST,)


def run(context: Context) -> Answer:
    """Print the schema."""
    context.draft.print(to_text())
    return Answer()
