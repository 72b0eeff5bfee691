"""Edits on plain data, comparing it, and rendering values."""

from __future__ import annotations

import copy
import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchsel.toml.document import Layout
from torchsel.toml.edits import (
    Append,
    Delete,
    Edit,
    EditPathError,
    Prune,
    SetValue,
    apply_to_data,
    difference,
    same,
)
from torchsel.toml.render import render, render_like
from torchsel.toml.values import change_value, opcodes

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NAN = float("nan")
scalars = st.text() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("data", "edit", "expected"),
    [
        ({}, SetValue(path=("a", "b"), value=1), {"a": {"b": 1}}),
        ({"a": [1, 2]}, SetValue(path=("a", 1), value=3), {"a": [1, 3]}),
        ({"a": [{"b": 1}]}, SetValue(path=("a", 0, "c"), value=3), {"a": [{"b": 1, "c": 3}]}),
        ({"a": {"b": 1}}, Delete(path=("a", "b")), {"a": {}}),
        ({"a": [1]}, Delete(path=("a", 0)), {"a": []}),
        ({"a": {"b": {}}}, Prune(path=("a", "b")), {"a": {}}),
        ({"a": []}, Prune(path=("a",)), {}),
        ({"a": 0}, Prune(path=("a",)), {"a": 0}),
        ({"a": {"b": {}}}, Prune(path=("a",)), {"a": {"b": {}}}),
        ({"a": 1}, Prune(path=("a", "b", "c")), {"a": 1}),
        ({}, Append(path=("a", "b"), value={"c": 1}), {"a": {"b": [{"c": 1}]}}),
        ({"a": [[1]]}, Append(path=("a", 0), value=2), {"a": [[1, 2]]}),
    ],
)
def test_edits_on_data(data: dict[str, Any], edit: Edit, expected: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    assert apply_to_data(data, [edit]) == expected
    assert data == before


def test_the_result_does_not_share_the_values_of_edits() -> None:
    value = [1]
    result = apply_to_data({}, [SetValue(path=("a",), value=value), Append(path=("a",), value=2)])
    value.append(3)
    assert result == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("data", "edit", "message"),
    [
        ({"tool": {"uv": 1}}, SetValue(path=("tool", "uv", "x"), value=1), "tool.uv is not a table"),
        ({"a": {"b": {}}}, Append(path=("a", "b"), value=1), "a.b is not an array"),
        ({"a": [{"b": 1}]}, SetValue(path=("a", 0, "b", "c"), value=1), r"a\[0\].b is not a table"),
        ({"a": {}}, SetValue(path=("a", 0), value=1), "a is not an array"),
    ],
)
def test_edits_that_do_not_fit(data: dict[str, Any], edit: Edit, message: str) -> None:
    with pytest.raises(EditPathError, match=message):
        apply_to_data(data, [edit])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("1", 1),
        ([], {}),
        (NOON, NOON.astimezone(timezone(timedelta(hours=1)))),
        (NOON, date(2026, 1, 1)),
        ([1], [1, 1]),
        ({"a": 1}, {"b": 1}),
    ],
)
def test_different(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same({"a": [one]}, {"a": [other]})
    assert same([copy.deepcopy(one)], [one])


def test_nan_is_the_same_as_nan() -> None:
    assert same({"a": [NAN]}, {"a": [float("nan")]})


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ("a", "b", 1)),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, ("a", "b", 1)),
        ({"a": 1}, {"a": 1, "b": 1}, ("b",)),
        ({"a": 1}, {"a": 1}, None),
    ],
)
def test_the_path_to_a_difference(one: Any, other: Any, path: Any) -> None:
    assert difference(one, other) == path
    assert difference(other, one) == path


@given(old=st.lists(st.integers(0, 3)), new=st.lists(st.integers(0, 3)))
def test_opcodes_lead_from_one_list_to_the_other(old: list[int], new: list[int]) -> None:
    result = list(old)
    for _, start, stop, new_start, new_stop in opcodes(old, new):
        result[start:stop] = new[new_start:new_stop]
    assert result == new


def test_opcodes_of_many_equal_items_take_no_quadratic_time() -> None:
    assert opcodes(["x"] * 20_000, ["x"] * 20_001) == [("insert", 20_000, 20_000, 20_000, 20_001)]
    assert len(opcodes(["x", "y"] * 10_000, ["y", "x"] * 10_000)) == 1


@given(value=values, flat=st.booleans(), newline=st.sampled_from(["\n", "\r\n"]))
def test_rendered_values_mean_themselves(value: Any, flat: bool, newline: str) -> None:
    text = render(value, Layout(flat=flat, newline=newline))
    assert same(tomllib.loads(f"value = {text}\n")["value"], value)
    assert not flat or "\n" not in text


@given(old=values, new=values, flat=st.booleans())
def test_changed_values_mean_the_new_ones(old: Any, new: Any, flat: bool) -> None:
    layout = Layout(flat=flat)
    text = change_value(render(old, layout), old, new, layout)
    assert same(tomllib.loads(f"value = {text}\n")["value"], new)


@pytest.mark.parametrize("old", ["'x'", "'''x'''", '"""x"""', '"x"'])
@given(value=st.text())
def test_strings_keep_their_quotes_where_they_can(old: str, value: str) -> None:
    text = render_like(value, old)
    assert tomllib.loads(f"value = {text}\n")["value"] == value
    quote = old[: old.index("x")]
    assert text.startswith(quote if '"' in quote or text != render(value, Layout()) else '"')


def test_strings_change_quotes_only_where_they_must() -> None:
    assert render_like("y", "'x'") == "'y'"
    assert render_like("it's", "'x'") == '"it\'s"'
    assert render_like("y", '"""x"""') == '"""y"""'
