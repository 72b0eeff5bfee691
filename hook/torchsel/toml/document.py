"""A TOML text as a list of statements that can be changed one by one, and where new ones go.

That is next to their kin, and never between a header and the comments above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from torchsel.toml.edits import Path
from torchsel.toml.scan import Segment, inner_comments, scan, trailing_comment

BY_NAME = frozenset({("tool", "uv", "sources"), ("dependency-groups",), ("project", "optional-dependencies")})
"""Tables whose keys are names of packages, groups or extras."""

_UV_KEYS = ("index", "marker", "extra", "group", "sources", "conflicts", "default-groups")
"""Keys that torchsel writes beside others below ``tool.uv``, in their order where they stand last."""

SHARED = BY_NAME | {("tool", "uv", "index"), ("tool", "uv", "conflicts")}
"""Tables and arrays with entries of the user's and torchsel's side by side."""


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

    def fitted(self, text: str) -> str:
        """What tomlkit wrote, which has LF between lines and none in strings, with these newlines."""
        return text.replace("\n", self.newline)


class Document:
    """The statements of a TOML text, every one of whose lines ends in a newline.

    ``segments`` joined are the text; ``paths`` holds for each the path of what it defines, with the positions
    in arrays of tables, None for blank and comment lines; ``tables`` the path of the table that it stands in.
    """

    def __init__(self, text: str) -> None:
        self.segments = scan(text)
        self._locate()
        self._step = _step(self.segments)

    def __str__(self) -> str:
        return "".join(segment.text for segment in self.segments)

    def _locate(self) -> None:
        self.paths: list[Path | None] = []
        self.tables: list[Path] = []
        lengths: dict[Path, int] = {}
        table: Path = ()
        for segment in self.segments:
            if segment.is_header:
                table = _header_path(segment, lengths)
            self.tables.append(table)
            statement = segment.is_header or segment.kind == "pair"
            self.paths.append((table if segment.is_header else table + segment.keys) if statement else None)

    def under(self, path: Path) -> list[int]:
        """Where the statements are that define something at ``path`` or below it."""
        size = len(path)
        return [i for i, found in enumerate(self.paths) if found is not None and found[:size] == path]

    def header(self, path: Path) -> int | None:
        """Where the header of the table at ``path`` is."""
        return next((i for i in self.under(path) if self.is_header(i) and self.paths[i] == path), None)

    def pair(self, path: Path) -> int | None:
        """Where the statement is that gives the value at ``path`` inline."""
        return next((i for i in self.under(path) if not self.is_header(i) and self.paths[i] == path), None)

    def pairs_below(self, header: int | None) -> list[int]:
        """Where the pairs are between a header, None for the text's beginning, and the next one."""
        start = 0 if header is None else header + 1
        headers = (i for i in range(start, len(self.segments)) if self.is_header(i))
        end = next(headers, len(self.segments))
        return [i for i in range(start, end) if self.segments[i].kind == "pair"]

    def is_header(self, index: int) -> bool:
        """Whether the segment is a header."""
        return self.segments[index].is_header

    def is_blank(self, index: int) -> bool:
        """Whether there is a blank line at ``index``, which may be out of range."""
        return 0 <= index < len(self.segments) and self.segments[index].kind == "blank"

    def layout(self, index: int) -> Layout:
        """How text is laid out that takes the place of ``index``, or comes before it."""
        inside = index < len(self.segments)
        indent = self.segments[index].indent if inside and not self.is_blank(index) else ""
        return Layout(indent=indent, step=self._step, newline=newline_near(self.segments, index))

    def set_value(self, index: int, value: str) -> None:
        """Gives the pair at ``index`` another value, as TOML text."""
        segment = self.segments[index]
        start, end = segment.value
        text = segment.text[:start] + value + segment.text[end:]
        self.segments[index] = replace(segment, text=text, value=(start, start + len(value)))

    def insert(self, index: int, text: str) -> None:
        """Puts whole lines before ``index``."""
        self.segments[index:index] = scan(text)
        self._locate()

    def insert_block(self, index: int, text: str) -> None:
        """Puts a table's lines before ``index``, with a blank line on either side that has neighbours.

        With none behind where there was none between the neighbours, so that `remove` can tell.
        """
        blank = newline_near(self.segments, index)
        follows = index > 0 and not self.is_blank(index - 1)
        leads = index < len(self.segments) and not self.is_blank(index)
        self.insert(index, blank * follows + text + blank * (leads and not follows))

    def remove(self, path: Path, *, comments: bool = False) -> None:
        """Takes out every statement at ``path`` or below; comments on lines of their own stay.

        So do those behind a table that people share with torchsel, and with ``comments`` all of them, on
        lines of their own then.
        """
        self.take_out(self.under(path), comments=comments)

    def take_out(self, indexes: Iterable[int], *, comments: bool = False) -> None:
        """Takes out these statements, as `remove` does."""
        doomed = set(indexes)
        for start, end in _runs(self.segments, sorted(doomed)):
            doomed.update(range(start, end))
            if any(self.is_header(i) for i in range(start, end)):
                doomed.update(self._blanks_around(start, end))
        kept = (self._comments(i, comments) if i in doomed else [s] for i, s in enumerate(self.segments))
        self.restore([segment for part in kept for segment in part])

    def restore(self, segments: Sequence[Segment]) -> None:
        """Makes ``segments``, some earlier ones, the document's."""
        self.segments = list(segments)
        self._locate()

    def _comments(self, index: int, trailing: bool) -> list[Segment]:
        segment = self.segments[index]
        trailing |= self.paths[index] in SHARED
        return [*inner_comments(segment), *(trailing_comment(segment) if trailing else ())]

    def _blanks_around(self, start: int, end: int) -> range:
        """The blank lines that would be too many once ``start`` to ``end`` is gone.

        `insert_block` adds one: those behind stay, but where there are more before, none of which it added.
        """
        first, last = start, end
        while self.is_blank(first - 1):
            first -= 1
        while self.is_blank(last):
            last += 1
        if first == 0 or start - first > last - end > 0:
            return range(end, last)
        return range(first, start)


def newline_near(segments: Sequence[Segment], index: int) -> str:
    """The newline of the line before ``index``, else of the one there; LF in an empty text."""
    for i in (index - 1, index):
        text = segments[i].text if 0 <= i < len(segments) else ""
        if (at := text.rfind("\n")) >= 0:
            return "\r\n" if text[:at].endswith("\r") else "\n"
    return "\n"


def _header_path(segment: Segment, lengths: dict[Path, int]) -> Path:
    path: Path = ()
    for depth, key in enumerate(segment.keys, start=1):
        path = (*path, key)
        if segment.kind == "array" and depth == len(segment.keys):
            lengths[path] = lengths.get(path, 0) + 1
        # a name that was an array of tables before means the latest of its items
        if path in lengths:
            path = (*path, lengths[path] - 1)
    return path


def _runs(segments: Sequence[Segment], indexes: Sequence[int]) -> list[tuple[int, int]]:
    """The stretches that ``indexes`` form, with the blank lines that only they enclose."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and all(segments[i].kind == "blank" for i in range(runs[-1][1], index)):
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _step(segments: Sequence[Segment]) -> str:
    """What one level of indentation adds in the first array here with its items on lines of their own."""
    for segment in segments:
        first, _, rest = segment.text.partition("\n")
        if segment.kind != "pair" or not rest or segment.text[segment.value[0]] != "[":
            continue
        added = rest[: len(rest) - len(rest.lstrip(" \t"))].removeprefix(segment.indent)
        if added and first.partition("#")[0].rstrip().endswith("["):
            return added
    return "    "


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
    return lead(document, siblings[0]) if siblings else place_for_array(document, path)


def place_for_pair(document: Document, path: Path, header: int | None, pairs: Sequence[int]) -> int:
    """The index of the segment before which the pair at ``path`` goes, ``pairs`` being those of its table.

    Behind them all, but for those that `goes_behind` lets it pass.
    """
    depth = len(path) - 1
    before = [i for i in pairs if goes_behind(path, str((document.paths[i] or ())[depth]))]
    if before:
        return before[-1] + 1
    if header is not None:
        return header + 1
    return lead(document, pairs[0]) if pairs else 0


def place_for_array(document: Document, path: Path) -> int:
    """The index before which the first item of a new array of tables goes: behind its kin's section."""
    for size in range(len(path) - 1, 0, -1):
        if kin := document.under(path[:size]):
            return section_end(document, kin[-1])
    # groups go behind [project]; where that has no header they go to the end: new tables of tool may go where
    # the headers begin, and the place would depend on which came first
    project = document.under(("project",)) if path[0] == "dependency-groups" else []
    if project and document.tables[project[-1]]:
        return section_end(document, project[-1])
    return section_end(document, len(document.segments) - 1)


def goes_behind(path: Path, other: str) -> bool:
    """Whether a new pair at ``path`` may not come before the key ``other`` of its table.

    Right behind the last of those is its place. As that depends on names alone, it is the same whichever of
    several new pairs came first.
    """
    table, key = path[:-1], str(path[-1])
    if table in BY_NAME:
        return other < key
    if path[:2] != ("tool", "uv") or key not in _UV_KEYS:
        return True
    return other not in _UV_KEYS[_UV_KEYS.index(key) + 1 :]


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
