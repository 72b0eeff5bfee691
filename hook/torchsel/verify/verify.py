"""Does the torch that is installed work on this machine? Nothing of project or environment is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torchsel.backend import Backend
from torchsel.verify.devices import device_tasks
from torchsel.verify.feedback import (
    faults_of,
    installed_backend,
    needed_driver,
    observed_row,
    row_text,
)
from torchsel.verify.installed import companions_of, interpreter_of, module_of, version_of
from torchsel.verify.run import Ended, Runner, Task
from torchsel.verify.values import Companion, Device, Opinion, Verdict, Verification, Verified, to_run
from torchsel.verify.verdicts import Aim, last_words, opinion_of, worst

BUILT_FOR = {"cuda": "cuda", "rocm": "hip", "xpu": "xpu", "mps": "mps"}
"""Where ``torch.version`` and the like say that a build is for a family."""


def verify(request: Verification) -> Verified:
    """Try the environment's torch, a child for each device and companion, each bounded.

    Raises:
        KeyboardInterrupt: it was interrupted; no child is left.
    """
    python = interpreter_of(request.environment)
    version = version_of(request.environment, "torch")
    if python is None or version is None:
        what = "torch is not installed in" if python else "there is no environment at"
        why = f"{what} {request.environment.name}{to_run(request.sync)}"
        return Verified(opinion=Opinion(verdict="not installed", why=why, commands=request.sync), torch=None)
    return _Attempt(request=request, python=python, version=version).verified()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    """One verification of an environment that has a torch."""

    request: Verification
    python: Path
    version: str

    def verified(self) -> Verified:
        start = self._expected()
        if self._is_cpu_build():
            why = f"torch {self.version} is the CPU build, and this machine needs {self._selected}"
            return replace(start, opinion=self._another_build("cpu build", why))
        runner = Runner(
            python=self.python,
            environ=self.request.environ,
            timeout=self.request.timeout,
            memory=self.request.memory,
        )
        looked = runner.run([Task(kind="look", family=self._family)])[0]
        build = looked.get("build") or {}
        start = replace(start, torch=build.get("torch", self.version), build=build)
        if not build or looked.get("devices") is None:
            opinion = opinion_of(looked, self._aim())
            return replace(start, opinion=opinion, unexplained=_unexplained([looked], [opinion]))
        return replace(self, version=self._reported(build["torch"]))._tried(runner, looked, start)

    def _reported(self, version: str) -> str:
        """The version, by what torch says where its metadata has no local part, as on uv's default index."""
        is_plainer = "+" not in self.version and version.partition("+")[0] == self.version
        return version if is_plainer else self.version

    def _expected(self) -> Verified:
        """What the tables say before anything is tried."""
        if self._family == "cpu" or self.request.host.system == "darwin":
            return Verified(opinion=Opinion(verdict="works"), torch=self.version, predicted=True)
        faults = faults_of(self.version, self.request.host, self.request.catalog)
        if self._is_cpu_build():
            return Verified(opinion=Opinion(verdict="cpu build"), torch=self.version, predicted=False)
        return Verified(
            opinion=Opinion(verdict="works"),
            torch=self.version,
            predicted=None if faults is None else not faults,
            prediction="; ".join(fault.text for fault in faults or ()),
        )

    def _tried(self, runner: Runner, looked: Ended, start: Verified) -> Verified:
        family = self._family
        if family == "mps" and not looked.get("devices"):
            family = "cpu"  # an Intel Mac, or a virtual one
        if family != "cpu" and not start.build.get(BUILT_FOR[family]):
            verdict: Verdict = "no kernels" if any(map(start.build.get, BUILT_FOR.values())) else "cpu build"
            why = f"torch {start.torch} is not built for {family}, and this machine needs {self._selected}"
            return replace(start, opinion=self._another_build(verdict, why))
        is_tried = self._family == "cpu"
        tasks = [] if is_tried else device_tasks(family, int(looked.get("devices")), self.request.environ)
        packages = companions_of(self.request.environment, self.request.catalog)
        imports = [Task(kind="import", module=module_of(name)) for name in packages]
        ended = runner.run([*tasks, *imports])
        tried = [looked] if is_tried else ended[: len(tasks)]
        return self._judged(tried, dict(zip(packages.items(), ended[len(tasks) :], strict=True)), start)

    def _judged(
        self, tried: Sequence[Ended], imported: Mapping[tuple[str, str], Ended], start: Verified
    ) -> Verified:
        """What came of the children, those of the devices and those of the packages with name and version."""
        arch_list = start.build.get("arch_list", ())
        row = observed_row(self.version, self.request.host, self.request.catalog, arch_list)
        aim = self._aim(has_row=row is not None)
        devices = self._devices(tried, aim)
        companions = tuple(
            Companion(name=name, version=version, opinion=opinion_of(ended, aim, package=name))
            for (name, version), ended in imported.items()
        )
        opinions = [*(item.opinion for item in devices), *(item.opinion for item in companions)]
        return replace(
            start,
            opinion=_overall(devices, companions, start),
            devices=devices,
            companions=companions,
            catalog_row=row_text(row) if row else None,
            notes=tuple(self._notes(devices, start)),
            unexplained=_unexplained([*tried, *imported.values()], opinions),
        )

    def _devices(self, tried: Sequence[Ended], aim: Aim) -> tuple[Device, ...]:
        devices = tuple(_device(found, aim, at) for at, found in enumerate(tried))
        wanted = self.request.deciding
        if not wanted or not any(device.target in wanted for device in devices):
            return devices
        return tuple(replace(device, counts=device.target in wanted) for device in devices)

    def _notes(self, devices: Sequence[Device], start: Verified) -> list[str]:
        """What is not as expected though it may work: another build, another outcome than the tables say."""
        notes = []
        if not self._is_selected:
            notes.append(f"torch {start.torch} is installed; {self._selected} is selected")
        outcomes = {device.opinion.verdict for device in devices if device.counts}
        if start.predicted and outcomes & {"no kernels", "driver too old"}:
            notes.append("torchsel's catalog says that this build runs here, and it does not")
        if start.predicted is False and outcomes == {"works"}:
            notes.append(f"torchsel's catalog says that this build does not run here ({start.prediction})")
        return notes

    def _aim(self, *, has_row: bool = False) -> Aim:
        return Aim(
            installed=f"torch {self.version}",
            selected=self._selected,
            is_selected=self._is_selected,
            sync=self.request.sync,
            timeout=self.request.timeout,
            driver=needed_driver(self.version, self.request.host, self.request.catalog),
            has_row=has_row,
        )

    def _another_build(self, verdict: Verdict, why: str) -> Opinion:
        sync = self.request.sync
        return Opinion(verdict=verdict, why=f"{why}{to_run(sync)}", commands=sync)

    def _is_cpu_build(self) -> bool:
        """Whether the metadata alone says that a build for the CPU is where one for a GPU was selected."""
        found = self._installed
        return self._family in ("cuda", "rocm", "xpu") and found is not None and found.family == "cpu"

    @property
    def _family(self) -> str:
        """What is to be tried: the selected family; on a Mac its GPU, which needs no build of its own."""
        if self.request.host.system == "darwin":
            return "mps"
        return self.request.backend.family

    @property
    def _installed(self) -> Backend | None:
        return installed_backend(self.version, self.request.host, self.request.catalog)

    @property
    def _is_selected(self) -> bool:
        """Whether the installed build is the selected one, as far as its metadata tells."""
        public = self.version.partition("+")[0]
        found = self._installed
        same_backend = found is None or found.tag == self.request.backend.tag
        return same_backend and self.request.torch in (None, public)

    @property
    def _selected(self) -> str:
        release = f"torch {self.request.torch}" if self.request.torch else "torch"
        return f"{release} with {self.request.backend.tag}"


def _overall(devices: Sequence[Device], companions: Sequence[Companion], start: Verified) -> Opinion:
    """The devices that count speak first, then the packages that can't be imported."""
    opinion = worst(device.opinion for device in devices if device.counts)
    broken = [item.opinion for item in companions if item.opinion.verdict != "works"]
    if opinion.verdict == "works" and broken:
        return worst(broken)
    if opinion.verdict == "works":
        return replace(opinion, why=f"torch {start.torch} works on this machine")
    return opinion


def _device(ended: Ended, aim: Aim, at: int) -> Device:
    told: Mapping[str, Any] = ended.get("device") or {}
    steps = {str(report["result"]): report.get("off") for report in ended.reports if "result" in report}
    return Device(
        name=told.get("name") or f"GPU {at}",
        opinion=opinion_of(ended, aim),
        compute_capability=told.get("compute_capability"),
        gfx_target=told.get("gfx_target"),
        steps=steps,
        memory=ended.get("memory"),
    )


def _unexplained(ended: Sequence[Ended], opinions: Sequence[Opinion]) -> str:
    """The first failure that no known message explains, in its own words, for a report."""
    for found, opinion in zip(ended, opinions, strict=True):
        if opinion.verdict == "crashed":
            what = opinion.why if found.is_done else last_words(found)
            return "\n".join([what, *found.words.splitlines()[-20:]])
    return ""
