"""``torchsel hosts``: the different machines of a cluster's inventory."""

from __future__ import annotations

from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import Context, Option
from torchsel.hosts.load import hosts_of

OPTIONS = (
    Option(
        "source",
        nargs="?",
        metavar="FILE",
        help="what 'kubectl get nodes -o json' or sinfo printed, or lines of words (default: standard input)",
    ),
    Option("--driver", metavar="V", help="the NVIDIA driver of nodes that say none"),
    Option("-o", "--output", metavar="DIR", help="write a recorded host each into this folder"),
)


def run(context: Context) -> Answer:
    """One machine a line; equal ones once."""
    arguments, draft = context.arguments, context.draft
    folder = Path(arguments.output) if arguments.output else None
    inventory = hosts_of(arguments.source, driver=arguments.driver, folder=folder)
    for sentence in inventory.unknown:
        draft.warn(sentence)
    for machine in inventory.machines:
        draft.print(f"{machine.line}\n")
    return Answer()
