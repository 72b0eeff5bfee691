"""``torchsel verify``: does the torch that is installed work on this machine?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from torchsel.pipeline.verification import request_of, verify_and_keep
from torchsel.verify.report import to_json, to_report, to_text
from torchsel.verify.values import LONGEST_TIMEOUT, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.pipeline.inputs import Inputs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
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


def verified(
    found: Inputs, environ: Mapping[str, str], *, timeout: float, report: str | None, json: bool
) -> tuple[str, int]:
    """Verify; the text for standard output, and the exit code.

    Raises:
        OSError: the report can't be written.
        KeyboardInterrupt: it was interrupted; no child is left.
    """
    request = request_of(found, environ, timeout=timeout)
    result = verify_and_keep(request)
    if report:
        Path(report).write_text(to_report(result, request), encoding="utf-8")
    return f"{to_json(result) if json else to_text(result)}\n", result.exit_code


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value <= LONGEST_TIMEOUT:
        msg = f"{text!r} is not a number of seconds from 1 to {LONGEST_TIMEOUT:g}"
        raise argparse.ArgumentTypeError(msg)
    return value
