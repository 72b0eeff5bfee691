"""Where in a pyproject.toml things stand, and how names are spelt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping


Scope = Literal["group", "extra"]
"""What an alternative is: a dependency group (PEP 735) or an extra (PEP 621)."""


ANCHOR_GROUP = "torchsel"
"""Name of the dependency group of anchors."""


INDEXES = ("tool", "uv", "index")


SOURCES = ("tool", "uv", "sources")


CONFLICTS = ("tool", "uv", "conflicts")


DEFAULT_GROUPS = ("tool", "uv", "default-groups")


LISTS: Mapping[Scope, tuple[str, ...]] = {
    "extra": ("project", "optional-dependencies"),
    "group": ("dependency-groups",),
}
"""Where groups and extras stand."""


def table(data: object, *keys: str) -> Mapping[str, Any]:
    """The table at ``keys``, empty where there is none."""
    found = data
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def canonical(name: str) -> str:
    """A package, group or extra name in its one spelling (PEP 503)."""
    return canonicalize_name(name)
