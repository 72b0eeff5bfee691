"""Signals held back: what comes meanwhile is delivered afterwards, or ends a wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from torchsel.files.signals import Stopped, Stops

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that came through to whoever handled them before."""
    listed: list[int] = []
    before = {number: signal.signal(number, lambda n, _: listed.append(n)) for number in SIGNALS}
    yield listed
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end(number: signal.Signals, heard: list[int]) -> None:
    steps = []

    def change() -> None:
        with Stops():
            signal.raise_signal(number)
            steps.append(len(heard))

    with pytest.raises(KeyboardInterrupt):
        change()
    assert (steps, heard) == ([0], [number])


def test_nothing_came(heard: list[int]) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Stops() as stops, stops.waiting():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert heard == []


def test_a_wait_ends_at_once(heard: list[int]) -> None:
    steps = []

    def change() -> None:
        with Stops() as stops:
            try:
                with stops.waiting():
                    signal.raise_signal(signal.SIGTERM)
                    steps.append("never")
            except Stopped:
                signal.raise_signal(signal.SIGTERM)
                steps.append("taken back")

    with pytest.raises(KeyboardInterrupt):
        change()
    assert (steps, heard) == (["taken back"], [signal.SIGTERM])


def test_a_wait_does_not_begin_after_a_signal(heard: list[int]) -> None:
    def change() -> None:
        with Stops() as stops:
            signal.raise_signal(signal.SIGTERM)
            with pytest.raises(Stopped), stops.waiting():
                pytest.fail("there is nothing to wait for")

    with pytest.raises(KeyboardInterrupt):
        change()
    assert heard == [signal.SIGTERM]


def test_the_first_signal_is_the_one_delivered(heard: list[int]) -> None:
    def change() -> None:
        with Stops():
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        change()
    assert heard == [signal.SIGHUP]


def test_an_error_does_not_swallow_a_signal(heard: list[int]) -> None:
    def change() -> None:
        with Stops():
            signal.raise_signal(signal.SIGTERM)
            msg = "what the change failed with"
            raise ValueError(msg)

    with pytest.raises(KeyboardInterrupt):
        change()
    assert heard == [signal.SIGTERM]


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stops() as stops, stops.waiting():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_have_no_signals() -> None:
    done = []

    def work() -> None:
        with Stops() as stops, stops.waiting():
            done.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -15), (signal.SIGHUP, -1), (signal.SIGINT, 1)])
def test_the_process_ends_by_the_signal(number: signal.Signals, code: int) -> None:
    program = (
        "import time; from torchsel.files.signals import Stops\n"
        "with Stops():\n    print('in', flush=True); time.sleep(0.3); print('out', flush=True)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "in\n"
        time.sleep(0.05)
        process.send_signal(number)
        assert process.stdout.read() == "out\n"
        ended = process.wait(20)
    assert ended == code or (number == signal.SIGINT and ended == -signal.SIGINT)
