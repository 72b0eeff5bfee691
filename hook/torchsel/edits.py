"""What is to change in a TOML document, as plain values; the same edits apply to data and to text."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Path = tuple[str | int, ...]
"""Keys from the document's root; a number is a position in an array."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetValue:
    """Put ``value``, plain data without dates, at ``path``; missing tables on the way are made."""

    path: Path
    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Delete:
    """Take away the key or array item at ``path``, which must be there; the table around it stays."""

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Append:
    """Add ``value``, a table or a plain value, to the end of the array at ``path``, made where missing."""

    path: Path
    value: Any


Edit = SetValue | Delete | Append


def apply_to_data(data: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """The document that ``edits`` mean: the pure twin of the text editing, in order, on a copy."""
    result = copy.deepcopy(data)
    for edit in edits:
        _apply(result, edit)
    return result


def _apply(root: dict[str, Any], edit: Edit) -> None:
    *way, last = edit.path
    target: Any = root
    for key in way:
        target = target[key] if isinstance(key, int) else target.setdefault(key, {})
    if isinstance(edit, Delete):
        del target[last]
    elif isinstance(edit, SetValue):
        target[last] = copy.deepcopy(edit.value)
    else:
        target.setdefault(last, []).append(copy.deepcopy(edit.value))
