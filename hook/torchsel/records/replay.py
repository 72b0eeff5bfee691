"""The way past everything: a command whose outcome is on record, and depends on nothing that changed since.

Nothing is imported here that a bare interpreter has not loaded by itself; the records are written by
`torchsel.records.keep`.
"""

# the part of signal that every interpreter has loaded
import _signal  # type: ignore[import-not-found]
import os
import sys

TYPE_CHECKING = False  # typing takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchsel.records.record import Record


def try_answer(argv: "Sequence[str]", environ: "Mapping[str, str]") -> int | None:
    """The exit code, after everything is said; None where the command has to be run. May become uv."""
    if sys.platform == "win32" or environ.get("TORCHSEL_NO_CACHE"):
        return None  # Windows has no cheap way to see that a GPU is gone
    from torchsel.records.record import is_current, name_of, place, read  # noqa: PLC0415 - nor needed before

    folder, current = place(environ), _current_folder()
    if folder is None or current is None:
        return None
    for count in known_parts(argv):
        record = read(f"{folder}/{name_of(argv[:count], current, environ)}")
        if record and is_current(record):
            return _repeat(record, argv[count:], environ)
    return None


def known_parts(argv: "Sequence[str]") -> list[int]:
    """How many words of a command line a record can be of: all, or those up to what ``uv run`` starts.

    Only the first few guesses are listed; whoever writes the record knows which is right.
    """
    guesses = []
    if "run" in argv:
        behind = argv.index("run") + 1
        plain = [at + 1 for at in range(behind, len(argv)) if not argv[at].startswith("-")]
        guesses = [at for at in plain if at < len(argv)][:4]
    return [*guesses, len(argv)]


def _repeat(record: "Record", rest: "Sequence[str]", environ: "Mapping[str, str]") -> int | None:
    """Say and become what is on record.

    Raises:
        OSError: standard output can't be written.
    """
    _tell(record.messages, environ)
    if record.output:
        sys.stdout.write(record.output)
    if not record.program:
        return 0
    sys.stdout.flush()
    restore_signals()
    words = [record.program, *record.words, *rest]
    is_ours = _signal.getsignal(_signal.SIGINT) == _signal.default_int_handler
    try:
        if is_ours:
            _let_interrupts_end_it()
        os.execve(record.program, words, {**environ, **dict(record.variables)})  # noqa: S606
    except OSError:
        return None  # the long way says what is wrong
    finally:
        if is_ours:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _let_interrupts_end_it() -> None:
    """As `torchsel.uv.signals.interrupts_by_default` does, which is slow to import.

    Python's own handler only notes a signal, which the program that follows would never hear of.
    """
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGINT})
    try:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def restore_signals() -> None:
    """Let a broken pipe, or a file that grows too large, end the program that follows, as a shell does.

    Python ignores both signals, and what is ignored stays so in the program that a process becomes.
    """
    for name in ("SIGPIPE", "SIGXFSZ"):
        if number := getattr(_signal, name, 0):
            _signal.signal(number, _signal.SIG_DFL)


def _tell(messages: "Sequence[tuple[str, str]]", environ: "Mapping[str, str]") -> None:
    """Say it as `torchsel.console` does, which is loaded only where there may be colours."""
    if messages and (environ.get("FORCE_COLOR") or sys.stderr.isatty()):
        from torchsel.console import Console  # noqa: PLC0415 - slow to import

        console = Console()
        for kind, text in messages:
            (console.warn if kind == "warn" else console.say)(text)
        return
    try:
        for kind, text in messages:
            sys.stderr.write(f"{'warning' if kind == 'warn' else 'torchsel'}: {text}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody can be told; what becomes of the command stays the same


def _current_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib is slow to import
    except OSError:
        return None
