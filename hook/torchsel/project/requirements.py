"""What a project's files require (PEP 508, PEP 735): of torch, and of what decides on its builds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote

from packaging.specifiers import Specifier

from torchsel.errors import DemandError
from torchsel.host import Host
from torchsel.project.places import Added
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import Required, are_compatible, holds_on

MOST_SPECIFIERS = 500
"""Different version specifiers of one package that are read: judging them together takes time by their
square, 500 take a second."""

_CUDA = re.compile(r"(?<![a-z])cu(1[0-9])([0-9]?)(?![0-9])")
"""``cu128``, or ``cu12`` of a wheel for any CUDA 12: ``flash_attn-2.8.3+cu12torch2.8…``, ``pt28cu128``."""

_OPTIONS: Mapping[str, str] = {
    "project.optional-dependencies.": "--optional",
    "dependency-groups.": "--group",
}
"""``uv add``'s for the lists with names."""


def specifiers(project: Project, *, host: Host | None = None, python: str | None = None) -> tuple[str, ...]:
    """Version specifiers for torch that hold on ``host`` (on any machine where None), locals cut off.

    uv's overrides replace every other one. Bounds of extras and groups that contradict the rest are left out.

    Raises:
        DemandError: there are too many.
    """
    return _together(
        [item for item in _naming(project, "torch") if holds_on(item.requirement.marker, host, python)]
    )


def unmarked_specifiers(project: Project, package: str) -> tuple[str, ...]:
    """The same for a package, of the requirements without a marker, which hold for every fork of uv.lock.

    Raises:
        DemandError: there are too many.
    """
    return _together([item for item in _naming(project, package) if item.requirement.marker is None])


def _naming(project: Project, package: str) -> tuple[Required, ...]:
    found = project.naming(package)
    distinct = {str(specifier) for item in found for specifier in item.requirement.specifier}
    if len(distinct) > MOST_SPECIFIERS:
        msg = f"{len(distinct)} version specifiers, of which torchsel reads {MOST_SPECIFIERS}: write a range"
        raise DemandError(msg)
    return found


def _together(found: list[Required]) -> tuple[str, ...]:
    overrides = [item for item in found if item.is_override]
    texts = [_public_specifier(item) for item in (overrides or found)]
    # bounds of extras and groups that contradict the rest may be meant for different environments
    if not overrides and not are_compatible(texts):
        texts = [_public_specifier(item) for item in found if item.is_everywhere]
    return tuple(dict.fromkeys(filter(None, texts)))


def _public_specifier(item: Required) -> str:
    """The specifier with local versions cut off, as the catalog knows public releases."""
    # `!=2.5.1+cu121` leaves the release's other builds
    bounds = [each for each in item.requirement.specifier if each.operator != "!=" or "+" not in each.version]
    return ",".join(sorted(str(each).partition("+")[0] for each in bounds))


def pinned_local(project: Project, host: Host | None, python: str | None) -> tuple[str, str] | None:
    """``("cu121", "project.dependencies")`` for a requirement such as ``torch==2.5.1+cu121``.

    Of those that apply on ``host``, of all where it is None.
    """
    for item, local in _pins(project):
        if holds_on(item.requirement.marker, host, python):
            return local, item.place
    return None


def pinned_marker(project: Project, local: str) -> str | None:
    """Where torch is required with this local version: a marker, empty for everywhere, None for nowhere."""
    markers = [str(item.requirement.marker or "") for item, text in _pins(project) if text == local]
    if not markers or "" in markers:
        return "" if markers else None
    return " or ".join(dict.fromkeys(f"({text})" if " or " in text else text for text in markers))


def _pins(project: Project) -> Iterator[tuple[Required, str]]:
    """Requirements such as ``torch==2.5.1+cu121``, with the local version."""
    for item in project.required:
        for specifier in item.requirement.specifier if item.name == "torch" else ():
            if local := exact_local(specifier):
                yield item, local


def exact_local(specifier: Specifier) -> str:
    """``cu128`` of ``==2.8.0+cu128``, empty where there is none."""
    return specifier.version.partition("+")[2] if specifier.operator in ("==", "===") else ""


def addressed(project: Project) -> dict[str, str]:
    """Each package that is required by address (``torch @ https://…``), and the list where."""
    return {item.name: item.place for item in project.required if item.requirement.url}


def built_for(
    project: Project, host: Host | None, python: str | None, *, but: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Packages from an address or index of their own that names a CUDA release: ``12.8``, or ``12``.

    Those that hold on ``host``, on any machine where it is None; none of ``but``.
    """
    found: dict[str, str] = {}
    for file in project.files:
        for item in file.required:
            if item.name in but or not holds_on(item.requirement.marker, host, python):
                continue
            for address in _addresses(project, file, item, host, python):
                if match := _CUDA.search(unquote(address).lower()):
                    found.setdefault(item.name, ".".join(filter(None, match.groups())))
    return tuple(found.items())


def _addresses(
    project: Project, file: TomlFile, item: Required, host: Host | None, python: str | None
) -> Iterator[str]:
    yield item.requirement.url or ""
    urls = {index.name: index.url for at in (project.root, file) for index in at.present.indexes}
    source = file.present.sources.get(item.name) or project.root.present.sources.get(item.name)
    for entry in source.items if source else ():
        if holds_on(entry.get("marker"), host, python):
            yield str(entry.get("url", ""))
            yield urls.get(str(entry.get("index")), "")


def added(project: Project, names: Collection[str]) -> tuple[Added, ...]:
    """What the project requires of ``names``, where ``uv add`` finds it to write another bound."""
    # uv add changes no bound of what comes by address, and no constraint, override or legacy list of uv's
    fixed = {item.name for item in (*project.bounds, *project.required)
             if item.requirement.url or item.place.startswith("tool.uv.")}  # fmt: skip
    return tuple(
        _added(item, file, project)
        for file in project.files
        for item in file.required
        if item.name in names and item.name not in fixed
    )


def _added(item: Required, file: TomlFile, project: Project) -> Added:
    wanted = item.requirement
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    marker = str(wanted.marker or "")
    if file.path.suffix != ".toml":
        options = ["--script", file.path.name]
    else:
        options = [] if file is project.root else ["--package", str(file.table("project").get("name", ""))]
    for start, option in _OPTIONS.items():
        if item.place.startswith(start):
            options += [option, item.place.removeprefix(start)]
    return Added(
        package=item.name,
        name=f"{wanted.name}{extras}",
        marker=marker if "'" in marker else marker.replace('"', "'"),  # shells need no escape then
        options=tuple(options),
    )
