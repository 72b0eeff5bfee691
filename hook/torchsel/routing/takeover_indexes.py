"""Hand-written indexes in torchsel's form: their names, and what their URLs have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from torchsel.backend import DEFAULT_INDEX_URL, Backend
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError
from torchsel.project import owned
from torchsel.strategies.adopted_offer import tag_of_url
from torchsel.toml.edits import SetValue

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torchsel.toml.edits import Edit


class Base(NamedTuple):
    """What index URLs start with, and the channel in them."""

    url: str
    channel: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexes:
    """The backends' indexes of a file: ``tags`` by present name, and the names each shall have.

    ``at`` is the position of each in ``tool.uv.index``.
    """

    tags: Mapping[str, str]
    at: Mapping[str, int]

    def name_of(self, name: str) -> str:
        """The name that torchsel gives this index."""
        return Backend.parse(self.tags[name]).index_name

    def renames(self) -> Iterator[tuple[str, str]]:
        """Present and future name of each that has another; a second one for a backend keeps its name."""
        taken = set(self.tags) & {self.name_of(name) for name in self.tags}
        for name in self.tags:
            wanted = self.name_of(name)
            if name != wanted and wanted not in taken:
                taken.add(wanted)
                yield name, wanted


def find_indexes(data: Mapping[str, Any], names: set[str]) -> Indexes:
    """The indexes called ``names`` whose URL says a backend."""
    tags, at = {}, {}
    for position, entry in enumerate(owned.indexes(data)):
        name = entry.get("name")
        tag = tag_of_url(str(entry.get("url")))
        if isinstance(name, str) and name in names and tag and name not in tags:
            tags[name], at[name] = tag, position
    return Indexes(tags=tags, at=at)


def base_of(data: Mapping[str, Any], indexes: Indexes, where: str) -> Base | None:
    """What the URLs have in common; None where there are none.

    Raises:
        ConfigError: they differ, hold credentials, or do not end in the backend.
    """
    found = {
        name: _base(str(owned.indexes(data)[at]["url"]), indexes.tags[name])
        for name, at in indexes.at.items()
    }
    for name, base in found.items():
        try:
            check_index_url(base.url if base else "")
        except ValueError as error:
            problem = error if base else f"its URL does not end in {indexes.tags[name]!r}"
            msg = f"{where}: tool.uv.index {name!r}: {problem}; torchsel builds URLs as index-url/backend"
            raise ConfigError(msg) from None
    bases = {base for base in found.values() if base}
    if len(bases) > 1:
        listed = ", ".join(sorted(found))
        msg = f"{where}: the indexes {listed} have no URL in common; torchsel takes all from one index-url"
        raise ConfigError(msg)
    return next(iter(bases), None)


def table_of(base: Base | None) -> dict[str, str]:
    """The keys of ``[tool.torchsel]`` that say it, none for PyTorch's own stable one."""
    table = {}
    if base and base.url != DEFAULT_INDEX_URL:
        table["index-url"] = base.url
    if base and base.channel != "stable":
        table["channel"] = base.channel
    return table


def rename_edits(data: Mapping[str, Any], indexes: Indexes, dropped: Collection[str] = ()) -> list[Edit]:
    """Indexes with torchsel's names, and sources that point to those and nothing else.

    Of a source with an index of another kind beside (macOS builds from the default index), that item goes:
    without a source uv takes the default index anyway. ``dropped`` are keys that no source shall have.
    """
    renames = dict(indexes.renames())
    edits: list[Edit] = [
        SetValue(path=(*owned.INDEXES, indexes.at[name], "name"), value=wanted)
        for name, wanted in renames.items()
    ]
    for package, source in owned.sources(data).items():
        items = owned.items(source)
        wanted_items = [
            {key: value for key, value in item.items() if key not in dropped}
            | {"index": indexes.name_of(name)}
            for item in items
            if (name := index_of(item)) in indexes.tags
        ]
        if wanted_items and wanted_items != items:
            edits.append(SetValue(path=(*owned.SOURCES, package), value=wanted_items))
    return edits


def index_of(item: Mapping[str, Any]) -> str:
    """The index that an item of a source names, empty where it names none."""
    name = item.get("index")
    return name if isinstance(name, str) else ""


def _base(url: str, tag: str) -> Base | None:
    rest = url.rstrip("/").removesuffix(f"/{tag}")
    if rest == url.rstrip("/"):
        return None
    for channel in ("nightly", "test"):
        if rest.endswith(f"/{channel}"):
            return Base(rest.removesuffix(f"/{channel}"), channel)
    return Base(rest, "stable")
