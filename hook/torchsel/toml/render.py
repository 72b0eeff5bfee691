"""New TOML text: keys, values and the lines of a table, the same value always in the same form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NOT_LITERAL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f']")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How new text fits where it goes.

    ``indent`` is the white space before the line that it begins on, ``step`` what one level adds to it,
    ``newline`` is LF or CRLF, and ``flat`` keeps it on one line, as an inline table must.
    """

    indent: str = ""
    step: str = "    "
    newline: str = "\n"
    flat: bool = False

    def deeper(self) -> Layout:
        """The layout of what lies inside."""
        return replace(self, indent=self.indent + self.step)


def render_key(*parts: str) -> str:
    """A dotted key, quoted only where it must be."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else render_scalar(part) for part in parts)


def render_scalar(value: Any) -> str:
    """A string, number or truth value; strings on one line in double quotes."""
    import tomlkit  # noqa: PLC0415 - start-up time

    return str(tomlkit.item(value).as_string())


def render_like(value: Any, old: str) -> str:
    """As `render_scalar`, but in the quotes of the value's ``old`` text where they can hold it."""
    if isinstance(value, str):
        for quote in ("'''", '"""', "'"):
            if not old.startswith(quote):
                continue
            if quote == '"""':
                return f'""{render_scalar(value)}""'
            if not _NOT_LITERAL.search(value):
                return f"{quote}{value}{quote}"
    return render_scalar(value)


def render(value: Any, layout: Layout) -> str:
    """Any value: arrays with one item a line, as uv writes them, unless ``layout`` is flat."""
    if isinstance(value, dict):
        return _inline_table(value, layout)
    if isinstance(value, list):
        return _array(value, layout)
    return render_scalar(value)


def render_pair(key: str, value: Any, layout: Layout) -> str:
    """``key = value``, the key being TOML text already."""
    return f"{key} = {render(value, layout)}"


def render_lines(table: Mapping[str, Any], layout: Layout) -> str:
    """The body of a table, one statement for each key, each with its newline."""
    pairs = (render_pair(render_key(key), value, layout) for key, value in table.items())
    return "".join(f"{layout.indent}{pair}{layout.newline}" for pair in pairs)


def _inline_table(table: Mapping[str, Any], layout: Layout) -> str:
    flat = replace(layout, flat=True)
    pairs = ", ".join(render_pair(render_key(key), value, flat) for key, value in table.items())
    return f"{{ {pairs} }}" if pairs else "{}"


def _array(values: list[Any], layout: Layout) -> str:
    if layout.flat or not values:
        return f"[{', '.join(render(value, layout) for value in values)}]"
    inner = layout.deeper()
    lines = (f"{inner.indent}{render(value, inner)},{layout.newline}" for value in values)
    return f"[{layout.newline}{''.join(lines)}{layout.indent}]"
