"""Signals that end a program, held back while files change, so that a change is finished or taken back."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Stopped(BaseException):
    """A signal came while another program was waited for."""


class Stops:
    """A context in which signals wait: for the end of the context, or for the next `waiting`.

    A signal that came is delivered again on the way out, to whoever handled it before: without a handler the
    process ends by it (143 in a shell, for SIGTERM). Outside the main thread, where Python has no signal
    handlers, the context does nothing.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._is_waiting = False
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
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._came is not None:
            signal.raise_signal(self._came)
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """A part in which a signal ends the wait at once.

        Raises:
            Stopped: a signal came, here or before.
        """
        self._is_waiting = True
        try:
            if self._came is not None:
                raise Stopped
            yield
        finally:
            self._is_waiting = False

    def _note(self, number: int, _: FrameType | None) -> None:
        self._came = number if self._came is None else self._came
        if self._is_waiting:
            self._is_waiting = False
            raise Stopped
