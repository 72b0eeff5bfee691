"""Changes a document's tables: what goes, what is added as people write it, what changes in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torchsel.toml.document import (
    Document,
    Layout,
    lead,
    newline_near,
    place_for_array,
    place_for_pair,
    place_for_table,
    section_end,
)
from torchsel.toml.edits import Delete, Edit, Path, Prune, SetValue, apply_to_data, same
from torchsel.toml.render import render, render_block, render_comments, render_key
from torchsel.toml.scan import key_prefix, scan
from torchsel.toml.values import change_value, opcodes


def changed_text(body: str, data: dict[str, Any], edits: Sequence[Edit]) -> tuple[str, dict[str, Any]]:
    """The new text, and what it has to mean: all that ``edits`` say, but for what no `Prune` may take."""
    unended = bool(body) and not body.endswith("\n")
    document = Document(body + newline_near(scan(body), 1) if unended else body)
    for edit in edits:
        changed = apply_to_data(data, [edit])
        if isinstance(edit, Prune) and changed is not data and not _prune(document, edit.path):
            continue
        is_new = not document.under(edit.path)
        if isinstance(edit, Delete) and edit.comments:
            document.take_out(_comments_above(document, edit))
        _change_table(document, (), data, changed, keep=isinstance(edit, SetValue))
        if isinstance(edit, SetValue) and is_new:
            _comment(document, edit)
        data = changed
    result = str(document)
    return (result.removesuffix("\n").removesuffix("\r") if unended else result), data


def _prune(document: Document, path: Path) -> bool:
    """Takes out the header of a table without pairs, if it is as torchsel writes it and has no comments.

    Whether there is none (any more) is returned.
    """
    index = document.header(path)
    if index is None or document.pairs_below(index):
        return index is None
    around = document.segments[max(index - 1, 0) : section_end(document, index)]
    bare = render_block(_names(path), {}, Layout()).rstrip("\n")
    is_ours = document.segments[index].text.rstrip("\r\n") == bare and all(
        s.kind != "comment" for s in around
    )
    if is_ours:
        document.take_out([index])
    return is_ours


def _comment(document: Document, edit: SetValue) -> None:
    index = document.header(edit.path)
    if index is not None and edit.comments:
        document.insert(index, render_comments(edit.comments, document.layout(index)))


def _comments_above(document: Document, edit: Delete) -> range:
    """Where the lines of ``edit.comments`` are, if they are what stands above the header."""
    index = document.header(edit.path) or 0
    lines = render_comments(edit.comments, Layout()).splitlines()
    above = range(max(index - len(lines), 0), index)
    return above if [document.segments[i].text.strip() for i in above] == lines else range(0)


def _change_table(
    document: Document, path: Path, old: dict[str, Any], new: dict[str, Any], *, keep: bool = False
) -> None:
    """Makes the table at ``path``, which is not inline, hold ``new`` instead of ``old``.

    With ``keep``, comments behind what goes stay, on lines of their own.
    """
    for key in [key for key in old if key not in new]:
        document.remove((*path, key), comments=keep)
        if len(document.under(path)) > 1:
            _prune(document, path)
    for key, value in new.items():
        if key not in old:
            _add(document, (*path, key), value)
        elif not same(old[key], value):
            _change(document, (*path, key), old[key], value, keep=keep)
    if path and not document.under(path):
        _add(document, path, {})


def _change(document: Document, path: Path, old: Any, new: Any, *, keep: bool) -> None:
    index = document.pair(path)
    if index is not None:
        start, end = document.segments[index].value
        text = document.segments[index].text[start:end]
        document.set_value(index, change_value(text, old, new, document.layout(index), path))
    elif isinstance(old, dict) and isinstance(new, dict):
        _change_table(document, path, old, new, keep=keep)
    elif isinstance(old, list) and _all_tables(new):
        _change_array(document, path, old, new, keep=keep)
    else:
        document.remove(path, comments=True)
        _add(document, path, new)


def _change_array(document: Document, path: Path, old: list[Any], new: list[Any], *, keep: bool) -> None:
    """Changes an array of tables, from its end to its start."""
    for tag, start, stop, new_start, new_stop in opcodes(old, new):
        common = min(stop - start, new_stop - new_start) if tag == "replace" else 0
        for value in reversed(new[new_start + common : new_stop]):
            _insert_item(document, path, start + common, value)
        for position in reversed(range(start + common, stop)):
            document.remove((*path, position), comments=keep)
        for offset in range(common):
            item = (*path, start + offset)
            _change_table(document, item, old[start + offset], new[new_start + offset], keep=keep)


def _insert_item(document: Document, path: Path, position: int, value: dict[str, Any]) -> None:
    """Adds an item to an array of tables that has some, its header written as its neighbour's."""
    neighbour = document.under((*path, max(position - 1, 0)))
    header = document.segments[neighbour[0]]
    opening = header.text[: header.text.index("]]", header.key[1]) + 2]
    index = section_end(document, neighbour[-1]) if position else lead(document, neighbour[0])
    body = neighbour[1] if len(neighbour) > 1 else neighbour[0]
    layout = replace(document.layout(index), indent=document.segments[body].indent)
    _, _, lines = render_block(_names(path), [value], layout).partition("\n")
    document.insert_block(index, opening + layout.newline + lines)


def _add(document: Document, path: Path, value: Any) -> None:
    """Writes what is not there yet, in the form that people give it."""
    if _has_header(path, value) and isinstance(value, dict):
        inner = {key: item for key, item in value.items() if _has_header((*path, key), item)}
        plain = {key: item for key, item in value.items() if key not in inner}
        if plain or not inner:
            _add_block(document, place_for_table(document, path), path, plain)
        for key, item in inner.items():
            _add(document, (*path, key), item)
    elif _has_header(path, value):
        _add_block(document, place_for_array(document, path), path, value[:1])
        for position, item in enumerate(value[1:], start=1):
            _insert_item(document, path, position, item)
    else:
        _add_pair(document, path, value)


def _add_block(document: Document, index: int, path: Path, value: Any) -> None:
    layout = replace(document.layout(index), indent="")
    document.insert_block(index, render_block(_names(path), value, layout))


def _add_pair(document: Document, path: Path, value: Any) -> None:
    table, key = path[:-1], str(path[-1])
    header = document.header(table)
    written = render_key(key)
    pairs = [i for i in document.under(table) if len(document.tables[i]) < len(table)]
    if pairs:  # the table is made of dotted keys, and a header for it would be an error
        written = f"{_dotted_prefix(document, pairs[-1], table)}.{written}"
    elif header is None and table:
        _add_block(document, place_for_table(document, table), table, {key: value})
        return
    else:
        pairs = document.pairs_below(header)
    index = place_for_pair(document, path, header, pairs)
    model = index - 1 if index - 1 in pairs or not pairs else pairs[0]
    layout = replace(document.layout(index), indent=document.segments[model].indent if model >= 0 else "")
    document.insert(index, f"{layout.indent}{written} = {render(value, layout)}{layout.newline}")


def _dotted_prefix(document: Document, index: int, table: Path) -> str:
    segment = document.segments[index]
    start, end = segment.key
    return key_prefix(segment.text[start:end], len(table) - len(document.tables[index]))


def _has_header(path: Path, value: Any) -> bool:
    """Whether new data gets a header: tables two deep (``[tool.x]``) and, below ``tool.uv``, three."""
    below_uv = path[:2] == ("tool", "uv") and len(path) == 3
    if isinstance(value, dict):
        return below_uv or len(path) <= 2
    return below_uv and _all_tables(value)


def _all_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _names(path: Path) -> list[str]:
    return [key for key in path if isinstance(key, str)]
