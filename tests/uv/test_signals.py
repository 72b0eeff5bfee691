"""Signals held back: what comes meanwhile is delivered afterwards, or ends a wait.

Every scene plays in a process of its own, which says what it got to.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.processes import hearing, in_own_process
from torchsel.uv.signals import Stopped, Stops, interrupts_by_default

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def played(scene: Callable[..., object], *arguments: object) -> list[str]:
    """The lines that a scene said in its process, which has to end as it should."""
    done = in_own_process(scene, *arguments)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


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


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end(number: signal.Signals) -> None:
    said = played(one_in_a_part, int(number))
    assert said == ["end of the part", f"heard {number.name}", "interrupted"]


def nothing_comes() -> None:
    with hears():
        before = [signal.getsignal(number) for number in SIGNALS]
        with Stops():
            say([signal.getsignal(number) for number in SIGNALS] != before)
        say([signal.getsignal(number) for number in SIGNALS] == before)


def test_nothing_came() -> None:
    assert played(nothing_comes) == ["True", "True"]


def one_before_a_check() -> None:
    with hears(), Stops() as stops:
        stops.check()
        signal.raise_signal(signal.SIGTERM)
        try:
            stops.check()
        except Stopped:
            signal.raise_signal(signal.SIGTERM)
            say("taken back")


def test_a_check_stops_after_a_signal() -> None:
    assert played(one_before_a_check) == ["taken back", "heard SIGTERM", "interrupted"]


def two_in_a_part() -> None:
    with hears(), Stops():
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGINT)


def test_the_first_signal_is_the_one_delivered() -> None:
    assert played(two_in_a_part) == ["heard SIGHUP", "interrupted"]


def one_and_an_error() -> None:
    with hears(), Stops():
        signal.raise_signal(signal.SIGTERM)
        msg = "what the change failed with"
        raise ValueError(msg)


def test_an_error_does_not_swallow_a_signal() -> None:
    assert played(one_and_an_error) == ["heard SIGTERM", "interrupted"]


def one_that_is_forgotten() -> None:
    with hears(), Stops() as stops:
        signal.raise_signal(signal.SIGTERM)
        stops.forget()
    say("on we go")


def test_what_somebody_else_acted_on_is_not_delivered() -> None:
    assert played(one_that_is_forgotten) == ["on we go"]


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


def test_a_part_in_a_part_delivers_to_it() -> None:
    said = played(one_in_an_inner_part)
    assert said == ["end of the inner part", "interrupted", "stopped", "heard SIGTERM", "interrupted"]


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


def test_one_on_the_way_out_does_not_swallow_the_first() -> None:
    assert played(two_of_them_one_on_the_way_out) == ["heard SIGTERM", "interrupted, back is True"]


def one_that_is_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Stops():
        say(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
        signal.raise_signal(signal.SIGHUP)


def test_what_is_ignored_stays_ignored() -> None:
    assert played(one_that_is_ignored) == ["True"]


def test_other_threads_have_no_signals() -> None:
    done: list[object] = []

    def work() -> None:
        with Stops(), interrupts_by_default():
            done.extend(signal.getsignal(number) for number in SIGNALS)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGINT, 1)])
def test_the_process_ends_by_the_signal(number: signal.Signals, code: int) -> None:
    program = "from torchsel.uv.signals import Stops; import sys\nwith Stops():\n    print('in', flush=True)"
    command = hearing("-c", f"{program}; sys.stdin.read(); print('out', flush=True)")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "in\n"
        process.send_signal(number)
        process.stdin.close()
        assert process.stdout.read() == "out\n"
        ended = process.wait(20)
    assert ended == code or (number == signal.SIGINT and ended == -signal.SIGINT)


def an_interrupt_by_default(whose: str) -> None:
    if whose == "nobody's":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGINT)
    with interrupts_by_default():
        say(signal.getsignal(signal.SIGINT).name)  # type: ignore[union-attr]
        say(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    say(signal.getsignal(signal.SIGINT) is before)
    with interrupts_by_default():
        signal.raise_signal(signal.SIGINT)
        say("alive")


def test_before_another_program_an_interrupt_has_its_default() -> None:
    done = in_own_process(an_interrupt_by_default, "ours")
    assert (done.code, done.out.split()) == (-signal.SIGINT, ["SIG_DFL", "set()", "True"])
    assert played(an_interrupt_by_default, "nobody's") == ["SIG_IGN", "set()", "True", "alive"]


def one_in_the_last_moment() -> None:
    real = signal.signal

    def set_handler(number: int, handler: Any) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return real(number, handler)

    signal.signal = set_handler  # type: ignore[assignment]
    with interrupts_by_default():
        say("alive")


def test_an_interrupt_in_the_last_moment() -> None:
    done = in_own_process(one_in_the_last_moment)
    assert (done.code, done.out, done.err) == (-signal.SIGINT, "", ""), "ended by the signal, not by Python"
