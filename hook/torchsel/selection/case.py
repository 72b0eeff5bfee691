"""All that a selection is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torchsel.selection.devices import FAMILY_VENDORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.backend import Backend
    from torchsel.catalog.catalog import Catalog
    from torchsel.config.config import Config
    from torchsel.host import Host, Vendor
    from torchsel.selection.demand import Demand, Releases
    from torchsel.selection.devices import Device


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The machine, the project's wishes and what there is.

    ``devices`` are those that decide, by vendor, most capable first; ``lacking`` the oldest Python of the
    project and the backends without a wheel for it; ``vetoes`` the backends that packages of the project rule
    out, each with those packages and why.
    """

    host: Host
    demand: Demand
    config: Config
    catalog: Catalog
    releases: Releases
    devices: Mapping[Vendor, tuple[Device, ...]]
    lacking: tuple[str, frozenset[str]] = ("", frozenset())
    vetoes: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @property
    def driver_table(self) -> str:
        """The system whose NVIDIA driver numbers hold: on WSL the driver is that of Windows."""
        return "win32" if "microsoft" in (self.host.kernel or "").lower() else self.host.system

    def devices_for(self, backend: Backend) -> tuple[Device, ...]:
        """The deciding devices that builds of this backend's family are for."""
        vendor = FAMILY_VENDORS.get(backend.family)
        return self.devices.get(vendor, ()) if vendor else ()

    def driver_minimum(self, backend: Backend) -> str | None:
        """The lowest NVIDIA driver for a CUDA backend, by the project's ``cuda-compat``."""
        return self.catalog.driver_minimum(backend.release, self.driver_table, self.config.cuda_compat)
