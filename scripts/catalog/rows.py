"""The catalog's builds against what an index has: the differences, and the file with them taken over."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal

from scripts.catalog.archs import Archs
from scripts.catalog.pages import Found, Key
from torchsel.backend import Backend
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import Build, release_key

Kind = Literal["missing", "extra", "python", "kernels", "confirmed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One row that the index contradicts or confirms.

    ``row`` is the row to have instead, None where it should go. A new CUDA or ROCm build whose kernels are
    unknown has ``is_usable`` False: such a row would pass for one that runs everywhere.
    """

    kind: Kind
    key: Key
    text: str
    row: Build | None
    is_usable: bool = True

    @property
    def line(self) -> str:
        """As printed, ``missing    2.16.0 cu134 linux_x86_64: Python 3.12 3.13``."""
        return f"{self.kind:<9}  {' '.join(self.key)}{f': {self.text}' if self.text else ''}"


def key_of(row: Build) -> Key:
    """What identifies a row."""
    return row.torch, row.backend, row.platform


def compare(
    rows: Iterable[Build],
    found: Mapping[Key, Found],
    archs: Mapping[Key, Archs],
    *,
    pages: Collection[str],
    since: str,
) -> list[Difference]:
    """What differs for the backends of ``pages`` (those whose page was read) from torch ``since`` on.

    In the catalog's order.
    """
    known = {key_of(row): row for row in rows}
    first = release_key(since)
    keys = {key for key in (*known, *found) if key[1] in pages and release_key(key[0]) >= first}
    every: list[Difference] = []
    for row in in_order(Build(torch=key[0], backend=key[1], platform=key[2]) for key in keys):
        key = key_of(row)
        if key not in found:
            every.append(Difference(kind="extra", key=key, text="not on the index", row=None))
        elif key not in known:
            every.append(_missing(row, found[key], archs.get(key), known.values()))
        else:
            every += _changed(known[key], found[key], archs.get(key))
    return every


def doubtful(rows: Iterable[Build], differences: Iterable[Difference], *, every: bool) -> list[Key]:
    """The CUDA and ROCm builds whose kernels are not known from a wheel or source, or all with ``every``."""
    new = [item.row for item in differences if item.kind == "missing" and item.row]
    listed = [row for row in rows if every or row.kernels_from != "read"]
    return [key_of(row) for row in [*new, *listed] if Backend.parse(row.backend).family in ("cuda", "rocm")]


def _missing(row: Build, found: Found, archs: Archs | None, known: Iterable[Build]) -> Difference:
    """A new row; without an arch list it takes that of the nearest release with the same backend."""
    needs_kernels = Backend.parse(row.backend).family in ("cuda", "rocm")
    row = replace(row, python=found.python, exists="read")
    text = f"Python {' '.join(found.python)}"
    if archs:
        row = replace(row, kernels=archs.kernels, ptx=archs.ptx, kernels_from="read")
        text += f"; kernels {' '.join(archs.kernels)}{_unbacked(archs)}"
    elif needs_kernels:
        kin = [item for item in known if (item.backend, item.platform) == (row.backend, row.platform)]
        nearest = min(kin, key=lambda item: _distance(item.torch, row.torch), default=None)
        if nearest is None:
            text += "; kernels unknown, so not written: use --archs"
            return Difference(kind="missing", key=key_of(row), text=text, row=row, is_usable=False)
        row = replace(row, kernels=nearest.kernels, ptx=nearest.ptx, kernels_from="inferred")
        text += f"; kernels taken from {nearest.torch}"
    return Difference(kind="missing", key=key_of(row), text=text, row=row)


def _changed(row: Build, found: Found, archs: Archs | None) -> Iterator[Difference]:
    """Python releases, kernels, and that a row which was inferred is now read."""
    key, now = key_of(row), replace(row, exists="read")
    if row.python != found.python:
        now = replace(now, python=found.python)
        text = f"{' '.join(row.python)} -> {' '.join(found.python)}"
        yield Difference(kind="python", key=key, text=text, row=now)
    if archs:
        now = replace(now, kernels=archs.kernels, ptx=archs.ptx, kernels_from="read")
        if (set(row.kernels), set(row.ptx)) != (set(archs.kernels), set(archs.ptx)):
            before, after = _listed(row.kernels, row.ptx), _listed(archs.kernels, archs.ptx)
            text = f"{before} -> {after}{_unbacked(archs)}"
            yield Difference(kind="kernels", key=key, text=text, row=now)
            return
        now = replace(now, kernels=row.kernels, ptx=row.ptx)
    if (row.exists, row.kernels_from) != (now.exists, now.kernels_from):
        yield Difference(kind="confirmed", key=key, text="was inferred", row=now)


def merged(rows: Iterable[Build], differences: Iterable[Difference]) -> list[Build]:
    """The rows with what the index says, in the catalog's order."""
    every = {key_of(row): row for row in rows}
    for item in differences:
        if item.row is None:
            every.pop(item.key, None)
        elif item.is_usable:
            every[item.key] = item.row
    return in_order(every.values())


def in_order(rows: Iterable[Build]) -> list[Build]:
    """Newest torch first, then the newest backend, as ``builds.csv`` is sorted."""
    return list(replace(load_catalog(), all_builds=()).with_builds(rows).all_builds)


def to_csv(rows: Iterable[Build]) -> str:
    """The text of ``builds.csv``."""
    names = [field.name for field in fields(Build)]
    lines = [",".join(_cell(getattr(row, name)) for name in names) for row in rows]
    return "\n".join([",".join(names), *lines, ""])


def _cell(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else " ".join(value)


def _listed(kernels: tuple[str, ...], ptx: tuple[str, ...]) -> str:
    return " ".join([*kernels, *(f"ptx{item}" for item in ptx)]) or "none"


def _unbacked(archs: Archs) -> str:
    return f" (no rocBLAS files for {' '.join(archs.unbacked)})" if archs.unbacked else ""


def _distance(one: str, other: str) -> tuple[int, ...]:
    return tuple(abs(a - b) for a, b in zip(release_key(one), release_key(other), strict=True))
