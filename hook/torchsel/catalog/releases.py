"""Releases as numbers, so that they compare, and as text."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=512)
def release_key(text: str) -> tuple[int, ...]:
    """A dotted release as numbers, so that ``2.10.0`` sorts after ``2.9.1``; any other part counts as 0."""
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in text.split("."))


def release_text(release: tuple[int, ...]) -> str:
    """A release as text, ``13.0``."""
    return ".".join(map(str, release))
