"""Sentences about a choice: what it leaves out, doubts about it, and where it goes against a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.selection.devices import VENDOR_NAMES, devices_of
from torchsel.selection.wayout import below, problem, where
from torchsel.selection.ways import ways_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torchsel.backend import Backend
    from torchsel.host import Vendor
    from torchsel.selection.judge import Case, Fit
    from torchsel.selection.rank import Pick

_UPGRADE = "'torchsel --upgrade' looks among other releases"


def no_build_for(vendor: Vendor, fits: Sequence[Fit], case: Case) -> str:
    """Why nothing runs on a vendor's devices, and what would help."""
    mine = [fit for fit in fits if vendor == fit.vendor]
    ways = ways_out(vendor, mine, case)
    return f"{problem(vendor, mine, case)}: {ways}" if ways else problem(vendor, mine, case)


def left_out(pick: Pick, case: Case) -> str:
    """The devices that the chosen build does not serve, and why; empty where it serves them all."""
    texts = [fault.text for fault in pick.fit.faults if fault.device in pick.left_out]
    if not texts:
        return ""
    names = ", ".join(device.names for device in pick.left_out)
    text = f"{pick.fit.backend.tag} leaves out {names}: {'; '.join(dict.fromkeys(texts))}"
    if case.config.gpus == "best":
        return text
    torch = pick.fit.build.torch
    if torch in case.scope.locked:
        return f"no build of torch {case.scope.public(torch)} in uv.lock serves every GPU; {text}; {_UPGRADE}"
    return f"no build serves every GPU; {text}; tool.torchsel.gpus = 'best' says that this is meant"


def doubts(pick: Pick) -> Iterator[str]:
    """What is not certain about the choice."""
    if pick.fit.doubt:
        yield f"{pick.fit.doubt}; test it before you rely on it"
    for device in pick.served:
        if device.vendor == "nvidia" and device.target is None:
            unknown = f"the compute capability of {device.names} is unknown: judged by the driver alone"
            yield f"{unknown}; a recorded host (--host) can tell it"


def ignored(case: Case) -> Iterator[str]:
    """Accelerators of the host that had no say."""
    for vendor in ("nvidia", "amd", "intel"):
        devices = devices_of(case.host, vendor, case.catalog)
        names = ", ".join(device.names for device in devices)
        if devices and vendor not in case.config.vendors:
            yield f"{names} ignored: {vendor!r} is not in tool.torchsel.vendors"
        for device in devices:
            if device not in case.devices.get(vendor, devices):
                beside = f"integrated graphics beside another {VENDOR_NAMES[vendor]} GPU"
                yield f"{device.label} does not decide: {beside}"


def moved(moved_from: str | None, fit: Fit, fits: Iterable[Fit], case: Case) -> str:
    """Why the locked torch could not stay; empty where it did."""
    if moved_from is None:
        return ""
    tried = [item for item in fits if item.build.torch in case.scope.locked]
    reasons = "; ".join(dict.fromkeys(item.reason for item in tried if item.reason))
    torch = case.scope.public(fit.build.torch) or fit.build.torch
    lack = f"build that fits ({reasons})" if tried else f"{fit.backend.tag} build for {where(case.host)}"
    return f"torch {moved_from} in uv.lock has no {lack}; torch moves to {torch}"


def cpu_trouble(chosen: Fit | None, fits: Sequence[Fit], case: Case) -> str:
    """What is wrong with the CPU build as the choice; empty where nothing is."""
    here = where(case.host)
    if chosen is not None:
        if case.host.system == "darwin":
            return _last_on_macos(chosen, case)
        listed = case.config.backends is None or "cpu" in case.config.backends
        return (
            "" if listed else "'cpu' is not in tool.torchsel.backends, but no other build runs here: add it"
        )
    mine = [fit for fit in fits if fit.backend.family == "cpu"]
    if not mine:
        return ""
    inside = [fit for fit in mine if fit.build.torch in case.scope.allowed]
    if not inside:
        return f"the torch that the project allows has no wheel for {here}; {_require(mine[0], case)}"
    wanted = case.demand.python or case.demand.requires_python
    span = f"{inside[0].build.python[0]} to {inside[0].build.python[-1].rstrip('t')}"
    return f"no torch that the project allows has a wheel for Python {wanted} on {here}: use Python {span}"


def _last_on_macos(chosen: Fit, case: Case) -> str:
    newest = case.scope.allowed[0]
    if chosen.build.torch == newest or chosen.build.torch in case.scope.locked or case.demand.python:
        return ""
    return f"torch {newest} has no wheel for {where(case.host)}; {_require(chosen, case)}"


def _require(last: Fit, case: Case) -> str:
    return f"{last.build.torch} is the last: require torch<{below(last.build.torch, case.catalog)}"


def obeyed_trouble(
    backend: Backend, torch: str | None, chosen: Fit | None, pick: Pick | None, case: Case
) -> str:
    """Why the backend that was asked for won't do here; empty where it will."""
    tag = backend.tag
    if torch is None and not case.scope.stands_for:
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
