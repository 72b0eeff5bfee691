"""Does the torch that is installed work on this machine? Nothing of project or environment is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torchsel.project.environment import installed_version
from torchsel.verify.installed import InstalledTorch, companions_of, interpreter_of, module_of, row_text
from torchsel.verify.messages import Verdict
from torchsel.verify.run import Ended, Runner, Task, device_tasks
from torchsel.verify.verdicts import (
    Attempt,
    Companion,
    Device,
    Opinion,
    Verification,
    Verified,
    last_words,
    opinion_of,
    worst,
)

BUILT_FOR = {"cuda": "cuda", "rocm": "hip", "xpu": "xpu", "mps": "mps"}
"""Where ``torch.version`` and the like say that a build is for a family."""


def verify(request: Verification) -> Verified:
    """Try the environment's torch, a child for each device and companion, each bounded.

    Raises:
        KeyboardInterrupt: it was interrupted; no child is left.
    """
    python = interpreter_of(request.environment)
    version = installed_version(request.environment, "torch")
    if python is None or version is None:
        what = "torch is not installed in" if python else "there is no environment at"
        why = f"{what} {request.environment.name}"
        return Verified(opinion=request.synced("not installed", why), torch=None)
    runner = Runner(python=python, environ=request.environ, timeout=request.timeout, memory=request.memory)
    torch = InstalledTorch(version=version, host=request.host, catalog=request.catalog)
    start = _expected(request, torch)
    if start.verdict != "works":
        return start
    looked = runner.run([Task(kind="look", family=request.family)])[0]
    build = looked.get("build") or {}
    start = replace(start, torch=build.get("torch", version), build=build)
    if not build or looked.get("devices") is None:
        opinion = opinion_of(looked, Attempt(request=request, torch=torch))
        return replace(start, opinion=opinion, unexplained=_unexplained([looked], [opinion]))
    # without a local part, as on uv's default index, the metadata says less than torch itself
    if build["torch"].partition("+")[0] == version:
        torch = replace(torch, version=build["torch"])
    return _tried(Attempt(request=request, torch=torch), runner, looked, start)


def _expected(request: Verification, torch: InstalledTorch) -> Verified:
    """What the metadata and the tables say before anything is tried."""
    needs_gpu = request.family in ("cuda", "rocm", "xpu")
    if needs_gpu and torch.backend and torch.backend.family == "cpu":
        why = f"{torch.words} is the CPU build, and this machine needs {request.selected}"
        return Verified(opinion=request.synced("cpu build", why), torch=torch.version, predicted=False)
    faults = torch.faults() if needs_gpu else ()
    return Verified(
        opinion=Opinion(verdict="works"),
        torch=torch.version,
        predicted=None if faults is None else not faults,
        prediction="; ".join(fault.text for fault in faults or ()),
    )


def _tried(attempt: Attempt, runner: Runner, looked: Ended, start: Verified) -> Verified:
    """What the devices and the companions say, after a child that ``looked`` at the build."""
    request, family = attempt.request, attempt.request.family
    if family == "mps" and not looked.get("devices"):
        family = "cpu"  # an Intel Mac, or a virtual one
    if family != "cpu" and not start.build.get(BUILT_FOR[family]):
        verdict: Verdict = "no kernels" if any(map(start.build.get, BUILT_FOR.values())) else "cpu build"
        why = f"torch {start.torch} is not built for {family}, and this machine needs {request.selected}"
        return replace(start, opinion=request.synced(verdict, why))
    # on the CPU, the one that looked has tried it too
    is_tried = request.family == "cpu"
    tasks = [] if is_tried else device_tasks(family, int(looked.get("devices")), request.environ)
    packages = companions_of(request.environment, request.catalog)
    imports = [Task(kind="import", module=module_of(name)) for name in packages]
    ended = runner.run([*tasks, *imports])
    tried = [looked] if is_tried else ended[: len(tasks)]
    return _judged(attempt, tried, dict(zip(packages.items(), ended[len(tasks) :], strict=True)), start)


def _judged(
    attempt: Attempt, tried: Sequence[Ended], imported: Mapping[tuple[str, str], Ended], start: Verified
) -> Verified:
    """What came of the children, those of the devices and those of the packages with name and version."""
    row = attempt.torch.missing_row(start.build.get("arch_list", ()))
    attempt = replace(attempt, row=row)
    devices = _devices(tried, attempt)
    companions = tuple(
        Companion(name=name, version=version, opinion=opinion_of(ended, attempt, package=name))
        for (name, version), ended in imported.items()
    )
    opinions = [*(item.opinion for item in devices), *(item.opinion for item in companions)]
    return replace(
        start,
        opinion=_overall(devices, companions, start),
        devices=devices,
        companions=companions,
        catalog_row=row_text(row) if row else None,
        notes=tuple(_notes(attempt, devices, start)),
        unexplained=_unexplained([*tried, *imported.values()], opinions),
    )


def _devices(tried: Sequence[Ended], attempt: Attempt) -> tuple[Device, ...]:
    devices = tuple(_device(ended, attempt, at) for at, ended in enumerate(tried))
    wanted = attempt.request.deciding
    # where none is there that the selection had to serve, all count
    if not any(device.target in wanted for device in devices):
        return devices
    return tuple(replace(device, counts=device.target in wanted) for device in devices)


def _device(ended: Ended, attempt: Attempt, at: int) -> Device:
    told: Mapping[str, Any] = ended.get("device") or {}
    return Device(
        name=told.get("name") or f"GPU {at}",
        opinion=opinion_of(ended, attempt),
        compute_capability=told.get("compute_capability"),
        gfx_target=told.get("gfx_target"),
        steps={str(report["result"]): report.get("off") for report in ended.reports if "result" in report},
        memory=ended.get("memory"),
    )


def _overall(devices: Sequence[Device], companions: Sequence[Companion], start: Verified) -> Opinion:
    """The devices that count speak first, then the packages that can't be imported."""
    opinion = worst(device.opinion for device in devices if device.counts)
    if opinion.verdict == "works":
        opinion = worst(item.opinion for item in companions if item.opinion.verdict != "works")
    if opinion.verdict == "works":
        return replace(opinion, why=f"torch {start.torch} works on this machine")
    return opinion


def _notes(attempt: Attempt, devices: Sequence[Device], start: Verified) -> Iterator[str]:
    """What is not as expected though it may work: another build, another outcome than the tables say."""
    if not attempt.is_selected:
        yield f"torch {start.torch} is installed; {attempt.request.selected} is selected"
    outcomes = {device.opinion.verdict for device in devices if device.counts}
    if start.predicted and outcomes & {"no kernels", "driver too old"}:
        yield "torchsel's catalog says that this build runs here, and it does not"
    if start.predicted is False and outcomes == {"works"}:
        yield f"torchsel's catalog says that this build does not run here ({start.prediction})"


def _unexplained(ended: Sequence[Ended], opinions: Sequence[Opinion]) -> str:
    """The first failure that no known message explains, in its own words, for a report."""
    for found, opinion in zip(ended, opinions, strict=True):
        if opinion.verdict == "crashed":
            what = opinion.why if found.is_done else last_words(found)
            return "\n".join([what, *found.words.splitlines()[-20:]])
    return ""
