"""Rows of the catalog's tables, and how a table is read: plain text, commas between fields, no quoting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

DATA = Path(__file__).parents[1] / "data"

_LISTS = frozenset({"python", "kernels", "ptx", "default_index", "backends"})
"""Columns that are lists, written with spaces."""

CompanionRule = Literal["veto", "index", "built-for"]

RowT = TypeVar("RowT")


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One build of torch: a release for a backend on a platform.

    ``python`` holds Python releases, ``3.13t`` for free-threaded ones; ``kernels`` compute capabilities
    (``9.0``) or gfx targets (``gfx942``), empty for cpu and xpu; ``ptx`` the capabilities with embedded PTX.
    ``exists`` and ``kernels_from`` say whether that was read in a primary source or inferred.
    """

    torch: str
    backend: str
    platform: str
    python: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    ptx: tuple[str, ...] = ()
    exists: str = "read"
    kernels_from: str = ""

    @property
    def python_span(self) -> str:
        """The Python releases that it has wheels for, ``3.11 to 3.15``."""
        return f"{self.python[0]} to {self.python[-1].rstrip('t')}"


class Release(NamedTuple):
    """One stable release of torch, its companions and the backend that uv's default index has by platform."""

    torch: str
    torchvision: str
    torchaudio: str
    default_index: tuple[str, ...]

    @property
    def companions(self) -> Mapping[str, str]:
        """The releases that came with it by package, empty for a package that had none."""
        return {"torchvision": self.torchvision, "torchaudio": self.torchaudio}

    def default_backend(self, platform: str) -> str | None:
        """The backend of the wheel on uv's default index for a platform, None where it has no wheel."""
        return dict(pair.split("=") for pair in self.default_index).get(platform)


class Driver(NamedTuple):
    """The lowest NVIDIA driver of a CUDA release (``12.6``) or of a whole major by minor compatibility."""

    cuda: str
    linux: str
    windows: str


class Architecture(NamedTuple):
    """The first NVIDIA driver that knows a compute capability and the last driver branch that still does."""

    compute_capability: str
    linux: str
    windows: str
    last_branch: str

    def is_supported_by(self, driver: str) -> bool:
        """Whether the branch of a driver version is one that still supports it."""
        return not self.last_branch or release_key(driver)[0] <= int(self.last_branch)


class Broken(NamedTuple):
    """A gfx target that ROCm builds in ``[rocm_from, rocm_until)`` list though they may not run on it."""

    gfx: str
    rocm_from: str
    rocm_until: str
    verdict: str
    reason: str


class AmdIndex(NamedTuple):
    """A gfx target that AMD's own index has wheels of torch for, on Linux."""

    gfx: str


class IndexOnly(NamedTuple):
    """A package that torch requires and only the backend's own index has, for torch in ``[from, until)``."""

    backends: tuple[str, ...]
    package: str
    torch_from: str
    torch_until: str


class Held(NamedTuple):
    """Builds of torch in ``[from, until)`` chosen only where nothing else runs, or asked for."""

    backends: tuple[str, ...]
    torch_from: str
    torch_until: str
    reason: str


class Package(NamedTuple):
    """A package with builds by backend, and the backends whose index is known to have it."""

    package: str
    backends: tuple[str, ...]


# no NamedTuple, nor is CompanionIndex: "index" is a method of tuples
@dataclass(frozen=True, kw_only=True, slots=True)
class Companion:
    """What a package in ``[from, until)`` does beside torch of ``backends``.

    ``veto``: what ``reason`` says, where the backend's index has no build of it. ``index``: it is taken from
    the index of backend ``index``. ``built-for``: its one build is for these alone, which ``reason`` names.
    """

    package: str
    version_from: str
    version_until: str
    rule: CompanionRule
    backends: tuple[str, ...]
    index: str
    reason: str

    def is_beside(self, tag: str) -> bool:
        """Whether the row is about torch of this backend."""
        return matches(self.backends, tag)


class Cap(NamedTuple):
    """The torch (a specifier) that a package in ``[from, until)`` requires."""

    package: str
    version_from: str
    version_until: str
    torch: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanionIndex:
    """Where another party than PyTorch has builds of a package by backend.

    ``index``, the name that torchsel gives the index, and ``url`` hold ``{backend}`` for the tag.
    """

    package: str
    index: str
    url: str
    backends: tuple[str, ...]


class Gpu(NamedTuple):
    """A known device: ``target`` is its compute capability, gfx target or, for Intel, XPU support.

    XPU support is ``yes``, ``no`` or ``unknown``; ``torch_from`` the first torch whose XPU build supports it.
    """

    vendor: str
    pci_id: str
    name: str
    target: str
    integrated: str
    torch_from: str


@lru_cache(maxsize=512)
def release_key(text: str) -> tuple[int, ...]:
    """A dotted release as numbers, so that ``2.10.0`` sorts after ``2.9.1``; any other part counts as 0."""
    return tuple(int(part) if part.isascii() and part.isdigit() else 0 for part in text.split("."))


def release_text(release: tuple[int, ...]) -> str:
    """A release as text, ``13.0``."""
    return ".".join(map(str, release))


def matches(patterns: Iterable[str], tag: str) -> bool:
    """Whether one of the patterns (``cu*``) is for a backend's tag."""
    return any(fnmatchcase(tag, pattern) for pattern in patterns)


def is_within(version: str, first: str, end: str) -> bool:
    """Whether a release is in ``[first, end)``; an empty bound is none."""
    release = release_key(version)
    return release_key(first) <= release and (not end or release < release_key(end))


def table(name: str, row: type[Any]) -> Any:
    """A field whose default is the rows of ``data/{name}.csv``, read once."""
    return field(default_factory=cache(partial(read_rows, DATA / f"{name}.csv", row)))


def read_rows(path: Path, row: type[RowT]) -> tuple[RowT, ...]:
    """The rows of a table, whose header has the names of the fields of ``row`` and maybe more."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    names, legal = header.split(","), field_names(row)
    rows = (values(names, line.split(",")) for line in lines)
    return tuple(row(**{name: value for name, value in cells.items() if name in legal}) for cells in rows)


def field_names(row: type[Any]) -> tuple[str, ...]:
    """The columns that a kind of row has."""
    return tuple(row.__annotations__)


def values(names: Iterable[str], cells: Iterable[str]) -> dict[str, Any]:
    """Cells by their column, lists as tuples."""
    pairs = zip(names, cells, strict=True)
    return {name: tuple(cell.split()) if name in _LISTS else cell for name, cell in pairs}
