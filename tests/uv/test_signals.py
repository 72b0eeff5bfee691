"""Signals held back: what comes meanwhile is delivered afterwards, or ends a wait.

Every scene plays in a process of its own, which says what it got to.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable

import pytest

from tests.support.processes import hearing, in_own_process
from tests.uv import scenes
from torchsel.uv.signals import Stops

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def played(scene: Callable[..., object], *arguments: object) -> list[str]:
    """The lines that a scene said in its process, which has to end as it should."""
    done = in_own_process(scene, *arguments)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_waits_for_the_end(number: signal.Signals) -> None:
    said = played(scenes.one_in_a_part, int(number))
    assert said == ["end of the part", f"heard {number.name}", "interrupted"]


def test_nothing_came() -> None:
    assert played(scenes.nothing_comes) == ["True", "True"]


def test_a_check_stops_after_a_signal() -> None:
    assert played(scenes.one_before_a_check) == ["taken back", "heard SIGTERM", "interrupted"]


def test_the_first_signal_is_the_one_delivered() -> None:
    assert played(scenes.two_in_a_part) == ["heard SIGHUP", "interrupted"]


def test_an_error_does_not_swallow_a_signal() -> None:
    assert played(scenes.one_and_an_error) == ["heard SIGTERM", "interrupted"]


def test_what_somebody_else_acted_on_is_not_delivered() -> None:
    assert played(scenes.one_that_is_forgotten) == ["on we go"]


def test_a_part_in_a_part_delivers_to_it() -> None:
    said = played(scenes.one_in_an_inner_part)
    assert said == ["end of the inner part", "interrupted", "stopped", "heard SIGTERM", "interrupted"]


def test_one_on_the_way_out_does_not_swallow_the_first() -> None:
    assert played(scenes.two_of_them_one_on_the_way_out) == ["heard SIGTERM", "interrupted, back is True"]


def test_what_is_ignored_stays_ignored() -> None:
    assert played(scenes.one_that_is_ignored) == ["True"]


def test_other_threads_have_no_signals() -> None:
    done: list[object] = []

    def work() -> None:
        with Stops():
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


def test_before_another_program_an_interrupt_has_its_default() -> None:
    done = in_own_process(scenes.an_interrupt_by_default, "ours")
    assert (done.code, done.out.split()) == (-signal.SIGINT, ["SIG_DFL", "set()", "True"])
    assert played(scenes.an_interrupt_by_default, "nobody's") == ["SIG_IGN", "set()", "True", "alive"]


def test_an_interrupt_in_the_last_moment() -> None:
    done = in_own_process(scenes.one_in_the_last_moment)
    assert (done.code, done.out, done.err) == (-signal.SIGINT, "", ""), "ended by the signal, not by Python"
