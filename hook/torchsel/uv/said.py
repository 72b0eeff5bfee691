"""What uv says when it fails, without its chatter."""

from __future__ import annotations

import re

_BEGINNING = re.compile(r"error: | *\u00d7 ")
"""Of the lines that say why uv stopped (0.5.3 to 0.13.9)."""

_CHATTER = re.compile(
    r"warning: |(Using|Creating|Removed) (CPython|PyPy|GraalPy|Python|virtual) ?|"
    r"(Resolved|Prepared|Installed|Uninstalled|Audited) \d|(Downloading|Building|Updating|Updated) "
)


def cause(said: str) -> str:
    """Why uv failed: from its error on; all but the chatter where it names none."""
    lines = said.strip().splitlines()
    start = next((at for at, line in enumerate(lines) if _BEGINNING.match(line)), 0)
    kept = [line for line in lines[start:] if not _CHATTER.match(line)]
    return "\n".join(line.removeprefix("error: ") for line in kept).strip() or said.strip()
