"""What a project without ``[tool.torchsel]`` offers: torch by extra or group, each from its own index.

A choice is an extra or group that requires torch and stands in ``tool.uv.conflicts``: uv (0.13.9) locks two
builds of one package only for what is declared to conflict, so without that there is nothing to choose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from torchsel.project.folders import find_pyproject
from torchsel.project.places import LISTS, Scope, canonical, names_in, tables
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import parse_requirement
from torchsel.uv.call import UvCall


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """An extra or group of one package; names are normalised, ``""`` is a root without a project."""

    package: str
    scope: Scope
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One requirement of torch: the place it stands in (None: ``project.dependencies``) and its source.

    ``source`` are the items of ``tool.uv.sources.torch`` that apply to it on some platform.
    """

    file: TomlFile
    place: Place | None
    requirement: Requirement
    source: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One choice: the extra or group, as written, and the requirements of torch it leads to."""

    name: str
    place: Place
    ways: tuple[Way, ...]

    @property
    def key(self) -> str:
        """The dotted key of its list."""
        return ".".join((*LISTS[self.place.scope], self.name))

    @property
    def is_routed(self) -> bool:
        """Whether it says itself which build it takes: by a source, an address or a local version."""
        return any(
            way.requirement.url
            or any(item.get("extra") or item.get("group") for item in way.source)
            or any("+" in specifier.version for specifier in way.requirement.specifier)
            for way in self.ways
        )


def offers(project: Project, folder: Path, call: UvCall | None = None) -> tuple[Offer, ...]:
    """The choices uv would accept for ``call`` in ``folder``: all extras, or all groups.

    Empty where torch is not routed by extra or group, and where the command line leaves nothing to choose.
    """
    conflicts = conflict_sets(project)
    found: dict[Place, Offer] = {}
    for place, name, file in _candidates(project, targets(project, folder, call), conflicts):
        ways = tuple(_ways(project, file, place, frozenset()))
        if ways:
            found.setdefault(place, Offer(name=name, place=place, ways=ways))
    routed = [offer.place.scope for offer in found.values() if offer.is_routed]
    scope = max(routed, key=routed.count, default=None)
    # several packages may have an extra of one name, which uv takes of all of them: the first one's counts
    mine = {offer.place.name: offer for offer in reversed(found.values()) if offer.place.scope == scope}
    listed = [offer for offer in found.values() if mine.get(offer.place.name) is offer]
    return tuple(_left_open(listed, conflicts, call) if call else listed)


def targets(project: Project, folder: Path, call: UvCall | None) -> tuple[TomlFile, ...]:
    """The files whose extras and groups uv takes by name (seen with uv 0.13.9).

    Those of ``--package``; all with ``--all-packages`` or at a root that is no project; else the nearest.
    """
    packages = names_in(call.values_of("--package")) if call else set()
    if not project.members and not packages:
        return (project.root,)  # of a script too, which may lie in no project at all
    here = find_pyproject(folder)
    at_bare_root = here == project.root.path and "project" not in project.root.data
    if (call and "--all-packages" in call.options) or (at_bare_root and not packages):
        return project.files
    if packages:
        return tuple(file for file in project.files if file.present.package in packages)
    return tuple(file for file in project.files if file.path == here) or (project.root,)


def conflict_sets(project: Project) -> list[frozenset[Place]]:
    """``tool.uv.conflicts`` of the root and its members; an entry without a package is for its own file."""
    return [
        frozenset(
            Place(
                package=_name(member.get("package", file.present.package)),
                scope=scope,
                name=_name(member[scope]),
            )
            for member in tables(members)
            for scope in LISTS
            if scope in member
        )
        for file in project.files
        for members in file.present.conflicts
    ]


def base_ways(project: Project, folder: Path, call: UvCall | None = None) -> tuple[Way, ...]:
    """The requirements of torch that hold without any extra or group."""
    return tuple(
        Way(file=file, place=None, requirement=item.requirement, source=_source(project, file, None))
        for file in targets(project, folder, call)
        for item in file.required
        if item.name == "torch" and item.place == "project.dependencies"
    )


def rivals(project: Project, files: Iterable[TomlFile], offer: Offer) -> tuple[tuple[Scope, str], ...]:
    """The extras and groups that can't be installed with an offer, groups that include one of them too.

    Of the groups only those that ``files`` have uv install unasked.
    """
    sets = [members for members in conflict_sets(project) if offer.place in members]
    against = frozenset[Place]().union(*sets) - {offer.place}
    extras = sorted((item.scope, item.name) for item in against if item.scope == "extra")
    unasked = (
        (file, Place(package=file.present.package, scope="group", name=name))
        for file in files
        for name in file.present.default_groups
    )
    groups = dict.fromkeys(
        (place.scope, place.name)
        for file, place in unasked
        if place != offer.place and not against.isdisjoint(_with_included(file, place))
    )
    return (*extras, *groups)


def _with_included(file: TomlFile, place: Place) -> Iterator[Place]:
    """A group with all that it includes."""
    yield place
    for item in tables([*_items(file, place, frozenset())]):
        if name := _name(item.get("include-group")):
            yield replace(place, name=name)


def _candidates(
    project: Project, files: tuple[TomlFile, ...], conflicts: list[frozenset[Place]]
) -> Iterator[tuple[Place, str, TomlFile]]:
    """Extras and groups that conflict with another."""
    conflicting = frozenset[Place]().union(*conflicts)
    for scope in LISTS:
        # a group of the root can be named from a member too
        root = (project.root,) if scope == "group" and project.root not in files else ()
        for file in (*files, *root):
            for name in file.present.lists(scope):
                place = Place(package=file.present.package, scope=scope, name=canonical(name))
                if place in conflicting:
                    yield place, name, file


def _left_open(offers: list[Offer], conflicts: list[frozenset[Place]], call: UvCall) -> list[Offer]:
    """Those that the command line does not rule out; none where it names one of them."""
    given = {(scope, name) for scope in LISTS for name in names_in(call.values_of(f"--{scope}"))}
    refused = {(scope, name) for scope in LISTS for name in names_in(call.values_of(f"--no-{scope}"))}
    if any((offer.place.scope, offer.place.name) in given for offer in offers):
        return []
    excluded = [members for members in conflicts if given & {(item.scope, item.name) for item in members}]
    return [
        offer
        for offer in offers
        if (offer.place.scope, offer.place.name) not in refused
        and not any(offer.place in members for members in excluded)
    ]


def _ways(project: Project, file: TomlFile, place: Place, seen: frozenset[Place]) -> Iterator[Way]:
    """What ``place`` requires of torch, also through groups it includes and extras of workspace members."""
    if place in seen:
        return
    for requirement in filter(None, map(parse_requirement, _items(file, place, frozenset()))):
        package = canonical(requirement.name)
        if package == "torch":
            yield Way(file=file, place=place, requirement=requirement, source=_source(project, file, place))
        for member in (member for member in project.files if member.present.package == package):
            for extra in sorted(requirement.extras):
                below = Place(package=package, scope="extra", name=canonical(extra))
                yield from _ways(project, member, below, seen | {place})


def _items(file: TomlFile, place: Place, seen: frozenset[str]) -> Iterator[object]:
    """The list at ``place``, behind each group that it includes what that lists."""
    for item in file.present.items_of(place.scope, place.name):
        yield item
        # uv's sources for a group hold for what that includes, so that it counts as the group's own
        name = _name(item.get("include-group")) if isinstance(item, dict) else ""
        if name and name not in seen:
            yield from _items(file, replace(place, name=name), seen | {place.name})


def _source(project: Project, file: TomlFile, place: Place | None) -> tuple[Mapping[str, Any], ...]:
    """``tool.uv.sources.torch``, the package's own before the root's, as far as it is for ``place``."""
    for at in (file, project.root):
        if source := at.present.sources.get("torch"):
            return tuple(item for item in source.items if _is_for(item, place))
    return ()


def _is_for(item: Mapping[str, Any], place: Place | None) -> bool:
    scopes = [scope for scope in LISTS if scope in item]
    return all(place and place.scope == scope and place.name == _name(item[scope]) for scope in scopes)


def _name(value: object) -> str:
    return canonical(value) if isinstance(value, str) else ""
