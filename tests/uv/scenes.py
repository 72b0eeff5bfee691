"""What plays in processes of their own: signals in the middle of something. Each scene says what it got to.

Imports little, as a process is started for every one of them.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import contextlib
import ctypes
import operator
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from torchsel.errors import MachineError
from torchsel.records.replay import become
from torchsel.uv.program import Uv
from torchsel.uv.signals import Stopped, Stops

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say(text: object) -> None:
    print(text, flush=True)


@contextlib.contextmanager
def hears() -> Iterator[None]:
    """In a scene: say which signals come through to whoever handled them before, and how it ended."""
    for number in SIGNALS:
        signal.signal(number, lambda number, _: say(f"heard {signal.Signals(number).name}"))
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted")


def one_in_a_part(number: str) -> None:
    with hears(), Stops():
        signal.raise_signal(int(number))
        say("end of the part")


def nothing_comes() -> None:
    with hears():
        before = [signal.getsignal(number) for number in SIGNALS]
        with Stops():
            say([signal.getsignal(number) for number in SIGNALS] != before)
        say([signal.getsignal(number) for number in SIGNALS] == before)


def one_before_a_check() -> None:
    with hears(), Stops() as stops:
        stops.check()
        signal.raise_signal(signal.SIGTERM)
        try:
            stops.check()
        except Stopped:
            signal.raise_signal(signal.SIGTERM)
            say("taken back")


def two_in_a_part() -> None:
    with hears(), Stops():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)


def one_and_an_error() -> None:
    with hears(), Stops():
        signal.raise_signal(signal.SIGTERM)
        msg = "what the change failed with"
        raise ValueError(msg)


def one_that_is_forgotten() -> None:
    with hears(), Stops() as stops:
        signal.raise_signal(signal.SIGTERM)
        stops.forget()
    say("on we go")


def one_in_an_inner_part() -> None:
    with hears(), Stops() as outer:
        try:
            with Stops():
                signal.raise_signal(signal.SIGTERM)
                say("end of the inner part")
        except KeyboardInterrupt:
            say("interrupted")
        try:
            outer.check()
        except Stopped:
            say("stopped")


def two_of_them_one_on_the_way_out() -> None:
    """The second comes when its handler is back and the first one is not delivered yet."""
    real = signal.signal

    def set_handler(number: int, handler: Any) -> object:
        before = real(number, handler)
        if number == signal.SIGINT and handler == signal.default_int_handler:
            signal.raise_signal(signal.SIGINT)
        return before

    real(signal.SIGTERM, lambda *_: say("heard SIGTERM"))
    signal.signal = set_handler  # type: ignore[assignment]
    try:
        with Stops():
            signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        say(f"interrupted, back is {signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, None)}")


def one_that_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Stops():
        say(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
        signal.raise_signal(signal.SIGHUP)


def an_interrupt_by_default(whose: str) -> None:
    if whose == "nobody's":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)

    def look(*_: object) -> None:
        say(signal.getsignal(signal.SIGINT).name)  # type: ignore[union-attr]
        say(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        raise OSError

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        say("alive")

    os.execve = look  # type: ignore[assignment]
    with contextlib.suppress(OSError):
        become("/none", [], {})
    say(signal.getsignal(signal.SIGINT) is before)
    os.execve = interrupt  # type: ignore[assignment]
    become("/none", [], {})


def one_in_the_last_moment() -> None:
    real = _signal.signal

    def set_handler(number: int, handler: Any) -> object:
        if number == signal.SIGINT:
            os.kill(os.getpid(), signal.SIGINT)
        return real(number, handler)

    _signal.signal = set_handler
    os.execve = lambda *_: say("alive")  # type: ignore[assignment]
    become("/none", [], {})


def ran(program: str, call: str = "run") -> None:
    """In a process of its own: run uv, or have it lock, and say what came of it."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    uv = Uv(program=Path(program), environ=dict(os.environ))
    try:
        code = uv.run([]) if call == "run" else uv.lock(Path(program).parent)
    except KeyboardInterrupt:
        code = "interrupted"
    print(code, [signal.getsignal(number) for number in numbers] == before, flush=True)


def ran_with_a_signal(program: str, call: str, number: str, moment: str) -> None:
    """As `ran`, with a signal to this process just before uv is started, or just after."""
    real = subprocess.Popen.__init__

    def start(self: subprocess.Popen[Any], *words: Any, **how: Any) -> None:
        if moment == "before":
            signal.raise_signal(int(number))
        real(self, *words, **how)
        if moment == "after":
            signal.raise_signal(int(number))

    subprocess.Popen.__init__ = start  # type: ignore[method-assign]
    ran(program, call)


def ran_with_a_signal_right_before_a_wait(program: str, ready: str) -> None:
    """As `ran`, with a SIGTERM between Python's last look for one and the system call that waits for uv."""
    real, kill = os.waitpid, ctypes.CDLL(None)["raise"]
    raised: list[int] = []

    def waitpid(pid: int, flags: int) -> Any:
        while not Path(ready).exists():
            time.sleep(0.01)
        first = [] if raised else [partial(kill, int(signal.SIGTERM))]
        raised.append(pid)
        # one call of C's code, within which Python looks for no signal
        calls: list[Any] = [*first, partial(real, pid, flags)]
        return list(map(operator.call, calls))[-1]

    os.waitpid = waitpid
    ran(program)


def ran_what_cant_be_started(program: str, number: str) -> None:
    try:
        ran_with_a_signal(program, "run", number, "before")
    except MachineError:
        print("can't be started", flush=True)
