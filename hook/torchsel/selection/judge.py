"""Whether a build runs on a machine: every fault of every build, in a few words, with what would mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from torchsel.backend import Backend
from torchsel.catalog.kernels import driver_meets, has_machine_code, has_ptx, span
from torchsel.catalog.releases import release_key, release_text
from torchsel.selection.companions import missed
from torchsel.selection.demand import python_matches
from torchsel.selection.devices import FAMILY_VENDORS, VENDOR_NAMES
from torchsel.selection.selection import Remedy
from torchsel.selection.typed import add_commands, backends_line, remove_commands

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torchsel.catalog.catalog import Catalog
    from torchsel.catalog.rows import Build
    from torchsel.host import Host, Vendor
    from torchsel.selection.case import Case
    from torchsel.selection.devices import Device
    from torchsel.selection.selection import RemedyKind, WayOut

FaultKind = Literal[
    "driver", "release", "backends", "max-cuda", "python", "machine", "kernels", "broken", "held", "companion"
]

MENDABLE: tuple[FaultKind, ...] = ("driver", "release", "backends", "max-cuda", "python", "companion")
"""Kinds of faults that a user can mend on this machine, in the order to tell them in."""


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
        found: dict[FaultKind, Remedy] = {}
        for fault in self.against(devices):
            before = found.get(fault.kind)
            if fault.remedy and (before is None or _demands(fault.remedy) >= _demands(before)):
                found[fault.kind] = fault.remedy
        return tuple(found[kind] for kind in MENDABLE if kind in found)

    def needed_driver(self, devices: Iterable[Device]) -> str:
        """The NVIDIA driver version that mends every driver fault, for a build that has one."""
        return next(remedy.value for remedy in self.way_out(devices) if remedy.kind == "driver")

    @property
    def torch(self) -> str:
        """The release of torch."""
        return self.build.torch

    @property
    def name(self) -> str:
        """Release and backend, ``2.14.1 with cu126``."""
        return f"{self.torch} with {self.backend.tag}"

    @property
    def vendor(self) -> Vendor | None:
        """The vendor whose devices the build is for, None for cpu."""
        return FAMILY_VENDORS.get(self.backend.family)

    @property
    def reason(self) -> str:
        """All faults in one line."""
        return "; ".join(fault.text for fault in self.faults)


def assess(build: Build, case: Case) -> JudgedBuild:
    """Everything that speaks against ``build`` in ``case``."""
    backend = Backend.parse(build.backend)
    faults = (*_wish_faults(build, backend, case), *machine_faults(build, backend, case))
    doubts = (_doubt(backend, device, case.catalog) for device in case.devices_for(backend))
    return JudgedBuild(build=build, backend=backend, faults=faults, doubt=next(filter(None, doubts), ""))


def is_hopeless(builds: Iterable[JudgedBuild], devices: tuple[Device, ...]) -> bool:
    """Whether no build of any release has kernels for any of the devices."""
    mine = list(builds)
    return not any(judged.has_kernels((device,)) for judged in mine for device in devices)


def jetson_fault(host: Host) -> str:
    """Why PyTorch's wheels don't run on a Jetson of JetPack 6 or older; empty for every other machine.

    JetPack 7 has kernel 6.8 and runs the ordinary aarch64 wheels.
    """
    kernel = host.kernel or ""
    if "tegra" not in kernel or release_key(kernel.partition("-")[0]) >= (6,):
        return ""
    return "a Jetson with JetPack 6 or older can't run PyTorch's aarch64 wheels"


def _wish_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    """What the project's requirements and configuration have against ``build``."""
    config = case.config
    if build.torch not in case.releases.allowed:
        wanted = ",".join(case.demand.specifiers) or "another release"
        text = f"the project requires torch{wanted}"
        yield Fault(kind="release", text=text, remedy=release_remedy(build, case))
    yield from _python_faults(build, case)
    if config.backends is not None and build.backend not in config.backends:
        line = backends_line(config, build.backend)
        remedy = replace(_remedy("backends", build.backend, build), line=line)
        yield Fault(kind="backends", text="not in tool.torchsel.backends", remedy=remedy)
    for package, text in case.vetoes.get(build.backend, ()):
        without = remove_commands(package, case.demand.direct)
        remedy = replace(_remedy("companion", package, build), commands=without)
        yield Fault(kind="companion", text=text, remedy=remedy)
    held = case.catalog.held_back(build.backend, build.torch)
    if held and build.backend not in (config.backends or ()):
        yield Fault(kind="held", text=f"only where nothing else runs: {held}")
    for text in missed(backend, config, case.catalog):
        yield Fault(kind="held", text=f"only where nothing else runs: {text}")
    if not config.admits(backend):
        release, limit = release_text(backend.release), release_text(config.max_cuda or ())
        text = f"CUDA {release} is above max-cuda {limit}"
        yield Fault(kind="max-cuda", text=text, remedy=_remedy("max-cuda", release, build))


def release_remedy(build: Build, case: Case) -> Remedy:
    """What lets a project have a release of torch: allow a newer one, or require one before the next."""
    following = case.catalog.release_after(build.torch)
    newest_allowed = case.releases.allowed[0]
    if following is None or release_key(build.torch) > release_key(newest_allowed):
        bounds = case.catalog.bounds_from(build.torch, case.demand.packages)
        remedy = _remedy("allow", build.torch, build)
    else:
        bounds = case.catalog.bounds_before(following, case.demand.packages)
        remedy = _remedy("require", bounds[0].removeprefix("torch"), build)
    return replace(remedy, requirements=bounds, commands=add_commands(bounds, case.demand.direct))


def _python_faults(build: Build, case: Case) -> Iterator[Fault]:
    if not python_matches(build.python, case.demand):
        wanted = case.demand.python or case.demand.requires_python
        remedy = _remedy("python", python_span(build), build)
        yield Fault(kind="python", text=f"no wheel for Python {wanted}", remedy=remedy)
    oldest, lacking = case.lacking
    if build.backend in lacking:
        text = f"no {build.backend} wheel of any release for Python {oldest}, which requires-python allows"
        yield Fault(kind="python", text=text, remedy=_remedy("requires-python", oldest, build))


def python_span(build: Build) -> str:
    """The Python releases that a build has wheels for, ``3.11 to 3.15``."""
    return f"{build.python[0]} to {build.python[-1].rstrip('t')}"


def machine_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    """What the machine lacks for ``build``."""
    vendor = FAMILY_VENDORS.get(backend.family)
    if vendor is None:
        return
    devices = case.devices_for(backend)
    if not devices:
        yield Fault(kind="machine", text=f"no {VENDOR_NAMES[vendor]} GPU found")
    elif vendor == "nvidia":
        yield from _nvidia_faults(build, backend, case)
    for device in devices:
        if device.fault:
            yield Fault(kind="machine", text=device.fault, device=device, remedy=device.remedy)
        elif vendor == "amd":
            yield from _amd_faults(build, backend, device, case.catalog)
        elif vendor == "intel" and release_key(build.torch) < release_key(device.torch_from):
            text = f"{device.names} is supported from torch {device.torch_from} on"
            yield Fault(kind="kernels", text=text, device=device)


def _nvidia_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    driver, minimum = case.host.nvidia_driver, case.driver_minimum(backend)
    if jetson := jetson_fault(case.host):
        yield Fault(kind="machine", text=jetson, remedy=Remedy(kind="jetpack"))
    if driver is None:
        remedy = _remedy("install-driver", minimum or "", build)
        yield Fault(kind="machine", text="no NVIDIA driver is loaded", remedy=remedy)
    elif minimum and not driver_meets(driver, minimum):
        release = backend.release if case.config.cuda_compat == "strict" else backend.release[:1]
        text = f"driver {driver} < {minimum} (CUDA {release_text(release)})"
        yield Fault(kind="driver", text=text, remedy=_remedy("driver", minimum, build))
    for device in case.devices_for(backend):
        if device.target is not None:
            yield from _kernel_faults(build, backend, device, case)


def _kernel_faults(build: Build, backend: Backend, device: Device, case: Case) -> Iterator[Fault]:
    driver, system = case.host.nvidia_driver, case.driver_table
    capability = device.target or ""
    first = _first_driver(capability, system, case.catalog)
    if driver is not None and first and not driver_meets(driver, first):
        text = f"driver {driver} < {first} ({device.label})"
        yield Fault(kind="driver", text=text, device=device, remedy=_remedy("driver", first, build))
    if not build.kernels or has_machine_code(build.kernels, capability):
        return
    if not has_ptx(build.ptx, capability):
        text = f"no kernels for {device.label}; has {span(build.kernels)}"
        yield Fault(kind="kernels", text=text, device=device)
        return
    native = case.catalog.driver_minimum(backend.release, system, "strict")
    if driver is not None and native and not driver_meets(driver, native):
        text = f"driver {driver} < {native} (PTX of CUDA {release_text(backend.release)} for {device.label})"
        yield Fault(kind="driver", text=text, device=device, remedy=_remedy("driver", native, build))


def _amd_faults(build: Build, backend: Backend, device: Device, catalog: Catalog) -> Iterator[Fault]:
    target = device.target or ""
    if build.kernels and target not in build.kernels:
        yield Fault(kind="kernels", text=f"no kernels for {device.label}", device=device)
    elif reason := catalog.verdict_on(target, backend.release, "broken"):
        yield Fault(kind="broken", text=f"{target}: {reason}", device=device)


def _doubt(backend: Backend, device: Device, catalog: Catalog) -> str:
    if backend.family != "rocm":
        return ""
    reason = catalog.verdict_on(device.target or "", backend.release, "disputed")
    return f"{device.label} with {backend.tag} is disputed: {reason}" if reason else ""


def _first_driver(capability: str, system: str, catalog: Catalog) -> str:
    for row in catalog.architectures:
        if row.compute_capability == capability:
            return row.windows if system == "win32" else row.linux
    return ""


def _remedy(kind: RemedyKind, value: str, build: Build) -> Remedy:
    return Remedy(kind=kind, value=value, torch=build.torch, backend=build.backend)


def _demands(remedy: Remedy) -> tuple[int, ...]:
    """How much a remedy asks for: of two drivers the newer one."""
    return release_key(remedy.value) if remedy.kind == "driver" else ()
