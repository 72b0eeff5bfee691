"""Sentences: why a build was chosen, why a newer torch was not, why nothing runs and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.catalog.catalog import release_key, release_text
from torchsel.selection.devices import FAMILY_VENDORS, VENDOR_NAMES, devices_of
from torchsel.selection.judge import jetson_fault, python_span, release_remedy
from torchsel.selection.remedies import focus, told, told_ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchsel.backend import Backend
    from torchsel.host import Host, Vendor
    from torchsel.selection.case import Case
    from torchsel.selection.devices import Device
    from torchsel.selection.judge import JudgedBuild
    from torchsel.selection.rank import Pick
    from torchsel.selection.remedies import Devices
    from torchsel.selection.selection import WayOut

_FAMILY_NAMES = {"nvidia": "CUDA", "amd": "ROCm", "intel": "XPU"}
_SYSTEM_NAMES = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}
_UPGRADE = "'torchsel --upgrade' looks among other releases"


def why_chosen(chosen: JudgedBuild, served: Devices, case: Case) -> str:
    """Why this build: what it has for the devices, and the driver rule it meets."""
    backend = chosen.backend
    if backend.family != "cuda":
        return f"{backend.tag} supports {_labels(served)}"
    release = release_text(backend.release if case.config.cuda_compat == "strict" else backend.release[:1])
    minimum = case.driver_minimum(backend)
    rule = f"driver {case.host.nvidia_driver} meets the minimum of CUDA {release}, {minimum}"
    known = tuple(device for device in served if device.target is not None)
    return f"{backend.tag} has kernels for {_labels(known)}; {rule}" if known else rule


def out_of_reach(builds: Sequence[JudgedBuild], chosen: JudgedBuild, served: Devices, case: Case) -> str:
    """Why a newer torch that the project allows was not taken; empty where there is none."""
    newest = case.releases.allowed[0]
    if newest == chosen.torch:
        return ""
    torch = f"torch {case.releases.public(newest) or newest}"
    rivals = [judged for judged in builds if judged.torch == newest]
    if not rivals:
        family = _FAMILY_NAMES[FAMILY_VENDORS[chosen.backend.family]]
        return f"{torch} has no {family} build for {where(case.host)}; {chosen.name} is the newest"
    if not any(judged.has_kernels(served) for judged in rivals):
        lacking = [item for item in served if not any(rival.has_kernels((item,)) for rival in rivals)]
        labels = _labels(lacking or served)
        return f"{torch} has no build with kernels for {labels}; {_last(builds, chosen, served, case)}"
    waiting = [judged for judged in rivals if judged.kinds(served) == {"driver"}]
    if waiting:
        easiest = min(waiting, key=lambda judged: release_key(judged.needed_driver(served)))
        need = f"{torch} needs driver >= {easiest.needed_driver(served)} ({easiest.backend.tag})"
        return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"
    return f"{torch} {_hurdle(rivals, served)}; the newest is {chosen.name}"


def _hurdle(rivals: Sequence[JudgedBuild], served: Devices) -> str:
    """Why none of these builds was taken though they have kernels and the driver is new enough."""
    if doubt := next((judged.doubt for judged in rivals if not judged.against(served)), ""):
        return f"runs here in doubt only ({doubt})"
    if all(judged.kinds(served) == {"held"} for judged in rivals):
        tags = ", ".join(judged.backend.tag for judged in rivals)
        return f"has {tags} only, for where nothing else runs"
    return f"is out of reach: {_blockers(rivals, served)}"


def ruled_out(pick: Pick, builds: Sequence[JudgedBuild]) -> str:
    """What other packages of the project kept from being chosen, for the same torch; empty for nothing."""
    kept = [judged for judged in builds if judged.torch == pick.judged.torch]
    texts = [judged.reason for judged in kept if judged.kinds(pick.served) == {"companion"}]
    return "; ".join(texts)


def no_build_for(vendor: Vendor, builds: Sequence[JudgedBuild], ways: Sequence[WayOut], case: Case) -> str:
    """Why none of a vendor's builds runs on its devices, and what would help."""
    problem = _problem(vendor, builds, case)
    return f"{problem}: {told_ways(ways)}" if ways else problem


def no_wheels(host: Host, platforms: Iterable[str]) -> str:
    """Why PyTorch has no wheel at all for this machine and what to do; empty where it has."""
    if (host.libc or "").startswith("musl"):
        advice = "use a system or container image with glibc, such as Debian's"
        return f"PyTorch has no wheels for musl libc (Alpine Linux): {advice}"
    if host.platform in platforms:
        return ""
    if host.platform == "win_arm64":
        advice = "use an x64 Python, which Windows emulates, or WSL 2 with the wheels for Linux aarch64"
        return f"PyTorch has no stable wheels for Windows on Arm: {advice}"
    known = ", ".join(sorted(platforms))
    return f"PyTorch has no wheels for {where(host)}, only for {known}: build it from source"


def where(host: Host) -> str:
    """The platform in words, ``Linux aarch64``."""
    return f"{_SYSTEM_NAMES[host.system]} {host.machine}"


def left_out(pick: Pick, case: Case) -> str:
    """The devices that the chosen build does not serve, and why; empty where it serves them all."""
    texts = [fault.text for fault in pick.judged.faults if fault.device in pick.left_out]
    if not texts:
        return ""
    names = ", ".join(device.names for device in pick.left_out)
    text = f"{pick.judged.backend.tag} leaves out {names}: {'; '.join(dict.fromkeys(texts))}"
    if case.config.gpus == "best":
        return text
    torch = pick.judged.torch
    if torch in case.releases.locked:
        kept = case.releases.public(torch)
        return f"no build of torch {kept} in uv.lock serves every GPU; {text}; {_UPGRADE}"
    return f"no build serves every GPU; {text}; tool.torchsel.gpus = 'best' says that this is meant"


def doubts(pick: Pick) -> Iterator[str]:
    """What is not certain about the choice."""
    if pick.judged.doubt:
        yield f"{pick.judged.doubt}; test it before you rely on it"
    for device in pick.served:
        if device.vendor == "nvidia" and device.target is None:
            unknown = f"the compute capability of {device.names} is unknown: judged by the driver alone"
            yield f"{unknown}; a recorded host (--host) can tell it"


def ignored(case: Case) -> Iterator[str]:
    """Accelerators of the host that had no say."""
    for vendor, vendor_name in VENDOR_NAMES.items():
        devices = devices_of(case.host, vendor, case.catalog)
        names = ", ".join(device.names for device in devices)
        if devices and vendor not in case.config.vendors:
            yield f"{names} ignored: {vendor!r} is not in tool.torchsel.vendors"
        for device in devices:
            if device not in case.devices.get(vendor, devices):
                beside = f"integrated graphics beside another {vendor_name} GPU"
                yield f"{device.label} does not decide: {beside}"


def moved(moved_from: str | None, chosen: JudgedBuild, builds: Iterable[JudgedBuild], case: Case) -> str:
    """Why the locked torch could not stay; empty where it did."""
    if moved_from is None:
        return ""
    tried = [judged for judged in builds if judged.torch in case.releases.locked]
    reasons = "; ".join(dict.fromkeys(judged.reason for judged in tried if judged.reason))
    torch = case.releases.public(chosen.torch) or chosen.torch
    lack = f"build that fits ({reasons})" if tried else f"{chosen.backend.tag} build for {where(case.host)}"
    return f"torch {moved_from} in uv.lock has no {lack}; torch moves to {torch}"


def cpu_trouble(chosen: JudgedBuild | None, builds: Sequence[JudgedBuild], case: Case) -> str:
    """What is wrong with the CPU build as the choice; empty where nothing is."""
    here = where(case.host)
    if chosen is not None:
        if case.host.system == "darwin":
            return _last_on_macos(chosen, case)
        listed = case.config.backends is None or "cpu" in case.config.backends
        return (
            "" if listed else "'cpu' is not in tool.torchsel.backends, but no other build runs here: add it"
        )
    mine = [judged for judged in builds if judged.backend.family == "cpu"]
    if not mine:
        return ""
    inside = [judged for judged in mine if judged.torch in case.releases.allowed]
    if not inside:
        return f"the torch that the project allows has no wheel for {here}; {_last_release(mine[0], case)}"
    wanted = case.demand.python or case.demand.requires_python
    use = f"use Python {python_span(inside[0].build)}"
    return f"no torch that the project allows has a wheel for Python {wanted} on {here}: {use}"


def obeyed_trouble(
    backend: Backend, torch: str | None, chosen: JudgedBuild | None, pick: Pick | None, case: Case
) -> str:
    """Why the backend that was asked for won't do here; empty where it will."""
    tag = backend.tag
    if torch is None and not case.releases.stands_for:
        last = case.catalog.builds(backend=tag)[0].torch
        return f"no torch that the project allows has a {tag} build; {last} is the newest that has one"
    if chosen is None:
        return f"there is no {tag} build for {where(case.host)}: uv's default index is used here"
    if backend.family == "cpu":
        return ""
    if pick is None:
        return f"this machine can't run {tag}: {chosen.reason}"
    return left_out(pick, case)


def not_in_backends(tag: str, case: Case) -> str:
    """That a backend was asked for which the project does not list; empty where it does."""
    allowed = case.config.backends
    if allowed is None or tag in allowed:
        return ""
    return f"{tag} is not in tool.torchsel.backends ({', '.join(allowed)})"


def _problem(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> str:
    """One clause: why no build runs on this vendor's devices."""
    devices = case.devices[vendor]
    names = ", ".join(device.names for device in devices)
    if vendor == "nvidia" and (jetson := jetson_fault(case.host)):
        return f"{names}: {jetson}"
    if not builds:
        return f"PyTorch has no {_FAMILY_NAMES[vendor]} builds for {where(case.host)} ({names})"
    if vendor == "nvidia" and case.host.nvidia_driver is None:
        return f"{names} found, but no NVIDIA driver is loaded"
    if all(device.fault for device in devices):
        return "; ".join(device.fault for device in devices)
    return _problem_with(focus(devices, builds), builds, case)


def _problem_with(devices: Devices, builds: Sequence[JudgedBuild], case: Case) -> str:
    able = [judged for judged in builds if judged.has_kernels(devices)]
    labels = _labels(devices)
    if not able:
        return _no_kernels(devices, builds, case)
    allowed = [judged for judged in able if "release" not in judged.kinds(devices)]
    if not allowed:
        wanted = ",".join(case.demand.specifiers) or f" {case.releases.allowed[0]}"
        return f"torch{wanted} has no build with kernels for {labels}; the last is {able[0].name}"
    if any(judged.kinds(devices) == {"driver"} for judged in allowed):
        return f"driver {case.host.nvidia_driver} is too old for every build with kernels for {labels}"
    return f"every build with kernels for {labels} is ruled out ({_blockers(allowed, devices)})"


def _no_kernels(devices: Devices, builds: Sequence[JudgedBuild], case: Case) -> str:
    labels = _labels(devices)
    since = release_text(release_key(case.catalog.releases[-1])[:2])
    text = f"no build for {where(case.host)} since torch {since} has kernels for {labels}"
    if case.catalog.is_narrowed:
        text = f"nothing that this project offers, as it is locked, has kernels for {labels}"
    faults = [fault for judged in builds for fault in judged.against(devices)]
    return "; ".join([text, *sorted({fault.text for fault in faults if fault.kind == "broken"})])


def _last(builds: Sequence[JudgedBuild], chosen: JudgedBuild, served: Devices, case: Case) -> str:
    """Whether the chosen build is the last with kernels, or one that a newer driver would allow."""
    last = next(judged for judged in builds if judged.kinds(served) <= {"driver"})
    if last.torch == chosen.torch:
        return f"{chosen.name} is the last"
    need = f"{last.name} is the last and needs driver >= {last.needed_driver(served)}"
    return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"


def _last_on_macos(chosen: JudgedBuild, case: Case) -> str:
    newest = case.releases.allowed[0]
    if chosen.torch in (newest, *case.releases.locked) or case.demand.python:
        return ""
    return f"torch {newest} has no wheel for {where(case.host)}; {_last_release(chosen, case)}"


def _last_release(last: JudgedBuild, case: Case) -> str:
    remedy = release_remedy(last.build, case)
    return (
        told(remedy) if remedy.kind == "allow" else f"{last.torch} is the last: require torch{remedy.value}"
    )


def _blockers(builds: Iterable[JudgedBuild], devices: Devices) -> str:
    texts = [fault.text for judged in builds for fault in judged.against(devices)]
    return "; ".join(dict.fromkeys(texts))


def _labels(devices: Iterable[Device]) -> str:
    return ", ".join(device.label for device in devices)
