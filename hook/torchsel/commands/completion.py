"""``torchsel completion SHELL``: completion of torchsel's own command line, by shtab."""

from __future__ import annotations

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from typing import Any

from torchsel.answer import Answer
from torchsel.catalog.catalog import load_catalog
from torchsel.commands.context import HOST, Context
from torchsel.commands.hook import SHELL
from torchsel.commands.parser import build_parser
from torchsel.errors import MachineError

_PLACES = {"project": "DIRECTORY", "output": "DIRECTORY", "host": "FILE", "hosts": "FILE", "source": "FILE"}
"""What shtab completes a destination with."""

OPTIONS = (HOST, SHELL)


def run(context: Context) -> Answer:
    """Print the script."""
    context.draft.print(script(build_parser(context.words), context.arguments.shell))
    return Answer()


def script(parser: ArgumentParser, shell: str) -> str:
    """The script for ``shell``: commands, options, backends from the catalog, files where they are taken.

    Raises:
        MachineError: shtab is not installed, or does not know the shell.
    """
    try:
        import shtab  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError:
        msg = "completion needs shtab; install torchsel with it: uv tool install 'torchsel[completion]'"
        raise MachineError(msg) from None
    if shell not in shtab.SUPPORTED_SHELLS:
        msg = f"shtab has no completion for {shell}, only for {', '.join(shtab.SUPPORTED_SHELLS)}"
        raise MachineError(msg)
    backends = sorted({build.backend for build in load_catalog().all_builds})
    for each in _parsers(parser):
        for action in each._actions:
            place: Any = action
            if action.dest in _PLACES:
                place.complete = getattr(shtab, _PLACES[action.dest])
            elif action.dest == "backend":
                place.choices = ["auto", *backends]
    return shtab.complete(parser, shell)


def _parsers(parser: ArgumentParser) -> Iterator[ArgumentParser]:
    """The parser and those of its commands; argparse has no public way to see either."""
    yield parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            yield from action.choices.values()
