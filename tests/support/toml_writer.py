"""Legal TOML documents in every style there is, around random uv tables; all choices come from one Random.

Lines that no edit may lose carry a comment with `MARK` and a number: what is the user's, and comments on
lines of their own outside owned values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

MARK = "# kept "
Path = tuple[str, ...]

PACKAGES = ("torch", "torchvision")
_OWNED = (
    *(("tool", "uv", "sources", package) for package in PACKAGES),
    ("dependency-groups", "torchsel"),
    ("tool", "uv", "index"),
    ("tool", "uv", "conflicts"),
)
_WORDS = ("a", "line-length", "1", "é", "with space", "", "dot.ted", 'quo"te', "tool", "x_y", "#", "uv")
_STRINGS = (
    "",
    "x",
    "é 🎉",
    "[tool.uv]",
    "# no",
    'a"b',
    "it's",
    "tab\t",
    "two\nlines",
    "back\\slash",
    "]}",
    "=,",
    "''",
    '""',
)
_RAW = (
    "0x10",
    "1_000",
    "-0.0",
    "1e3",
    "nan",
    "-inf",
    "true",
    "1979-05-27",
    "1979-05-27 07:32:00",
    "07:32:00.5",
)
_RAW_LONG = ("'''\n[a]\n'''''", '"""\\\n   b # c"""', '""""q"""', '"""\n[[x]]\n\\""""""', "'''it''s'''")


@dataclass(frozen=True, slots=True)
class Raw:
    """A value that is written as it stands: a date, an odd number, a multi-line string."""

    text: str


def is_owned(name: object) -> bool:
    return isinstance(name, str) and name.startswith("pytorch-")


def index(backend: str) -> dict[str, Any]:
    name = f"pytorch-{backend}"
    return {"name": name, "url": f"https://download.pytorch.org/whl/{backend}", "explicit": True}


def document(random: Random, *, owned: bool) -> str:
    """A whole file; ``owned`` says whether entries of an earlier routing may be in it."""
    return Writer(random).write(data(random, owned=owned))


def data(random: Random, *, owned: bool) -> dict[str, Any]:
    tool: dict[str, Any] = {name: _table(random, 2) for name in ("ruff", "mypy") if random.random() < 0.4}
    if random.random() < 0.8:
        tool["uv"] = _uv(random, owned=owned)
    found: dict[str, Any] = {"tool": tool} if tool else {}
    if random.random() < 0.6:
        found["project"] = {
            "name": "demo",
            "optional-dependencies": {"docs": ["sphinx"]},
            **_table(random, 1),
        }
    if random.random() < 0.5:
        found["dependency-groups"] = {"dev": ["pytest", {"include-group": "lint"}], "lint": []}
        if owned and random.random() < 0.5:
            found["dependency-groups"]["torchsel"] = ["torch"]
    if random.random() < 0.3:
        found["extra"] = [_table(random, 1) for _ in range(2)]
    pairs = list(found.items())
    random.shuffle(pairs)
    return dict(pairs)


def _uv(random: Random, *, owned: bool) -> dict[str, Any]:
    uv: dict[str, Any] = {"managed": True} if random.random() < 0.5 else {}
    indexes = [{"name": f"corp{i}", "url": "https://example.com"} for i in range(random.randrange(3))]
    if owned and random.random() < 0.6:
        indexes.insert(random.randrange(len(indexes) + 1), index("cpu"))
    if indexes or random.random() < 0.1:
        uv["index"] = indexes
    sources: dict[str, Any] = {"numpy": {"index": "corp0"}} if random.random() < 0.4 else {}
    for package in PACKAGES:
        if owned and random.random() < 0.4:
            item = {"index": "pytorch-cpu"}
            sources[package] = random.choice(
                [item, [item], [item, {**item, "marker": "python_version > '3'"}]]
            )
    if sources or random.random() < 0.1:
        uv["sources"] = sources
    if random.random() < 0.3:
        uv["conflicts"] = [[{"extra": "a"}, {"extra": "b"}]]
    return uv


def _table(random: Random, depth: int) -> dict[str, Any]:
    keys = random.sample(_WORDS, random.randrange(4))
    return {key: _value(random, depth) for key in keys}


def _value(random: Random, depth: int) -> Any:
    kind = random.randrange(10)
    if depth and kind < 2:
        return _table(random, depth - 1)
    if depth and kind < 4:
        return [_value(random, 0) for _ in range(random.randrange(4))]
    if depth and kind == 4:
        return [_table(random, depth - 1) for _ in range(random.randrange(1, 3))]
    if kind == 5:
        return Raw(random.choice(_RAW_LONG))
    return Raw(random.choice(_RAW)) if kind < 8 else random.choice(_STRINGS)


@dataclass(slots=True)
class Writer:
    """Writes data as TOML, each table as a header, dotted keys or inline as ``random`` has it."""

    random: Random
    owned: tuple[Path, ...] = _OWNED
    count: int = 0
    newline: str = field(init=False)
    roomy: bool = field(init=False)

    def __post_init__(self) -> None:
        self.newline = self.random.choice(["\n", "\n", "\r\n", "mixed"])
        self.roomy = self.random.random() < 0.5

    def write(self, found: dict[str, Any]) -> str:
        body, blocks = self._table((), found)
        text = body + "".join(self._gap() + block for block in self._shuffled(blocks)) + self._gap()
        lines = text.split("\n")
        if len(lines) > 1 and not lines[-1] and self._chance(0.2):
            lines.pop()
        bom = "\ufeff" if self._chance(0.1) else ""
        return bom + lines[0] + "".join(self._newline() + line for line in lines[1:])

    def _table(self, path: Path, found: dict[str, Any]) -> tuple[str, list[tuple[Path, str]]]:
        """The pairs directly in a table, and the blocks with headers of their own below it."""
        body, blocks = "", []
        for key, value in found.items():
            below = (*path, key)
            tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            if isinstance(value, dict) and self._chance(0.6):
                blocks += self._header_table(below, value)
            elif tables and self._chance(0.6):
                blocks += [(below, self._item(below, item)) for item in value]
            elif isinstance(value, dict) and value and self._chance(0.6):
                body += self._dotted(path, (key,), value)
            else:
                body += self._pair(path, (key,), value)
        return body, blocks

    def _header_table(self, path: Path, found: dict[str, Any]) -> list[tuple[Path, str]]:
        body, blocks = self._table(path, found)
        if blocks and not body and self._chance(0.7):
            return blocks
        return [((), self._header("[", path, "]") + body), *blocks]

    def _item(self, path: Path, found: dict[str, Any]) -> str:
        """One item of an array of tables with all that is below it."""
        body, blocks = self._table(path, found)
        below = "".join(self._gap() + block for block in self._shuffled(blocks))
        kept = not (path == ("tool", "uv", "index") and is_owned(found.get("name")))
        return self._header("[[", path, "]]", kept=kept) + body + below

    def _shuffled(self, blocks: list[tuple[Path, str]]) -> list[str]:
        """The blocks in any order, but the items of each array of tables in theirs."""
        mixed = blocks.copy()
        if self._chance(0.7):
            self.random.shuffle(mixed)
        queues = {path: iter([text for at, text in blocks if at == path]) for path, _ in blocks if path}
        return [next(queues[path]) if path else text for path, text in mixed]

    def _header(self, opening: str, path: Path, closing: str, *, kept: bool = True) -> str:
        below = any(path[: len(o)] == o for o in self.owned if o != ("tool", "uv", "index"))
        owned = not kept or below
        inner = f"{self._edge()}{self._key(path)}{self._edge()}"
        return f"{self._indent()}{opening}{inner}{closing}{self._trailing(owned=owned)}\n"

    def _dotted(self, table: Path, keys: Path, found: dict[str, Any]) -> str:
        lines = ""
        for key, value in found.items():
            if isinstance(value, dict) and value and self._chance(0.6):
                lines += self._dotted(table, (*keys, key), value)
            else:
                lines += self._pair(table, (*keys, key), value)
        return lines

    def _pair(self, table: Path, keys: Path, value: Any) -> str:
        path = table + keys
        owned = any(path[: len(o)] == o[: len(path)] for o in self.owned)
        inline = isinstance(value, dict)
        comments = not owned or path in (("tool", "uv", "index"), ("tool", "uv", "conflicts"))
        text = self._value(value, flat=inline, comments=comments)
        line = f"{self._indent()}{self._key(keys)}{self._space()}={self._space()}{text}"
        above = self._comment() if self._chance(0.15) else ""
        return f"{above}{line}{self._trailing(owned=owned)}\n"

    def _value(self, value: Any, *, flat: bool, comments: bool) -> str:
        if isinstance(value, Raw):
            return value.text if not flat or "\n" not in value.text else "'''raw'''"
        if isinstance(value, dict):
            return self._inline(value, comments=comments)
        if isinstance(value, list):
            return self._array(value, flat=flat, comments=comments)
        return self._string(value) if isinstance(value, str) else json.dumps(value)

    def _inline(self, value: dict[str, Any], *, comments: bool) -> str:
        pairs = []
        for keys, item in _spread((), value, self):
            text = self._value(item, flat=True, comments=comments)
            pairs.append(f"{self._key(keys)}{self._space()}={self._space()}{text}")
        return f"{{{self._space()}{f'{self._space()},{self._space()}'.join(pairs)}{self._space()}}}"

    def _array(self, values: list[Any], *, flat: bool, comments: bool) -> str:
        texts = [self._value(value, flat=flat, comments=comments) for value in values]
        style = self.random.randrange(3)
        comma = "," if texts and self._chance(0.5) else ""
        if style == 0 or flat:
            return f"[{self._edge()}{f',{self._space()}'.join(texts)}{comma}{self._edge()}]"
        if style == 1:
            separator = f",{self._space()}\n  "
            return f"[{separator.join(texts)}{comma}\n]"
        return self._lines(texts, comma, comments=comments)

    def _lines(self, texts: list[str], comma: str, *, comments: bool) -> str:
        indent = self.random.choice(["    ", "  ", "\t", ""])
        result = "[" + ("  # open" if self._chance(0.2) else "") + "\n"
        for i, text in enumerate(texts):
            if comments and self._chance(0.2):
                result += f"{indent}{self._comment()}"
            end = "," if i + 1 < len(texts) else comma
            result += f"{indent}{text}{end}{'  # item' if self._chance(0.2) else ''}\n"
        return f"{result}{indent + self._comment() if comments and self._chance(0.2) else ''}]"

    def _string(self, value: str) -> str:
        basic = json.dumps(value, ensure_ascii=False)
        kinds = [basic, basic, f'""{basic}""']
        if not set(value) & set("'\n"):
            kinds += [f"'{value}'", f"'''{value}'''"]
        return self.random.choice(kinds)

    def _key(self, keys: Iterable[str]) -> str:
        dot = self.random.choice([".", ".", ".", " . ", "\t."])
        return dot.join(self._part(key) for key in keys)

    def _part(self, key: str) -> str:
        bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
        kinds = [key] * 6 if bare else []
        return self.random.choice(
            [*kinds, json.dumps(key, ensure_ascii=False), *([f"'{key}'"] if "'" not in key else [])]
        )

    def _trailing(self, *, owned: bool) -> str:
        if owned:
            return "  # goes" if self._chance(0.1) else ""
        return f" {self._mark()}" if self._chance(0.5) else self._space()

    def _comment(self) -> str:
        return f"{self._mark()}\n"

    def _mark(self) -> str:
        self.count += 1
        return f"{MARK}{self.count}."

    def _gap(self) -> str:
        blank = "\n" * self.random.choice([0, 1, 1, 1, 2])
        return blank + "".join(self._comment() for _ in range(self.random.choice([0, 0, 0, 1, 2])))

    def _space(self) -> str:
        return self.random.choice(["", " ", "  ", "\t"]) if self.roomy else " "

    def _edge(self) -> str:
        return self._space() if self.roomy else self.random.choice(["", "", " "])

    def _indent(self) -> str:
        return self.random.choice(["", "", "  ", "\t"]) if self.roomy else ""

    def _newline(self) -> str:
        return self.random.choice(["\n", "\r\n"]) if self.newline == "mixed" else self.newline

    def _chance(self, probability: float) -> bool:
        return self.random.random() < probability


def _spread(prefix: Path, found: dict[str, Any], writer: Writer) -> Iterable[tuple[Path, Any]]:
    """The pairs of an inline table, some of its tables as dotted keys."""
    for key, value in found.items():
        if isinstance(value, dict) and value and writer.random.random() < 0.4:
            yield from _spread((*prefix, key), value, writer)
        else:
            yield (*prefix, key), value
