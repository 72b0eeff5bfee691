"""The command line: arguments in, one command run, an exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from torchsel import __version__
from torchsel.answer import Draft, Program
from torchsel.commands import ROWS
from torchsel.commands.context import Context
from torchsel.commands.parser import parse_arguments
from torchsel.console import Console, silence
from torchsel.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_MACHINE, TorchselError
from torchsel.records.replay import become
from torchsel.uv.program import Uv, shell_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run torchsel with ``argv`` (the process's where None) and return its exit code."""
    words = tuple(sys.argv[1:] if argv is None else argv)
    console = Console()
    try:
        try:
            arguments = parse_arguments(words)
            console = Console(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose)
            return _run(Context(words=words, arguments=arguments, draft=Draft(console), environ=os.environ))
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return stopped(error, console)


def _run(context: Context) -> int:
    """Let the command answer, say it, keep it where that is allowed, and do what it comes to."""
    row, memo = ROWS[context.arguments.command], None
    if row.kind != "text":
        from torchsel.records import keep  # noqa: PLC0415 - a shell that starts does not wait for it

        memo = keep.begin(context)  # how things are before the command looks at them
    try:
        answer = row.load().run(context)
    finally:
        context.draft.flush()
    if memo:
        memo.keep(answer)
    if answer.program is None:
        return shell_code(answer.code)  # it may be uv's
    return _become(answer.program)


def _become(program: Program) -> int:
    """End as the program that the answer names; on Windows, which has no such thing, with its exit code."""
    uv = Uv(program=program.path, environ=program.environ)
    if sys.platform != "win32":
        sys.stdout.flush()
        with uv.starting():
            become(str(program.path), program.arguments, program.environ)
    return uv.run(program.arguments, is_last=True)


def stopped(error: BaseException, console: Console | None = None) -> int:
    """Say what stopped torchsel, and return the exit code: the one place where errors become words."""
    console = console or Console()
    match error:
        case TorchselError():
            console.error(str(error))
            return error.exit_code
        case KeyboardInterrupt():
            return EXIT_INTERRUPTED
        case BrokenPipeError():
            silence(sys.stdout)
            return EXIT_INTERRUPTED
        case OSError():
            _drop_output()
            where = f"{error.filename}: " if error.filename else ""
            console.error(f"{where}{error.strerror or error}")
            return EXIT_MACHINE
        case _:  # the last line of defence: no traceback reaches a user
            console.error(_bug(error))
            return EXIT_BUG


def _bug(error: BaseException) -> str:
    """Where the fault is, in one line."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
    return (
        f"a bug in torchsel {__version__}: {type(error).__name__} at {place}: {error}\n"
        f"please report it, with this line and your pyproject.toml; until then TORCHSEL_DISABLE=1 makes"
        f" 'torchsel uv' and the shell hook plain uv, which works without torchsel"
    )


def _drop_output() -> None:
    """Where it is standard output that can't be written, keep the interpreter from trying again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        silence(sys.stdout)
