"""The backends that a configuration names: whether each exists, as far as can be known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from torchsel.backend import DEFAULT_INDEX_URL, Backend, check_tag, is_tag
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import Build
from torchsel.config.builds import read_catalog
from torchsel.errors import ConfigError


def check_backend(tag: str, *, rows: Iterable[Build], index_url: str, any_tag: bool = False) -> Backend:
    """A backend that PyTorch has, or the project's own ``rows``, or maybe another index than PyTorch's.

    Raises:
        ConfigError: there is none, with the nearest one that is.
    """
    known = load_catalog().tags.union(row.backend for row in rows)
    return check_tag(tag, known, anything=any_tag or index_url != DEFAULT_INDEX_URL)


def checker(table: Mapping[str, object], *, any_tag: bool) -> Callable[[str], Backend]:
    """Checks a backend by what the table makes known; a fault in that is told of its own key."""
    url = table.get("index-url", DEFAULT_INDEX_URL)
    index_url = url.rstrip("/") if isinstance(url, str) else DEFAULT_INDEX_URL
    try:
        rows = read_catalog(table.get("catalog", []))
    except ValueError:
        rows = ()
    return partial(check_backend, rows=rows, index_url=index_url, any_tag=any_tag)


def _tags_of(name: str, parsed: object) -> Iterator[tuple[str, str]]:
    """Each backend in a key's value, with its place below the key."""
    if name in ("backend", "default-backend") and parsed not in ("auto", "none", "pypi"):
        yield "", str(parsed)
    if name == "also" and isinstance(parsed, dict):
        yield from ((f'."{key}"' if "." in key else f".{key}", key) for key in parsed if is_tag(key))
    if name == "backends":
        named = parsed.items() if isinstance(parsed, dict) else ()
        yield from ((f".{key}", tag) for key, tag in named)
        yield from (("", tag) for tag in (parsed if isinstance(parsed, tuple) else ()))


def wrong_tags(name: str, parsed: object, check: Callable[[str], object]) -> Iterator[str]:
    """What is wrong with the backends in a key's value, each after its place below the key."""
    for place, tag in _tags_of(name, parsed):
        try:
            check(tag)
        except ConfigError as error:
            yield f"{place}: {error}"
