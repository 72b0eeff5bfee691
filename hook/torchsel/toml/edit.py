"""Edits to TOML text that leave everything else byte for byte, checked by parsing the result again."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from torchsel.errors import ConfigError, NotEditableError
from torchsel.toml.document import Document
from torchsel.toml.edits import Edit, EditPathError, Path, apply_to_data, difference, dotted, same

_BOM = "\ufeff"


def edit_text(text: str, edits: Sequence[Edit]) -> str:
    """``text`` with ``edits`` made in order; where they change no data, ``text`` itself.

    The result parses to exactly what `apply_to_data` gives. Comments, order, newlines, a byte order mark and
    a missing last newline stay as they are; new lines take the newline of the line before them.

    Raises:
        ConfigError: ``text`` is not TOML; the message has the line and column.
        NotEditableError: the edits can't be made without risk; nothing is to be written.
    """
    body = text.removeprefix(_BOM)
    data = _parsed(body)
    try:
        if same(data, _changed_data(body, data, edits)):
            return text
        # tomlkit takes 29 ms to import, and most runs find nothing to change
        from torchsel.toml.tables import changed_text  # noqa: PLC0415

        result, expected = changed_text(body, data, edits)
        _verify(body, result, expected, edits)
    except RecursionError:
        raise NotEditableError("the file is nested too deeply to be edited") from None
    return text[: len(text) - len(body)] + result


def _parsed(body: str) -> dict[str, Any]:
    try:
        return tomllib.loads(body)
    except ValueError as error:
        raise ConfigError(f"not valid TOML: {error}") from None
    except RecursionError:
        raise ConfigError("not readable: nested too deeply") from None


def _changed_data(body: str, data: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    try:
        return apply_to_data(data, edits)
    except EditPathError as error:
        raise _refusal(body, error.path, error.reason) from None


def _verify(body: str, result: str, expected: dict[str, Any], edits: Sequence[Edit]) -> None:
    try:
        found = difference(tomllib.loads(result), expected)
    except ValueError:
        found = edits[0].path
    if found is not None:
        raise _refusal(
            body, found, "is written in a way that can't be changed safely; write it under a [table] header"
        )


def _refusal(body: str, path: Path, reason: str) -> NotEditableError:
    return NotEditableError(f"{dotted(path)} (line {line_of(body, path)}) {reason}; nothing was changed")


def line_of(text: str, path: Path) -> int:
    """The line, from 1, of the statement nearest to ``path`` in a TOML text."""
    document = Document(f"{text.removeprefix(_BOM)}\n")
    for size in range(len(path), 0, -1):
        if found := document.under(path[:size]):
            return "".join(segment.text for segment in document.segments[: found[0]]).count("\n") + 1
    return 1
