"""``torchsel verify``: does the torch that is installed work on this machine?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.commands.context import add_host
from torchsel.commands.survey import surveyed
from torchsel.pipeline.verification import request_of, verify_and_keep
from torchsel.verify.report import to_json, to_report, to_text
from torchsel.verify.values import LONGEST_TIMEOUT, TIMEOUT

if TYPE_CHECKING:
    from torchsel.answer import Answer
    from torchsel.commands.context import Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    add_host(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=_seconds,
        help=f"seconds for each try that may hang (default: {TIMEOUT:g})",
    )
    parser.add_argument(
        "--report", metavar="FILE", help="write what to attach to a report: no names, no paths"
    )


def run(context: Context) -> Answer:
    """Verify, and print what came of it; the verdict is the exit code."""
    arguments = context.arguments
    request = request_of(surveyed(context), context.environ, timeout=arguments.timeout)
    result = verify_and_keep(request)
    if arguments.report:
        Path(arguments.report).write_text(to_report(result, request), encoding="utf-8")
    context.draft.print(f"{to_json(result) if arguments.json else to_text(result)}\n")
    return context.draft.answer(code=result.exit_code)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value <= LONGEST_TIMEOUT:
        msg = f"{text!r} is not a number of seconds from 1 to {LONGEST_TIMEOUT:g}"
        raise argparse.ArgumentTypeError(msg)
    return value
