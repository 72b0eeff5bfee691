"""Comparing TOML data: exact sameness, where two documents differ, how one list becomes another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchsel.edits import Path

Opcode = tuple[str, int, int, int, int]


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
    import difflib  # noqa: PLC0415 - start-up time

    matcher = difflib.SequenceMatcher(
        None, [_token(v) for v in old], [_token(v) for v in new], autojunk=False
    )
    return [code for code in reversed(matcher.get_opcodes()) if code[0] != "equal"]


def _token(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_token(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_token, value)) + "]"
    return repr(value)
