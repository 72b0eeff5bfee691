"""What stands in a pyproject.toml, each part with whose it is.

Torchsel's are: indexes named ``pytorch-<backend>`` whose URL ends in a backend, sources to such an index, the
groups, extras and conflict set that those sources are scoped by, and the group of anchors. Another party's
index (``astral-<backend>``) is so where one of those lists names a package that comes from it, as uv's own
commands write the like for a user. The rest is the user's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, KeysView, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from packaging.utils import is_normalized_name

from torchsel.backend import backend_of_url, known_backend
from torchsel.catalog.packages import load_packages
from torchsel.project.places import ANCHOR_GROUP, LISTS, Scope, canonical, table, tables, texts

_BOUND = re.compile(r"torch(<[0-9.]+)(?:;|\Z)", re.ASCII)
_INDEX_KEYS = frozenset({"name", "url", "explicit"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SOURCE_KEYS = frozenset({"index", "marker", "group", "extra"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """One ``[[tool.uv.index]]``; ``at`` is its position."""

    at: int
    entry: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, empty where it has none."""
        name = self.entry.get("name")
        return name if isinstance(name, str) else ""

    @property
    def url(self) -> str:
        """Its URL, empty where it has none."""
        url = self.entry.get("url")
        return url if isinstance(url, str) else ""

    @property
    def tag(self) -> str:
        """The backend that its URL is for, whoever wrote it; empty where the URL says nothing."""
        found = backend_of_url(self.url)
        return found.tag if found else ""

    @property
    def backend(self) -> str | None:
        """The backend that it is named for, where name and URL are of the kind that torchsel generates.

        Any base and channel, no credentials.
        """
        tag = self.name.removeprefix("pytorch-")
        # one that is named for a backend and leads to another is torchsel's too, and somebody's slip
        last = self.url.rstrip("/").rpartition("/")[2]
        is_ours = self.name.startswith("pytorch-") and "@" not in self.url
        return tag if is_ours and known_backend(tag) and known_backend(last) else None

    @property
    def is_generated(self) -> bool:
        """Torchsel's and without a key that only a user can have added; such an entry may go."""
        return self.backend is not None and set(self.entry) <= _INDEX_KEYS

    @property
    def is_companions(self) -> bool:
        """Whether its name and URL are of the kind that torchsel writes for another party's index."""
        for name, url in load_packages().companion_templates:
            tag = self.name.removeprefix(name.format(backend=""))
            ending = url.format(backend=tag).partition("://")[2].partition("/")[2].rstrip("/")
            is_named = self.name == name.format(backend=tag) and known_backend(tag) is not None
            if is_named and "@" not in self.url and self.url.rstrip("/").endswith(f"/{ending}"):
                return True
        return False

    @property
    def may_follow(self) -> bool:
        """Whether it may go with the last source of torchsel's that leads to it."""
        return self.is_companions and self.entry.get("explicit") is True and set(self.entry) <= _INDEX_KEYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One entry of ``tool.uv.sources``: ``key`` as written, ``package`` normalised, ``value`` as is."""

    key: str
    package: str
    value: object

    @property
    def items(self) -> list[dict[str, Any]]:
        """The source as a list, however it is written."""
        return tables(self.value if isinstance(self.value, list) else [self.value])

    @property
    def index_names(self) -> set[str]:
        """Names of the indexes that it points to."""
        return {item["index"] for item in self.items if isinstance(item.get("index"), str)}

    def is_only_to(self, names: Collection[str]) -> bool:
        """Whether every item points to one of these indexes, with nothing beside that torchsel writes not."""
        items = self.items
        return bool(items) and all(
            isinstance(item.get("index"), str) and item["index"] in names and set(item) <= _SOURCE_KEYS
            for item in items
        )


@dataclass(frozen=True)
class Present:
    """All that concerns routing in one pyproject.toml; ``data`` is what the file says."""

    data: Mapping[str, Any]

    @cached_property
    def uv(self) -> Mapping[str, Any]:
        """``tool.uv``."""
        return table(self.data, "tool", "uv")

    @cached_property
    def package(self) -> str:
        """The project's normalised name, empty where there is none."""
        name = table(self.data, "project").get("name")
        return canonical(name) if isinstance(name, str) else ""

    @cached_property
    def indexes(self) -> tuple[Index, ...]:
        """``tool.uv.index``."""
        return tuple(Index(at=at, entry=entry) for at, entry in enumerate(tables(self.uv.get("index"))))

    @cached_property
    def own_indexes(self) -> frozenset[str]:
        """Names of the indexes that are torchsel's."""
        return frozenset(index.name for index in self.indexes if index.backend)

    @cached_property
    def companion_indexes(self) -> frozenset[str]:
        """Names of the indexes that are as torchsel writes them for another party's."""
        return frozenset(index.name for index in self.indexes if index.is_companions)

    @cached_property
    def companions(self) -> frozenset[str]:
        """Packages that torchsel routes to another party's index: one of its own lists names them."""
        own = (self.items_of(scope, name) for scope in LISTS for name in self.own_lists[scope])
        named = {_package_in(item) for items in own for item in items}
        routed = {item.package for item in self.sources.values() if item.is_only_to(self.companion_indexes)}
        return frozenset(routed & named)

    @cached_property
    def backends(self) -> dict[str, str]:
        """URL of each index that is torchsel's, to its backend."""
        return {index.url: index.backend for index in self.indexes if index.backend}

    @cached_property
    def sources(self) -> dict[str, Source]:
        """``tool.uv.sources`` by normalised package name."""
        found = table(self.uv, "sources").items()
        return {canonical(key): Source(key=key, package=canonical(key), value=value) for key, value in found}

    def lists(self, scope: Scope) -> Mapping[str, Any]:
        """The groups or extras, by name as written."""
        return table(self.data, *LISTS[scope])

    @cached_property
    def bound(self) -> str:
        """The specifier (``<2.11``) that the anchor of torch carries, empty where it carries none."""
        matches = (_BOUND.match(str(item)) for item in self.items_of("group", ANCHOR_GROUP))
        return next((match[1] for match in matches if match), "")

    @cached_property
    def conflicts(self) -> list[Any]:
        """``tool.uv.conflicts``."""
        found = self.uv.get("conflicts")
        return found if isinstance(found, list) else []

    @property
    def routed(self) -> str | None:
        """The backend that torchsel's unscoped source of torch points to, None where there is none."""
        items = (item for item in self._own_items if "group" not in item and "extra" not in item)
        return next(map(_tag_in, items), None)

    def alternatives(self, scope: Scope) -> dict[str, str]:
        """Name of each group (or extra) that scopes torchsel's source of torch, to its backend."""
        return {str(item[scope]): _tag_in(item) for item in self._own_items if scope in item}

    @property
    def _own_items(self) -> list[dict[str, Any]]:
        source = self.sources.get("torch")
        return source.items if source and source.is_only_to(self.own_indexes) else []

    @cached_property
    def own_lists(self) -> dict[Scope, frozenset[str]]:
        """Normalised names of the groups and extras that are torchsel's."""
        named = {scope: frozenset(map(canonical, self.alternatives(scope))) for scope in LISTS}
        return {**named, "group": named["group"] | {ANCHOR_GROUP}}

    def is_generated(self, scope: Scope, name: str) -> bool:
        """Whether a group or extra is torchsel's, and says no more than torchsel writes."""
        key = canonical(name)
        return key in self.own_lists[scope] and (key == ANCHOR_GROUP or self.is_plain(scope, key))

    @cached_property
    def also(self) -> frozenset[str]:
        """Every requirement of ``tool.torchsel.also``, of whatever backend."""
        lists = table(self.data, "tool", "torchsel", "also").values()
        return frozenset(item for items in lists for item in texts(items))

    def names(self, scope: Scope) -> KeysView[str]:
        """Normalised names of the groups or extras; ``dev`` also where only uv's legacy list has it."""
        legacy = ["dev"] if scope == "group" and "dev-dependencies" in self.uv else []
        return dict.fromkeys(map(canonical, (*self.lists(scope), *legacy))).keys()

    @cached_property
    def default_groups(self) -> list[str]:
        """Groups that uv takes when none is named, normalised: ``dev`` where the file does not say."""
        listed, defined = self.uv.get("default-groups", ["dev"]), self.names("group")
        if not isinstance(listed, list):
            return [*defined] if listed == "all" else []
        return [name for name in dict.fromkeys(map(canonical, texts(listed))) if name in defined]

    def is_own_set(self, members: object) -> bool:
        """Whether a conflict set is between groups, or extras, of torchsel's own alone."""
        listed = tables(members)
        own = {(scope, name) for scope, names in self.own_lists.items() for name in names}
        named = [{(key, canonical(str(name))) for key, name in member.items()} for member in listed]
        return bool(listed) and listed == members and all(len(each) == 1 and each <= own for each in named)

    def users_lists(self, source: Source, wanted: Collection[str] = ()) -> list[str]:
        """Groups and extras that scope a source and that a user wrote: with bounds or further packages.

        ``wanted`` are normalised names that the configuration asks for, whoever began those lists.
        """
        scoped = ((scope, item) for item in source.items for scope in LISTS if scope in item)
        names = [(scope, canonical(str(item[scope]))) for scope, item in scoped]
        return [name for scope, name in names if name not in wanted and not self.is_plain(scope, name)]

    def is_plain(self, scope: Scope, name: str) -> bool:
        """Whether a list is as torchsel makes them: bare names (markers apart), and what is in ``also``."""
        listed = self._list(scope, name)
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            return False
        # under a generated name torch may have an exact release: uv.lock comes to different ones by them
        has_name = name.startswith("torch-") or known_backend(name.replace("-", ".")) is not None
        others = [
            item
            for item in listed
            if item not in self.also
            and not is_normalized_name(item.partition(";")[0].strip())
            and not (has_name and item.startswith("torch=="))
        ]
        if scope != "group" or not name.startswith("torch-"):
            return not others
        # packages that are none of PyTorch's are from a configuration that may have changed since
        named, family = set(map(_package_in, others)), load_packages().family_packages
        return "torch" in map(_package_in, listed) and not named & family

    def items_of(self, scope: Scope, name: str) -> list[Any]:
        """What a group or extra lists."""
        listed = self._list(scope, canonical(name))
        return listed if isinstance(listed, list) else []

    def _list(self, scope: Scope, name: str) -> object:
        return next((value for key, value in self.lists(scope).items() if canonical(key) == name), [])


def index_names(sources: Iterable[Source]) -> set[str]:
    """Names of the indexes that sources point to."""
    return {name for source in sources for name in source.index_names}


def _tag_in(item: Mapping[str, Any]) -> str:
    return str(item["index"]).removeprefix("pytorch-")


def _package_in(item: object) -> str:
    """The package that a requirement names, empty for what is none."""
    found = _NAME.match(item) if isinstance(item, str) else None
    return canonical(found[0]) if found else ""
