"""Where statements, keys, values and items begin and end."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from torchsel.toml.document import Document
from torchsel.toml.scan import items, key_prefix, scan, split_key

VALUES = [
    "1",
    "0x_ff".replace("_", ""),
    "true",
    "1979-05-27 07:32:00",
    "1979-05-27T07:32:00.999-07:00",
    '"a # b"',
    '"a \\" # b"',
    '"\\\\"',
    "'a \\'",
    '""',
    "''",
    '""""""',
    '"""a""""',
    '"""a"""""',
    '"""\na = [\n"\n"""',
    '"""\\""\\"" # c\n"""',
    "'''\\'''",
    "'''a'''''",
    "'''\n# no [\n'''",
    "[]",
    "[ ]",
    "[\n]",
    "[1, 2,]",
    "[ # ]\n 1, # ]\n]",
    '["]", \']\', """]""", [["]"]]]',
    "{}",
    "{ }",
    '{ a = "}", b = [{ c = 1 }], "d.e".f = \'}\' }',
    "{ a = [\n 1, # }\n] }",
]


@pytest.mark.parametrize("ending", ["\n", " # ] } c\n", "\t\r\n", ""])
@pytest.mark.parametrize("value", VALUES)
def test_a_value_ends_where_it_ends(value: str, ending: str) -> None:
    text = f"\t'a'.b = {value}{ending}"
    assert tomllib.loads(text)
    first, *rest = scan(text + ("c = 2" if ending.endswith("\n") else ""))
    assert first.text == text
    assert text[slice(*first.value)] == value
    assert first.keys == ("a", "b")
    assert [segment.text for segment in rest] == (["c = 2"] if ending.endswith("\n") else [])


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("a", ("a",)),
        ("a.b-c.1", ("a", "b-c", "1")),
        ("a . b\t.c", ("a", "b", "c")),
        ('"a.b".c', ("a.b", "c")),
        ("'a.\"b' . \"c'd\"", ('a."b', "c'd")),
        ('"\\u0074\\"o"', ('t"o',)),
        ('""."#"', ("", "#")),
        ("'\\u0074'", ("\\u0074",)),
    ],
)
def test_keys(key: str, parts: tuple[str, ...]) -> None:
    assert split_key(key) == parts
    assert split_key(key_prefix(key, len(parts))) == parts
    assert split_key(key_prefix(key, 1)) == parts[:1]
    nested: Any = tomllib.loads(f"{key} = 1")
    for part in parts:
        nested = nested[part]
    assert nested == 1


def test_kinds_of_segments() -> None:
    text = "# c\n\n  \t\n[ a . 'b' ] # t\n[[x]]\n \"k\" = 1\n   # last"
    kinds = [(segment.kind, segment.keys) for segment in scan(text)]
    assert kinds == [
        ("comment", ()),
        ("blank", ()),
        ("blank", ()),
        ("table", ("a", "b")),
        ("array", ("x",)),
        ("pair", ("k",)),
        ("comment", ()),
    ]


def test_paths_count_items_of_arrays_of_tables() -> None:
    text = "r = 1\n[[a]]\nb.c = 1\n[[a.d]]\n[a.d.e]\nf = 1\n[x]\n[[a]]\n[[a.d]]\n[[a.d]]\n[a.g]\n"
    paths = [path for path in Document(text).paths if path is not None]
    assert paths == [
        ("r",),
        ("a", 0),
        ("a", 0, "b", "c"),
        ("a", 0, "d", 0),
        ("a", 0, "d", 0, "e"),
        ("a", 0, "d", 0, "e", "f"),
        ("x",),
        ("a", 1),
        ("a", 1, "d", 0),
        ("a", 1, "d", 1),
        ("a", 1, "g"),
    ]


@pytest.mark.parametrize(
    ("text", "values", "commas"),
    [
        ("[]", [], []),
        ("[ # none,\n]", [], []),
        ("[1,2]", ["1", "2"], [True, False]),
        ("[ 1 , # a, b\n 'x,' # c\n , ]", ["1", "'x,'"], [True, True]),
        ("[[1, 2], {a = 1, b = 2}]", ["[1, 2]", "{a = 1, b = 2}"], [True, False]),
    ],
)
def test_items_of_an_array(text: str, values: list[str], commas: list[bool]) -> None:
    found = items(text)
    assert [text[slice(*item.value)] for item in found] == values
    assert [item.comma is not None for item in found] == commas
    assert all(text[item.comma] == "," for item in found if item.comma is not None)


def test_items_of_an_inline_table() -> None:
    text = "{ a . 'b' = 1 , \"c\"={ d = ',' } }"
    assert [(item.keys, text[slice(*item.value)]) for item in items(text)] == [
        (("a", "b"), "1"),
        (("c",), "{ d = ',' }"),
    ]
