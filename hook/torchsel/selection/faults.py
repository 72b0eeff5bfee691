"""Devices, and builds with all that speaks against them on a machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from torchsel.backend import Backend
from torchsel.catalog.rows import Build, release_key
from torchsel.host import Accelerator
from torchsel.selection.remedy import Cure, Remedy, WayOut
from torchsel.vendors import VENDORS, Vendor

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


def is_hopeless(builds: Iterable[JudgedBuild], devices: Devices) -> bool:
    """Whether no build of any release has kernels for any of the devices."""
    return not any(judged.has_kernels((device,)) for judged in builds for device in devices)


def focus(devices: Devices, builds: Sequence[JudgedBuild]) -> Devices:
    """The most capable device that some build has kernels for; all of them where there is none."""
    for device in devices:
        if any(judged.has_kernels((device,)) for judged in builds):
            return (device,)
    return devices


def blockers(builds: Iterable[JudgedBuild], devices: Devices) -> str:
    """All that speaks against some builds, each fault once."""
    texts = [fault.text for judged in builds for fault in judged.against(devices)]
    return "; ".join(dict.fromkeys(texts))
