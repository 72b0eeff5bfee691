"""Why nothing runs and what would help, found among the remedies of faults; and wishes that can't be met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from torchsel.backend import Backend
from torchsel.catalog.rows import release_key, release_text
from torchsel.host import Host
from torchsel.selection.remedy import Cure, Remedy, WayOut, told, told_ways, typed
from torchsel.selection.rules import rules_of
from torchsel.selection.values import (
    MENDABLE,
    Case,
    Devices,
    JudgedBuild,
    Pick,
    blockers,
    easiest,
    labels_of,
    servable,
)
from torchsel.vendors import VENDORS, Vendor


def no_build_for(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> tuple[str, tuple[WayOut, ...]]:
    """Why none of a vendor's builds runs on its devices, and what would help, which is told as well."""
    problem, ways = _problem(vendor, builds, case), _ways_out(vendor, builds, case)
    return f"{problem}: {told_ways(ways)}" if ways else problem, ways


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
    return f"PyTorch has no wheels for {host.words}, only for {known}: build it from source"


def _ways_out(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> tuple[WayOut, ...]:
    """What would make a vendor's builds run, each way alone enough; empty where nothing is known."""
    # the most capable device that can be helped
    devices = servable(case.devices[vendor], builds)[:1] or case.devices[vendor]
    rules = rules_of(vendor)
    obstacle = rules.obstacle(case.host)
    if obstacle and obstacle.remedy:
        return ((obstacle.remedy,),)
    if rules.lacks_driver(case.host):
        return ((_driver_to_install(builds, devices),),)
    made = [judged for judged in builds if _is_driver_made(judged, devices, case)]
    ways = list(_driver_ways(made, devices))
    # then one change that is enough alone; builds come newest first
    for kind in MENDABLE[1:]:
        ways += [judged.way_out(devices) for judged in builds if judged.kinds(devices) == {kind}][:1]
    ways += [(remedy,) for remedy in rules.remedies(builds, devices, case)]
    # else all that the build with the fewest kinds of faults needs
    able = [judged for judged in made if judged.kinds(devices) <= set(MENDABLE)]
    if able and not ways:
        ways = [min(able, key=lambda judged: len(judged.kinds(devices))).way_out(devices)]
    return tuple(ways or _resorts(builds, devices, case))


def _driver_ways(made: Sequence[JudgedBuild], devices: Devices) -> Iterator[WayOut]:
    """A newer driver: the least that helps, and what the newest torch would need."""
    waiting = [judged for judged in made if judged.kinds(devices) == {"driver"}]
    if not waiting:
        return
    least = easiest(waiting, devices)
    yield least.way_out(devices)
    newest = easiest([judged for judged in waiting if judged.torch == waiting[0].torch], devices)
    if newest.torch != least.torch:
        yield newest.way_out(devices)


def _resorts(builds: Sequence[JudgedBuild], devices: Devices, case: Case) -> Iterator[WayOut]:
    """Where no wheel has kernels for the devices at all."""
    own = [device.remedy for device in devices if device.remedy]
    if own:
        yield (own[0],)
    elif not servable(devices, builds) and not all(item.integrated or item.fault for item in devices):
        # one whose extras or groups are given can't just build torch or fall back
        narrowed = case.catalog.is_narrowed
        yield (Remedy(kind=Cure.OFFER_BACKEND if narrowed else Cure.SOURCE),)
        yield (Remedy(kind=Cure.LOCK_TORCH if narrowed else Cure.CPU),)


def _driver_to_install(builds: Sequence[JudgedBuild], devices: Devices) -> Remedy:
    """The driver for the newest torch whose builds have kernels and lack nothing else."""
    ready = [judged for judged in builds if judged.kinds(devices) == {"machine"}]
    remedies = [fault.remedy for judged in ready[:1] for fault in judged.against(devices) if fault.remedy]
    return remedies[0] if remedies else Remedy(kind=Cure.ANY_DRIVER)


def _is_driver_made(judged: JudgedBuild, devices: Devices, case: Case) -> bool:
    """Whether NVIDIA still makes the driver that a build needs for every device."""
    driver = judged.needed_driver(devices)
    known = filter(None, (case.catalog.architecture(device.target) for device in devices))
    return all(row.is_supported_by(driver) for row in known)


def cpu_trouble(chosen: JudgedBuild | None, builds: Sequence[JudgedBuild], case: Case) -> str:
    """What is wrong with the CPU build as the choice; empty where nothing is."""
    here = case.host.words
    if chosen is not None:
        # its wheels for Intel ended with 2.2, so the newest that is allowed may have none
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
    use = f"use Python {inside[0].build.python_span}"
    return f"no torch that the project allows has a wheel for Python {wanted} on {here}: {use}"


def obeyed_trouble(
    backend: Backend, torch: str | None, chosen: JudgedBuild | None, pick: Pick | None, case: Case
) -> str:
    """Why the backend that was asked for won't do here; empty where it will."""
    tag = backend.tag
    # for a release that is newer than the catalog nothing is known either way
    if torch is None and not case.releases.stands_for:
        last = case.catalog.builds(backend=tag)[0].torch
        return f"no torch that the project allows has a {tag} build; {last} is the newest that has one"
    if chosen is None:
        return f"there is no {tag} build for {case.host.words}: uv's default index is used here"
    if backend.family == "cpu" or pick:
        return ""
    return f"this machine can't run {tag}: {chosen.reason}"


def not_in_backends(tag: str, case: Case) -> str:
    """That a backend was asked for which the project does not list; empty where it does."""
    allowed = case.config.backends
    if allowed is None or tag in allowed:
        return ""
    listed = ", ".join(allowed)
    return f"{tag} is not in tool.torchsel.backends ({listed}); add it there, or 'torchsel check' fails"


def _problem(vendor: Vendor, builds: Sequence[JudgedBuild], case: Case) -> str:
    """One clause: why no build runs on this vendor's devices."""
    devices = case.devices[vendor]
    names = ", ".join(device.names for device in devices)
    rules, family = rules_of(vendor), VENDORS[vendor].family_name
    # before all else, as neither driver nor release would help
    if obstacle := rules.obstacle(case.host):
        return f"{names}: {obstacle.text}"
    if not builds and case.catalog.is_narrowed:
        return f"this project has no {family} build for {case.host.words} ({names})"
    if not builds:
        return f"PyTorch has no {family} builds for {case.host.words} ({names})"
    if rules.lacks_driver(case.host):
        return f"{names} found, but no NVIDIA driver is loaded"
    if all(device.fault for device in devices):
        return "; ".join(device.fault for device in devices)
    return _problem_with(servable(devices, builds)[:1] or devices, builds, case)


def _problem_with(devices: Devices, builds: Sequence[JudgedBuild], case: Case) -> str:
    able = [judged for judged in builds if judged.has_kernels(devices)]
    labels = labels_of(devices)
    if not able:
        return _no_kernels(devices, builds, case)
    allowed = [judged for judged in able if "release" not in judged.kinds(devices)]
    if not allowed:
        wanted = case.demand.wanted or f" {case.releases.allowed[0]}"
        return f"torch{wanted} has no build with kernels for {labels}; the last is {able[0].name}"
    if any(judged.kinds(devices) == {"driver"} for judged in allowed):
        return f"driver {case.host.nvidia_driver} is too old for every build with kernels for {labels}"
    return f"every build with kernels for {labels} is ruled out ({blockers(allowed, devices)})"


def _no_kernels(devices: Devices, builds: Sequence[JudgedBuild], case: Case) -> str:
    labels = labels_of(devices)
    since = release_text(release_key(case.catalog.releases[-1])[:2])
    text = f"no build for {case.host.words} since torch {since} has kernels for {labels}"
    if case.catalog.is_narrowed:
        text = f"none of this project's builds, as they are locked, has kernels for {labels}"
    faults = [fault for judged in builds for fault in judged.against(devices)]
    return "; ".join([text, *sorted({fault.text for fault in faults if fault.kind == "broken"})])


def _last_on_macos(chosen: JudgedBuild, case: Case) -> str:
    newest = case.releases.allowed[0]
    if chosen.torch in (newest, *case.releases.locked) or case.demand.python or case.catalog.is_narrowed:
        return ""
    return f"torch {newest} has no wheel for {case.host.words}; {_last_release(chosen, case)}"


def _last_release(last: JudgedBuild, case: Case) -> str:
    remedy = case.release_remedy(last.build)
    kept = f"{last.torch} is the last: require torch{remedy.value}{typed(remedy.commands)}"
    return told(remedy) if remedy.kind is Cure.ALLOW else kept
