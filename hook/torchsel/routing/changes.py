"""What has to change for a routing to stand in a pyproject.toml, as edits; everything else is the user's."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from torchsel.errors import ConfigError
from torchsel.project import owned
from torchsel.project.owned import INDEXES, SOURCES
from torchsel.project.requirements import ANCHOR_GROUP
from torchsel.toml.edits import Append, Delete, Edit, SetValue, apply_to_data

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from torchsel.routing.wanted import Routing
    from torchsel.toml.edits import Path

GROUPS = ("dependency-groups",)
EXTRAS = ("project", "optional-dependencies")
CONFLICTS = ("tool", "uv", "conflicts")
DEFAULT_GROUPS = ("tool", "uv", "default-groups")


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Edits that bring a file in line, and sentences on entries that are the user's and were left alone.

    ``is_users`` tells that torch itself is routed by the user, so that there is nothing to bring in line.
    """

    edits: tuple[Edit, ...]
    left_alone: tuple[str, ...] = ()
    is_users: bool = False


def find_changes(
    data: Mapping[str, Any],
    routing: Routing,
    *,
    ours: Collection[str],
    used: Collection[str] = (),
    addressed: Mapping[str, str] = MappingProxyType({}),
) -> Changes:
    """Compare a pyproject.toml with ``routing``.

    ``ours`` are the packages whose stale owned sources may go, ``used`` the names of indexes that workspace
    members' own sources point to, ``addressed`` the packages required by address and where. Nothing
    changes while torch itself is the user's, as a family split over two builds can't work.

    Raises:
        ConfigError: a name that is needed stands for something of the user's own.
    """
    there = {entry.get("name") for entry in owned.indexes(data)}
    kept = owned.owned_indexes(data) | {name for name in routing.indexes if name not in there}
    keys = {owned.canonical(name): name for name in owned.sources(data)}
    known = {*ours, *routing.sources, *keys}
    own_names = {owned.canonical(name) for name in (*routing.groups, *routing.extras)}
    foreign = {
        package: keys[package]
        for package in routing.sources
        if package in keys and not _is_ours(data, owned.sources(data)[keys[package]], kept, own_names)
    }
    notes = tuple(_foreign_note(data, name, kept) for name in foreign.values())
    for package in sorted(addressed.keys() & routing.sources.keys()):
        foreign.setdefault(package, package)
        notes = (*notes, f"{addressed[package]}: {package} is required by address; left alone")
    if "torch" in foreign:
        return Changes(edits=(), left_alone=notes, is_users=True)
    sources = {package: value for package, value in routing.sources.items() if package not in foreign}
    stale = [name for package, name in keys.items() if package in ours and package not in routing.sources]
    stale = [name for name in stale if _is_ours(data, owned.sources(data)[name], kept, own_names)]
    rewritten = {*stale, *(keys.get(package) for package in sources)}
    keeps = routing.keeps_bounds
    edits = [
        *_list_edits(data, GROUPS, _without(routing.groups, foreign), known, keeps_bounds=keeps),
        *_list_edits(data, EXTRAS, _without(routing.extras, foreign), known, keeps_bounds=keeps),
        *_default_edits(data, routing),
        *_conflict_edits(data, routing),
        *_source_edits(data, sources, keys, stale),
        *_index_edits(data, routing, kept={*used, *_still_used(data, rewritten)}),
    ]
    return Changes(edits=(*edits, *_emptied(data, edits)), left_alone=notes)


def _emptied(data: Mapping[str, Any], edits: Sequence[Edit]) -> Iterator[Edit]:
    """Take away what ``edits`` leave empty, so that going to another backend and back changes nothing."""
    if not any(isinstance(edit, Delete) for edit in edits):
        return
    after = apply_to_data(dict(data), edits)
    for path in (GROUPS, EXTRAS, SOURCES, CONFLICTS, INDEXES):
        if _value_at(data, path) and _value_at(after, path) in ({}, []):
            yield Delete(path=path)


def _list_edits(
    data: Mapping[str, Any],
    path: tuple[str, ...],
    wanted: Mapping[str, list[str]],
    known: Collection[str],
    *,
    keeps_bounds: bool,
) -> Iterator[Edit]:
    """Groups or extras. ``known`` are the packages one of ours can require; another is the user's."""
    if wanted and path == EXTRAS and "project" not in data:
        msg = "tool.torchsel.strategy: 'extras' needs a [project] table to hold them; use 'groups' here"
        raise ConfigError(msg)
    present = _lists_at(data, path)
    names = {owned.canonical(name): name for name in present}
    for name, requirements in wanted.items():
        key = names.get(owned.canonical(name), name)
        value = requirements
        if key in present and keeps_bounds:
            value = _merged(present[key], requirements, known)
        elif key in present and not _requires_only(present[key], known):
            msg = (
                f"{'.'.join(path)}.{key}: the name is needed for torchsel's own but this one requires other"
                " packages; give it another name"
            )
            raise ConfigError(msg)
        if present.get(key) != value:
            yield SetValue(path=(*path, key), value=value)
    for name in sorted(_owned_names(data, path) - {owned.canonical(name) for name in wanted}):
        if name in names and _requires_only(present[names[name]], known):
            yield Delete(path=(*path, names[name]))


def _without(lists: Mapping[str, tuple[str, ...]], foreign: Collection[str]) -> dict[str, list[str]]:
    """The lists without what the user routes."""
    return {
        name: [text for text in items if required_name(text) not in foreign] for name, items in lists.items()
    }


def _merged(present: object, requirements: list[str], known: Collection[str]) -> list[Any]:
    """The user's own list, with packages that are no longer routed taken out and missing ones added."""
    listed = present if isinstance(present, list) else []
    wanted = {required_name(text): text for text in requirements}
    kept = [item for item in listed if required_name(item) in wanted or required_name(item) not in known]
    there = {required_name(item) for item in kept}
    return [*kept, *(text for name, text in wanted.items() if name not in there)]


def _owned_names(data: Mapping[str, Any], path: tuple[str, ...]) -> set[str]:
    """Names of groups or extras that torchsel's own sources are scoped by, in their one spelling."""
    if path == EXTRAS:
        return {owned.canonical(name) for name in owned.routed_choices(data, "extra")}
    return {ANCHOR_GROUP, *(owned.canonical(name) for name in owned.routed_choices(data, "group"))}


def _default_edits(data: Mapping[str, Any], routing: Routing) -> Iterator[Edit]:
    """``default-groups``: the user's own (``dev`` where none are set, as in uv), then the routing's."""
    groups = {owned.canonical(name) for name in _lists_at(data, GROUPS)}
    present = owned.uv_table(data).get("default-groups")
    ours = _owned_names(data, GROUPS) | {owned.canonical(name) for name in routing.groups}
    if present == "all":
        if routing.groups and len(routing.defaults) < len(routing.groups) and routing.conflicts:
            msg = (
                "tool.uv.default-groups: 'all' would take every torch group at once; name those you want,"
                " or set tool.torchsel.default-backend = 'none'"
            )
            raise ConfigError(msg)
        return
    listed = [name for name in present if isinstance(name, str)] if isinstance(present, list) else []
    base = [name for name in listed if owned.canonical(name) not in ours]
    has_dev = "dev" in groups or "dev-dependencies" in owned.uv_table(data)
    if not base and has_dev and (present is None or listed):
        base = ["dev"]
    wanted = [*base, *routing.defaults]
    if wanted == listed or (present is None and not routing.defaults):
        return
    is_uvs_default = wanted == (["dev"] if has_dev else [])
    yield Delete(path=DEFAULT_GROUPS) if is_uvs_default else SetValue(path=DEFAULT_GROUPS, value=wanted)


def _conflict_edits(data: Mapping[str, Any], routing: Routing) -> list[Edit]:
    """Our own conflict set beside the user's; a stale one becomes the new one in place."""
    found = owned.uv_table(data).get("conflicts")
    sets = found if isinstance(found, list) else []
    ours = [at for at, members in enumerate(sets) if _is_owned_set(members, data)]
    wanted = [dict(member) for member in routing.conflicts]
    edits: list[Edit] = []
    if wanted:
        if not ours:
            return [Append(path=CONFLICTS, value=wanted)]
        at = ours.pop(0)
        if sets[at] != wanted:
            edits.append(SetValue(path=(*CONFLICTS, at), value=wanted))
    return [*edits, *(Delete(path=(*CONFLICTS, at)) for at in reversed(ours))]


def _is_owned_set(members: object, data: Mapping[str, Any]) -> bool:
    """Whether a conflict set is between groups, or extras, of torchsel's own alone."""
    names = {"group": _owned_names(data, GROUPS), "extra": _owned_names(data, EXTRAS)}
    return (
        isinstance(members, list)
        and bool(members)
        and all(
            isinstance(member, dict)
            and len(member) == 1
            and any(owned.canonical(str(member.get(scope, ""))) in names[scope] for scope in names)
            for member in members
        )
    )


def _source_edits(
    data: Mapping[str, Any],
    sources: Mapping[str, list[dict[str, str]]],
    keys: Mapping[str, str],
    stale: Sequence[str],
) -> Iterable[Edit]:
    for package, value in sources.items():
        name = keys.get(package, package)
        present = owned.sources(data).get(name)
        if owned.items(present) != value:
            is_single = isinstance(present, dict) and len(value) == 1
            yield SetValue(path=(*SOURCES, name), value=value[0] if is_single else value)
    for name in stale:
        yield Delete(path=(*SOURCES, name))


def _index_edits(data: Mapping[str, Any], routing: Routing, *, kept: Collection[str]) -> list[Edit]:
    """Correct what is there, turn stale entries into the new ones in place, and only then add or delete."""
    entries = owned.indexes(data)
    names = [entry.get("name") for entry in entries]
    stale = [
        at
        for at, entry in enumerate(entries)
        if owned.is_generated(entry) and entry["name"] not in routing.indexes and entry["name"] not in kept
    ]
    edits: list[Edit] = []
    for name, url in routing.indexes.items():
        wanted = {"name": name, "url": url, "explicit": True}
        if name in names:
            at = names.index(name)
            _refuse_foreign(entries[at], at)
        elif stale:
            at = stale.pop(0)
        else:
            edits.append(Append(path=INDEXES, value=wanted))
            continue
        edits += [
            SetValue(path=(*INDEXES, at, key), value=value)
            for key, value in wanted.items()
            if entries[at].get(key) != value
        ]
    return [*edits, *(Delete(path=(*INDEXES, at)) for at in reversed(stale))]


def _refuse_foreign(entry: Mapping[str, Any], at: int) -> None:
    if not owned.is_owned_index(entry):
        msg = (
            f"tool.uv.index[{at}]: the name {entry['name']!r} is needed for torchsel's own index but has"
            " another URL here; give that index another name"
        )
        raise ConfigError(msg)


def _still_used(data: Mapping[str, Any], rewritten: Collection[str | None]) -> set[str]:
    """Index names that sources outside ``rewritten`` point to."""
    return owned.index_names(source for name, source in owned.sources(data).items() if name not in rewritten)


def _is_ours(data: Mapping[str, Any], source: object, kept: Collection[str], names: Collection[str]) -> bool:
    """Whether a source is torchsel's: to its indexes, and scoped by nothing but lists of its own."""
    return owned.is_owned_source(source, kept) and not _users_lists(data, source, names)


def _users_lists(data: Mapping[str, Any], source: object, names: Collection[str]) -> list[str]:
    """Groups and extras that scope a source and have bounds or further packages, so that a user wrote them.

    ``names`` are those that the configuration asks for, whoever began them.
    """
    found = []
    for item in owned.items(source):
        for scope, path in (("group", GROUPS), ("extra", EXTRAS)):
            name = owned.canonical(str(item.get(scope, "")))
            lists = {owned.canonical(key): value for key, value in _lists_at(data, path).items()}
            if name in lists and name not in names and not _is_generated_list(name, lists[name]):
                found.append(name)
    return found


def _is_generated_list(name: str, listed: object) -> bool:
    """Whether a list holds bare names alone, or in a group of a generated name also one exact torch."""
    allowed = {"torch=="} if name.startswith("torch-") else set()
    return isinstance(listed, list) and all(
        isinstance(item, str) and (item == required_name(item) or item[:7] in allowed) for item in listed
    )


def _foreign_note(data: Mapping[str, Any], name: str, kept: Collection[str]) -> str:
    source = owned.sources(data)[name]
    listed = owned.items(source)
    if owned.is_owned_source(source, kept):
        names = ", ".join(_users_lists(data, source, ()))
        return f"tool.uv.sources.{name}: chosen by {names}, which you wrote; 'torchsel init' takes that over"
    kinds = [key for item in listed for key in item if key not in ("marker", "group", "extra")]
    target = next((str(item["index"]) for item in listed if "index" in item), None)
    what = f"index {target!r}" if target else f"a {kinds[0]} source" if kinds else "a source of its own"
    return f"tool.uv.sources.{name}: routed to {what}, which is not torchsel's; left alone"


def _lists_at(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    found = _value_at(data, path)
    return found if isinstance(found, dict) else {}


def _value_at(data: Mapping[str, Any], path: Path) -> Any:
    found: Any = data
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _requires_only(items: object, known: Collection[str]) -> bool:
    """Whether a list requires nothing but ``known`` packages, in whatever release."""
    return isinstance(items, list) and all(required_name(item) in known for item in items)


def required_name(item: object) -> str | None:
    """Name of the package that a requirement string is for."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - start-up time

    try:
        return owned.canonical(Requirement(item).name) if isinstance(item, str) else None
    except InvalidRequirement:
        return None
