"""Which keys of a table have an order, so that new ones have one place whichever of them came first."""

from __future__ import annotations

from torchsel.toml.edits import Path

BY_NAME = frozenset({("tool", "uv", "sources"), ("dependency-groups",), ("project", "optional-dependencies")})
"""Tables whose keys are names of packages, groups or extras."""

_UV_KEYS = ("index", "marker", "extra", "group", "sources", "conflicts", "default-groups")
"""Keys that torchsel writes beside others below ``tool.uv``, in their order where they stand last."""


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
