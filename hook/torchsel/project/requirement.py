"""Requirements and versions as values (PEP 508, PEP 440)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from torchsel.errors import DemandError
from torchsel.project.places import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    """One requirement and the dotted key of the list it stands in."""

    place: str
    requirement: Requirement

    @property
    def name(self) -> str:
        """The normalised name of the package (PEP 503)."""
        return canonical(self.requirement.name)


def read_lists(lists: Iterable[tuple[str, object]]) -> Iterator[Required]:
    """What lists of requirements, each with its dotted key, hold; a malformed one is left to uv."""
    for place, items in lists:
        for item in items if isinstance(items, list) else ():
            if requirement := parse_requirement(item):
                yield Required(place=place, requirement=requirement)


def newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    """Distinct versions by PEP 440, the newest first."""
    return tuple(sorted(set(versions), key=Version, reverse=True))


def parse_requirement(item: object) -> Requirement | None:
    """A requirement, None for what is not text or malformed, which is uv's to say."""
    return _requirement(item) if isinstance(item, str) else None


def required_name(item: object) -> str | None:
    """The normalised name of the package that an item of a list is for, None where it is for none."""
    requirement = parse_requirement(item)
    return canonical(requirement.name) if requirement else None


@cache
def _requirement(text: str) -> Requirement | None:
    """A workspace has the same ones in many members."""
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError):  # thousands of nested parentheses
        return None


def are_compatible(texts: Iterable[str]) -> bool:
    """Whether some version meets all of ``texts``: one they name, or one just above, or a very old one."""
    specifier = SpecifierSet(",".join(filter(None, texts)))
    named = {item.version.removesuffix(".*") for item in specifier}
    tries = ["0", *(version for text in named if is_version(text) for version in _at_and_above(text))]
    return not named or any(specifier.contains(version, prereleases=True) for version in tries)


def _at_and_above(text: str) -> tuple[str, str, str]:
    """``2.5``, a release between it and ``2.5.1``, and the next of as many parts, ``2.6``."""
    *first, last = Version(text).release
    return text, f"{Version(text).base_version}.0.0.1", ".".join(map(str, [*first, last + 1]))


def is_version(text: object) -> bool:
    """Whether it is a version (PEP 440)."""
    try:
        return isinstance(text, str) and bool(Version(text))
    except InvalidVersion:
        return False


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


def parse_specifiers(texts: Iterable[str]) -> SpecifierSet:
    """One specifier set of all, local versions cut off (``==2.9.1+cu128`` is ``==2.9.1``).

    Raises:
        ConfigError: one of them is malformed.
    """
    found = SpecifierSet()
    for text in texts:
        try:
            public = ",".join(part.partition("+")[0] for part in text.split(","))
            found &= SpecifierSet(public)
        except InvalidSpecifier:
            msg = f"torch's requirement {text!r} is not a version specifier"
            raise DemandError(msg) from None
    return found
