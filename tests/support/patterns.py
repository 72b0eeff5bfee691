"""Time that grows with the length of a text and not faster, whatever a stranger wrote into it."""

from __future__ import annotations

import time
from collections.abc import Callable

LARGEST = 1 << 20
"""Bytes of the longest text tried: a pyproject.toml may have as many."""

LIMIT = 5.0
"""Seconds of processor time for the longest text; a pattern that goes back takes hours for it."""

SLACK = 0.5
"""Seconds that a short text may take whatever its length."""


def assert_linear(work: Callable[[str], object], piece: str, *, before: str = "", after: str = "") -> None:
    """``work`` keeps to its share of `LIMIT` for ``piece`` repeated to ever longer texts, up to `LARGEST`.

    Short ones come first, so that a pattern that goes back fails in seconds.
    """
    for size in (LARGEST >> 8, LARGEST >> 6, LARGEST >> 4, LARGEST >> 2, LARGEST):
        text = f"{before}{piece * (size // len(piece))}{after}"
        began = time.process_time()
        work(text)
        took = time.process_time() - began
        assert took < LIMIT * size / LARGEST + SLACK, f"{took:.1f} s for {size} bytes of {piece!r}"
