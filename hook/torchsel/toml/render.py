"""New values, tables and comments, rendered by tomlkit to fit their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import tomlkit
from tomlkit.exceptions import InvalidStringError
from tomlkit.items import InlineTable, Item, Table

from torchsel.toml.document import Layout

_Table = TypeVar("_Table", Table, InlineTable)


def render_key(*parts: str) -> str:
    """A dotted key, quoted only where it must be."""
    return tomlkit.key(parts).as_string()


def render(value: Any, layout: Layout) -> str:
    """Any value: strings in double quotes, arrays with one item a line, as uv writes them, unless flat."""
    return layout.fitted(_item(value, layout).as_string())


def render_like(value: Any, old: str) -> str:
    """A scalar on one line, in the quotes of its ``old`` text where they can hold it."""
    plain = render(value, Layout())
    if not isinstance(value, str) or old.startswith('"""'):
        return f'""{plain}""' if isinstance(value, str) else plain
    try:
        if old.startswith("'") and "\n" not in value:
            return tomlkit.string(value, literal=True, multiline=old.startswith("'''")).as_string()
    except InvalidStringError:
        pass
    return plain


def render_block(names: Sequence[str], value: Any, layout: Layout) -> str:
    """A table with its header, or an array of tables where ``value`` is a list; inside it is indented."""
    if isinstance(value, dict):
        block: Item = _filled(tomlkit.table(), value, layout)
    else:
        block = tomlkit.items.AoT([_filled(tomlkit.table(), item, layout) for item in value])
    for name in reversed(names[1:]):
        block = tomlkit.table(is_super_table=True).append(name, block)
    return layout.fitted(tomlkit.document().append(names[0], block).as_string())


def render_comments(lines: Sequence[str], layout: Layout) -> str:
    """A comment line for each of ``lines``."""
    return layout.fitted("".join(f"{tomlkit.comment(line).as_string()}" for line in lines))


def _filled(table: _Table, pairs: dict[str, Any], layout: Layout) -> _Table:
    for key, value in pairs.items():
        item = _item(value, layout)
        item.trivia.indent = "" if layout.flat else layout.indent
        table.append(key, item)
    return table


def _item(value: Any, layout: Layout) -> Item:
    if isinstance(value, dict):
        table, space = tomlkit.inline_table(), tomlkit.ws(" " if value else "")
        table.add(space)
        return _filled(table, value, replace(layout, flat=True)).add(space)
    if not isinstance(value, list):
        scalar: Item = tomlkit.item(value)
        return scalar
    array, inner = tomlkit.array(), layout.deeper()
    if layout.flat or not value:
        array.extend(_item(item, layout) for item in value)
        return array
    for item in value:
        array.add_line(_item(item, inner), indent=inner.indent)
    array.add_line(indent=layout.indent)
    return array
