"""All that a selection is made from, and what it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build, release_key
from torchsel.config.config import Config
from torchsel.host import Accelerator, Host
from torchsel.project.places import Added
from torchsel.selection.faults import Devices
from torchsel.selection.remedy import Cure, Remedy, WayOut, add_commands, remedy_for
from torchsel.vendors import Family, Vendor


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a project asks of torch.

    ``specifiers`` (PEP 440) must all hold; ``requires_python`` is the project's, ``python`` the release of
    its interpreter (``3.12``) where known; ``locked`` are the public releases in uv.lock, newest first
    (several where uv forks); ``upgrade`` gives them up. ``packages`` are the names of the
    project's packages, required or locked, ``versions`` the locked public releases of those that decide.
    ``environments`` are the markers to which ``tool.uv.environments`` limits what uv locks for,
    ``built_for`` the packages from addresses that name a CUDA, each with that (``12.8``, or ``12`` for any).
    ``direct`` are the project's own requirements of torch and those, as ``uv add`` finds them; ``caps`` the
    packages that limit torch, each with its specifier, which is among the ``specifiers``.
    """

    specifiers: tuple[str, ...] = ()
    requires_python: str | None = None
    python: str | None = None
    locked: tuple[str, ...] = ()
    upgrade: bool = False
    packages: frozenset[str] = frozenset()
    versions: tuple[tuple[str, str], ...] = ()
    environments: tuple[str, ...] = ()
    built_for: tuple[tuple[str, str], ...] = ()
    direct: tuple[Added, ...] = ()
    caps: tuple[tuple[str, str], ...] = ()

    @property
    def wanted(self) -> str:
        """The specifiers in one, empty where any torch will do."""
        return ",".join(self.specifiers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Releases:
    """The releases to choose among, as the catalog's rows, newest first.

    ``stands_for`` maps a row to the release it was taken for, where that is another one: None where only
    "newer than the catalog" is known. ``lost`` are locked releases that can't be kept.
    """

    allowed: tuple[str, ...]
    locked: tuple[str, ...] = ()
    stands_for: tuple[tuple[str, str | None], ...] = ()
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def public(self, row: str) -> str | None:
        """The release that a row was taken for, None where unknown."""
        return dict(self.stands_for).get(row, row)


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
    devices: Mapping[Vendor, Devices]
    lacking: tuple[str, frozenset[str]] = ("", frozenset())
    vetoes: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def devices_for(self, backend: Backend) -> Devices:
        """The deciding devices that builds of this backend's family are for."""
        return self.devices.get(backend.vendor, ()) if backend.vendor else ()

    def release_remedy(self, build: Build) -> Remedy:
        """What lets a project have a release of torch: allow a newer one, or require one before it."""
        following = self.catalog.release_after(build.torch)
        if following is None or release_key(build.torch) > release_key(self.releases.allowed[0]):
            bounds = self.catalog.bounds_from(build.torch, self.demand.packages)
            remedy = remedy_for(Cure.ALLOW, build.torch, build)
        else:
            bounds = self.catalog.bounds_before(following, self.demand.packages)
            remedy = remedy_for(Cure.REQUIRE, bounds[0].removeprefix("torch"), build)
        return replace(remedy, requirements=bounds, commands=add_commands(bounds, self.demand.direct))

    def driver_minimum(self, backend: Backend) -> str | None:
        """The lowest NVIDIA driver for a CUDA backend, by the project's ``cuda-compat``."""
        return self.catalog.driver_minimum(backend.release, self.host.driver_system, self.config.cuda_compat)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One build that was considered, and why it was accepted or not."""

    backend: str
    torch: str
    accepted: bool
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """The backend chosen, with everything that led to it.

    ``torch`` is the public release it was chosen for, None where unknown. ``moved_from`` is the locked
    release that had to be left. ``usable`` is False where the choice is only the way out because nothing
    ran, or what was asked for does not run here; ``ways_out`` then are what would help, the first one best.
    ``bound`` is the specifier (``<2.11``) that keeps uv from a newer torch on the same index which does not
    run here; empty where there is none.
    """

    backend: Backend
    torch: str | None
    reasons: tuple[str, ...]
    candidates: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    moved_from: str | None = None
    usable: bool = True
    bound: str = ""
    ways_out: tuple[WayOut, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """What to type for the first way out that can be typed as a whole, in order to run it."""
        typed = (way for way in self.ways_out if all(remedy.commands for remedy in way))
        return tuple(command for remedy in next(typed, ()) for command in remedy.commands)

    @property
    def family(self) -> Family:
        """The family of the backend."""
        return self.backend.family
