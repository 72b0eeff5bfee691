"""What a project's files require and what its lock holds (PEP 508, PEP 735, uv.lock)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.requirements import Requirement
from packaging.specifiers import Specifier

from torchsel.errors import DemandError
from torchsel.host import Host
from torchsel.project.project import Project
from torchsel.project.requirement import Required, are_compatible, environment, marker_holds

MOST_SPECIFIERS = 500
"""Different version specifiers of one package that are read."""


def specifiers(project: Project, name: str, *, host: Host | None, python: str | None) -> tuple[str, ...]:
    """Version specifiers for ``name`` that hold on ``host`` (on any machine where None), locals cut off.

    uv's overrides replace every other one. Bounds of extras and groups that contradict the rest (they
    may be meant for different environments) are left out.

    Raises:
        DemandError: there are too many.
    """
    found = [item for item in [*project.required, *project.bounds] if item.name == name]
    _refuse_endless(found)
    return _together(item for item in found if _applies(item.requirement, host, python))


def unmarked_specifiers(project: Project, name: str) -> tuple[str, ...]:
    """The same of the requirements without a marker, which hold for every fork of uv.lock.

    Raises:
        DemandError: there are too many.
    """
    found = [item for item in [*project.required, *project.bounds] if item.name == name]
    _refuse_endless(found)
    return _together(item for item in found if item.requirement.marker is None)


def _together(items: Iterable[Required]) -> tuple[str, ...]:
    found = list(items)
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
    found = [*project.required, *project.bounds]
    return tuple(dict.fromkeys(item.place for item in found if item.name == name))


def addressed(project: Project) -> dict[str, str]:
    """Each package that is required by address (``torch @ https://…``), and the list where."""
    return {item.name: item.place for item in project.required if item.requirement.url}


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
    for item in project.required:
        for specifier in item.requirement.specifier if item.name == name else ():
            if specifier.operator in ("==", "===") and "+" in specifier.version:
                yield item, specifier.version.partition("+")[2]


def _is_unconditional(place: str) -> bool:
    return place in ("project.dependencies", "tool.uv.constraint-dependencies")


def _public_specifier(item: Required) -> str:
    """The specifier with local versions cut off, as the catalog knows public releases."""
    bounds = [specifier for specifier in item.requirement.specifier if not _excludes_one_build(specifier)]
    return ",".join(sorted(str(specifier).partition("+")[0] for specifier in bounds))


def _excludes_one_build(specifier: Specifier) -> bool:
    """Whether it is as ``!=2.5.1+cu121``, which leaves the release's other builds."""
    return specifier.operator == "!=" and "+" in specifier.version


def _applies(requirement: Requirement, host: Host | None, python: str | None) -> bool:
    if requirement.marker is None or host is None:
        return True
    return marker_holds(str(requirement.marker), environment(host, python))
