"""A user's own indexes that become torchsel's: what their URLs have in common, and their new names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torchsel.backend import DEFAULT_INDEX_URL, backend_of_url
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError
from torchsel.project.places import INDEXES, SOURCES
from torchsel.project.present import Index, Present
from torchsel.toml.edits import Edit, SetValue


class Base(NamedTuple):
    """What index URLs start with, and the channel in them."""

    url: str = DEFAULT_INDEX_URL
    channel: str = "stable"


def index_tag(index: Index) -> str:
    """The backend that an index is for, empty where its URL says nothing."""
    found = backend_of_url(index.url)
    return found.tag if found else ""


def common_base(indexes: Mapping[str, Index], *, where: Path) -> Base:
    """What the URLs of indexes have in common; ``where`` is their file.

    Raises:
        ConfigError: they differ, hold credentials, or do not end in the backend.
    """
    bases = set()
    for name, index in indexes.items():
        base = _base(index.url, index_tag(index))
        try:
            check_index_url(base.url if base else "")
        except ValueError as error:
            problem = error if base else f"its URL does not end in {index_tag(index)!r}"
            msg = f"{where}: tool.uv.index {name!r}: {problem}; torchsel builds URLs as index-url/backend"
            raise ConfigError(msg) from None
        bases.add(base)
    if len(bases) > 1:
        listed = ", ".join(sorted(indexes))
        msg = f"{where}: the indexes {listed} have no URL in common; torchsel takes all from one index-url"
        raise ConfigError(msg)
    return next(iter(bases)) or Base()


def renames_of(indexes: Mapping[str, Index]) -> dict[str, str]:
    """Present and future name of each that has another; a second one for a backend keeps its name."""
    wanted = {name: f"pytorch-{index_tag(index)}" for name, index in indexes.items()}
    found: dict[str, str] = {}
    taken = {name for name in indexes if name in wanted.values()}
    for name, future in wanted.items():
        if name != future and future not in taken:
            taken.add(future)
            found[name] = future
    return found


def renaming(present: Present, indexes: Mapping[str, Index], renames: Mapping[str, str]) -> Iterator[Edit]:
    """The edits by which indexes have their new names, in the sources that lead to them too."""
    for name, wanted in renames.items():
        yield SetValue(path=(*INDEXES, indexes[name].at, "name"), value=wanted)
    for source in present.sources.values():
        if source.index_names & renames.keys():
            items = [_renamed(item, renames) for item in source.items]
            yield SetValue(path=(*SOURCES, source.key), value=items)


def _base(url: str, tag: str) -> Base | None:
    rest = url.rstrip("/").removesuffix(f"/{tag}")
    if rest == url.rstrip("/"):
        return None
    for channel in ("nightly", "test"):
        if rest.endswith(f"/{channel}"):
            return Base(rest.removesuffix(f"/{channel}"), channel)
    return Base(rest, "stable")


def _renamed(item: Mapping[str, Any], renames: Mapping[str, str]) -> dict[str, Any]:
    name = item.get("index")
    return {**item, "index": renames.get(name, name)} if isinstance(name, str) else dict(item)
