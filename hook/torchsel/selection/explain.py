"""Sentences about a choice: why this build, why no newer torch, what it leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torchsel.selection.remedy import told
from torchsel.selection.rules import devices_of, rules_of
from torchsel.selection.values import Case, Devices, JudgedBuild, Pick, blockers, easiest, labels_of, servable
from torchsel.vendors import VENDORS

_UPGRADE = "'torchsel --upgrade' looks among other releases"


def out_of_reach(builds: Sequence[JudgedBuild], chosen: JudgedBuild, served: Devices, case: Case) -> str:
    """Why a newer torch that the project allows was not taken; empty where there is none."""
    newest = case.releases.allowed[0]
    if newest == chosen.torch:
        return ""
    torch = f"torch {case.releases.public(newest) or newest}"
    rivals = [judged for judged in builds if judged.torch == newest]
    if not rivals:
        family = VENDORS[served[0].vendor].family_name
        return f"{torch} has no {family} build for {case.host.words}; {chosen.name} is the newest"
    if not any(judged.has_kernels(served) for judged in rivals):
        # maybe each device has a build, but no build has them all
        able = servable(served, rivals)
        labels = labels_of([item for item in served if item not in able] or served)
        return f"{torch} has no build with kernels for {labels}; {_last(builds, chosen, served, case)}"
    waiting = [judged for judged in rivals if judged.kinds(served) == {"driver"}]
    if waiting:
        least = easiest(waiting, served)
        need = f"{torch} needs driver >= {least.needed_driver(served)} ({least.backend.tag})"
        return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"
    return f"{torch} {_hurdle(rivals, served)}; the newest is {chosen.name}"


def _hurdle(rivals: Sequence[JudgedBuild], served: Devices) -> str:
    """Why none of these builds was taken though they have kernels and the driver is new enough."""
    if doubt := next((judged.doubt for judged in rivals if not judged.against(served)), ""):
        return f"may fail here ({doubt})"
    if all(judged.kinds(served) == {"held"} for judged in rivals):
        tags = ", ".join(judged.backend.tag for judged in rivals)
        return f"has only {tags}, which is taken where nothing else runs"
    return f"is out of reach: {blockers(rivals, served)}"


def ruled_out(pick: Pick, builds: Sequence[JudgedBuild]) -> str:
    """What other packages of the project kept from being chosen, for the same torch; empty for nothing."""
    kept = [judged for judged in builds if judged.torch == pick.judged.torch]
    texts = [judged.reason for judged in kept if judged.kinds(pick.served) == {"companion"}]
    return "; ".join(texts)


def left_out(pick: Pick, builds: Sequence[JudgedBuild], case: Case) -> str:
    """The devices that the chosen build does not serve, why, and a way out; empty where it serves all."""
    texts = [fault.text for fault in pick.judged.faults if fault.device in pick.left_out]
    if not texts:
        return ""
    names = ", ".join(device.names for device in pick.left_out)
    text = f"{pick.judged.backend.tag} leaves out {names}: {'; '.join(dict.fromkeys(texts))}"
    if case.config.gpus == "best":
        return text
    # a locked torch is to stay: only its own builds are worth naming
    torch = pick.judged.torch
    is_locked = torch in case.releases.locked
    rivals = [judged for judged in builds if judged.torch == torch] if is_locked else builds
    if other := _for_all(rivals, (*pick.served, *pick.left_out)):
        ways = "".join(f": {told(fault.remedy)}" for fault in other.faults if fault.remedy)
        none = "none of tool.torchsel.backends serves every GPU; " if ways else ""
        return f"{none}{text}; {other.name} serves every GPU{ways}"
    if is_locked:
        kept = case.releases.public(torch)
        return f"no build of torch {kept} in uv.lock serves every GPU; {text}; {_UPGRADE}"
    allowed = "" if case.config.backends is None else " that the project allows"
    meant = "if that is meant, write gpus = 'best' below [tool.torchsel]"
    return f"no build{allowed} serves every GPU; {text}; {meant}"


def _for_all(builds: Sequence[JudgedBuild], devices: Devices) -> JudgedBuild | None:
    """The first of the newest of each backend that runs on all ``devices``, in ``backends`` or not."""
    # of each backend the newest that the project can have, which is what it would get
    newest: dict[str, JudgedBuild] = {}
    for judged in builds:
        if judged.backend.vendor == devices[0].vendor and not judged.kinds(()) & {"release", "python"}:
            newest.setdefault(judged.backend.tag, judged)
    return next((judged for judged in newest.values() if judged.kinds(devices) <= {"backends"}), None)


def doubts(pick: Pick) -> Iterator[str]:
    """What is not certain about the choice."""
    if pick.judged.doubt:
        yield f"{pick.judged.doubt}; test it before you rely on it"
    for device in pick.served:
        target = rules_of(device.vendor).target
        if target and device.target is None:
            unknown = f"the {target} of {device.names} is unknown: judged by the driver alone"
            yield f"{unknown}; a recorded host (--host) can tell it"


def ignored(case: Case) -> Iterator[str]:
    """Accelerators of the host that had no say."""
    for vendor, maker in VENDORS.items():
        devices = devices_of(case.host, vendor, case.catalog)
        names = ", ".join(device.names for device in devices)
        if devices and vendor not in case.config.vendors:
            yield f"{names} ignored: {vendor!r} is not in tool.torchsel.vendors"
        for device in devices:
            if device not in case.devices.get(vendor, devices):
                beside = f"integrated graphics beside another {maker.name} GPU"
                yield f"{device.label} does not decide: {beside}"


def moved(moved_from: str | None, chosen: JudgedBuild, builds: Iterable[JudgedBuild], case: Case) -> str:
    """Why the locked torch could not stay; empty where it did."""
    if moved_from is None:
        return ""
    tried = [judged for judged in builds if judged.torch in case.releases.locked]
    reasons = "; ".join(said(judged.reason for judged in tried))
    torch = case.releases.public(chosen.torch) or chosen.torch
    lack = f"build that fits ({reasons})" if tried else f"{chosen.backend.tag} build for {case.host.words}"
    return f"torch {moved_from} in uv.lock has no {lack}; torch moves to {torch}"


def _last(builds: Sequence[JudgedBuild], chosen: JudgedBuild, served: Devices, case: Case) -> str:
    """Whether the chosen build is the last with kernels, or one that a newer driver would allow."""
    last = next(judged for judged in builds if judged.kinds(served) <= {"driver"})
    if last.torch == chosen.torch:
        return f"{chosen.name} is the last"
    need = f"{last.name} is the last and needs driver >= {last.needed_driver(served)}"
    return f"{need}; with {case.host.nvidia_driver} the newest is {chosen.name}"


def said(texts: Iterable[str]) -> tuple[str, ...]:
    """The texts that say something, each once."""
    return tuple(dict.fromkeys(text for text in texts if text))
