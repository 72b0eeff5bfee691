"""The program: what is on record is answered at once, the rest is the command line's.

Run as ``torchsel`` or ``python -m torchsel``. Nothing is imported here that a repeated answer does without.
With ``-m`` Python itself looks into the current folder first, and runs a torchsel.py that lies there; only
``python -P -m torchsel`` does not. Other modules are not taken from there.
"""

import os
import sys

if __name__ == "__main__" and sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(os.curdir):
    del sys.path[0]  # "python -m" puts it there, and a stranger's packaging.py may lie in it

from torchsel.records.replay import try_answer

INTERRUPTED = 130
"""As `torchsel.errors.EXIT_INTERRUPTED`."""


def main() -> int:
    """Run torchsel with the process's arguments and return its exit code."""
    try:
        return _main()
    except KeyboardInterrupt:  # where cli does not stand around it: before, or while it is imported
        return INTERRUPTED


def _main() -> int:
    _open_streams()
    try:
        answered = try_answer(sys.argv[1:], os.environ)
        sys.stdout.flush()
    except OSError as error:  # standard output is full, or nobody reads it
        from torchsel import cli  # noqa: PLC0415 - ten times as slow to import

        return cli.stopped(error)
    if answered is not None:
        os._exit(answered)  # taking the interpreter down would be a tenth of the whole time
    from torchsel import cli  # noqa: PLC0415 - ten times as slow to import

    return cli.main()


def _open_streams() -> None:
    """What was closed goes nowhere, and no file opened later takes its place; any character is written."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 - for the whole process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


if __name__ == "__main__":
    sys.exit(main())
