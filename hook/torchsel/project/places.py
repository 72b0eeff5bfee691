"""Where in a pyproject.toml things stand, and how names are spelt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from packaging.utils import canonicalize_name

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """One requirement: ``options`` of ``uv add`` lead to its list.

    ``package`` is the normalised name, ``name`` has extras (``torch[opt-einsum]``), ``marker`` is empty
    where it holds everywhere.
    """

    package: str
    name: str
    marker: str = ""
    options: tuple[str, ...] = ()

    def bound(self, specifier: str) -> str:
        """The requirement with another specifier, ``torch<2.15 ; sys_platform == 'linux'``."""
        return f"{self.name}{specifier}{f' ; {self.marker}' if self.marker else ''}"


def table(data: object, *keys: str) -> Mapping[str, Any]:
    """The table at ``keys``, empty where there is none."""
    found = data
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def tables(listed: object) -> list[dict[str, Any]]:
    """The tables of a list, none where it is no list."""
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def texts(listed: object) -> list[str]:
    """The strings of a list, none where it is no list."""
    return [item for item in listed if isinstance(item, str)] if isinstance(listed, list) else []


def canonical(name: str) -> str:
    """A package, group or extra name in its one spelling (PEP 503)."""
    return canonicalize_name(name)


def names_in(values: Iterable[str]) -> set[str]:
    """The names in an option's values, commas or spaces between them, each in its one spelling."""
    return {canonical(word) for value in values for word in value.replace(",", " ").split()}
