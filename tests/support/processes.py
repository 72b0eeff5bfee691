"""Tests that send signals, in processes of their own: none can reach the process that runs the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.support.toolbox import ROOT, Result

_HEARING = (
    "import os, signal, sys\n"
    "for number in signal.valid_signals():\n"
    "    if signal.getsignal(number) is signal.SIG_IGN: signal.signal(number, signal.SIG_DFL)\n"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def hearing(*arguments: str) -> list[str]:
    """A command that runs this Python with ``arguments`` and hears signals, even those that are ignored here.

    They are under nohup, or in the background of a shell script; what a process ignores, its children do too.
    """
    return [sys.executable, "-S", "-E", "-c", _HEARING, *arguments]


def in_own_process(scene: Callable[..., object], *arguments: object) -> Result:
    """Call a function of a module, with ``arguments`` as texts, in a process and session of its own.

    What it returns is not told; it prints what is to be looked at. The exit code is negative for a signal.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from {scene.__module__} import {scene.__qualname__} as scene; scene(*sys.argv[1:])"
    )
    done = subprocess.run(
        hearing("-c", code, *map(str, arguments)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
        check=False,
    )
    return Result(code=done.returncode, out=done.stdout, err=done.stderr)
