"""What has to change for a routing to stand in a pyproject.toml, as edits; everything else is the user's."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from torchsel.errors import ConfigError
from torchsel.project.present import (
    CONFLICTS,
    DEFAULT_GROUPS,
    INDEXES,
    LISTS,
    SOURCES,
    canonical,
)
from torchsel.project.requirements import required_name
from torchsel.routing.sources import index_edits, source_edits, split_sources
from torchsel.toml.edits import Append, Delete, Edit, Prune, SetValue, apply_to_data, value_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from torchsel.project.present import Present, Scope
    from torchsel.routing.wanted import Routing

_SCOPES: tuple[Scope, ...] = ("group", "extra")


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Edits that bring a file in line, and sentences on entries that are the user's and were left alone.

    ``is_users`` tells that torch itself is routed by the user, so that there is nothing to bring in line;
    ``past`` names the workspace members that route a package themselves, past what stands in the root.
    """

    edits: tuple[Edit, ...] = ()
    left_alone: tuple[str, ...] = ()
    is_users: bool = False
    past: tuple[str, ...] = ()


def find_changes(
    present: Present,
    routing: Routing,
    *,
    ours: Collection[str],
    used: Collection[str] = (),
    addressed: Mapping[str, str] = MappingProxyType({}),
) -> Changes:
    """Compare what stands in a pyproject.toml with ``routing``.

    ``ours`` are the packages whose stale owned sources may go, ``used`` the names of indexes that workspace
    members' own sources point to, ``addressed`` the packages required by address and where. Nothing
    changes while torch itself is the user's, as a family split over two builds can't work.

    Raises:
        ConfigError: a name that is needed stands for something of the user's own.
    """
    sources = split_sources(present, routing, ours=ours, addressed=addressed)
    if "torch" in sources.foreign:
        return Changes(left_alone=sources.notes, is_users=True)
    routed = {name for name, source in present.sources.items() if source.is_only_to(present.own_indexes)}
    known = {*ours, *routing.sources, *routed}
    edits = [
        *(edit for scope in _SCOPES for edit in _list_edits(present, scope, routing, sources.foreign, known)),
        *_default_edits(present, routing),
        *_conflict_edits(present, routing),
        *source_edits(present, sources),
        *index_edits(present, routing, sources, used=used),
    ]
    return Changes(edits=(*edits, *_emptied(present.data, edits)), left_alone=sources.notes)


def _emptied(data: Mapping[str, Any], edits: Sequence[Edit]) -> Iterator[Edit]:
    """Take away what ``edits`` leave empty, so that going to another backend and back changes nothing."""
    if not any(isinstance(edit, Delete) for edit in edits):
        return
    after = apply_to_data(dict(data), edits)
    for path in (LISTS["group"], LISTS["extra"], SOURCES, CONFLICTS, INDEXES, ("tool", "uv")):
        if value_at(data, path) and value_at(after, path) in ({}, []):
            after = apply_to_data(after, [prune := Prune(path=path)])
            yield prune


def _list_edits(
    present: Present, scope: Scope, routing: Routing, foreign: Collection[str], known: Collection[str]
) -> Iterator[Edit]:
    """Groups or extras. ``known`` are the packages one of ours can require; another is the user's."""
    wanted, path = routing.lists(scope), LISTS[scope]
    lists = present.lists(scope)
    names = {canonical(name): name for name in lists}
    for name, items in wanted.items():
        key = names.get(canonical(name), name)
        requirements = [text for text in items if required_name(text) not in foreign]
        value = requirements
        if key in lists and routing.keeps_bounds:
            value = _merged(lists[key], requirements, known)
        elif key in lists and not _requires_only(lists[key], known):
            msg = (
                f"{'.'.join(path)}.{key}: the name is needed for torchsel's own but this one requires other"
                " packages; give it another name"
            )
            raise ConfigError(msg)
        if lists.get(key) != value:
            yield SetValue(path=(*path, key), value=value)
    for name in sorted(present.own_lists(scope) - {canonical(name) for name in wanted}):
        is_ours = present.is_generated_list(scope, name)
        if name in names and is_ours and _requires_only(lists[names[name]], known):
            yield Delete(path=(*path, names[name]))


def _merged(listed: object, requirements: list[str], known: Collection[str]) -> list[Any]:
    """The user's own list, without what is no longer routed, with what is missing and exact releases."""
    present = listed if isinstance(listed, list) else []
    wanted = {required_name(text): text for text in requirements}
    exact = {name: text for name, text in wanted.items() if text != name}
    kept = [
        exact.get(required_name(item), item)
        for item in present
        if required_name(item) in wanted or required_name(item) not in known
    ]
    there = {required_name(item) for item in kept}
    return [*kept, *(text for name, text in wanted.items() if name not in there)]


def _requires_only(items: object, known: Collection[str]) -> bool:
    """Whether a list requires nothing but ``known`` packages, in whatever release."""
    return isinstance(items, list) and all(required_name(item) in known for item in items)


def _default_edits(present: Present, routing: Routing) -> Iterator[Edit]:
    """``default-groups``: the user's own (``dev`` where none are set, as in uv), then the routing's."""
    groups = {canonical(name) for name in present.lists("group")}
    written = present.uv.get("default-groups")
    ours = present.own_lists("group") | {canonical(name) for name in routing.groups}
    if written == "all":
        if routing.groups and len(routing.defaults) < len(routing.groups) and routing.conflicts:
            msg = (
                "tool.uv.default-groups: 'all' would take every torch group at once; name those you want,"
                " or set tool.torchsel.default-backend = 'none'"
            )
            raise ConfigError(msg)
        return
    listed = [name for name in written if isinstance(name, str)] if isinstance(written, list) else []
    base = [name for name in listed if canonical(name) not in ours]
    has_dev = "dev" in groups or "dev-dependencies" in present.uv
    if not base and has_dev and (written is None or listed):
        base = ["dev"]
    wanted = [*base, *routing.defaults]
    if wanted == listed or (written is None and not routing.defaults):
        return
    is_uvs_default = wanted == (["dev"] if has_dev else [])
    yield Delete(path=DEFAULT_GROUPS) if is_uvs_default else SetValue(path=DEFAULT_GROUPS, value=wanted)


def _conflict_edits(present: Present, routing: Routing) -> list[Edit]:
    """Our own conflict set beside the user's; a stale one becomes the new one in place."""
    ours = [at for at, members in enumerate(present.conflicts) if present.is_own_set(members)]
    wanted = [dict(member) for member in routing.conflicts]
    edits: list[Edit] = []
    if wanted:
        if not ours:
            return [Append(path=CONFLICTS, value=wanted)]
        at = ours.pop(0)
        if present.conflicts[at] != wanted:
            edits.append(SetValue(path=(*CONFLICTS, at), value=wanted))
    return [*edits, *(Delete(path=(*CONFLICTS, at)) for at in reversed(ours))]
