"""``torchsel detect``: the host, for people or as a recorded host."""

from __future__ import annotations

from argparse import ArgumentParser

from torchsel.answer import Answer
from torchsel.commands.context import Context, add_host
from torchsel.config.request import resolve_host
from torchsel.pipeline import status_page


def add_arguments(parser: ArgumentParser) -> None:
    """The machine, and for whom."""
    add_host(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(context: Context) -> Answer:
    """Print the host."""
    host, findings = resolve_host(option=context.arguments.host, environ=context.environ)
    for finding in findings:
        context.draft.detail(finding.line)
    is_json = context.arguments.json
    context.draft.print(f"{host.to_json() if is_json else chr(10).join(status_page.host_lines(host))}\n")
    return context.draft.answer()
