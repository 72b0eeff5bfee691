"""Words on standard error: when they are said, and when in colour."""

from __future__ import annotations

import io
import re
import sys

import pytest

from tests.support.patterns import assert_linear
from torchsel import console as module
from torchsel.console import Console, presentable


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


WORST = [
    ("_WORD", "x", "", ""),
    ("_WORD", "x ", "", ""),
    ("_CREDENTIALS", "://a:b", "", ""),
    ("_CREDENTIALS", "://a:b", "", "@"),
    ("_CREDENTIALS", "://a:b", "@", " x"),
    ("_CREDENTIALS", "://a:8080/", "", "@"),
    ("_CREDENTIALS", "://", "", "@"),
    ("_CREDENTIALS", "a", "://", "/@"),
    ("_CREDENTIALS", "1", "://a:", "@"),
    ("_CREDENTIALS", "@", "://", ""),
    ("_NAME", "?key", "", ""),
    ("_NAME", "?", "", ""),
    ("_NAME", "?=", "", ""),
    ("_NAME", "&a=?b", "", ""),
    ("_SECRET", "?key", "", "="),
    ("_SECRET", "toke", "?", "="),
    ("_VALUE", "?key=a", "", ""),
    ("_VALUE", "a", "?key=", ""),
    ("_CONTROLS", "\x1b", "", ""),
    ("_CONTROLS", "\r", "", ""),
    ("_CONTROLS", "\r\n", "", ""),
]
"""The worst text that is known for each regular expression: its name, the piece repeated, what is around."""


@pytest.mark.parametrize(("name", "piece", "before", "after"), WORST)
def test_no_pattern_goes_back(name: str, piece: str, before: str, after: str) -> None:
    assert_linear(presentable, piece, before=before, after=after)


def test_every_pattern_has_its_worst_text() -> None:
    patterns = {name for name, value in vars(module).items() if isinstance(value, re.Pattern)}
    assert patterns == {row[0] for row in WORST}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x?a=b?key=v", "x?a=b?key=***"),
        ("x?key=a?key=b&c", "x?key=***&c"),
        ("x?key&token=1", "x?key&token=***"),
        ("x?key=&y=2", "x?key=&y=2"),
        ("x?key?y=1", "x?key?y=***"),
        ("'?TOKEN=abc'", "'?TOKEN=***'"),
        ("https://a:b/c@d/e@f g@h", "https://***@f g@h"),
        ("https://h/x https://u:p@h/y", "https://h/x https://***@h/y"),
        ("a://b://c:d@e", "a://b://***@e"),
        ("https://u:1/2@h", "https://u:1/2@h"),
    ],
)
def test_what_is_left_out(text: str, shown: str) -> None:
    assert presentable(text) == shown
