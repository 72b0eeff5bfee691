"""The command line: arguments in, one command run, an exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from torchsel import __version__
from torchsel.answer import Answer, Draft, Program, tell
from torchsel.commands import ROWS
from torchsel.commands.context import Context
from torchsel.commands.parser import parse_arguments
from torchsel.console import Console, silence
from torchsel.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_MACHINE, TorchselError
from torchsel.records.replay import restore_signals
from torchsel.uv.program import Uv, shell_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run torchsel with ``argv`` (the process's where None) and return its exit code."""
    words = tuple(sys.argv[1:] if argv is None else argv)
    console = Console()
    try:
        try:
            arguments = parse_arguments(words)
            console = Console(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose)
            draft = Draft(console)
            return _run(
                Context(
                    words=words,
                    arguments=arguments,
                    console=console,
                    draft=draft,
                    environ=os.environ,
                )
            )
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return stopped(error, console)


def _run(context: Context) -> int:
    """Let the command answer, say it, and do what it comes to."""
    keep = _keeper(context)
    try:
        answer = ROWS[context.arguments.command].load().run(context)
    except BaseException:
        context.draft.flush()
        raise
    tell(answer.notices[answer.told :], context.console)
    if keep:
        keep(answer)
    if answer.program:
        _become(answer.program)
    return shell_code(answer.code)  # it may be uv's


def _keeper(context: Context) -> Callable[[Answer], None] | None:
    """What keeps the answer, where that is allowed, with how things are before the command looks at them."""
    if ROWS[context.arguments.command].kind == "text":
        return None
    from torchsel.records import keep  # noqa: PLC0415 - a shell that starts does not wait for it

    memo = keep.begin(context)
    return memo.keep if memo else None


def _become(program: Program) -> NoReturn:
    """End as the program that the answer names."""
    restore_signals()
    Uv(program=program.path, environ=program.environ).replace_process(program.arguments)


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
