"""Sources and indexes: which are torchsel's to change, and the edits that bring them in line.

And a user's own indexes that become torchsel's: what their URLs have in common, and their new names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError
from torchsel.project.places import INDEXES, SOURCES, canonical
from torchsel.project.present import Index, Present, Source, index_names
from torchsel.routing.wanted import Routing
from torchsel.toml.edits import Append, Delete, Edit, SetValue


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What happens to each source: ``wanted`` is written, ``stale`` goes, ``foreign`` is the user's.

    ``wanted`` maps a package to its items, ``stale`` are keys as written, ``notes`` tell of the foreign ones.
    """

    wanted: Mapping[str, list[dict[str, str]]]
    stale: tuple[str, ...]
    foreign: frozenset[str]
    notes: tuple[str, ...]


def split_sources(
    present: Present, routing: Routing, *, ours: Collection[str], addressed: Mapping[str, str]
) -> Sources:
    """Sort the sources of a file and of ``routing`` by what happens to them."""
    there = {index.name for index in present.indexes}
    own = present.own_indexes | present.companion_indexes
    indexes = own | {name for name in routing.indexes if name not in there}
    names = {canonical(name) for name in (*routing.groups, *routing.extras)}

    def is_ours(source: Source) -> bool:
        return source.is_only_to(indexes) and not present.users_lists(source, names)

    users = [present.sources[name] for name in routing.sources if name in present.sources]
    users = [source for source in users if not is_ours(source)]
    notes = [_foreign_note(present, source, indexes) for source in users]
    reached = sorted(addressed.keys() & routing.sources.keys())
    notes += [f"{addressed[name]}: {name} is required by address; left alone" for name in reached]
    foreign = frozenset({*(source.package for source in users), *reached})
    unwanted = (source for name, source in present.sources.items() if name not in routing.sources)
    return Sources(
        wanted={package: items for package, items in routing.sources.items() if package not in foreign},
        stale=tuple(source.key for source in unwanted if source.package in ours and is_ours(source)),
        foreign=foreign,
        notes=tuple(notes),
    )


def source_edits(present: Present, sources: Sources) -> Iterator[Edit]:
    """What makes the sources as wanted."""
    for package, items in sources.wanted.items():
        source = present.sources.get(package)
        if (source.items if source else []) != items:
            # what the user wrote as a table stays one
            is_single = source is not None and isinstance(source.value, dict) and len(items) == 1
            key = source.key if source else package
            yield SetValue(path=(*SOURCES, key), value=items[0] if is_single else items)
    for key in sources.stale:
        yield Delete(path=(*SOURCES, key))


def index_edits(present: Present, routing: Routing, sources: Sources, *, used: Collection[str]) -> list[Edit]:
    """Correct what is there, turn stale entries into the new ones in place, and only then add or delete."""
    rewritten = {*sources.wanted, *map(canonical, sources.stale)}
    others = [source for name, source in present.sources.items() if name not in rewritten]
    left = index_names(source for name, source in present.sources.items() if name in rewritten)
    needed = {item["index"] for items in sources.wanted.values() for item in items}
    wanted = {name: url for name, url in routing.indexes.items() if name in needed}
    # an index that a source of the user's, or of a member's, leads to is no longer torchsel's to take away
    kept = {*used, *index_names(others), *wanted}
    stale = [
        index
        for index in present.indexes
        if index.name not in kept and (index.is_generated or (index.may_follow and index.name in left))
    ]
    by_name = {index.name: index for index in reversed(present.indexes)}  # of two with one name the first
    for name in wanted.keys() & by_name.keys():
        _refuse_foreign(by_name[name])
    places = _places(wanted, by_name, stale)
    edits: list[Edit] = []
    for name, url in wanted.items():
        # uv looks for every package in an index that is not explicit
        entry = {"name": name, "url": url, "explicit": True}
        if (found := places.get(name)) is None:
            edits.append(Append(path=INDEXES, value=entry))
            continue
        edits += [
            SetValue(path=(*INDEXES, found.at, key), value=value)
            for key, value in entry.items()
            if found.entry.get(key) != value
        ]
    gone = [index for index in stale if index not in places.values()]
    # from the last one on, as the places of those behind one that goes are others then
    return [*edits, *(Delete(path=(*INDEXES, index.at)) for index in reversed(gone))]


def _places(
    wanted: Collection[str], by_name: Mapping[str, Index], stale: Collection[Index]
) -> dict[str, Index]:
    """The entry for each wanted index: its own, else a stale one of its kind."""
    found: dict[str, Index] = {}
    for kind in dict.fromkeys(map(_kind, wanted)):
        names = [name for name in wanted if _kind(name) == kind]
        own = {name: by_name[name] for name in names if name in by_name}
        like = [index for index in stale if _kind(index.name) == kind]
        there = sorted([*own.values(), *like], key=lambda index: index.at)
        # where further ones are added, those take the entries that are there in their order, so that the
        # list is the same from wherever it began
        if len(names) > len(there) and all(index.is_generated for index in there):
            found |= zip(names, there, strict=False)
        else:
            found |= own | dict(zip((name for name in names if name not in own), like, strict=False))
    return found


def _kind(name: str) -> str:
    """``pytorch`` of ``pytorch-cu130``."""
    return name.partition("-")[0]


def _refuse_foreign(index: Index) -> None:
    if index.backend is None and not index.is_companions:
        msg = (
            f"tool.uv.index[{index.at}]: the name {index.name!r} is needed for torchsel's own index but has"
            " another URL here; give that index another name"
        )
        raise ConfigError(msg)


def _foreign_note(present: Present, source: Source, indexes: Collection[str]) -> str:
    place, items = f"tool.uv.sources.{source.key}", source.items
    if source.is_only_to(indexes):
        names = ", ".join(present.users_lists(source))
        return f"{place}: chosen by {names}, which you wrote; 'torchsel init' takes that over"
    kinds = [key for item in items for key in item if key not in ("marker", "group", "extra")]
    target = next((str(item["index"]) for item in items if "index" in item), None)
    what = f"index {target!r}" if target else f"a {kinds[0]} source" if kinds else "a source of its own"
    return f"{place}: routed to {what}, which is not torchsel's; left alone"


class Base(NamedTuple):
    """What index URLs start with, and the channel in them."""

    url: str
    channel: str


def common_base(indexes: Mapping[str, Index], *, where: Path) -> Base:
    """What the URLs of indexes have in common; ``where`` is their file.

    Raises:
        ConfigError: they differ, hold credentials, or do not end in the backend.
    """
    bases = set()
    for name, index in indexes.items():
        base, problem = _base(index)
        if problem:
            msg = f"{where}: tool.uv.index {name!r}: {problem}; torchsel builds URLs as index-url/backend"
            raise ConfigError(msg)
        bases.add(base)
    if len(bases) > 1:
        listed = ", ".join(sorted(indexes))
        msg = f"{where}: the indexes {listed} have no URL in common; torchsel takes all from one index-url"
        raise ConfigError(msg)
    return bases.pop()


def _base(index: Index) -> tuple[Base, str]:
    """What the URL of an index starts with, and what keeps torchsel from building that URL."""
    url = index.url.rstrip("/")
    rest = url.removesuffix(f"/{index.tag}")
    front, _, last = rest.rpartition("/")  # PyTorch's channels stand between base and backend
    base = Base(front, last) if last in ("nightly", "test") else Base(rest, "stable")
    if rest == url:
        return base, f"its URL does not end in {index.tag!r}"
    try:
        check_index_url(base.url)
    except ValueError as error:
        return base, str(error)
    return base, ""


def renames_of(indexes: Mapping[str, Index]) -> dict[str, str]:
    """Present and future name of each that has another."""
    found: dict[str, str] = {}
    for name, index in indexes.items():
        future = f"pytorch-{index.tag}"  # a second index for one backend keeps its name
        if future not in indexes and future not in found.values():
            found[name] = future
    return found


def renaming(present: Present, indexes: Mapping[str, Index], renames: Mapping[str, str]) -> Iterator[Edit]:
    """The edits by which indexes have their new names, in the sources that lead to them too."""
    for name, wanted in renames.items():
        yield SetValue(path=(*INDEXES, indexes[name].at, "name"), value=wanted)
    for source in present.sources.values():
        if source.index_names & renames.keys():
            items = [
                {key: renames.get(value, value) if key == "index" else value for key, value in item.items()}
                for item in source.items
            ]
            yield SetValue(path=(*SOURCES, source.key), value=items)
