"""The text of values, changed where they differ.

Adding an item to an array and taking it away again gives back the first text, whatever the array's layout.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

from torchsel.toml.document import Layout, goes_behind
from torchsel.toml.edits import Path, same
from torchsel.toml.render import render, render_key, render_like
from torchsel.toml.scan import Item, items, key_prefix

Keys = tuple[str, ...]
Opcode = tuple[str, int, int, int, int]
_MATCHED_PAIRS = 100_000  # difflib needs quadratic time where many items are alike

_LINE_END = re.compile(r"[ \t]*(?:#[^\r\n]*)?\r?\n")


def change_value(text: str, old: Any, new: Any, layout: Layout, path: Path = ()) -> str:
    """``text``, which stands for ``old`` at ``path``, made to stand for ``new``.

    ``layout`` is that of its first line.
    """
    if same(old, new):
        return text
    if text[0] == "[" and isinstance(new, list):
        return _change_array(text, old, new, layout, path)
    if text[0] == "{" and isinstance(new, dict):
        return _change_table(text, old, new, replace(layout, flat=True), path)
    if isinstance(new, dict | list):
        return render(new, layout)
    return render_like(new, text)


def _change_array(text: str, old: list[Any], new: list[Any], layout: Layout, path: Path) -> str:
    for tag, start, stop, new_start, new_stop in opcodes(old, new):
        common = min(stop - start, new_stop - new_start) if tag == "replace" else 0
        for position in reversed(range(start + common, stop)):
            text = _remove(text, position)
        for value in reversed(new[new_start + common : new_stop]):
            text = _insert_value(text, start + common, value, layout)
        for offset in range(common):
            values = old[start + offset], new[new_start + offset]
            text = _change_item(text, start + offset, *values, layout, (*path, start + offset))
    return text


def _change_table(
    text: str, old: dict[str, Any], new: dict[str, Any], layout: Layout, path: Path, prefix: Keys = ()
) -> str:
    """``path`` is the inline table's, ``prefix`` that of the dotted keys in it which ``old`` is made of."""
    for key in old.keys() - new.keys():
        text = _drop(text, (*prefix, key))
    for key, value in new.items():
        if key not in old:
            text = _put(text, path, (*prefix, key), value, layout)
        elif not same(old[key], value):
            text = _change_entry(text, (*prefix, key), old[key], value, layout, path)
    if prefix and not _under(text, prefix):
        text = _put(text, path, prefix, {}, layout)
    return text


def _change_entry(text: str, keys: Keys, old: Any, new: Any, layout: Layout, path: Path) -> str:
    position = next((i for i, item in enumerate(items(text)) if item.keys == keys), None)
    if position is not None:
        return _change_item(text, position, old, new, layout, path + keys)
    if isinstance(old, dict) and isinstance(new, dict):
        return _change_table(text, old, new, layout, path, keys)
    return _put(_drop(text, keys), path, keys, new, layout)


def _change_item(text: str, position: int, old: Any, new: Any, layout: Layout, path: Path) -> str:
    item = items(text)[position]
    start, end = item.value
    inner = replace(layout, indent=_indent_at(text, item.start, layout), flat=_is_flat(text, layout))
    return text[:start] + change_value(text[start:end], old, new, inner, path) + text[end:]


def _drop(text: str, path: Path) -> str:
    for position in reversed(_under(text, path)):
        text = _remove(text, position)
    return text


def _put(text: str, path: Path, keys: Keys, value: Any, layout: Layout) -> str:
    """Adds the pair at ``keys`` to the inline table at ``path``."""
    entries, prefix = items(text), keys[:-1]
    siblings = _under(text, prefix)
    written = render_key(*keys)
    earlier = [i for i in siblings if goes_behind(path + keys, entries[i].keys[len(prefix)])]
    position = earlier[-1] + 1 if earlier else siblings[0] if siblings else len(entries)
    if prefix and siblings:
        item = entries[siblings[-1]]
        written = f"{key_prefix(text[item.start : item.value[0]], len(prefix))}.{render_key(keys[-1])}"
    return _insert(text, position, f"{written} = {render(value, layout)}", layout)


def _under(text: str, prefix: Path) -> list[int]:
    return [i for i, item in enumerate(items(text)) if item.keys[: len(prefix)] == prefix]


def _is_flat(text: str, layout: Layout) -> bool:
    """Whether the array keeps its first item on the line of its bracket, and so all new ones."""
    parts = items(text)
    return layout.flat or "\n" not in (text[: parts[0].start] if parts else text)


def _indent_at(text: str, offset: int, layout: Layout) -> str:
    start = text.rfind("\n", 0, offset) + 1
    line = text[start:offset]
    return layout.indent if start == 0 else line[: len(line) - len(line.lstrip(" \t"))]


def _insert_value(text: str, position: int, value: Any, layout: Layout) -> str:
    flat = _is_flat(text, layout)
    parts = items(text)
    indent = layout.deeper().indent
    if parts and not flat:
        indent = _indent_at(text, parts[max(position - 1, 0)].start, layout)
    inner = replace(layout, indent=indent, flat=flat)
    return _insert(text, position, render(value, inner), inner)


def _insert(text: str, position: int, new: str, layout: Layout) -> str:
    parts = items(text)
    if not parts:
        return _insert_only(text, new, layout)
    if position > 0:
        return _insert_after(text, parts[position - 1], new, layout, last=position == len(parts))
    if layout.flat:
        return f"{text[: parts[0].start]}{new}, {text[parts[0].start :]}"
    return _insert_line(text, 1, f"{new},", layout)


def _insert_only(text: str, new: str, layout: Layout) -> str:
    if "\n" in text:
        return _insert_line(text, len(text[:-1].rstrip(" \t\r\n")), f"{new},", layout)
    return f"{{ {new} }}" if text[0] == "{" else f"[{new}]"


def _insert_after(text: str, item: Item, new: str, layout: Layout, *, last: bool) -> str:
    after = item.end if item.comma is None else item.comma + 1
    if layout.flat or not _LINE_END.match(text, after):
        return f"{text[: item.end]}, {new}{text[item.end :]}"
    if item.comma is not None:
        return _insert_line(text, after, f"{new},", layout)
    text = f"{text[: item.end]},{text[item.end :]}"
    return _insert_line(text, after + 1, new if last else f"{new},", layout)


def _insert_line(text: str, offset: int, new: str, layout: Layout) -> str:
    """Adds a line after the one that ``offset`` is on, or, where more stands on that, right there."""
    if match := _LINE_END.match(text, offset):
        return f"{text[: match.end()]}{layout.indent}{new}{layout.newline}{text[match.end() :]}"
    return f"{text[:offset]}{layout.newline}{layout.indent}{new}{text[offset:]}"


def _remove(text: str, position: int) -> str:
    parts = items(text)
    item = parts[position]
    before = parts[position - 1] if position else None
    after = parts[position + 1] if position + 1 < len(parts) else None
    end = item.end if item.comma is None else item.comma + 1
    line_end = _LINE_END.match(text, end)
    line_start = text.rfind("\n", 0, item.start)
    if line_end and line_start >= 0 and not text[line_start : item.start].strip():
        return _remove_lines(text, line_start, line_end.end(), before if item.comma is None else None)
    if before and "#" not in text[before.end : item.start]:
        return text[: before.end] + text[item.end :]
    if not before and after and "#" not in text[item.end : after.start]:
        return text[: item.start] + text[after.start :]
    if len(parts) == 1 and not re.search(r"[#\n]", text[1 : item.start] + text[item.end : -1]):
        return text[0] + text[-1]
    return text[: item.start] + text[item.end : end].rstrip(",") + text[end:]


def _remove_lines(text: str, newline: int, end: int, before: Item | None) -> str:
    """Takes out the lines behind ``newline`` to ``end``, and the comma of what is the last item now."""
    kept = text[: newline + 1]
    if before and before.comma is not None:
        kept = kept[: before.comma] + kept[before.comma + 1 :]
    return kept + text[end:]


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
    return list(SequenceMatcher(None, left, right, autojunk=False).get_opcodes())


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
