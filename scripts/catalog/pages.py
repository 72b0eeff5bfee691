"""What an index says it has: links of a simple page (PEP 503 HTML or PEP 691 JSON) as builds of torch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from scripts.catalog.fetch import FetchError, Page, check_url
from torchsel.backend import Backend
from torchsel.errors import ConfigError

Key = tuple[str, str, str]
"""Torch release, backend and platform."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A file on a page; yanked ones are left out."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The wheels of one build: a URL for each Python release (``3.13t`` for free-threaded)."""

    wheels: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> tuple[str, ...]:
        """Its Python releases, oldest first."""
        return tuple(sorted(self.wheels, key=python_key))


def python_key(tag: str) -> tuple[int, ...]:
    """``3.13`` before ``3.13t`` before ``3.14``."""
    return (*map(int, tag.rstrip("t").split(".")), tag.endswith("t"))


def links(page: Page) -> list[Link]:
    """The files of a page.

    Raises:
        FetchError: it is neither kind of page, or a link leads elsewhere than to http(s).
    """
    found = _json_links(page) if page.kind.endswith("json") else _html_links(page)
    return [Link(name=name, url=check_url(url, came_from=page.url)) for name, url in found]


def builds(found: Iterable[Link], backend: str) -> dict[Key, Found]:
    """Every build of torch for ``backend`` among the files of its index."""
    every: dict[Key, Found] = {}
    for link in found:
        for key, python in _described(link, backend):
            every.setdefault(key, Found()).wheels.setdefault(python, link.url)
    return every


def backends(found: Iterable[Link]) -> set[str]:
    """Every backend that torch's page for all of them names."""
    return {local for link in found if (local := _local(link.name))}


def _json_links(page: Page) -> Iterator[tuple[str, str]]:
    try:
        files = json.loads(page.text)["files"]
        listed = [(str(item["filename"]), str(item["url"]), item.get("yanked")) for item in files]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        msg = f"{page.url}: not a page of the simple API (PEP 691)"
        raise FetchError(msg) from None
    for name, url, yanked in listed:
        if not yanked:
            yield name, urljoin(page.url, url)


def _html_links(page: Page) -> Iterator[tuple[str, str]]:
    reader = _Anchors()
    reader.feed(page.text)
    for href in reader.found:
        url = urljoin(urljoin(page.url, reader.base), href)
        yield unquote(urlsplit(url).path.rpartition("/")[2]), url.partition("#")[0]


class _Anchors(HTMLParser):
    """Collects ``href`` of what is not yanked (PEP 592)."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "base":
            self.base = values.get("href") or ""
        elif tag == "a" and values.get("href") and "data-yanked" not in values:
            self.found.append(str(values["href"]))


def _described(link: Link, backend: str) -> Iterator[tuple[Key, str]]:
    """The build and Python release that a wheel's name says, nothing for what is not a stable torch wheel.

    Wheels for macOS have no local version and stand on every backend's page; they are CPU builds. Other
    wheels without one (Linux aarch64 up to torch 2.5) are of the backend in whose folder they lie.
    """
    try:
        name, version, _, tags = parse_wheel_filename(link.name)
    except InvalidWheelFilename:
        return
    if name != "torch" or version.is_prerelease:
        return
    for tag in tags:
        platform, python = _platform(tag), _python(tag)
        if platform and python and (version.local or _unsaid(link, platform, backend)) == backend:
            yield (version.base_version, backend, platform), python


def _unsaid(link: Link, platform: str, backend: str) -> str:
    """The backend of a wheel without a local version."""
    if platform.startswith("macos"):
        return "cpu"
    return backend if f"/{backend}/" in urlsplit(link.url).path else ""


def _local(name: str) -> str:
    """The backend that a wheel's local version names; empty where it has none or one of an odd kind."""
    try:
        package, version, _, _ = parse_wheel_filename(name)
        known = package == "torch" and version.local and not version.is_prerelease
        return Backend.parse(str(version.local)).tag if known else ""
    except (InvalidWheelFilename, ConfigError):
        return ""


def _platform(tag: Tag) -> str:
    """The catalog's platform name, empty for one that has none (musl)."""
    if match := re.fullmatch(r"(?:manylinux\w*?|linux)_(x86_64|aarch64|s390x|ppc64le|riscv64)", tag.platform):
        return f"linux_{match[1]}"
    if match := re.fullmatch(r"macosx_\d+_\d+_(\w+)", tag.platform):
        return f"macos_{match[1]}"
    return tag.platform if tag.platform.startswith("win_") else ""


def _python(tag: Tag) -> str:
    """``3.13``, with ``t`` for the free-threaded ABI; empty for what is not CPython's."""
    match = re.fullmatch(r"cp(\d)(\d+)", tag.interpreter)
    if not match or tag.abi not in ("none", tag.interpreter, f"{tag.interpreter}t"):
        return ""
    return f"{match[1]}.{match[2]}{'t' if tag.abi.endswith('t') else ''}"
