"""Whether a build runs on a machine: every fault of every build, in a few words each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from torchsel.backend import Backend
from torchsel.catalog.catalog import release_key
from torchsel.catalog.kernels import driver_meets, has_machine_code, has_ptx, span
from torchsel.selection.demand import python_matches, within_cap
from torchsel.selection.devices import FAMILY_VENDORS, VENDOR_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torchsel.catalog.catalog import Catalog
    from torchsel.catalog.rows import Build
    from torchsel.config.keys import Config
    from torchsel.host import Host, Vendor
    from torchsel.selection.demand import Demand, Scope
    from torchsel.selection.devices import Device

Kind = Literal["release", "python", "backends", "max-cuda", "machine", "driver", "kernels", "held"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Why a build is out of the question.

    ``device`` is the one concerned, None where the fault is of the build as a whole. ``driver``
    is the NVIDIA driver version that would mend it.
    """

    kind: Kind
    text: str
    device: Device | None = None
    driver: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A build and everything against it; ``doubt`` is a dispute about whether it runs."""

    build: Build
    backend: Backend
    faults: tuple[Fault, ...] = ()
    doubt: str = ""

    def against(self, devices: Iterable[Device]) -> tuple[Fault, ...]:
        """The faults that matter where only ``devices`` have to be served."""
        return tuple(fault for fault in self.faults if fault.device is None or fault.device in devices)

    def without(self, kind: Kind) -> Fit:
        """The same fit with faults of one kind forgiven."""
        return replace(self, faults=tuple(fault for fault in self.faults if fault.kind != kind))

    def kinds(self, devices: Iterable[Device]) -> set[Kind]:
        """What kinds of faults matter for ``devices``."""
        return {fault.kind for fault in self.against(devices)}

    def has_kernels(self, devices: Iterable[Device]) -> bool:
        """Whether nothing but drivers, releases and wishes stands against running on ``devices``."""
        return not self.kinds(devices) & {"kernels", "machine"}

    def needed_driver(self, devices: Iterable[Device]) -> str:
        """The NVIDIA driver version that mends every driver fault, for a build that has one."""
        return max((fault.driver for fault in self.against(devices) if fault.driver), key=release_key)

    @property
    def name(self) -> str:
        """Release and backend, ``2.14.1 with cu126``."""
        return f"{self.build.torch} with {self.backend.tag}"

    @property
    def vendor(self) -> Vendor | None:
        """The vendor whose devices the build is for, None for cpu."""
        return FAMILY_VENDORS.get(self.backend.family)

    @property
    def reason(self) -> str:
        """All faults in one line."""
        return "; ".join(fault.text for fault in self.faults)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """All that a selection is made from.

    ``devices`` are those that decide, by vendor, most capable first; ``lacking`` the oldest Python of the
    project and the backends without a wheel for it.
    """

    host: Host
    demand: Demand
    config: Config
    catalog: Catalog
    scope: Scope
    devices: Mapping[Vendor, tuple[Device, ...]]
    lacking: tuple[str, frozenset[str]] = ("", frozenset())

    @property
    def driver_table(self) -> str:
        """The system whose NVIDIA driver numbers hold: on WSL the driver is that of Windows."""
        return "win32" if "microsoft" in (self.host.kernel or "").lower() else self.host.system

    def devices_for(self, backend: Backend) -> tuple[Device, ...]:
        """The deciding devices that builds of this backend's family are for."""
        vendor = FAMILY_VENDORS.get(backend.family)
        return self.devices.get(vendor, ()) if vendor else ()


def assess(build: Build, case: Case) -> Fit:
    """Everything that speaks against ``build`` in ``case``."""
    backend = Backend.parse(build.backend)
    faults = (*_config_faults(build, backend, case), *machine_faults(build, backend, case))
    doubts = (_doubt(backend, device, case.catalog) for device in case.devices_for(backend))
    return Fit(build=build, backend=backend, faults=faults, doubt=next(filter(None, doubts), ""))


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
            yield Fault(kind="machine", text=device.fault, device=device)
        elif vendor == "amd":
            yield from _amd_faults(build, backend, device, case.catalog)
        elif vendor == "intel" and release_key(build.torch) < release_key(device.torch_from):
            text = f"{device.names} is supported from torch {device.torch_from} on"
            yield Fault(kind="kernels", text=text, device=device)


def jetson_fault(host: Host) -> str:
    """Why PyTorch's wheels don't run on a Jetson of JetPack 6 or older; empty for every other machine.

    JetPack 7 has kernel 6.8 and runs the ordinary aarch64 wheels.
    """
    kernel = host.kernel or ""
    if "tegra" not in kernel or release_key(kernel.partition("-")[0]) >= (6,):
        return ""
    return "a Jetson with JetPack 6 or older can't run PyTorch's aarch64 wheels"


def _config_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    config = case.config
    if build.torch not in case.scope.allowed:
        wanted = ",".join(case.demand.specifiers) or "another release"
        yield Fault(kind="release", text=f"the project requires torch{wanted}")
    if not python_matches(build.python, case.demand):
        python = case.demand.python or case.demand.requires_python
        yield Fault(kind="python", text=f"no wheel for Python {python}")
    oldest, lacking = case.lacking
    if build.backend in lacking:
        text = f"no {build.backend} wheel of any release for Python {oldest}, which requires-python allows"
        yield Fault(kind="python", text=text)
    if config.backends is not None and build.backend not in config.backends:
        yield Fault(kind="backends", text="not in tool.torchsel.backends")
    held = case.catalog.held_back(build.backend, build.torch)
    if held and build.backend not in (config.backends or ()):
        yield Fault(kind="held", text=f"only where nothing else runs: {held}")
    if not within_cap(backend, config):
        release, limit = dotted(backend.release), dotted(config.max_cuda or ())
        yield Fault(kind="max-cuda", text=f"CUDA {release} is above max-cuda {limit}")


def _nvidia_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    driver, system = case.host.nvidia_driver, case.driver_table
    if jetson := jetson_fault(case.host):
        yield Fault(kind="machine", text=jetson)
    if driver is None:
        yield Fault(kind="machine", text="no NVIDIA driver is loaded")
    else:
        minimum = case.catalog.driver_minimum(backend.release, system, case.config.cuda_compat)
        if minimum and not driver_meets(driver, minimum):
            release = backend.release if case.config.cuda_compat == "strict" else backend.release[:1]
            text = f"driver {driver} < {minimum} (CUDA {dotted(release)})"
            yield Fault(kind="driver", text=text, driver=minimum)
    for device in case.devices_for(backend):
        if device.target is not None:
            yield from _kernel_faults(build, backend, device, case)


def _kernel_faults(build: Build, backend: Backend, device: Device, case: Case) -> Iterator[Fault]:
    driver, system = case.host.nvidia_driver, case.driver_table
    capability = device.target or ""
    first = _first_driver(capability, system, case.catalog)
    if driver is not None and first and not driver_meets(driver, first):
        text = f"driver {driver} < {first} ({device.label})"
        yield Fault(kind="driver", text=text, device=device, driver=first)
    if not build.kernels or has_machine_code(build.kernels, capability):
        return
    if not has_ptx(build.ptx, capability):
        text = f"no kernels for {device.label}; has {span(build.kernels)}"
        yield Fault(kind="kernels", text=text, device=device)
        return
    native = case.catalog.driver_minimum(backend.release, system, "strict")
    if driver is not None and native and not driver_meets(driver, native):
        text = f"driver {driver} < {native} (PTX of CUDA {dotted(backend.release)} for {device.label})"
        yield Fault(kind="driver", text=text, device=device, driver=native)


def _amd_faults(build: Build, backend: Backend, device: Device, catalog: Catalog) -> Iterator[Fault]:
    target = device.target or ""
    if build.kernels and target not in build.kernels:
        yield Fault(kind="kernels", text=f"no kernels for {device.label}", device=device)
        return
    reason = _verdict(backend, target, catalog, "broken")
    if reason:
        yield Fault(kind="kernels", text=f"{target}: {reason}", device=device)


def _doubt(backend: Backend, device: Device, catalog: Catalog) -> str:
    reason = _verdict(backend, device.target or "", catalog, "disputed") if backend.family == "rocm" else ""
    return f"{device.label} with {backend.tag} is disputed: {reason}" if reason else ""


def _verdict(backend: Backend, target: str, catalog: Catalog, verdict: str) -> str:
    for row in catalog.broken:
        if row.gfx == target and row.verdict == verdict:
            until = release_key(row.rocm_until) if row.rocm_until else (9999,)
            if release_key(row.rocm_from) <= backend.release < until:
                return row.reason
    return ""


def _first_driver(capability: str, system: str, catalog: Catalog) -> str:
    for row in catalog.architectures:
        if row.compute_capability == capability:
            return row.windows if system == "win32" else row.linux
    return ""


def dotted(release: tuple[int, ...]) -> str:
    """A release as text, ``13.0``."""
    return ".".join(map(str, release))
