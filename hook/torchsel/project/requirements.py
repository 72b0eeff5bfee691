"""What a project's files require and what its lock holds (PEP 508, PEP 735, uv.lock)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from torchsel.errors import DemandError, TorchselError
from torchsel.project.present import canonical
from torchsel.project.toml_file import read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from packaging.specifiers import Specifier

    from torchsel.host import Host
    from torchsel.project.toml_file import TomlFile
    from torchsel.project.workspace import Project


MOST_SPECIFIERS = 500
"""Different version specifiers of one package that are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    """One requirement and the dotted key of the list it stands in."""

    place: str
    requirement: Requirement

    @property
    def name(self) -> str:
        """The normalised name of the package (PEP 503)."""
        return canonical(self.requirement.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """One ``[[package]]`` of uv.lock: exact version, registry URL where it has one, markers of its forks."""

    name: str
    version: str
    registry: str | None
    markers: tuple[str, ...]

    @property
    def public(self) -> str:
        """The version without its local part."""
        return self.version.partition("+")[0]

    @property
    def local(self) -> str:
        """The local version, empty where there is none."""
        return self.version.partition("+")[2]


def direct_requirements(project: Project) -> list[Required]:
    """Every requirement of the root and its members that uv's sources apply to.

    That is ``project.dependencies``, its extras, the dependency groups (torchsel's own left out) and uv's
    legacy ``dev-dependencies``. A malformed one is left to uv.
    """
    return [item for file in project.files for item in required_in(file)]


def required_in(file: TomlFile) -> list[Required]:
    """The same of one file."""
    return list(_parsed(_listed(file)))


def bounds(project: Project) -> list[Required]:
    """The workspace root's ``constraint-dependencies`` and ``override-dependencies``, which are uv's."""
    uv = project.root.table("tool", "uv")
    keys = ("constraint-dependencies", "override-dependencies")
    return list(_parsed((f"tool.uv.{key}", uv.get(key)) for key in keys))


def specifiers(project: Project, name: str, *, host: Host | None, python: str | None) -> tuple[str, ...]:
    """Version specifiers for ``name`` that hold on ``host`` (on any machine where None), locals cut off.

    uv's overrides replace every other one. Bounds of extras and groups that contradict the rest (they
    may be meant for different environments) are left out.

    Raises:
        DemandError: there are too many.
    """
    found = [item for item in [*direct_requirements(project), *bounds(project)] if item.name == name]
    _refuse_endless(found)
    found = [item for item in found if _applies(item.requirement, host, python)]
    overrides = [item for item in found if item.place == "tool.uv.override-dependencies"]
    everywhere = [item for item in found if _is_unconditional(item.place)]
    texts = [_public_specifier(item) for item in (overrides or found)]
    if not overrides and not are_compatible(texts):
        texts = [_public_specifier(item) for item in everywhere]
    return tuple(dict.fromkeys(text for text in texts if text))


def _refuse_endless(found: Iterable[Required]) -> None:
    """Judging them together takes time by their square: 500 take a second."""
    distinct = {str(specifier) for item in found for specifier in item.requirement.specifier}
    if len(distinct) > MOST_SPECIFIERS:
        msg = f"{len(distinct)} version specifiers, of which torchsel reads {MOST_SPECIFIERS}: write a range"
        raise DemandError(msg)


def places_of(project: Project, name: str) -> tuple[str, ...]:
    """Dotted keys of the lists that name the package."""
    found = [*direct_requirements(project), *bounds(project)]
    return tuple(dict.fromkeys(item.place for item in found if item.name == name))


def addressed(project: Project) -> dict[str, str]:
    """Each package that is required by address (``torch @ https://…``), and the list where."""
    return {item.name: item.place for item in direct_requirements(project) if item.requirement.url}


def pinned_local(
    project: Project, name: str, *, host: Host | None = None, python: str | None = None
) -> tuple[str, str] | None:
    """``("cu121", "project.dependencies")`` for a requirement such as ``torch==2.5.1+cu121``.

    Of those that apply on ``host``, of all where it is None.
    """
    for item, local in _pins(project, name):
        if _applies(item.requirement, host, python):
            return local, item.place
    return None


def pinned_marker(project: Project, name: str, local: str) -> str | None:
    """Where ``name`` is pinned to this local version: a marker, empty for everywhere, None for nowhere."""
    markers = [str(item.requirement.marker or "") for item, text in _pins(project, name) if text == local]
    if not markers or "" in markers:
        return "" if markers else None
    return " or ".join(dict.fromkeys(f"({text})" if " or " in text else text for text in markers))


def _pins(project: Project, name: str) -> Iterator[tuple[Required, str]]:
    """Requirements such as ``torch==2.5.1+cu121``, with the local version."""
    for item in direct_requirements(project):
        for specifier in item.requirement.specifier if item.name == name else ():
            if specifier.operator in ("==", "===") and "+" in specifier.version:
                yield item, specifier.version.partition("+")[2]


def is_in_lock(project: Project) -> bool:
    """Whether uv.lock was made for each requirement of the files: it notes them, where times say little."""
    noted = set(_noted(project.lock)) if project.lock else set()
    required = (item.requirement for item in direct_requirements(project))
    return not noted or all(
        (canonical(item.name), frozenset(map(canonical, item.extras)), item.specifier) in noted
        for item in required
        if not item.url
    )


def locked_packages(lock: TomlFile | None, names: Iterable[str]) -> list[Locked]:
    """Entries of uv.lock for ``names``, in the lock's order."""
    wanted = set(names)
    packages = lock.data.get("package") if lock else None
    return [
        _locked(item)
        for item in (packages if isinstance(packages, list) else [])
        if isinstance(item, dict) and str(item.get("name")) in wanted and is_version(item.get("version"))
    ]


def locked_here(entries: Iterable[Locked], host: Host, python: str | None) -> list[Locked]:
    """Those of ``entries`` whose fork is for this host; all of them where no marker says so."""
    items = list(entries)
    return [item for item in items if _any_holds(item.markers, host, python)] or items


def newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    """Distinct versions by PEP 440, the newest first."""
    return tuple(sorted(set(versions), key=Version, reverse=True))


def project_python(folder: Path) -> str | None:
    """``X.Y`` of the project's interpreter: from its .venv, else its .python-version, else None."""
    readers = ((folder / ".venv/pyvenv.cfg", _venv_version), (folder / ".python-version", _first_line))
    for path, reader in readers:
        try:
            text = read_text(path)
        except TorchselError:
            continue
        parts = reader(text).strip().removeprefix("cpython").lstrip("@-").split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].rstrip("t").isdigit():
            return f"{parts[0]}.{parts[1].rstrip('t')}"
    return None


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


def admitted(markers: object, hosts: Iterable[Host]) -> tuple[Host, ...]:
    """The ``hosts`` for which a marker of a list such as ``tool.uv.environments`` holds, on any Python."""
    listed = markers if isinstance(markers, list) else [markers]
    minors = [f"3.{minor}" for minor in range(8, 17)]
    return tuple(
        host
        for host in hosts
        if any(marker_holds(str(text), environment(host, minor)) for text in listed for minor in minors)
    )


def _noted(lock: TomlFile) -> Iterator[tuple[str, frozenset[str], SpecifierSet]]:
    """What uv.lock says that the projects in it require: each name with its extras and specifiers."""
    packages = lock.data.get("package")
    noted = [item.get("metadata") for item in packages] if isinstance(packages, list) else []
    for table in (lock.data.get("manifest"), *noted):
        if isinstance(table, dict):
            groups = table.get("requires-dev") or table.get("dependency-groups") or {}
            for item in chain(table.get("requires-dist", ()), *groups.values()):
                extras = frozenset(map(canonical, item.get("extras", ())))
                yield item["name"], extras, SpecifierSet(item.get("specifier", ""))


def _listed(file: TomlFile) -> Iterator[tuple[str, object]]:
    """Each list of requirement strings in a pyproject.toml with its dotted key; none of torchsel's own."""
    project = file.table("project")
    yield "project.dependencies", project.get("dependencies")
    for extra, items in file.table("project", "optional-dependencies").items():
        if not file.present.is_generated("extra", extra):
            yield f"project.optional-dependencies.{extra}", items
    for group, items in file.table("dependency-groups").items():
        if not file.present.is_generated("group", group):
            yield f"dependency-groups.{group}", items
    yield "tool.uv.dev-dependencies", file.table("tool", "uv").get("dev-dependencies")


def _parsed(lists: Iterable[tuple[str, object]]) -> Iterator[Required]:
    for place, items in lists:
        for item in items if isinstance(items, list) else ():
            if requirement := parse_requirement(item):
                yield Required(place=place, requirement=requirement)


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


def _is_unconditional(place: str) -> bool:
    return place in ("project.dependencies", "tool.uv.constraint-dependencies")


def _public_specifier(item: Required) -> str:
    """The specifier with local versions cut off, as the catalog knows public releases."""
    bounds = [specifier for specifier in item.requirement.specifier if not _excludes_one_build(specifier)]
    return ",".join(sorted(str(specifier).partition("+")[0] for specifier in bounds))


def _excludes_one_build(specifier: Specifier) -> bool:
    """Whether it is as ``!=2.5.1+cu121``, which leaves the release's other builds."""
    return specifier.operator == "!=" and "+" in specifier.version


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


def _applies(requirement: Requirement, host: Host | None, python: str | None) -> bool:
    if requirement.marker is None or host is None:
        return True
    return marker_holds(str(requirement.marker), environment(host, python))


def _any_holds(markers: tuple[str, ...], host: Host, python: str | None) -> bool:
    values = environment(host, python)
    return not markers or any(marker_holds(text, values) for text in markers)


def marker_holds(marker: str, values: dict[str, str]) -> bool:
    """Whether a marker holds; one that can't be judged does, as it is uv's to say what is wrong with it."""
    try:
        return Marker(marker).evaluate(values)
    except (ValueError, LookupError, RecursionError):  # packaging 26 has an unknown name as a KeyError
        return True


def _locked(item: Mapping[str, Any]) -> Locked:
    source = item.get("source")
    registry = source.get("registry") if isinstance(source, dict) else None
    markers = item.get("resolution-markers")
    return Locked(
        name=str(item["name"]),
        version=str(item["version"]),
        registry=registry if isinstance(registry, str) else None,
        markers=tuple(map(str, markers)) if isinstance(markers, list) else (),
    )


def is_version(text: object) -> bool:
    """Whether it is a version (PEP 440)."""
    try:
        return isinstance(text, str) and bool(Version(text))
    except InvalidVersion:
        return False


def _first_line(text: str) -> str:
    """The first request of a .python-version file, which may have comments and further requests."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return next(filter(None, lines), "")


def _venv_version(text: str) -> str:
    """The interpreter's version in a pyvenv.cfg: venv writes ``version``, uv ``version_info``."""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return value
    return ""
