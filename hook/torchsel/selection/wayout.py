"""Sentences: why a build was chosen, why the newest torch is out of reach, why nothing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.catalog.catalog import release_key
from torchsel.selection.devices import FAMILY_VENDORS
from torchsel.selection.judge import dotted, jetson_fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torchsel.catalog.catalog import Catalog
    from torchsel.host import Host, Vendor
    from torchsel.selection.devices import Device
    from torchsel.selection.judge import Case, Fit

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
        return f"{torch} has no {_kind(chosen)} build for {where(case.host)}; {chosen.name} is the newest"
    if not any(fit.has_kernels(served) for fit in rivals):
        lacking = tuple(item for item in served if not any(fit.has_kernels((item,)) for fit in rivals))
        labels = _labels(lacking or served)
        return f"{torch} has no build with kernels for {labels}; {_last(fits, chosen, served, case)}"
    waiting = [fit for fit in rivals if fit.kinds(served) == {"driver"}]
    if waiting:
        easiest = min(waiting, key=lambda fit: release_key(fit.needed_driver(served)))
        need = f"{torch} needs driver >= {easiest.needed_driver(served)} ({easiest.backend.tag})"
        return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"
    if all(fit.kinds(served) == {"held"} for fit in rivals):
        tags = ", ".join(fit.backend.tag for fit in rivals)
        return f"{torch} has {tags} only, for where nothing else runs; the newest is {chosen.name}"
    return f"{torch} is out of reach: {_blockers(rivals, served)}; the newest is {chosen.name}"


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
    return _problem_with(focus(devices, fits), fits, case)


def is_hopeless(fits: Iterable[Fit], devices: Devices) -> bool:
    """Whether no build of any release has kernels for any of the devices."""
    mine = list(fits)
    return not any(fit.has_kernels((device,)) for fit in mine for device in devices)


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
    able = [fit for fit in fits if fit.has_kernels(devices)]
    labels = _labels(devices)
    if not able:
        faults = [fault for fit in fits for fault in fit.against(devices) if fault.kind == "kernels"]
        broken = {fault.text for fault in faults if ": " in fault.text}
        since = dotted(release_key(case.catalog.releases[-1])[:2])
        text = f"no build for {where(case.host)} since torch {since} has kernels for {labels}"
        if case.catalog.is_narrowed:
            text = f"nothing that this project offers, as it is locked, has kernels for {labels}"
        return "; ".join([text, *sorted(broken)])
    allowed = [fit for fit in able if "release" not in fit.kinds(devices)]
    if not allowed:
        wanted = ",".join(case.demand.specifiers) or f" {case.scope.allowed[0]}"
        return f"torch{wanted} has no build with kernels for {labels}; the last is {able[0].name}"
    if any(fit.kinds(devices) == {"driver"} for fit in allowed):
        return f"driver {case.host.nvidia_driver} is too old for every build with kernels for {labels}"
    return f"every build with kernels for {labels} is ruled out ({_blockers(allowed, devices)})"


def _last(fits: Sequence[Fit], chosen: Fit, served: Devices, case: Case) -> str:
    """Whether the chosen build is the last with kernels, or one that a newer driver would allow."""
    last = next(fit for fit in fits if fit.kinds(served) <= {"driver"})
    if last.build.torch == chosen.build.torch:
        return f"{chosen.name} is the last"
    need = f"{last.name} is the last and needs driver >= {last.needed_driver(served)}"
    return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"


def focus(devices: Devices, fits: Sequence[Fit]) -> Devices:
    """The most capable device that some build has kernels for; all of them where there is none."""
    for device in devices:
        if any(fit.has_kernels((device,)) for fit in fits):
            return (device,)
    return devices


def _blockers(fits: Iterable[Fit], devices: Devices) -> str:
    texts = [fault.text for fit in fits for fault in fit.against(devices)]
    return "; ".join(dict.fromkeys(texts))


def _labels(devices: Devices) -> str:
    return ", ".join(device.label for device in devices)


def _kind(fit: Fit) -> str:
    return _KINDS[FAMILY_VENDORS[fit.backend.family]]
