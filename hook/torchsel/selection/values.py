"""The values of a selection: what it is made from, devices, builds judged, and what it answers with."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.rows import Build, release_key
from torchsel.config.config import Config
from torchsel.host import Accelerator, Host
from torchsel.project.places import Added
from torchsel.selection.remedy import Cure, Remedy, WayOut, add_commands, remedy_for
from torchsel.vendors import VENDORS, Family, Vendor

FaultKind = Literal[
    "driver", "release", "backends", "max-cuda", "python", "machine", "kernels", "broken", "held", "companion"
]

MENDABLE: tuple[FaultKind, ...] = ("driver", "release", "backends", "max-cuda", "python", "companion")
"""Kinds of faults that a user can mend on this machine, in the order to tell them in."""

_MAKERS = re.compile(
    rf"^({'|'.join(maker.name for maker in VENDORS.values())})(\(R\))?\s+(GeForce\s+)?", re.ASCII
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """Accelerators that a build serves alike: one target.

    ``target`` is a compute capability or gfx target, None where unknown. ``fault`` says why no build can
    run on it at all, ``remedy`` what would change that. ``torch_from`` is the first torch that supports it,
    empty for any.
    """

    vendor: Vendor
    accelerators: tuple[Accelerator, ...]
    target: str | None
    rank: tuple[int, ...] = ()
    integrated: bool = False
    fault: str = ""
    remedy: Remedy | None = None
    torch_from: str = ""

    @property
    def names(self) -> str:
        """Their names with counts, ``3x Tesla P40``."""
        counts = Counter(short_name(item) for item in self.accelerators)
        return ", ".join(f"{count}x {name}" if count > 1 else name for name, count in counts.items())

    @property
    def label(self) -> str:
        """Target and names, ``6.1 (3x Tesla P40)``."""
        return f"{self.target} ({self.names})" if self.target and self.target != self.names else self.names


Devices = tuple[Device, ...]


def short_name(accelerator: Accelerator) -> str:
    """The accelerator's name without its maker, ``GTX 1080 Ti``."""
    return _MAKERS.sub("", accelerator.label)


def labels_of(devices: Iterable[Device]) -> str:
    """Targets and names of devices."""
    return ", ".join(device.label for device in devices)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why a build is out of the question.

    ``device`` is the one concerned, None where the fault is of the build as a whole; ``remedy`` what would
    mend it, None where nothing does.
    """

    kind: FaultKind
    text: str
    device: Device | None = None
    remedy: Remedy | None = None


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
class JudgedBuild:
    """A build and everything against it; ``doubt`` is a dispute about whether it runs."""

    build: Build
    backend: Backend
    faults: tuple[Fault, ...] = ()
    doubt: str = ""

    def against(self, devices: Iterable[Device]) -> tuple[Fault, ...]:
        """The faults that matter where only ``devices`` have to be served."""
        return tuple(fault for fault in self.faults if fault.device is None or fault.device in devices)

    def without(self, *kinds: FaultKind) -> JudgedBuild:
        """The same build with faults of some kinds forgiven."""
        return replace(self, faults=tuple(fault for fault in self.faults if fault.kind not in kinds))

    def kinds(self, devices: Iterable[Device]) -> set[FaultKind]:
        """What kinds of faults matter for ``devices``."""
        return {fault.kind for fault in self.against(devices)}

    def has_kernels(self, devices: Iterable[Device]) -> bool:
        """Whether nothing but drivers, releases and wishes stands against running on ``devices``."""
        return not self.kinds(devices) & {"kernels", "broken", "machine"}

    def way_out(self, devices: Iterable[Device]) -> WayOut:
        """One remedy for each kind of fault that can be mended, the one that asks most for."""
        mended = [(fault.kind, fault.remedy) for fault in self.against(devices) if fault.remedy]
        # the last of a kind stays: of two drivers the newer one
        mended.sort(key=lambda pair: release_key(pair[1].value) if pair[0] == "driver" else ())
        found = dict(mended)
        return tuple(found[kind] for kind in MENDABLE if kind in found)

    def needed_driver(self, devices: Iterable[Device]) -> str:
        """The NVIDIA driver version that mends every driver fault; empty where there is none."""
        drivers = (remedy.value for remedy in self.way_out(devices) if remedy.kind is Cure.DRIVER)
        return next(drivers, "")

    @property
    def torch(self) -> str:
        """The release of torch."""
        return self.build.torch

    @property
    def name(self) -> str:
        """Release and backend, ``2.14.1 with cu126``."""
        return f"{self.torch} with {self.backend.tag}"

    @property
    def reason(self) -> str:
        """All faults in one line."""
        return "; ".join(fault.text for fault in self.faults)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pick:
    """The build chosen, the devices it serves and those it leaves out."""

    judged: JudgedBuild
    served: Devices
    left_out: Devices

    @property
    def accelerators(self) -> tuple[Accelerator, ...]:
        """Those that the build runs on."""
        devices = [item for item in (*self.served, *self.left_out) if not self.judged.against((item,))]
        return tuple(accelerator for device in devices for accelerator in device.accelerators)


def easiest(waiting: Iterable[JudgedBuild], devices: Devices) -> JudgedBuild:
    """Of builds that wait for a driver the one that the oldest is enough for."""
    return min(waiting, key=lambda judged: release_key(judged.needed_driver(devices)))


def servable(devices: Devices, builds: Sequence[JudgedBuild]) -> Devices:
    """Those of the devices that some build could serve, as it has kernels for them."""
    return tuple(item for item in devices if any(judged.has_kernels((item,)) for judged in builds))


def blockers(builds: Iterable[JudgedBuild], devices: Devices) -> str:
    """All that speaks against some builds, each fault once."""
    texts = [fault.text for judged in builds for fault in judged.against(devices)]
    return "; ".join(dict.fromkeys(texts))


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
