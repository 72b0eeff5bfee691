"""README and guides as text: their sections, commands, blocks and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.toolbox import ROOT

GUIDES = ROOT / "hook" / "torchsel" / "data" / "guide"
TOPICS = sorted(path.stem for path in GUIDES.glob("*.md"))


def guide(topic: str) -> str:
    """The text of a guide."""
    return (GUIDES / f"{topic}.md").read_text(encoding="utf-8")


def readme() -> str:
    """The text of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """What stands below a second-level heading."""
    _, found, rest = text.partition(f"\n## {heading}\n")
    assert found, f"there is no section {heading!r}"
    return rest.partition("\n## ")[0]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and content of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def blocks_in(text: str, language: str) -> list[str]:
    """The fenced blocks in one language."""
    return [content for name, content in blocks(text) if name == language]


def console(text: str) -> list[str]:
    """The commands to type, in order."""
    return [line for block in blocks_in(text, "console") for line in block.splitlines()]


def recipe(topic: str, heading: str, language: str) -> str:
    """The first block in that language of a guide's section."""
    found = blocks_in(section(guide(topic), heading), language)
    assert found, f"{heading!r} of {topic} has no {language} block"
    return found[0]


def column(table: str, at: int) -> list[str]:
    """The cells of a column, without its heading."""
    rows = [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in table.splitlines() if row.startswith("| ")]
    return [row[at] for row in rows[1:]]
