"""A user's own indexes that become torchsel's: what their URLs have in common, and their new names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError
from torchsel.project.places import INDEXES, SOURCES
from torchsel.project.present import Index, Present
from torchsel.toml.edits import Edit, SetValue


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
        url = index.url.rstrip("/")
        rest = url.removesuffix(f"/{index.tag}")
        channel = next((word for word in ("nightly", "test") if rest.endswith(f"/{word}")), "stable")
        base = Base(rest.removesuffix(f"/{channel}"), channel)
        problem = f"its URL does not end in {index.tag!r}" if rest == url else _fault(base.url)
        if problem:
            msg = f"{where}: tool.uv.index {name!r}: {problem}; torchsel builds URLs as index-url/backend"
            raise ConfigError(msg)
        bases.add(base)
    if len(bases) > 1:
        listed = ", ".join(sorted(indexes))
        msg = f"{where}: the indexes {listed} have no URL in common; torchsel takes all from one index-url"
        raise ConfigError(msg)
    return bases.pop()


def _fault(url: str) -> str:
    try:
        check_index_url(url)
    except ValueError as error:
        return str(error)
    return ""


def renames_of(indexes: Mapping[str, Index]) -> dict[str, str]:
    """Present and future name of each that has another; a second one for a backend keeps its name."""
    wanted = {name: f"pytorch-{index.tag}" for name, index in indexes.items()}
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


def _renamed(item: Mapping[str, Any], renames: Mapping[str, str]) -> dict[str, Any]:
    name = item.get("index")
    return {**item, "index": renames.get(name, name)} if isinstance(name, str) else dict(item)
