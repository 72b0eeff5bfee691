"""What stands in a pyproject.toml, each part with whose it is.

Torchsel's are: indexes named ``pytorch-<backend>`` whose URL ends in a backend, sources to such an index, the
groups, extras and conflict set that those sources are scoped by, and the group of anchors. Another party's
index (``astral-<backend>``) is so where one of those lists names a package that comes from it, as uv's own
commands write the like for a user. The rest is the user's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from packaging.utils import is_normalized_name

from torchsel.backend import known_backend
from torchsel.catalog.packages import load_packages
from torchsel.project.places import ANCHOR_GROUP, LISTS, Scope, canonical, table

_BOUND = re.compile(r"torch(<[0-9.]+)(?:;|\Z)", re.ASCII)
_INDEX_KEYS = frozenset({"name", "url", "explicit"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SOURCE_KEYS = frozenset({"index", "marker", "group", "extra"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """One ``[[tool.uv.index]]``; ``at`` is its position, ``backend`` its tag where it is torchsel's."""

    at: int
    entry: Mapping[str, Any]
    backend: str | None

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
    def is_generated(self) -> bool:
        """Torchsel's and without a key that only a user can have added; such an entry may go."""
        return self.backend is not None and set(self.entry) <= _INDEX_KEYS

    @property
    def is_companions(self) -> bool:
        """Whether its name and URL are of the kind that torchsel writes for another party's index."""
        return any(_is_of_kind(self, name, url) for name, url in load_packages().companion_templates)

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
        listed = self.value if isinstance(self.value, list) else [self.value]
        return [item for item in listed if isinstance(item, dict)]

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

    def scopes(self) -> Iterator[tuple[Scope, str]]:
        """Each group and extra that an item is for, by its normalised name."""
        scopes: tuple[Scope, ...] = ("group", "extra")
        for item in self.items:
            yield from ((scope, canonical(str(item[scope]))) for scope in scopes if scope in item)


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
        listed = self.uv.get("index")
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        return tuple(Index(at=at, entry=entry, backend=_backend(entry)) for at, entry in enumerate(entries))

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
        lists = ((self.lists(scope), self.own_lists(scope)) for scope in LISTS)
        own = [items for listed, names in lists for name, items in listed.items() if canonical(name) in names]
        named = {_package_in(item) for items in own if isinstance(items, list) for item in items}
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
        listed = [Source(key=key, package=canonical(key), value=value) for key, value in found]
        return {source.package: source for source in listed}

    def lists(self, scope: Scope) -> Mapping[str, Any]:
        """The groups or extras, by name as written."""
        return table(self.data, *LISTS[scope])

    @cached_property
    def bound(self) -> str:
        """The specifier (``<2.11``) that the anchor of torch carries, empty where it carries none."""
        items = self.lists("group").get(ANCHOR_GROUP)
        listed = [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
        return next((match[1] for item in listed if (match := _BOUND.match(item))), "")

    @cached_property
    def conflicts(self) -> list[Any]:
        """``tool.uv.conflicts``."""
        found = self.uv.get("conflicts")
        return found if isinstance(found, list) else []

    def routed(self, package: str = "torch") -> str | None:
        """The backend that torchsel's unscoped source of ``package`` points to, None where there is none."""
        for item in self._own_items(package):
            if "group" not in item and "extra" not in item:
                return _tag_in(item)
        return None

    def alternatives(self, scope: Scope, package: str = "torch") -> dict[str, str]:
        """Name of each group (or extra) that scopes torchsel's source of ``package``, to its backend."""
        return {str(item[scope]): _tag_in(item) for item in self._own_items(package) if scope in item}

    def own_lists(self, scope: Scope) -> frozenset[str]:
        """Normalised names of the groups or extras that are torchsel's."""
        return self._own_lists[scope]

    @cached_property
    def _own_lists(self) -> dict[Scope, frozenset[str]]:
        named = {scope: frozenset(map(canonical, self.alternatives(scope))) for scope in LISTS}
        return {**named, "group": named["group"] | {ANCHOR_GROUP}}

    def is_generated(self, scope: Scope, name: str) -> bool:
        """Whether a group or extra is torchsel's, and says no more than torchsel writes."""
        return canonical(name) in self._generated_lists[scope]

    @cached_property
    def _generated_lists(self) -> dict[Scope, frozenset[str]]:
        return {
            scope: frozenset(
                name
                for name in own
                if name == ANCHOR_GROUP or _is_generated(scope, name, self._list(scope, name), self.also)
            )
            for scope, own in self._own_lists.items()
        }

    @cached_property
    def also(self) -> frozenset[str]:
        """Every requirement of ``tool.torchsel.also``, of whatever backend."""
        listed = table(self.data, "tool", "torchsel", "also").values()
        return frozenset(
            item for items in listed if isinstance(items, list) for item in items if isinstance(item, str)
        )

    def is_own_set(self, members: object) -> bool:
        """Whether a conflict set is between groups, or extras, of torchsel's own alone."""
        return (
            isinstance(members, list)
            and bool(members)
            and all(isinstance(member, dict) and self._is_own_member(member) for member in members)
        )

    def users_lists(
        self, source: Source, wanted: Collection[str] = (), also: Collection[str] = ()
    ) -> list[str]:
        """Groups and extras that scope a source and that a user wrote: with bounds or further packages.

        ``wanted`` are normalised names that the configuration asks for, whoever began those lists, ``also``
        the requirements that it has beside torch.
        """
        return [
            name
            for scope, name in source.scopes()
            if name not in wanted and not _is_generated(scope, name, self._list(scope, name), also)
        ]

    def is_generated_list(self, scope: Scope, name: str, also: Collection[str] = ()) -> bool:
        """Whether torchsel can have written a list alone: by its name, or with bare names and no more.

        ``also`` are the requirements that the configuration has beside torch.
        """
        has_name = name.startswith("torch-") or name == ANCHOR_GROUP
        return has_name or _is_generated(scope, name, self._list(scope, name), also)

    def _list(self, scope: Scope, name: str) -> object:
        return next((value for key, value in self.lists(scope).items() if canonical(key) == name), [])

    def _own_items(self, package: str) -> list[dict[str, Any]]:
        source = self.sources.get(package)
        return source.items if source and source.is_only_to(self.own_indexes) else []

    def _is_own_member(self, member: Mapping[str, Any]) -> bool:
        scopes = [scope for scope in LISTS if scope in member]
        return len(member) == 1 and any(
            canonical(str(member[scope])) in self.own_lists(scope) for scope in scopes
        )


def index_names(sources: Iterable[Source]) -> set[str]:
    """Names of the indexes that sources point to."""
    return {name for source in sources for name in source.index_names}


def _backend(entry: Mapping[str, Any]) -> str | None:
    """The backend of an index whose name and URL are of the kind that torchsel generates.

    Any base and channel, no credentials. One that is named for a backend and leads to another is torchsel's
    too, and somebody's slip.
    """
    name, url = entry.get("name"), entry.get("url")
    if not isinstance(name, str) or not isinstance(url, str) or not name.startswith("pytorch-") or "@" in url:
        return None
    tag = name.removeprefix("pytorch-")
    last = url.rstrip("/").rpartition("/")[2]
    return tag if known_backend(tag) and known_backend(last) else None


def _tag_in(item: Mapping[str, Any]) -> str:
    return str(item["index"]).removeprefix("pytorch-")


def _is_of_kind(index: Index, name: str, url: str) -> bool:
    """Whether an index has the name of a template, and a URL that ends as the template's does."""
    tag = index.name.removeprefix(name.format(backend=""))
    ending = url.format(backend=tag).partition("://")[2].partition("/")[2].rstrip("/")
    is_named = index.name == name.format(backend=tag) and known_backend(tag) is not None
    return is_named and "@" not in index.url and index.url.rstrip("/").endswith(f"/{ending}")


def _package_in(item: object) -> str:
    """The package that a requirement names, empty for what is none."""
    found = _NAME.match(item) if isinstance(item, str) else None
    return canonical(found[0]) if found else ""


def _is_generated(scope: Scope, name: str, listed: object, also: Collection[str] = ()) -> bool:
    """Whether a list is as torchsel makes them: bare names (markers apart), and what is in ``also``.

    Under a generated name torch may have an exact release, and in a group of one there may be packages that
    are none of PyTorch's: torchsel puts them there, from a configuration that may have changed since.
    """
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        return False
    has_name = name.startswith("torch-") or known_backend(name.replace("-", ".")) is not None
    others = [item for item in listed if item not in also]
    others = [item for item in others if not is_normalized_name(item.partition(";")[0].strip())]
    others = [item for item in others if not (has_name and item.startswith("torch=="))]
    if scope != "group" or not name.startswith("torch-"):
        return not others
    named, family = set(map(_package_in, others)), load_packages().family_packages
    return "torch" in map(_package_in, listed) and not named & family
