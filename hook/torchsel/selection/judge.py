"""Whether a build runs on a machine: every fault of every build, in a few words, with what would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torchsel.backend import Backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.kernels import driver_meets, has_machine_code, has_ptx, span
from torchsel.catalog.rows import Build, release_key, release_text
from torchsel.selection.case import Case
from torchsel.selection.companions import missed
from torchsel.selection.device import FAMILY_VENDORS, Device
from torchsel.selection.faults import Fault, JudgedBuild
from torchsel.selection.hardware import jetson_fault
from torchsel.selection.releases import python_matches
from torchsel.selection.remedy import Remedy, backends_line, remedy_for, remove_commands
from torchsel.vendors import VENDORS


def assess(build: Build, case: Case) -> JudgedBuild:
    """Everything that speaks against ``build`` in ``case``."""
    backend = Backend.parse(build.backend)
    faults = (*_wish_faults(build, backend, case), *machine_faults(build, backend, case))
    doubts = (_doubt(backend, device, case.catalog) for device in case.devices_for(backend))
    return JudgedBuild(build=build, backend=backend, faults=faults, doubt=next(filter(None, doubts), ""))


def _wish_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    """What the project's requirements and configuration have against ``build``."""
    config = case.config
    if build.torch not in case.releases.allowed:
        wanted = ",".join(case.demand.specifiers) or "another release"
        text = f"the project requires torch{wanted}"
        yield Fault(kind="release", text=text, remedy=case.release_remedy(build))
    yield from _python_faults(build, case)
    if config.backends is not None and build.backend not in config.backends:
        line = backends_line(build.backend, config.names, config.backends)
        remedy = replace(remedy_for("backends", build.backend, build), line=line)
        yield Fault(kind="backends", text="not in tool.torchsel.backends", remedy=remedy)
    for package, text in case.vetoes.get(build.backend, ()):
        without = remove_commands(package, case.demand.direct)
        remedy = replace(remedy_for("companion", package, build), commands=without)
        yield Fault(kind="companion", text=text, remedy=remedy)
    held = case.catalog.held_back(build.backend, build.torch)
    if held and build.backend not in (config.backends or ()):
        yield Fault(kind="held", text=f"only where nothing else runs: {held}")
    for text in missed(backend, config, case.catalog):
        yield Fault(kind="held", text=f"only where nothing else runs: {text}")
    if not config.admits(backend):
        release, limit = release_text(backend.release), release_text(config.max_cuda or ())
        text = f"CUDA {release} is above max-cuda {limit}"
        yield Fault(kind="max-cuda", text=text, remedy=remedy_for("max-cuda", release, build))


def _python_faults(build: Build, case: Case) -> Iterator[Fault]:
    if not python_matches(build.python, case.demand):
        wanted = case.demand.python or case.demand.requires_python
        remedy = remedy_for("python", build.python_span, build)
        yield Fault(kind="python", text=f"no wheel for Python {wanted}", remedy=remedy)
    oldest, lacking = case.lacking
    if build.backend in lacking:
        text = f"no {build.backend} wheel of any release for Python {oldest}, which requires-python allows"
        yield Fault(kind="python", text=text, remedy=remedy_for("requires-python", oldest, build))


def machine_faults(build: Build, backend: Backend, case: Case) -> Iterator[Fault]:
    """What the machine lacks for ``build``."""
    vendor = FAMILY_VENDORS.get(backend.family)
    if vendor is None:
        return
    devices = case.devices_for(backend)
    if not devices:
        yield Fault(kind="machine", text=f"no {VENDORS[vendor].name} GPU found")
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
        remedy = remedy_for("install-driver", minimum or "", build)
        yield Fault(kind="machine", text="no NVIDIA driver is loaded", remedy=remedy)
    elif minimum and not driver_meets(driver, minimum):
        release = backend.release if case.config.cuda_compat == "strict" else backend.release[:1]
        text = f"driver {driver} < {minimum} (CUDA {release_text(release)})"
        yield Fault(kind="driver", text=text, remedy=remedy_for("driver", minimum, build))
    for device in case.devices_for(backend):
        if device.target is not None:
            yield from _kernel_faults(build, backend, device, case)


def _kernel_faults(build: Build, backend: Backend, device: Device, case: Case) -> Iterator[Fault]:
    driver, system = case.host.nvidia_driver, case.driver_table
    capability = device.target or ""
    first = _first_driver(capability, system, case.catalog)
    if driver is not None and first and not driver_meets(driver, first):
        text = f"driver {driver} < {first} ({device.label})"
        yield Fault(kind="driver", text=text, device=device, remedy=remedy_for("driver", first, build))
    if not build.kernels or has_machine_code(build.kernels, capability):
        return
    if not has_ptx(build.ptx, capability):
        text = f"no kernels for {device.label}; has {span(build.kernels)}"
        yield Fault(kind="kernels", text=text, device=device)
        return
    native = case.catalog.driver_minimum(backend.release, system, "strict")
    if driver is not None and native and not driver_meets(driver, native):
        text = f"driver {driver} < {native} (PTX of CUDA {release_text(backend.release)} for {device.label})"
        yield Fault(kind="driver", text=text, device=device, remedy=remedy_for("driver", native, build))


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
