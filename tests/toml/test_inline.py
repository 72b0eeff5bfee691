"""Changes inside one inline value: what else is there stays, in every layout."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from torchsel.toml.document import Layout
from torchsel.toml.values import change_value

LAYOUT = Layout(indent="  ", step="    ")


def changed(text: str, new: Any) -> str:
    old = tomllib.loads(f"value = {text}")["value"]
    return change_value(text, old, new, LAYOUT)


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ("[ 1,2 ]", [1, 2, 3], "[ 1,2, 3 ]"),
        ("[1, 2,]", [1, 2, 3], "[1, 2, 3,]"),
        ("[1,\n 2]", [1, 2, 3], "[1,\n 2, 3]"),
        ("[\n 1,\n 2\n]", [1, 2, 3], "[\n 1,\n 2,\n 3\n]"),
        ("[\n 1,\n 2, # two\n]", [1, 2, 3], "[\n 1,\n 2, # two\n 3,\n]"),
        ("[\n 1,\n 2 # two\n]", [1, 2, 3], "[\n 1,\n 2, # two\n 3\n]"),
        ("[\n 1, 2, # both\n]", [1, 2, 3], "[\n 1, 2, # both\n 3,\n]"),
        ("[\n 1, 2\n ]", [1, 9, 2], "[\n 1, 9, 2\n ]"),
        ("[\n 1,\n 2,\n]", [0, 1, 2], "[\n 0,\n 1,\n 2,\n]"),
        ("[ # first\n 1,\n]", [0, 1], "[ # first\n 0,\n 1,\n]"),
        ("[1, 2]", [0, 1, 2], "[0, 1, 2]"),
        ("[\n # one\n 1,\n # two\n 2,\n]", [1, 9, 2], "[\n # one\n 1,\n 9,\n # two\n 2,\n]"),
        ("[]", ["x"], '["x"]'),
        ("[ ]", ["x"], '["x"]'),
        ("[\n# no\N{NO-BREAK SPACE}\n]", [1], "[\n# no\N{NO-BREAK SPACE}\n      1,\n]"),
        ("[\n  [ 1 ], # one\n]", [[1], [2, 3]], "[\n  [ 1 ], # one\n  [\n      2,\n      3,\n  ],\n]"),
        ("[\n  [ 1 ], # one\n]", [[1, 2]], "[\n  [ 1, 2 ], # one\n]"),
    ],
)
def test_items_are_added_in_the_arrays_layout(text: str, new: Any, expected: str) -> None:
    assert changed(text, new) == expected


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ("[ 1,2, 3 ]", [1, 2], "[ 1,2 ]"),
        ("[1, 2, 3,]", [1, 2], "[1, 2,]"),
        ("[1, 2]", [2], "[2]"),
        ("[ 1 ]", [], "[]"),
        ("[\n 1,\n]", [], "[\n]"),
        ("[\n 1,\n 2\n]", [1], "[\n 1\n]"),
        ("[\n # one\n 1, # goes\n # two\n 2, # stays\n]", [2], "[\n # one\n # two\n 2, # stays\n]"),
        ("[1, # one\n 2]", [1], "[1, # one\n ]"),
        ("[1 # one\n , 2]", [2], "[ # one\n  2]"),
        ("[ # open\n 1 ]", [], "[ # open\n  ]"),
        ("[\r\n 1,\r\n 2,\r\n]", [1], "[\r\n 1,\r\n]"),
        ("[\n [\n 1,\n ],\n 2,\n]", [2], "[\n 2,\n]"),
    ],
)
def test_items_go_and_comments_on_other_lines_stay(text: str, new: Any, expected: str) -> None:
    assert changed(text, new) == expected


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ("{}", {"a": 1}, "{ a = 1 }"),
        ("{ a = 1 }", {}, "{}"),
        ("{a=1,b=0x2}", {"a": 3, "b": 2}, "{a=3,b=0x2}"),
        ("{ a = 1, b = 2 }", {"b": 2}, "{ b = 2 }"),
        ("{ a = 1, b = 2 }", {"a": 1, "c d": [1, 2]}, '{ a = 1, "c d" = [1, 2] }'),
        ("{ a . 'b' = 1, c = 2 }", {"a": {"b": 1, "d": 3}, "c": 2}, "{ a . 'b' = 1, a.d = 3, c = 2 }"),
        ("{ a.b = 1, c = 2 }", {"a": {}, "c": 2}, "{ c = 2, a = {} }"),
        ("{ a.b = 1, a.c = 2 }", {"a": 3}, "{ a = 3 }"),
        ("{ a.b.c = 1 }", {"a": {"b": {}}}, "{ a.b = {} }"),
    ],
)
def test_inline_tables(text: str, new: Any, expected: str) -> None:
    assert changed(text, new) == expected


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        ("1", True, "true"),
        ("0x1", 1, "0x1"),
        ("'a'", "b", "'b'"),
        ("'a'", ["b"], '[\n      "b",\n  ]'),
        ("[ 1 ]", {"a": [1]}, "{ a = [1] }"),
        ("[{ a = 'x' , b = 1 }]", [{"a": "y", "b": 1}], "[{ a = 'y' , b = 1 }]"),
    ],
)
def test_other_values_are_replaced_where_they_differ(text: str, new: Any, expected: str) -> None:
    assert changed(text, new) == expected
