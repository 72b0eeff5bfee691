"""Words on standard error: when they are said, and when in colour."""

from __future__ import annotations

import io
import sys

import pytest

from torchsel.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def said(console: Console) -> list[str]:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        console.say("done")
        console.detail("why")
        console.warn("mind")
        console.error("one\n\ntwo")
    return stream.getvalue().splitlines()


ERRORS = ["error: one", "", "error: two"]


@pytest.mark.parametrize(
    ("console", "lines"),
    [
        (Console(color="never"), ["torchsel: done", "warning: mind", *ERRORS]),
        (Console(color="never", quiet=True), ERRORS),
        (Console(color="never", verbose=True), ["torchsel: done", "torchsel: why", "warning: mind", *ERRORS]),
    ],
)
def test_what_is_said(console: Console, lines: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert said(console) == lines
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("color", "environ", "terminal", "colored"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_color(
    color: str, environ: dict[str, str], terminal: bool, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    console = Console(color=color)  # type: ignore[arg-type]
    text = console.paint("word", "error", Terminal() if terminal else io.StringIO())
    assert text == ("\x1b[31mword\x1b[0m" if colored else "word")
