"""Sentences: why the newest torch is out of reach, why nothing runs, and what would change that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.catalog import release_key
from torchsel.devices import FAMILY_VENDORS
from torchsel.fit import dotted, jetson_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchsel.catalog import Catalog
    from torchsel.devices import Device
    from torchsel.fit import Case, Fit
    from torchsel.host import Host, Vendor

Devices = tuple["Device", ...]

_KINDS = {"nvidia": "CUDA", "amd": "ROCm", "intel": "XPU"}
_SYSTEMS = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}


def why_chosen(fit: Fit, served: Devices, case: Case) -> str:
    """Why this build: what it has for the devices, and the driver rule it meets."""
    if fit.backend.family != "cuda":
        return f"{fit.backend.tag} supports {_labels(served)}"
    driver, mode = case.host.nvidia_driver, case.config.cuda_compat
    minimum = case.catalog.driver_minimum(fit.backend.release, case.driver_table, mode)
    release = dotted(fit.backend.release if mode == "strict" else fit.backend.release[:1])
    rule = f"driver {driver} meets the minimum of CUDA {release}, {minimum}"
    known = tuple(device for device in served if device.target is not None)
    return f"{fit.backend.tag} has kernels for {_labels(known)}; {rule}" if known else rule


def out_of_reach(fits: Sequence[Fit], chosen: Fit, served: Devices, case: Case) -> str:
    """Why a newer torch that the project allows was not taken; empty where there is none."""
    newest = case.scope.allowed[0]
    if newest == chosen.build.torch:
        return ""
    torch = f"torch {case.scope.public(newest) or newest}"
    rivals = [fit for fit in fits if fit.build.torch == newest]
    if not rivals:
        return f"{torch} has no {_kind(chosen)} build for {where(case.host)}; {_name(chosen)} is the newest"
    if not any(_has_kernels(fit, served) for fit in rivals):
        lacking = tuple(item for item in served if not any(_has_kernels(fit, (item,)) for fit in rivals))
        labels = _labels(lacking or served)
        return f"{torch} has no build with kernels for {labels}; {_last(fits, chosen, served, case)}"
    waiting = [fit for fit in rivals if _kinds(fit, served) == {"driver"}]
    if waiting:
        easiest = min(waiting, key=lambda fit: release_key(_needed(fit, served)))
        need = f"{torch} needs driver >= {_needed(easiest, served)} ({easiest.backend.tag})"
        return f"{need}; with {case.host.nvidia_driver} the newest is {_name(chosen)}"
    if all(_kinds(fit, served) == {"held"} for fit in rivals):
        tags = ", ".join(fit.backend.tag for fit in rivals)
        return f"{torch} has {tags} only, for where nothing else runs; the newest is {_name(chosen)}"
    return f"{torch} is out of reach: {_blockers(rivals, served)}; the newest is {_name(chosen)}"


def problem(vendor: Vendor, fits: Sequence[Fit], case: Case) -> str:
    """One clause: why no build runs on this vendor's devices."""
    devices = case.devices[vendor]
    names = ", ".join(device.names for device in devices)
    if vendor == "nvidia" and (jetson := jetson_fault(case.host)):
        return f"{names}: {jetson}"
    if not fits:
        return f"PyTorch has no {_KINDS[vendor]} builds for {where(case.host)} ({names})"
    if vendor == "nvidia" and case.host.nvidia_driver is None:
        return f"{names} found, but no NVIDIA driver is loaded"
    if all(device.fault for device in devices):
        return "; ".join(device.fault for device in devices)
    return _problem_with(_focus(devices, fits), fits, case)


def ways_out(vendor: Vendor, fits: Sequence[Fit], case: Case) -> str:
    """What would make a build run, joined by "or"; empty where nothing is known to help."""
    devices = _focus(case.devices[vendor], fits)
    if vendor == "nvidia" and jetson_fault(case.host):
        return "use the wheels that NVIDIA and Jetson AI Lab build for JetPack, or update to JetPack 7"
    if vendor == "nvidia" and case.host.nvidia_driver is None:
        return _install_driver(fits, devices, case)
    ways = [*_driver_ways(fits, devices, case), *_release_ways(fits, devices, case)]
    ways += _config_ways(fits, devices)
    if vendor == "amd":
        ways += _amd_ways(fits, devices, case.host)
    return ", or ".join(ways)


def is_hopeless(fits: Iterable[Fit], devices: Devices) -> bool:
    """Whether no build of any release has kernels for any of the devices."""
    mine = list(fits)
    return not any(_has_kernels(fit, (device,)) for fit in mine for device in devices)


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


def below(torch: str, catalog: Catalog) -> str:
    """The bound that keeps a project at ``torch``: the release after it, ``2.15`` for 2.14.1."""
    following = [row for row in catalog.releases if release_key(row) > release_key(torch)][-1]
    return following.removesuffix(".0")


def where(host: Host) -> str:
    """The platform in words, ``Linux aarch64``."""
    return f"{_SYSTEMS[host.system]} {host.machine}"


def _problem_with(devices: Devices, fits: Sequence[Fit], case: Case) -> str:
    able = [fit for fit in fits if _has_kernels(fit, devices)]
    labels = _labels(devices)
    if not able:
        broken = {fault.text for fit in fits for fault in fit.against(devices) if ": " in fault.text}
        since = dotted(release_key(case.catalog.releases[-1])[:2])
        text = f"no build for {where(case.host)} since torch {since} has kernels for {labels}"
        return "; ".join([text, *sorted(broken)])
    allowed = [fit for fit in able if "release" not in _kinds(fit, devices)]
    if not allowed:
        wanted = ",".join(case.demand.specifiers) or f" {case.scope.allowed[0]}"
        return f"torch{wanted} has no build with kernels for {labels}; the last is {_name(able[0])}"
    if any(_kinds(fit, devices) == {"driver"} for fit in allowed):
        return f"driver {case.host.nvidia_driver} is too old for every build with kernels for {labels}"
    return f"every build with kernels for {labels} is ruled out ({_blockers(allowed, devices)})"


def _driver_ways(fits: Sequence[Fit], devices: Devices, case: Case) -> Iterator[str]:
    """A newer driver: the least that helps, and what the newest torch would need."""
    waiting = [fit for fit in fits if _kinds(fit, devices) == {"driver"} and _can_drive(fit, devices, case)]
    if not waiting:
        return
    easiest = min(waiting, key=lambda fit: release_key(_needed(fit, devices)))
    yield f"update the NVIDIA driver to >= {_needed(easiest, devices)} for {_name(easiest)}"
    best = min(
        (fit for fit in waiting if fit.build.torch == waiting[0].build.torch),
        key=lambda fit: release_key(_needed(fit, devices)),
    )
    if best.build.torch != easiest.build.torch:
        yield f"to >= {_needed(best, devices)} for {_name(best)}"


def _release_ways(fits: Sequence[Fit], devices: Devices, case: Case) -> Iterator[str]:
    """Another torch than the project allows."""
    found = next((fit for fit in fits if _kinds(fit, devices) == {"release"}), None)
    if found is None:
        return
    release = release_key(found.build.torch)
    if release > release_key(case.scope.allowed[0]):
        yield f"allow torch {found.build.torch} ({found.backend.tag})"
    else:
        yield f"require torch<{below(found.build.torch, case.catalog)} (for {_name(found)})"


def _config_ways(fits: Sequence[Fit], devices: Devices) -> Iterator[str]:
    """Another value of a key in ``[tool.torchsel]``, or another Python."""
    for kind in ("backends", "max-cuda", "python"):
        found = next((fit for fit in fits if _kinds(fit, devices) == {kind}), None)
        if found is None:
            continue
        if kind == "backends":
            yield f"add {found.backend.tag!r} to tool.torchsel.backends"
        elif kind == "max-cuda":
            yield f"raise tool.torchsel.max-cuda to {dotted(found.backend.release)}"
        else:
            python = found.build.python
            yield f"use Python {python[0]} to {python[-1].rstrip('t')} (for {_name(found)})"


def _amd_ways(fits: Sequence[Fit], devices: Devices, host: Host) -> Iterator[str]:
    """AMD's override for the relatives of gfx1030, and what there is besides PyTorch's own index."""
    if not fits:
        yield "use Linux or WSL 2" if host.system == "win32" else "use an x86_64 machine"
        yield "use AMD's own index"
    relatives = [item.target for item in devices if (item.target or "").startswith("gfx103")]
    build = next((fit for fit in fits if "gfx1030" in fit.build.kernels and not _rules_out(fit)), None)
    if relatives and build:
        trick = "set HSA_OVERRIDE_GFX_VERSION=10.3.0, which AMD does not support"
        yield f"{trick}, and ask for backend {build.backend.tag} to run gfx1030's kernels on {relatives[0]}"


def _install_driver(fits: Sequence[Fit], devices: Devices, case: Case) -> str:
    """The driver for the newest torch whose builds have kernels; None of the faults counts but those."""
    ready = [fit for fit in fits if _kinds(fit, devices) == {"machine"}]
    passed = "if this is a container, start it with the GPU passed in"
    if not ready:
        return f"install NVIDIA's driver; {passed}"
    mode = case.config.cuda_compat
    minimum = case.catalog.driver_minimum(ready[0].backend.release, case.driver_table, mode)
    return f"install NVIDIA's driver, >= {minimum} for {_name(ready[0])}; {passed}"


def _last(fits: Sequence[Fit], chosen: Fit, served: Devices, case: Case) -> str:
    """Whether the chosen build is the last with kernels, or one that a newer driver would allow."""
    last = next(fit for fit in fits if _kinds(fit, served) <= {"driver"})
    if last.build.torch == chosen.build.torch:
        return f"{_name(chosen)} is the last"
    need = f"{_name(last)} is the last and needs driver >= {_needed(last, served)}"
    return f"{need}; with {case.host.nvidia_driver} the newest is {_name(chosen)}"


def _focus(devices: Devices, fits: Sequence[Fit]) -> Devices:
    """The most capable device that some build has kernels for; all of them where there is none."""
    for device in devices:
        if any(_has_kernels(fit, (device,)) for fit in fits):
            return (device,)
    return devices


def _can_drive(fit: Fit, devices: Devices, case: Case) -> bool:
    """Whether NVIDIA still makes such a driver for every device."""
    branch = release_key(_needed(fit, devices))[0]
    last = {row.compute_capability: row.last_branch for row in case.catalog.architectures}
    return all(not (end := last.get(device.target or "")) or branch <= int(end) for device in devices)


def _kinds(fit: Fit, devices: Devices) -> set[str]:
    return {fault.kind for fault in fit.against(devices)}


def _has_kernels(fit: Fit, devices: Devices) -> bool:
    return not _kinds(fit, devices) & {"kernels", "machine"}


def _rules_out(fit: Fit) -> bool:
    return any(fault.device is None for fault in fit.faults)


def _needed(fit: Fit, devices: Devices) -> str:
    return max((fault.driver for fault in fit.against(devices) if fault.driver), key=release_key)


def _blockers(fits: Iterable[Fit], devices: Devices) -> str:
    texts = [fault.text for fit in fits for fault in fit.against(devices)]
    return "; ".join(dict.fromkeys(texts))


def _labels(devices: Devices) -> str:
    return ", ".join(device.label for device in devices)


def _name(fit: Fit) -> str:
    return f"{fit.build.torch} with {fit.backend.tag}"


def _kind(fit: Fit) -> str:
    return _KINDS[FAMILY_VENDORS[fit.backend.family]]
