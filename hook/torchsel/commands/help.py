"""``torchsel help [TOPIC]``: the guides that come with torchsel."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from difflib import get_close_matches
from pathlib import Path

from torchsel.answer import Answer
from torchsel.commands import ROWS
from torchsel.commands.context import Context, Option
from torchsel.errors import ConfigError

FOLDER = Path(__file__).parents[1] / "data" / "guide"
"""A Markdown file each: a title, one line that says what it is about, and the text."""

WIDEST = 100
"""Columns that prose in the guides takes; a wider terminal makes tables no wider."""


OPTIONS = (Option("topic", nargs="?", metavar="TOPIC", help="a guide; without one they are listed"),)


def run(context: Context) -> Answer:
    """Print the list, or one guide."""
    topic = context.arguments.topic
    text = page(topic.lower().removesuffix(".md")) if topic else listing()
    if sys.stdout.isatty():
        text = for_terminal(text, min(shutil.get_terminal_size().columns, WIDEST))
    context.draft.print(text)
    return Answer()


def topics() -> list[str]:
    """The guides' names, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def listing() -> str:
    """A line each."""
    names = topics()
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {page(name).splitlines()[2]}" for name in names]
    return "\n".join(["torchsel help TOPIC prints a guide:", "", *lines, ""])


def for_terminal(text: str, width: int) -> str:
    """A guide with its tables as lists: of each row the last cell wrapped, below the others."""
    lines, is_code = [], False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        if is_code or not line.startswith(("|", "<!--")):
            lines.append(line)
        elif line.startswith("| "):  # what is between, "|---|", is of no use in a list
            # a bar in a cell stands there as \|
            *first, last = re.split(r"(?<!\\) \| ", line.strip("| "))
            lines += textwrap.wrap("  ".join(first), width, subsequent_indent="  ")
            lines += textwrap.wrap(last, width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, ""])


def page(topic: str) -> str:
    """The text of a guide.

    Raises:
        ConfigError: there is none of that name.
    """
    names = topics()
    if topic in names:
        return (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    if topic in ROWS:
        msg = f"{topic!r} is a command: torchsel {topic} --help"
        raise ConfigError(msg)
    near = get_close_matches(topic, names, n=1, cutoff=0.5)
    offer = f"; did you mean 'torchsel help {near[0]}'?" if near else "; 'torchsel help' lists them"
    msg = f"there is no guide {topic!r}{offer}"
    raise ConfigError(msg)
