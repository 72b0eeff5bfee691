"""What stands in a pyproject.toml, and which of it is torchsel's.

Owned are: indexes named ``pytorch-<backend>`` whose URL ends in that backend, sources to such an index, and
the groups, extras and conflict set that those sources are scoped by, beside the ``torchsel`` group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from torchsel.backend import Backend
from torchsel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Scope = Literal["group", "extra"]

INDEXES = ("tool", "uv", "index")
SOURCES = ("tool", "uv", "sources")

_INDEX_KEYS = frozenset({"name", "url", "explicit"})
_SOURCE_KEYS = frozenset({"index", "marker", "group", "extra"})


def routed_backend(data: Mapping[str, Any], package: str = "torch") -> str | None:
    """The backend that an owned, unscoped source of ``package`` points to, None where there is none."""
    for item in owned_items(data, package):
        if "group" not in item and "extra" not in item:
            return str(item["index"]).removeprefix("pytorch-")
    return None


def routed_choices(data: Mapping[str, Any], scope: Scope, package: str = "torch") -> dict[str, str]:
    """Name of each group (or extra) that an owned source of ``package`` is scoped by, to its backend."""
    return {
        str(item[scope]): str(item["index"]).removeprefix("pytorch-")
        for item in owned_items(data, package)
        if scope in item
    }


def owned_items(data: Mapping[str, Any], package: str) -> list[dict[str, Any]]:
    """The items of an owned source of ``package``; none where it has no source or one of the user's."""
    owned = owned_indexes(data)
    for name, source in sources(data).items():
        if canonical(name) == package and is_owned_source(source, owned):
            return items(source)
    return []


def owned_urls(data: Mapping[str, Any]) -> dict[str, str]:
    """URL of each index that is torchsel's, to its backend."""
    return {
        entry["url"]: entry["name"].removeprefix("pytorch-")
        for entry in indexes(data)
        if is_owned_index(entry)
    }


def owned_indexes(data: Mapping[str, Any]) -> set[str]:
    """Names of the indexes that are torchsel's."""
    return {entry["name"] for entry in indexes(data) if is_owned_index(entry)}


def is_owned_index(entry: Mapping[str, Any]) -> bool:
    """Whether name and URL are of the kind that torchsel generates: any base and channel, no credentials.

    One that is named for a backend and leads to another is torchsel's too, and somebody's slip.
    """
    name, url = entry.get("name"), entry.get("url")
    if not isinstance(name, str) or not isinstance(url, str) or not name.startswith("pytorch-") or "@" in url:
        return False
    tag = name.removeprefix("pytorch-")
    last = url.rstrip("/").rpartition("/")[2]
    return _family(tag) is not None and (last == tag or _family(last) not in (None, "other"))


def _family(tag: str) -> str | None:
    try:
        return Backend.parse(tag).family
    except ConfigError:
        return None


def is_generated(entry: Mapping[str, Any]) -> bool:
    """Owned and without a key that only a user can have added; such an entry may go."""
    return is_owned_index(entry) and set(entry) <= _INDEX_KEYS


def is_owned_source(source: object, owned: Collection[str]) -> bool:
    """Whether every item of a source points to an index in ``owned``."""
    listed = items(source)
    return bool(listed) and all(
        isinstance(item.get("index"), str) and item["index"] in owned and set(item) <= _SOURCE_KEYS
        for item in listed
    )


def indexes(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``tool.uv.index``."""
    found = uv_table(data).get("index")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def sources(data: Mapping[str, Any]) -> dict[str, Any]:
    """``tool.uv.sources``."""
    found = uv_table(data).get("sources")
    return found if isinstance(found, dict) else {}


def items(source: object) -> list[dict[str, Any]]:
    """A source as a list, however it is written."""
    listed = source if isinstance(source, list) else [source]
    return [item for item in listed if isinstance(item, dict)]


def index_names(found: Iterable[object]) -> set[str]:
    """Names of the indexes that sources point to."""
    return {item["index"] for source in found for item in items(source) if isinstance(item.get("index"), str)}


def uv_table(data: Mapping[str, Any]) -> dict[str, Any]:
    """``tool.uv``."""
    return table(table(data, "tool"), "uv")


def table(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The table at ``key``, empty where there is none."""
    found = data.get(key)
    return found if isinstance(found, dict) else {}


def canonical(name: str) -> str:
    """A package, group or extra name in its one spelling (PEP 503)."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - start-up time

    return canonicalize_name(name)
