"""Signals that end a program, held back while files change or another program runs, then delivered.

Handlers stand before anything begins that a signal would leave half done: a change of files, another program.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
_FROM_A_TERMINAL = frozenset({"SIGINT", "SIGBREAK"})
"""Those that a terminal sends to everything that runs in it."""


class Stopped(BaseException):
    """A signal came, so that what was begun is to be ended or taken back."""


class Stops:
    """A context in which signals wait: for the end of the context, or for the next `check`.

    None of them raises an exception where it comes, which few pieces of code bear: an exception in the wrong
    line of `subprocess` leaves a lock taken, or a child that nobody knows of.

    A signal that came is delivered again on the way out, to whoever handled it before: without a handler the
    process ends by it (143 in a shell, for SIGTERM). Outside the main thread, where Python has no signal
    handlers, the context does nothing.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
            handled = [number for number in numbers if signal.getsignal(number) not in (signal.SIG_IGN, None)]
            self._before = {number: signal.signal(number, self._note) for number in handled}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # SIGINT last: from then on another one raises KeyboardInterrupt, anywhere
            for number, handler in reversed(self._before.items()):
                signal.signal(number, handler)
        finally:
            if self._came:
                signal.raise_signal(self._came[0])
                raise KeyboardInterrupt

    def check(self) -> None:
        """Go on only where no signal came.

        Raises:
            Stopped: one did.
        """
        if self._came:
            raise Stopped

    def pass_on_to(self, process: subprocess.Popen[bytes]) -> None:
        """Have ``process`` get what came already, and what comes, unless a terminal sends it that anyway."""
        self._process = process
        for number in tuple(self._came):
            _send(process, number)

    def forget(self) -> None:
        """Deliver nothing of what came: somebody else has acted on it."""
        self._came.clear()

    def _note(self, number: int, _: FrameType | None) -> None:
        self._came.append(number)
        if self._process is not None and signal.Signals(number).name not in _FROM_A_TERMINAL:
            _send(self._process, number)


def _send(process: subprocess.Popen[bytes], number: int) -> None:
    if sys.platform == "win32":
        process.terminate()  # the one thing that can be asked of a process there
    else:
        process.send_signal(number)
