"""What has to change for a routing to stand in a pyproject.toml, as edits; everything else is the user's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from torchsel.errors import ConfigError
from torchsel.project.places import (
    ANCHOR_GROUP,
    CONFLICTS,
    DEFAULT_GROUPS,
    INDEXES,
    LISTS,
    SOURCES,
    Scope,
    canonical,
    texts,
)
from torchsel.project.present import Present
from torchsel.project.requirement import required_name
from torchsel.routing.sources import index_edits, source_edits, split_sources
from torchsel.routing.wanted import Routing
from torchsel.toml.edits import Append, Delete, Edit, Prune, SetValue, apply_to_data, value_at

_SCOPES: tuple[Scope, ...] = ("group", "extra")


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Edits that bring a file in line, and sentences on entries that are the user's and were left alone.

    ``is_users`` tells that torch itself is routed by the user, so that there is nothing to bring in line;
    ``past`` names the workspace members that route a package themselves, past what stands in the root.
    ``taken_out`` of requirements that go from torchsel's own lists, where nothing but the file knew of them.
    """

    edits: tuple[Edit, ...] = ()
    left_alone: tuple[str, ...] = ()
    taken_out: tuple[str, ...] = ()
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
    members' own sources point to, ``addressed`` the packages required by address and where. Nothing changes
    while torch itself is the user's.

    Raises:
        ConfigError: a name that is needed stands for something of the user's own.
    """
    sources = split_sources(present, routing, ours=ours, addressed=addressed)
    if "torch" in sources.foreign:  # a family split over two builds can't work
        return Changes(left_alone=sources.notes, is_users=True)
    routed = {name for name, source in present.sources.items() if source.is_only_to(present.own_indexes)}
    known = {*ours, *routing.sources, *routed, *map(required_name, present.also)}
    lists = [_Lists(present, scope, routing, sources.foreign, known) for scope in _SCOPES]
    edits = [
        *(edit for each in lists for edit in each.edits()),
        *_conflict_edits(present, routing),
        *source_edits(present, sources),
        *index_edits(present, routing, sources, used=used),
        *_default_edits(present, routing),  # last, as they come and go by themselves
    ]
    return Changes(
        edits=(*edits, *_emptied(present.data, edits)),
        left_alone=sources.notes,
        taken_out=tuple(note for each in lists for note in each.taken_out()),
    )


def _emptied(data: Mapping[str, Any], edits: Sequence[Edit]) -> Iterator[Edit]:
    """Take away what ``edits`` leave empty."""
    # so that going to another backend and back changes nothing; what was empty before is the user's
    if not any(isinstance(edit, Delete) for edit in edits):
        return
    after = apply_to_data(dict(data), edits)
    for path in (LISTS["group"], LISTS["extra"], SOURCES, CONFLICTS, INDEXES, ("tool", "uv")):
        if value_at(data, path) and value_at(after, path) in ({}, []):
            after = apply_to_data(after, [prune := Prune(path=path)])
            yield prune


@dataclass(frozen=True)
class _Lists:
    """Groups or extras, present and wanted. ``known`` are the packages one of ours can require."""

    present: Present
    scope: Scope
    routing: Routing
    foreign: Collection[str]
    known: Collection[str | None]

    def edits(self) -> Iterator[Edit]:
        """What makes them as wanted; another package than a known one in a list of the user's stays."""
        present, there, path = self.present, self.present.lists(self.scope), LISTS[self.scope]
        for key, value in self._wanted.items():
            if there.get(key) != value:
                yield SetValue(path=(*path, key), value=value)
        for key in self._stale():
            name = canonical(key)
            is_ours = name.startswith("torch-") or name == ANCHOR_GROUP or present.is_plain(self.scope, name)
            # a list with a package that torchsel doesn't know stays, without what came from `also`
            if is_ours and self._requires_only_known(there[key]):
                yield Delete(path=(*path, key))
            elif (left := [item for item in there[key] if item not in present.also]) != there[key]:
                yield SetValue(path=(*path, key), value=left)

    def taken_out(self) -> Iterator[str]:
        """A sentence for each list that loses requirements of packages that are not known."""
        for key, value in self._wanted.items():
            lost = [item for item in self.present.items_of(self.scope, key) if item not in value]
            if unknown := ", ".join(str(item) for item in lost if self._is_unknown(item)):
                yield f"{self._place(key)}: {unknown} taken out, as tool.torchsel.also has no such line"

    @cached_property
    def _wanted(self) -> dict[str, list[Any]]:
        """Each list by its key as written."""
        wanted, there = self.routing.lists(self.scope), self.present.lists(self.scope)
        names = {canonical(name): name for name in there}
        found: dict[str, list[Any]] = {}
        for name, items in wanted.items():
            key = names.get(canonical(name), name)
            found[key] = [text for text in items if required_name(text) not in self.foreign]
            if key in there and self.routing.keeps_bounds and name != ANCHOR_GROUP:
                found[key] = self._merged(key, found[key])
            elif key in there and not self._requires_only_known(there[key]):
                self._refuse_unknown(key)
        return found

    def _merged(self, key: str, requirements: list[str]) -> list[Any]:
        """The user's own list, without what is no longer wanted, with what is missing and what is exact."""
        names = {required_name(text): text for text in requirements}
        also = set(map(required_name, self.present.also))
        found: list[Any] = []
        for item in self.present.items_of(self.scope, key):
            name = required_name(item)
            # what is exact is torchsel's to say; a bound of the user's on a bare name stays as it is
            if name in names and (name in also or name != names[name]):
                found += [text for text in requirements if required_name(text) == name and text not in found]
            elif name in names or (self._is_unknown(item) and not self.routing.owns_items):
                found.append(item)
        there = {required_name(item) for item in found}
        return [*found, *(text for text in requirements if required_name(text) not in there)]

    def _stale(self) -> list[str]:
        """Keys of torchsel's own lists that are not wanted."""
        wanted = set(map(canonical, self.routing.lists(self.scope)))
        names = {canonical(name): name for name in self.present.lists(self.scope)}
        return [names[name] for name in sorted(self.present.own_lists[self.scope] - wanted) if name in names]

    def _refuse_unknown(self, key: str) -> None:
        """Refuse a list under a name that is needed, unless all that stands in it is torchsel's."""
        if canonical(key) not in map(canonical, self.present.alternatives(self.scope)):
            msg = (
                f"{self._place(key)}: the name is needed for torchsel's own but this one requires other"
                " packages; give it another name"
            )
            raise ConfigError(msg)
        items = self.present.items_of(self.scope, key)
        if items and not self.routing.owns_items:
            others = ", ".join(str(item) for item in items if self._is_unknown(item))
            msg = (
                f"{self._place(key)}: {others} is not from torchsel; write it under tool.torchsel.also, or"
                " take it out (an empty [tool.torchsel.also] does so)"
            )
            raise ConfigError(msg)

    def _place(self, key: str) -> str:
        return ".".join((*LISTS[self.scope], key))

    def _requires_only_known(self, items: object) -> bool:
        return isinstance(items, list) and not any(map(self._is_unknown, items))

    def _is_unknown(self, item: object) -> bool:
        return required_name(item) not in self.known


def _default_edits(present: Present, routing: Routing) -> Iterator[Edit]:
    """``default-groups``: the user's own (``dev`` where none are set, as in uv), then the routing's."""
    written, has_dev = present.uv.get("default-groups"), "dev" in present.names("group")
    ours = present.own_lists["group"].union(map(canonical, routing.groups))
    if written == "all":
        if routing.groups.keys() - {ANCHOR_GROUP, *routing.defaults} and routing.conflicts:
            msg = (
                "tool.uv.default-groups: 'all' would take every torch group at once; name those you want,"
                " or set tool.torchsel.default-backend = 'none'"
            )
            raise ConfigError(msg)
        return
    if written == [] and has_dev and routing.defaults:
        msg = (
            "tool.uv.default-groups: [] keeps 'dev' out, which can't be told any more once the torch groups"
            " stand there; take it out, or write default-backend = 'pypi' in [tool.torchsel]"
        )
        raise ConfigError(msg)
    listed = texts(written)
    base = [name for name in listed if canonical(name) not in ours]
    # uv takes `dev` where the key is missing, and nothing else once it is there
    if not base and has_dev and (written is None or listed):
        base = ["dev"]
    is_uvs_default = base == (["dev"] if has_dev else [])
    # a ["dev"] that the user wrote stands behind ours: by that it is told from uv's own default, and stays
    is_written = bool(base and listed) and canonical(listed[-1]) not in ours
    wanted = [*routing.defaults, *base] if is_uvs_default and is_written else [*base, *routing.defaults]
    if wanted == listed or (written is None and not routing.defaults):
        return
    is_needless = is_uvs_default and not is_written and not routing.defaults
    yield Delete(path=DEFAULT_GROUPS) if is_needless else SetValue(path=DEFAULT_GROUPS, value=wanted)


def _conflict_edits(present: Present, routing: Routing) -> list[Edit]:
    """Our own conflict set beside the user's."""
    ours = [at for at, members in enumerate(present.conflicts) if present.is_own_set(members)]
    wanted = [dict(member) for member in routing.conflicts]
    if wanted and not ours:
        return [Append(path=CONFLICTS, value=wanted)]
    kept = ours[:1] if wanted else []  # a stale one becomes the new one in place
    changed = (at for at in kept if present.conflicts[at] != wanted)
    return [
        *(SetValue(path=(*CONFLICTS, at), value=wanted) for at in changed),
        # from the last one on, as the places of those behind one that goes are others then
        *(Delete(path=(*CONFLICTS, at)) for at in reversed(ours[len(kept) :])),
    ]
