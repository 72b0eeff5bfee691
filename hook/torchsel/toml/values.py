"""Comparing TOML data: exact sameness, where two documents differ, how one list becomes another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torchsel.toml.edits import Path

Opcode = tuple[str, int, int, int, int]
_MATCHED_PAIRS = 100_000  # difflib needs quadratic time where many items are alike


def same(one: Any, other: Any) -> bool:
    """Whether TOML values are equal in type too: ``1``, ``1.0`` and ``true`` differ, ``nan`` is nan."""
    return one is other or difference(one, other) is None


def difference(one: Any, other: Any) -> Path | None:
    """The path to the first place where two TOML values differ, None where nowhere."""
    if one is other:
        return None
    if type(one) is not type(other):
        return ()
    if isinstance(one, dict):
        return _dict_difference(one, other)
    if isinstance(one, list):
        return _list_difference(one, other)
    # repr tells -0.0 from 0.0 and two time zones of one instant apart, and finds nan equal to nan
    return None if (one == other if isinstance(one, str) else repr(one) == repr(other)) else ()


def _dict_difference(one: dict[str, Any], other: dict[str, Any]) -> Path | None:
    for key in one.keys() | other.keys() if len(one) != len(other) else one:
        if key not in one or key not in other:
            return (key,)
        found = difference(one[key], other[key])
        if found is not None:
            return (key, *found)
    return None


def _list_difference(one: list[Any], other: list[Any]) -> Path | None:
    for position, (left, right) in enumerate(zip(one, other, strict=False)):
        found = difference(left, right)
        if found is not None:
            return (position, *found)
    return None if len(one) == len(other) else (min(len(one), len(other)),)


def opcodes(old: Sequence[Any], new: Sequence[Any]) -> list[Opcode]:
    """Steps from ``old`` to ``new`` as `difflib` names them, last first, so that positions stay right."""
    left, right = [_token(value) for value in old], [_token(value) for value in new]
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    middle = left[start : len(left) - end], right[start : len(right) - end]
    return [
        (tag, i1 + start, i2 + start, j1 + start, j2 + start)
        for tag, i1, i2, j1, j2 in reversed(_matched(*middle))
        if tag != "equal"
    ]


def _matched(left: list[str], right: list[str]) -> list[Opcode]:
    if len(left) * len(right) > _MATCHED_PAIRS:
        return [("replace", 0, len(left), 0, len(right))]
    import difflib  # noqa: PLC0415 - start-up time

    return list(difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes())


def _common(left: list[str], right: list[str]) -> int:
    """How many items both begin with."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (one, other) in pairs if one != other), min(len(left), len(right)))


def _token(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_token(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_token, value)) + "]"
    return repr(value)
