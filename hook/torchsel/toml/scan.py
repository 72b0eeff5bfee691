"""Splits valid TOML text into its statements, and a value into its parts, losing no character.

The text must have passed ``tomllib``: nothing here looks for mistakes. Grammar: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int]
Kind = Literal["blank", "comment", "table", "array", "pair"]

_PART = r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+'
_KEY = rf"(?:{_PART})(?:[ \t]*\.[ \t]*(?:{_PART}))*"
# up to two quotes may stand directly before the three that close a multi-line string
_STRING = (
    r'"""(?:[^\\]|\\[\s\S])*?"""(?:"{0,2})'
    r"|'''[\s\S]*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_LINE = re.compile(
    r"(?P<blank>[ \t]*(?:\r?\n|\Z))"
    r"|(?P<comment>[ \t]*#[^\n]*\n?)"
    rf"|[ \t]*(?P<open>\[\[?)[ \t]*(?P<header>{_KEY})[ \t]*\]\]?[^\n]*\n?"
    rf"|[ \t]*(?P<key>{_KEY})[ \t]*=[ \t]*"
)
_PARTS = re.compile(_PART)
_STRINGS = re.compile(_STRING)
_MARKS = re.compile(rf"{_STRING}|#[^\n]*|[\[\]{{}}]")
_BARE = re.compile(r"[^#\r\n]*")
_BARE_ITEM = re.compile(r"[^,\]}#\r\n]*")
_REST = re.compile(r"[^\n]*\n?")
_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_ITEM_KEY = re.compile(rf"(?P<key>{_KEY})[ \t]*=[ \t]*")


@dataclass(frozen=True, slots=True)
class Segment:
    """One statement with its whole lines, or one blank or comment line.

    ``key`` and ``value`` are spans in ``text``; for a header, ``key`` is what stands between the brackets.
    """

    kind: Kind
    text: str
    keys: tuple[str, ...] = ()
    key: Span = (0, 0)
    value: Span = (0, 0)

    @property
    def is_header(self) -> bool:
        """Whether it opens a table or an item of an array of tables."""
        return self.kind in {"table", "array"}

    @property
    def indent(self) -> str:
        """The white space before its first character."""
        return self.text[: len(self.text) - len(self.text.lstrip(" \t"))]


@dataclass(frozen=True, slots=True)
class Item:
    """One item of an array, or one pair, with ``keys``, of an inline table; offsets into the value's text.

    ``comma`` is where the comma after it is, None where there is none.
    """

    start: int
    value: Span
    comma: int | None
    keys: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """Where its value ends, before any comma."""
        return self.value[1]


def scan(text: str) -> list[Segment]:
    """The segments of ``text``, which joined give it back; time is linear in its length."""
    segments = []
    position = 0
    while position < len(text):
        segment = _segment(text, position)
        segments.append(segment)
        position += len(segment.text)
    return segments


def _segment(text: str, start: int) -> Segment:
    match = _LINE.match(text, start)
    if match is None:
        raise ValueError(f"no TOML statement at offset {start}")
    name = match.lastgroup
    if name in {"blank", "comment"}:
        return Segment(kind="blank" if name == "blank" else "comment", text=match[0])
    if name == "header":
        kind: Kind = "array" if match["open"] == "[[" else "table"
        key = (match.start("header") - start, match.end("header") - start)
        return Segment(kind=kind, text=match[0], keys=split_key(match["header"]), key=key)
    end = value_end(text, match.end(), bare=_BARE)
    key = (match.start("key") - start, match.end("key") - start)
    whole = text[start : _end_of(_REST, text, end)]
    return Segment("pair", whole, split_key(match["key"]), key, (match.end() - start, end - start))


def inner_comments(segment: Segment) -> list[Segment]:
    """The comments on lines of their own inside the value of a pair."""
    if "\n" not in segment.text or segment.kind != "pair":
        return []
    marks = _MARKS.finditer(segment.text, *segment.value)
    starts = [
        (mark.start(), segment.text.rfind("\n", 0, mark.start()) + 1) for mark in marks if mark[0][0] == "#"
    ]
    lines = [
        _LINE.match(segment.text, line) for start, line in starts if not segment.text[line:start].strip()
    ]
    return [Segment("comment", match[0]) for match in lines if match]


def trailing_comment(segment: Segment) -> list[Segment]:
    """The comment behind a statement, as a line of its own with the statement's indentation."""
    end = segment.key[1] if segment.is_header else segment.value[1]
    _, mark, comment = segment.text[end:].partition("#")
    return [Segment("comment", f"{segment.indent}{mark}{comment}")] if mark else []


def split_key(text: str) -> tuple[str, ...]:
    """The parts of a dotted key as written, quotes and escapes undone."""
    if '"' in text or "'" in text:
        return tuple(_unquoted(part) for part in _PARTS.findall(text))
    return tuple(part.strip(" \t") for part in text.split("."))


def key_prefix(text: str, count: int) -> str:
    """The first ``count`` parts of a dotted key, as written."""
    ends = [match.end() for match in _PARTS.finditer(text)]
    return text[: ends[count - 1]]


def _unquoted(part: str) -> str:
    if "\\" in part and part[0] == '"':
        value: str = tomllib.loads(f"k={part}")["k"]
        return value
    return part[1:-1] if part[0] in "\"'" else part


def value_end(text: str, start: int, *, bare: re.Pattern[str] = _BARE_ITEM) -> int:
    """The offset behind the value that begins at ``start``; ``bare`` is how far an unquoted one may reach."""
    if text[start] in "[{":
        return _closing(text, start)
    if text[start] in "\"'":
        return _end_of(_STRINGS, text, start)
    end = _end_of(bare, text, start)
    return start + len(text[start:end].rstrip(" \t"))


def _closing(text: str, start: int) -> int:
    depth = 0
    for match in _MARKS.finditer(text, start):
        mark = match[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth == 0:
            return match.end()
    raise ValueError(f"no closing bracket for the one at offset {start}")


def items(text: str) -> list[Item]:
    """The parts of ``text``, the text of one array or inline table with its brackets."""
    found = []
    position = _end_of(_GAP, text, 1)
    while text[position] not in "]}":
        item = _item(text, position, keyed=text[0] == "{")
        found.append(item)
        position = _end_of(_GAP, text, item.end if item.comma is None else item.comma + 1)
    return found


def _item(text: str, start: int, *, keyed: bool) -> Item:
    keys: tuple[str, ...] = ()
    value = start
    if keyed and (match := _ITEM_KEY.match(text, start)):
        keys, value = split_key(match["key"]), match.end()
    end = value_end(text, value)
    after = _end_of(_GAP, text, end)
    return Item(start, (value, end), after if text[after] == "," else None, keys)


def _end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return start if match is None else match.end()
