"""What the commands that write do about files that a killed run left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.errors import ConfigError
from torchsel.files.transaction import repair

if TYPE_CHECKING:
    from collections.abc import Callable

    from torchsel.answer import Answer
    from torchsel.commands.context import Context


def repaired(context: Context, run: Callable[[Context], Answer]) -> Answer:
    """The answer of ``run``, once more where a killed run had left files that could not be read."""
    try:
        return run(context)
    except ConfigError:
        if not repair(context.start, context.environ):
            raise
        return run(context)
