"""Requirements, versions and markers (PEP 508, PEP 440), and how they are judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from torchsel.errors import DemandError
from torchsel.host import PLATFORMS, Host
from torchsel.project.places import canonical


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    """One requirement and the dotted key of the list it stands in."""

    place: str
    requirement: Requirement

    @property
    def name(self) -> str:
        """The normalised name of the package (PEP 503)."""
        return canonical(self.requirement.name)

    @property
    def is_override(self) -> bool:
        """Whether uv takes it in place of every other requirement of the package."""
        return self.place == "tool.uv.override-dependencies"

    @property
    def is_everywhere(self) -> bool:
        """Whether it holds whatever group or extra is chosen."""
        return self.place in ("project.dependencies", "tool.uv.constraint-dependencies")


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


@cache  # a workspace has the same ones in many members
def _requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except (InvalidRequirement, RecursionError):  # thousands of nested parentheses
        return None


def required_name(item: object) -> str | None:
    """The normalised name of the package that an item of a list is for, None where it is for none."""
    requirement = parse_requirement(item)
    return canonical(requirement.name) if requirement else None


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


def environment(host: Host, python: str | None) -> dict[str, str]:
    """PEP 508 marker values of ``host``; Python ``3.12`` stands in where the project's is unknown."""
    names = {"linux": ("Linux", "posix"), "win32": ("Windows", "nt"), "darwin": ("Darwin", "posix")}
    system, os_name = names[host.system]
    spelling = {("win32", "x86_64"): "AMD64", ("win32", "aarch64"): "ARM64", ("darwin", "aarch64"): "arm64"}
    version = python or "3.12"
    return {
        "sys_platform": host.system,
        "platform_system": system,
        "os_name": os_name,
        "platform_machine": spelling.get((host.system, host.machine), host.machine),
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "implementation_version": f"{version}.0",
        "platform_release": host.kernel or "",
        "platform_version": "",
        "extra": "",
    }


def holds_on(marker: object, host: Host | None, python: str | None) -> bool:
    """Whether what has ``marker`` (None: none) is for ``host``; where that is None, for any machine."""
    return marker is None or host is None or marker_holds(str(marker), environment(host, python))


def marker_holds(marker: str, values: dict[str, str]) -> bool:
    """Whether a marker holds; one that can't be judged does, as it is uv's to say what is wrong with it."""
    try:
        return Marker(marker).evaluate(values)
    except (ValueError, LookupError, RecursionError):  # packaging 26 has an unknown name as a KeyError
        return True


def admitted(marker: str) -> frozenset[str]:
    """The catalog's platforms on which a marker holds, with any Python."""
    minors = [f"3.{minor}" for minor in range(8, 17)]
    return frozenset(
        host.platform for host in PLATFORMS if any(holds_on(marker, host, minor) for minor in minors)
    )


def lacking(environments: Iterable[str], there: Collection[str]) -> list[str]:
    """The markers of a list such as ``tool.uv.environments`` that hold on none of the platforms ``there``."""
    return [text for text in environments if (on := admitted(text)) and on.isdisjoint(there)]
