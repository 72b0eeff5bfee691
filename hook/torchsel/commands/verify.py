"""``torchsel verify``: does the torch that is installed work on this machine?"""

from __future__ import annotations

import argparse
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands.context import HOST, JSON, Context, Option
from torchsel.commands.survey import options
from torchsel.host import Accelerator
from torchsel.pipeline.inputs import Inputs, read_inputs
from torchsel.verify.last import keep
from torchsel.verify.report import to_json, to_report, to_text
from torchsel.verify.verdicts import LONGEST_TIMEOUT, TIMEOUT, Verification
from torchsel.verify.verify import verify


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value <= LONGEST_TIMEOUT:
        msg = f"{text!r} is not a number of seconds from 1 to {LONGEST_TIMEOUT:g}"
        raise argparse.ArgumentTypeError(msg)
    return value


OPTIONS = (
    HOST,
    JSON,
    Option(
        "--timeout",
        metavar="S",
        type=_seconds,
        help=f"seconds for each try that may hang (default: {TIMEOUT:g})",
    ),
    Option("--report", metavar="FILE", help="write what to attach to a report: no names, no paths"),
)


def run(context: Context) -> Answer:
    """Verify, and print what came of it; the verdict is the exit code."""
    arguments = context.arguments
    found = read_inputs(options(context), context.draft)
    request = _request(found, timeout=arguments.timeout)
    result = verify(request)
    keep(result, request.environment, request.host, request.environ)
    context.draft.print(f"{to_json(result) if arguments.json else to_text(result)}\n")
    if arguments.report:
        context.draft.flush()  # the file may be one that can't be written
        Path(arguments.report).write_text(to_report(result, request), encoding="utf-8")
    return Answer(result.exit_code)


def _request(found: Inputs, *, timeout: float) -> Verification:
    """The verification of the project's environment against the selection."""
    targets = (_target(item, found) for item in found.selection.accelerators)
    return Verification(
        environment=found.environment().folder,
        backend=found.selection.backend,
        torch=found.selection.torch,
        host=found.host,
        catalog=found.catalog,
        environ=found.setting.options.environ,
        deciding=frozenset(target for target in targets if target),
        sync=found.sync,
        timeout=timeout,
    )


def _target(item: Accelerator, found: Inputs) -> str | None:
    row = found.catalog.gpu(item.pci_id)
    return item.compute_capability or item.gfx_target or (row.target if row else None)
