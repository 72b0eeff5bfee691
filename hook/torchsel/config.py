"""``[tool.torchsel]``: the keys, their defaults and their validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from torchsel.backend import DEFAULT_INDEX_URL, Channel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.host import Vendor

Strategy = Literal["pin", "groups", "extras"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A valid ``[tool.torchsel]``; field names are the keys with dashes as underscores.

    ``backends`` are the allowed tags, None for all the catalog has; ``names`` maps a group or extra name
    to its backend where the table form was used. ``max_cuda`` is a CUDA release, ``(12, 9)`` or ``(12,)``.
    """

    backend: str = "auto"
    strategy: Strategy = "pin"
    backends: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    packages: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    index_url: str = DEFAULT_INDEX_URL
    channel: Channel = "stable"
    cuda_compat: Literal["minor", "strict"] = "minor"
    gpus: Literal["all", "best"] = "all"
    vendors: tuple[Vendor, ...] = ("nvidia", "amd", "intel")
    fallback: Literal["cpu", "error"] = "cpu"
    max_cuda: tuple[int, ...] | None = None
    default_backend: str = "pypi"
