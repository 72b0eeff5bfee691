"""``torchsel detect``: the host, for people or as a recorded host."""

from __future__ import annotations

from torchsel.answer import Answer
from torchsel.commands.context import HOST, JSON, Context
from torchsel.config.request import resolve_host
from torchsel.pipeline import status_page

OPTIONS = (HOST, JSON)


def run(context: Context) -> Answer:
    """Print the host."""
    host, findings = resolve_host(option=context.arguments.host, environ=context.environ)
    for finding in findings:
        context.draft.detail(finding.line)
    is_json = context.arguments.json
    context.draft.print(f"{host.to_json() if is_json else chr(10).join(status_page.host_lines(host))}\n")
    return Answer()
