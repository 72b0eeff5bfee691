"""What a project and its user ask for, as values: ``[tool.torchsel]`` and the backend wished for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from torchsel.backend import DEFAULT_INDEX_URL, Backend, Channel
from torchsel.catalog.rows import Build
from torchsel.vendors import VENDORS, Vendor

Strategy = Literal["pin", "groups", "extras", "adopted"]
CudaCompat = Literal["minor", "strict"]
Gpus = Literal["all", "best"]
Fallback = Literal["cpu", "error"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A valid ``[tool.torchsel]``; field names are the keys with dashes as underscores.

    ``backends`` are the allowed tags, None for all the catalog has; ``names`` maps a group or extra name
    to its backend where the table form was used. ``max_cuda`` is a CUDA release, ``(12, 9)`` or ``(12,)``.
    ``backend`` is None where the table does not say, so that ``tool.uv.torch-backend`` is asked next.
    ``also`` are requirements by backend, family, or family with its major; None where the key is not there.
    ``catalog`` are builds that this project adds to torchsel's catalog, or has in place of its rows::

        [[tool.torchsel.catalog.builds]]
        torch = "2.16.0"
        backend = "cu134"
        platform = "linux_x86_64"
        python = ["3.12", "3.13"]        # any, where left out
        kernels = ["9.0", "10.0"]        # compute capabilities or gfx targets; unknown, where left out
    """

    backend: str | None = None
    strategy: Strategy = "pin"
    backends: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    packages: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    index_url: str = DEFAULT_INDEX_URL
    channel: Channel = "stable"
    cuda_compat: CudaCompat = "minor"
    gpus: Gpus = "all"
    vendors: tuple[Vendor, ...] = tuple(VENDORS)
    fallback: Fallback = "cpu"
    max_cuda: tuple[int, ...] | None = None
    default_backend: str = "pypi"
    same_torch: bool = False
    environment: str | None = None
    also: Mapping[str, tuple[str, ...]] | None = None
    companions: tuple[str, ...] = ()
    catalog: tuple[Build, ...] = ()

    def admits(self, backend: Backend) -> bool:
        """Whether ``max-cuda`` admits the backend; a cap of a major alone admits all its releases."""
        cap = self.max_cuda
        return cap is None or backend.family != "cuda" or backend.release[: len(cap)] <= cap


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The backend asked for (``auto`` or a tag) and where the wish stands."""

    backend: str = "auto"
    source: str = "default"
