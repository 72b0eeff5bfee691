"""Where new statements go: next to their kin, never between a header and the comments above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torchsel.toml.document import Document
    from torchsel.toml.edits import Path

BY_NAME = frozenset({("tool", "uv", "sources"), ("dependency-groups",), ("project", "optional-dependencies")})
"""Tables whose keys are names of packages, groups or extras."""

SHARED = BY_NAME | {("tool", "uv", "index"), ("tool", "uv", "conflicts")}
"""Tables and arrays with entries of the user's and torchsel's side by side."""


def place_for_table(document: Document, path: Path) -> int:
    """The index of the segment before which the header of the table at ``path`` goes.

    Before the tables below it; else after its siblings but before arrays of tables among them, so that the
    place does not depend on which of the two was there first; else after the nearest kin; else at the end.
    """
    below = document.under(path)
    if below:
        return lead(document, below[0])
    siblings = document.under(path[:-1]) if len(path) > 1 else []
    plain = [i for i in siblings if not _in_array(document.paths[i], len(path))]
    if plain:
        return section_end(document, plain[-1])
    return lead(document, siblings[0]) if siblings else _after_kin(document, path)


def place_for_pair(document: Document, path: Path, header: int | None, pairs: Sequence[int]) -> int:
    """The index of the segment before which the pair at ``path`` goes, ``pairs`` being those of its table.

    Behind them all; but where keys are names of packages or groups, behind the last that sorts before it, so
    that the place does not depend on which came first.
    """
    table, key = path[:-1], str(path[-1])
    before = [i for i in pairs if table not in BY_NAME or _key_below(document, i, table) < key]
    if before:
        return before[-1] + 1
    if header is not None:
        return header + 1
    return lead(document, pairs[0]) if pairs else 0


def _key_below(document: Document, index: int, table: Path) -> str:
    path = document.paths[index] or ()
    return str(path[len(table)])


def place_for_array(document: Document, path: Path) -> int:
    """The index of the segment before which the first item of a new array of tables goes."""
    return _after_kin(document, path)


def _after_kin(document: Document, path: Path) -> int:
    """Behind the kin's section, for groups behind [project].

    Where that has no header they go to the end: new tables of ``tool`` may go where the headers begin, and
    the place would depend on which came first.
    """
    for size in range(len(path) - 1, 0, -1):
        if kin := document.under(path[:size]):
            return section_end(document, kin[-1])
    project = document.under(("project",)) if path[0] == "dependency-groups" else []
    if project and document.tables[project[-1]]:
        return section_end(document, project[-1])
    return section_end(document, len(document.segments) - 1)


def _in_array(path: Path | None, size: int) -> bool:
    return path is not None and len(path) > size and isinstance(path[size], int)


def section_end(document: Document, index: int) -> int:
    """Behind the section that ``index`` is in, before blank lines and the next one's comments."""
    end = index + 1
    while end < len(document.segments) and not document.is_header(end):
        end += 1
    if end < len(document.segments):
        end = max(lead(document, end), index + 1)
    while end > 0 and document.is_blank(end - 1):
        end -= 1
    return end


def lead(document: Document, index: int) -> int:
    """Where the comments begin that stand right above ``index``."""
    while index > 0 and document.segments[index - 1].kind == "comment":
        index -= 1
    return index
