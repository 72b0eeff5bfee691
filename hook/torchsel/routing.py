"""The routing that sends torch to a backend's index, and what has to change for it to stand in a file.

torchsel changes only what it owns: indexes named ``pytorch-<backend>`` whose URL ends in that backend,
sources to such an index for packages it routes, and the ``torchsel`` dependency group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchsel.backend import Backend
from torchsel.edits import Append, Delete, Edit, SetValue
from torchsel.errors import ConfigError
from torchsel.requirements import ANCHOR_GROUP

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

INDEXES = ("tool", "uv", "index")
SOURCES = ("tool", "uv", "sources")

_INDEX_KEYS = frozenset({"name", "url", "explicit"})
_SOURCE_KEYS = frozenset({"index", "marker", "group", "extra"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Routing:
    """What is to stand in the file: index name to URL, package to its source list, anchor requirements."""

    indexes: Mapping[str, str]
    sources: Mapping[str, list[dict[str, str]]]
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """Edits that bring a file in line, and sentences on entries that are the user's and were left alone."""

    edits: tuple[Edit, ...]
    left_alone: tuple[str, ...] = ()


def pin(
    *, backend: Backend, url: str, packages: Iterable[str], anchored: Collection[str], marker: str
) -> Routing:
    """Route ``packages`` to ``backend``'s index on the platforms of ``marker``.

    ``anchored`` are those of them that the project does not require itself, so that a source alone would
    not reach them.
    """
    source = {"index": backend.index_name, **({"marker": marker} if marker else {})}
    suffix = f"; {marker}" if marker else ""
    routed = list(dict.fromkeys(packages))
    return Routing(
        indexes={backend.index_name: url},
        sources={package: [dict(source)] for package in routed},
        anchors=tuple(f"{package}{suffix}" for package in routed if package in anchored),
    )


def platform_marker(platforms: Collection[str]) -> str:
    """The PEP 508 marker for catalog platforms; macOS is left to uv's default index, which has its builds."""
    x86_64, aarch64 = "linux_x86_64" in platforms, "linux_aarch64" in platforms
    parts = []
    if x86_64 and aarch64:
        parts.append("sys_platform == 'linux'")
    elif x86_64 or aarch64:
        machine = "x86_64" if x86_64 else "aarch64"
        parts.append(f"sys_platform == 'linux' and platform_machine == '{machine}'")
    if any(platform.startswith("win_") for platform in platforms):
        parts.append("sys_platform == 'win32'")
    if len(parts) > 1:
        parts = [f"({part})" if " and " in part else part for part in parts]
    return " or ".join(parts)


def routed_backend(data: Mapping[str, Any], package: str = "torch") -> str | None:
    """The backend that an owned source of ``package`` points to, None where there is none."""
    owned = _owned_indexes(data)
    for name, source in _sources(data).items():
        if _canonical(name) == package and _is_owned_source(source, owned):
            return str(_items(source)[0]["index"]).removeprefix("pytorch-")
    return None


def owned_urls(data: Mapping[str, Any]) -> set[str]:
    """URLs of the indexes that are torchsel's."""
    return {entry["url"] for entry in _indexes(data) if _is_owned_index(entry)}


def changes(data: Mapping[str, Any], routing: Routing, *, ours: Collection[str]) -> Changes:
    """Compare a pyproject.toml with ``routing``.

    ``ours`` are the packages whose stale owned sources may go. Nothing changes while torch itself has a
    source that is the user's, as a family split over two builds can't work.

    Raises:
        ConfigError: an index of a name that is needed is there with a foreign URL, or a ``torchsel``
            group of the user's own.
    """
    owned = _owned_indexes(data)
    keys = {_canonical(name): name for name in _sources(data)}
    foreign = {
        package: keys[package]
        for package in routing.sources
        if package in keys and not _is_owned_source(_sources(data)[keys[package]], owned)
    }
    notes = tuple(_foreign_note(name, _sources(data)[name]) for name in foreign.values())
    if "torch" in foreign:
        return Changes(edits=(), left_alone=notes)
    sources = {package: value for package, value in routing.sources.items() if package not in foreign}
    stale = [name for package, name in keys.items() if package in ours and package not in routing.sources]
    stale = [name for name in stale if _is_owned_source(_sources(data)[name], owned)]
    edits = [
        *_source_edits(data, sources, keys, stale),
        *_index_edits(data, routing, kept=_still_used(data, {*stale, *(keys.get(p) for p in sources)})),
        *_anchor_edits(
            data,
            [text for text in routing.anchors if _anchor_name(text) not in foreign],
            known={*ours, *routing.sources, *keys},
        ),
    ]
    return Changes(edits=tuple(edits), left_alone=notes)


def _source_edits(
    data: Mapping[str, Any],
    sources: Mapping[str, list[dict[str, str]]],
    keys: Mapping[str, str],
    stale: Sequence[str],
) -> Iterable[Edit]:
    for package, value in sources.items():
        name = keys.get(package, package)
        if _items(_sources(data).get(name)) != value:
            yield SetValue(path=(*SOURCES, name), value=value)
    for name in stale:
        yield Delete(path=(*SOURCES, name))


def _index_edits(data: Mapping[str, Any], routing: Routing, *, kept: Collection[str]) -> list[Edit]:
    """Correct what is there, turn stale entries into the new ones in place, and only then add or delete."""
    entries = _indexes(data)
    names = [entry.get("name") for entry in entries]
    stale = [
        at
        for at, entry in enumerate(entries)
        if _is_generated(entry) and entry["name"] not in routing.indexes and entry["name"] not in kept
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


def _anchor_edits(data: Mapping[str, Any], anchors: list[str], *, known: Collection[str]) -> Iterable[Edit]:
    """``known`` are the packages an anchor can be for; a group that requires others is the user's."""
    groups = data.get("dependency-groups")
    present = groups.get(ANCHOR_GROUP) if isinstance(groups, dict) else None
    path = ("dependency-groups", ANCHOR_GROUP)
    if present is not None and not _are_anchors(present, known):
        if anchors:
            msg = (
                f"dependency-groups.{ANCHOR_GROUP}: the name is needed for torchsel's own group but this one"
                " requires other packages; give that group another name"
            )
            raise ConfigError(msg)
    elif anchors and present != anchors:
        yield SetValue(path=path, value=anchors)
    elif not anchors and present is not None:
        yield Delete(path=path)


def _are_anchors(items: object, known: Collection[str]) -> bool:
    """Whether a group requires nothing but ``known`` packages, in whatever release."""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - start-up time

    try:
        return isinstance(items, list) and all(_canonical(Requirement(item).name) in known for item in items)
    except (InvalidRequirement, TypeError):
        return False


def _refuse_foreign(entry: Mapping[str, Any], at: int) -> None:
    if not _is_owned_index(entry):
        msg = (
            f"tool.uv.index[{at}]: the name {entry['name']!r} is needed for torchsel's own index but has"
            " another URL here; give that index another name"
        )
        raise ConfigError(msg)


def _still_used(data: Mapping[str, Any], rewritten: Collection[str | None]) -> set[str]:
    """Index names that sources outside ``rewritten`` point to."""
    return {
        item["index"]
        for name, source in _sources(data).items()
        if name not in rewritten
        for item in _items(source)
        if isinstance(item.get("index"), str)
    }


def _owned_indexes(data: Mapping[str, Any]) -> set[str]:
    return {entry["name"] for entry in _indexes(data) if _is_owned_index(entry)}


def _is_owned_index(entry: Mapping[str, Any]) -> bool:
    """Whether name and URL are as torchsel generates them: without credentials, for any base and channel."""
    name, url = entry.get("name"), entry.get("url")
    if not isinstance(name, str) or not isinstance(url, str) or not name.startswith("pytorch-") or "@" in url:
        return False
    try:
        backend = Backend.parse(name.removeprefix("pytorch-"))
    except ConfigError:
        return False
    return url.rstrip("/").endswith(f"/{backend.tag}")


def _is_generated(entry: Mapping[str, Any]) -> bool:
    """Owned and without a key that only a user can have added; such an entry may go."""
    return _is_owned_index(entry) and set(entry) <= _INDEX_KEYS


def _is_owned_source(source: object, owned: Collection[str]) -> bool:
    items = _items(source)
    return bool(items) and all(
        isinstance(item.get("index"), str) and item["index"] in owned and set(item) <= _SOURCE_KEYS
        for item in items
    )


def _foreign_note(name: str, source: object) -> str:
    kinds = [key for item in _items(source) for key in item if key not in ("marker", "group", "extra")]
    target = next((str(item["index"]) for item in _items(source) if "index" in item), None)
    what = f"index {target!r}" if target else f"a {kinds[0]} source" if kinds else "a source of its own"
    return f"tool.uv.sources.{name}: routed to {what}, which is not torchsel's; left alone"


def _indexes(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = _uv(data).get("index")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _sources(data: Mapping[str, Any]) -> dict[str, Any]:
    found = _uv(data).get("sources")
    return found if isinstance(found, dict) else {}


def _items(source: object) -> list[dict[str, Any]]:
    listed = source if isinstance(source, list) else [source]
    return [item for item in listed if isinstance(item, dict)]


def _uv(data: Mapping[str, Any]) -> dict[str, Any]:
    tool = data.get("tool")
    found = tool.get("uv") if isinstance(tool, dict) else None
    return found if isinstance(found, dict) else {}


def _anchor_name(text: str) -> str:
    return text.partition(";")[0]


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - start-up time

    return canonicalize_name(name)
