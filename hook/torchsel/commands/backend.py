"""``torchsel backend``: the tag alone on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.answer import Repeat
from torchsel.commands.context import add_hosts
from torchsel.commands.survey import options_anywhere, surveyed
from torchsel.hosts.load import read_hosts
from torchsel.pipeline import report
from torchsel.pipeline.fleet import backend_for
from torchsel.pipeline.inputs import read_strategy

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from torchsel.answer import Answer
    from torchsel.commands.context import Context


def add_arguments(parser: ArgumentParser) -> None:
    """The machines."""
    add_hosts(parser)


def run(context: Context) -> Answer:
    """Select, and print the backend's tag; of several machines that of the one build for all."""
    hosts, given = context.arguments.all_hosts, options_anywhere(context)
    if len(hosts) > 1:
        strategy = read_strategy(given, context.environ)
        context.draft.print(f"{backend_for(strategy, read_hosts(hosts, '--host'))}\n")
        return context.draft.answer()
    found = surveyed(context, given)
    report.warn(found, context.draft)
    context.draft.print(f"{found.decision.tag}\n")
    return context.draft.answer(repeat=Repeat() if found.project.is_there else None)
