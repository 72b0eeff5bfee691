"""Rows of the catalog's tables, and how a table is read: plain text, commas between fields, no quoting."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from re import ASCII, fullmatch
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from torchsel.backend import Backend
from torchsel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DATA = Path(__file__).parents[1] / "data"

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One stable release of torch, its companions and the backend that uv's default index has by platform."""

    torch: str
    torchvision: str
    torchaudio: str
    default_index: tuple[str, ...]

    def default_backend(self, platform: str) -> str | None:
        """The backend of the wheel on uv's default index for a platform, None where it has no wheel."""
        return dict(pair.split("=") for pair in self.default_index).get(platform)


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """The lowest NVIDIA driver of a CUDA release (``12.6``) or of a whole major by minor compatibility."""

    cuda: str
    linux: str
    windows: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """The first NVIDIA driver that knows a compute capability and the last driver branch that still does."""

    compute_capability: str
    linux: str
    windows: str
    last_branch: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Broken:
    """A gfx target that ROCm builds in ``[rocm_from, rocm_until)`` list though they may not run on it."""

    gfx: str
    rocm_from: str
    rocm_until: str
    verdict: str
    reason: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AmdIndex:
    """A gfx target that AMD's own index has wheels of torch for, on Linux."""

    gfx: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexOnly:
    """A package that torch requires and only the backend's own index has, for torch in ``[from, until)``."""

    backends: tuple[str, ...]
    package: str
    torch_from: str
    torch_until: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Builds of torch in ``[from, until)`` chosen only where nothing else runs, or asked for."""

    backends: tuple[str, ...]
    torch_from: str
    torch_until: str
    reason: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package with builds by backend, and the backends whose index is known to have it."""

    package: str
    backends: tuple[str, ...]
    source: str


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
    source: str

    def is_beside(self, tag: str) -> bool:
        """Whether the row is about torch of this backend."""
        return any(fnmatchcase(tag, pattern) for pattern in self.backends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cap:
    """The torch (a specifier) that a package in ``[from, until)`` requires."""

    package: str
    version_from: str
    version_until: str
    torch: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CompanionIndex:
    """Where another party than PyTorch has builds of a package by backend.

    ``index``, the name that torchsel gives the index, and ``url`` hold ``{backend}`` for the tag.
    """

    package: str
    index: str
    url: str
    backends: tuple[str, ...]
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """A known device: ``target`` is its compute capability, gfx target or, for Intel, XPU support.

    XPU support is ``yes``, ``no`` or ``unknown``; ``torch_from`` the first torch whose XPU build supports it.
    """

    vendor: str
    pci_id: str
    name: str
    target: str
    integrated: str
    torch_from: str
    source: str


def read_table(name: str, row: type[RowT]) -> tuple[RowT, ...]:
    """The rows of ``data/{name}.csv``."""
    return read_rows(DATA / f"{name}.csv", row)


def read_rows(path: Path, row: type[RowT]) -> tuple[RowT, ...]:
    """The rows of a table, whose header has the names of the fields of ``row`` and maybe more."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    names = header.split(",")
    legal, lists = _field_names(row), _list_fields(row)
    rows = (_values(names, line.split(","), lists) for line in lines)
    return tuple(row(**{name: value for name, value in cells.items() if name in legal}) for cells in rows)


def build_from_row(row: Mapping[str, object], *, where: str) -> Build:
    """A build from a row with the fields of ``builds.csv``; a list may also be text with spaces.

    ``where`` names the row in errors.

    Raises:
        ConfigError: a field is missing, unknown, of the wrong kind or malformed; all faults at once.
    """
    legal = _field_names(Build)
    known = ", ".join(legal)
    problems = [f"{where}.{key}: unknown field; the fields are {known}" for key in row if key not in legal]
    problems += [f"{where}.{key}: is missing" for key in ("torch", "backend", "platform") if not row.get(key)]
    problems += [f"{where}.{key}: expected text" for key, value in row.items() if not _is_text(value)]
    text = {key: value if isinstance(value, str) else " ".join(_texts(value)) for key, value in row.items()}
    if not problems:
        problems = [f"{where}.{problem}" for problem in _malformed(text)]
    if problems:
        raise ConfigError(*problems)
    return Build(**_values(list(text), list(text.values()), _list_fields(Build)))


def _malformed(row: Mapping[str, str]) -> Iterator[str]:
    """Every field of a row that does not look like what it names, as ``field: what is wrong``."""
    if not fullmatch(r"\d+\.\d+\.\d+", row["torch"], ASCII):
        yield f"torch: {row['torch']!r} is not a release such as '2.16.0'"
    if not fullmatch(r"(linux|macos|win)_[a-z0-9_]+", row["platform"], ASCII):
        yield f"platform: {row['platform']!r} is not a platform such as 'linux_x86_64' or 'win_amd64'"
    for python in row.get("python", "").split():
        if not fullmatch(r"3\.\d+t?", python, ASCII):
            yield f"python: {python!r} is not a Python release such as '3.13' or '3.13t'"
    try:
        family = Backend.parse(row["backend"]).family
    except ConfigError as error:
        yield f"backend: {error}"
        return
    pattern, example = (r"gfx[0-9a-f]+", "gfx942") if family == "rocm" else (r"\d+\.\d+", "9.0")
    for key in ("kernels", "ptx"):
        for kernel in row.get(key, "").split():
            if not fullmatch(pattern, kernel, ASCII):
                yield f"{key}: {kernel!r} is not what {row['backend']} builds have, such as {example!r}"


def _field_names(row: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))


def _list_fields(row: type[Any]) -> frozenset[str]:
    return frozenset(field.name for field in fields(row) if str(field.type).startswith("tuple"))


def _values(names: list[str], cells: list[str], lists: frozenset[str]) -> dict[str, Any]:
    pairs = zip(names, cells, strict=True)
    return {name: tuple(cell.split()) if name in lists else cell for name, cell in pairs}


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and len(_texts(value)) == len(value))


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
