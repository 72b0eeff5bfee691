"""Children side by side: bounded together, and left behind where they can't be stopped."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.stand_ins import Environment
from tests.verify.test_verify import alive
from torchsel.verify.run import MOST_MEMORY, Runner, Task


def runner(environment: Environment, timeout: float) -> Runner:
    python = environment.folder / "bin" / "python"
    return Runner(python=python, environ=os.environ, timeout=timeout, memory=MOST_MEMORY)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc, to look for what is left")
def test_one_that_cannot_be_killed_is_not_waited_for(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    environment.add_torch(f"open({str(pids)!r}, 'a').write(str(os.getpid()) + ' ')\ntime.sleep(60)")
    kill = os.killpg
    monkeypatch.setattr(os, "killpg", lambda *_: None)  # as the kernel does for one in a driver's call
    began = time.monotonic()
    ended = runner(environment, 3.0).run([Task(kind="look"), Task(kind="look"), Task(kind="look")])
    took = time.monotonic() - began
    monkeypatch.undo()
    assert took <= 3.0 + 2.0
    assert [(item.end, item.code) for item in ended] == [("hung", None)] * 3
    assert [alive(int(pid), 0.0) for pid in pids.read_text().split()] == [True] * 3, "they were left behind"
    for left in pids.read_text().split():
        kill(int(left), signal.SIGKILL)


def test_nothing_is_left_in_the_temporary_folder(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    environment.add_torch("open('here', 'w').write('x')")
    (ended,) = runner(environment, 20.0).run([Task(kind="look")])
    assert ended.is_done
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_report_that_is_no_report_is_passed_over(environment: Environment) -> None:
    name = "__import__('json').loads(sys.argv[1])['result']"
    environment.add_torch(f"open({name}, 'ab').write(b'\\xff\\n[]\\n{{\\n3\\n')")
    (ended,) = runner(environment, 20.0).run([Task(kind="look")])
    assert ended.is_done
    assert ended.get("build")["torch"] == "2.13.0+cu130"


def test_the_end_of_many_last_words_is_kept(environment: Environment) -> None:
    environment.add_torch("sys.stderr.write('x' * 3_000_000 + 'the end')\nsys.stderr.flush()\nos.abort()")
    (ended,) = runner(environment, 20.0).run([Task(kind="look")])
    assert ended.words.endswith("the end")
    assert len(ended.words) == 16 << 10
    assert ended.code == -signal.SIGABRT
