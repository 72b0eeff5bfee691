"""What is to change in a TOML document, and where two differ, as plain values; for data and for text."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torchsel.errors import NotEditableError

Path = tuple[str | int, ...]
"""Keys from the document's root; a number is a position in an array."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetValue:
    """Put ``value``, plain data without dates, at ``path``; missing tables on the way are made.

    ``comments`` are lines that go above the header of a table that is new.
    """

    path: Path
    value: Any
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Take away the key or array item at ``path``, which must be there; the table around it stays.

    ``comments`` are lines that go with a table where they stand right above its header.
    """

    path: Path
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Prune:
    """Take away the table or array at ``path`` where it is empty.

    In text a header stays, with its empty table, that has a comment behind, in or above it, or is spelled in
    a way of its own: a person wrote it.
    """

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Append:
    """Add ``value``, a table or a plain value, to the end of the array at ``path``, made where missing."""

    path: Path
    value: Any


Edit = SetValue | Delete | Prune | Append


class EditPathError(NotEditableError):
    """What lies at ``path`` is of another type than an edit needs: ``reason`` is the sentence's end."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{dotted(path)} {reason}")
        self.path = path
        self.reason = reason


def dotted(path: Path) -> str:
    """The path as people write it: ``tool.uv.index[2].url``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def apply_to_data(data: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """The document that ``edits`` mean: the pure twin of the text editing, in order.

    ``data`` is left as it was; the result shares with it what no edit touched.

    Raises:
        EditPathError: a table or array is needed where the document has something else.
        LookupError: a deleted key or a position in an array is not there.
    """
    result: dict[str, Any] = data
    for edit in edits:
        if not isinstance(edit, Prune):
            result = _changed(result, edit, 0)
        elif value_at(result, edit.path) in ({}, []):
            result = _changed(result, Delete(path=edit.path), 0)
    return result


def _changed(node: Any, edit: SetValue | Delete | Append, depth: int) -> Any:
    key = edit.path[depth]
    _check(node, dict if isinstance(key, str) else list, edit.path[:depth])
    result = node.copy()
    if depth + 1 < len(edit.path):
        child = result.get(key, {}) if isinstance(key, str) else result[key]
        result[key] = _changed(child, edit, depth + 1)
    elif isinstance(edit, Delete):
        del result[key]
    elif isinstance(edit, SetValue):
        result[key] = copy.deepcopy(edit.value)
    else:
        items = result.get(key, []) if isinstance(key, str) else result[key]
        _check(items, list, edit.path)
        result[key] = [*items, copy.deepcopy(edit.value)]
    return result


def _check(node: Any, kind: type, path: Path) -> None:
    if not isinstance(node, kind):
        wanted = "a table" if kind is dict else "an array"
        raise EditPathError(path, f"is not {wanted}, which it has to be; correct it by hand")


def value_at(data: Any, path: Path) -> Any:
    """The value at ``path``, None where there is none."""
    found = data
    for key in path:
        is_there = key < len(found) if isinstance(found, list) and isinstance(key, int) else False
        found = found.get(key) if isinstance(found, dict) else found[key] if is_there else None
    return found


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
