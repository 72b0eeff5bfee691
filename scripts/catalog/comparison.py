"""uv's answer and torchsel's for every kind of machine in the catalog, and why they differ where they do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from torchsel.backend import Backend
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.kernels import driver_meets
from torchsel.catalog.rows import Architecture, release_key
from torchsel.config.config import Config
from torchsel.host import Accelerator, Host
from torchsel.selection.select import select
from torchsel.selection.values import Demand, Selection

Verdict = Literal["same", "can't run", "no build", "older torch", "unexplained"]

PLATFORMS = {
    "linux_x86_64": ("linux", "x86_64", "x86_64-unknown-linux-gnu"),
    "linux_aarch64": ("linux", "aarch64", "aarch64-unknown-linux-gnu"),
    "win_amd64": ("win32", "x86_64", "x86_64-pc-windows-msvc"),
}
"""The platforms with CUDA builds: system and machine as in a recorded host, and uv's name."""

ARM_ONLY = frozenset({"11.0", "12.1"})
"""Compute capabilities of NVIDIA's own Arm systems (Thor, GB10); older Jetsons have other drivers."""
ARM_TOO = frozenset({"8.0", "8.6", "8.9", "9.0", "10.0", "10.3", "12.0"})
"""Compute capabilities of cards that Arm servers have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """One kind of machine; ``driver`` is None with an AMD GPU."""

    platform: str
    target: str
    driver: str | None = None

    @property
    def name(self) -> str:
        """As in a line of the report."""
        return " ".join(part for part in (self.platform, self.target, self.driver) if part)

    @property
    def host(self) -> Host:
        """As torchsel sees it."""
        system, machine, _ = PLATFORMS[self.platform]
        accelerator = (
            Accelerator(vendor="nvidia", name=self.target, compute_capability=self.target)
            if self.driver
            else Accelerator(vendor="amd", name=self.target, gfx_target=self.target)
        )
        return Host(
            system="win32" if system == "win32" else "linux",
            machine=machine,
            nvidia_driver=self.driver,
            accelerators=(accelerator,),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The first index uv tries with the newest torch there, torchsel's choice, and why they differ."""

    machine: Machine
    uv: str
    uv_torch: str
    ours: str
    our_torch: str
    verdict: Verdict
    why: str


def machines() -> Iterator[Machine]:
    """Every compute capability with every driver that came with a CUDA release, and every gfx target."""
    for platform in PLATFORMS:
        for row in load_catalog().architectures:
            if _is_found_on(platform, row.compute_capability):
                yield from _with_drivers(platform, row)
    targets = {row.target for row in load_catalog().gpus if row.vendor == "amd"}
    for target in sorted(targets):
        yield Machine(platform="linux_x86_64", target=target)


def _is_found_on(platform: str, capability: str) -> bool:
    if platform == "linux_aarch64":
        return capability in ARM_ONLY | ARM_TOO
    return capability not in ARM_ONLY


def _with_drivers(platform: str, row: Architecture) -> Iterator[Machine]:
    """One machine for each driver that knows the compute capability."""
    system = PLATFORMS[platform][0]
    first = row.windows if system == "win32" else row.linux
    for driver in _drivers(system):
        known = not row.last_branch or release_key(driver)[0] <= int(row.last_branch)
        if known and (not first or driver_meets(driver, first)):
            yield Machine(platform=platform, target=row.compute_capability, driver=driver)


@cache
def _drivers(system: str) -> tuple[str, ...]:
    """The driver that came with each CUDA release from 11 on, and the minimum of each CUDA major."""
    rows = load_catalog().drivers
    found = {row.windows if system == "win32" else row.linux for row in rows} - {""}
    return tuple(sorted(found, key=release_key))


def compare_all() -> list[Comparison]:
    """Every machine that uv takes an answer for."""
    return [compare(machine, uv) for machine in machines() if (uv := first_index(machine))]


def compare(machine: Machine, uv: str) -> Comparison:
    """One machine, for which uv's first index is ``uv``."""
    ours, theirs = _select(machine, "auto"), _select(machine, uv)
    builds = load_catalog().builds(backend=uv, platform=machine.platform)
    verdict, why = _judge(theirs, ours, bool(builds))
    return Comparison(
        machine=machine,
        uv=uv,
        uv_torch=builds[0].torch if builds else "",
        ours=ours.backend.tag,
        our_torch=ours.torch or "",
        verdict=verdict,
        why=why.removeprefix(f"{machine.target}: ").replace(f" for {machine.target}", ""),
    )


def _judge(theirs: Selection, ours: Selection, exists: bool) -> tuple[Verdict, str]:
    """What the catalog knows of the newest build on uv's first index."""
    if theirs.backend == ours.backend and theirs.torch == ours.torch:
        return "same", ""
    if not exists:
        oldest = load_catalog().releases[-1]
        return "no build", f"no build there, of torch {oldest} or newer"
    if not theirs.usable:
        return "can't run", theirs.candidates[0].reason
    if release_key(theirs.torch or "") < release_key(ours.torch or ""):
        return "older torch", "an older torch than can be had"
    return "unexplained", ""


def _select(machine: Machine, requested: str) -> Selection:
    return select(
        host=machine.host, requested=requested, demand=Demand(), config=Config(), catalog=load_catalog()
    )


def first_index(machine: Machine) -> str:
    """The backend whose index uv tries first; empty where uv knows no such GPU."""
    variable = (
        ("UV_CUDA_DRIVER_VERSION", machine.driver)
        if machine.driver
        else ("UV_AMD_GPU_ARCHITECTURE", machine.target)
    )
    return _ask_uv(variable[0], variable[1], PLATFORMS[machine.platform][2])


@cache
def _ask_uv(variable: str, value: str, platform: str) -> str:
    """The first index in uv's log; its answer depends on nothing else."""
    from uv import find_uv_bin  # noqa: PLC0415 - only in the project's environment

    options = f"- --torch-backend auto -vv --offline --no-cache --no-config --python-platform {platform}"
    plain = {name: text for name, text in os.environ.items() if not name.startswith("UV_")}
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [find_uv_bin(), "pip", "compile", *options.split()],
            input="torch\n",
            env={**plain, "HOME": home, "UV_PYTHON": sys.executable, "NO_COLOR": "1", variable: value},
            cwd=home,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=60,
        )
    if "Unknown AMD GPU architecture" in done.stderr:
        return ""
    found = re.search(r"Fetching metadata for `torch` from `\S+/whl/([^/]+)/torch/?`", done.stderr)
    if not found:
        msg = f"uv names no index with {variable}={value}:\n{done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return Backend.parse(found[1]).tag


def markdown(found: list[Comparison]) -> str:
    """Counts, and the differences put together by platform, uv's answer and torchsel's."""
    counts: Counter[str] = Counter(item.verdict for item in found)
    no_kernels = counts["can't run"]
    unknown = [item.target for item in machines() if not item.driver and not first_index(item)]
    lines = [
        f"Of {len(found)} kinds of machine (platform, compute capability and driver, or gfx target), uv tries"
        f" the best index first for {counts['same']}; for {counts['older torch']} one with an older torch"
        f" than can be had, for {no_kernels} one whose build can't run there, and for {counts['no build']}"
        " one without a build:",
        "",
        "| platform | driver | GPU | uv tries first | torchsel | what is wrong with uv's |",
        "|---|---|---|---|---|---|",
        *_rows(found),
        "",
        f"uv refuses these gfx targets: {', '.join(unknown)}.",
    ]
    return "\n".join(lines)


def _rows(found: list[Comparison]) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[Machine]] = {}
    for item in found:
        if item.verdict != "same":
            uv = f"{item.uv} ({item.uv_torch})" if item.uv_torch else item.uv
            key = (item.machine.platform, uv, f"{item.ours} ({item.our_torch})", item.why)
            groups.setdefault(key, []).append(item.machine)
    for (platform, uv, ours, why), members in groups.items():
        targets = ", ".join(dict.fromkeys(item.target for item in members))
        yield f"| {platform} | {_driver_span(members)} | {targets} | {uv} | {ours} | {why} |"


def _driver_span(members: list[Machine]) -> str:
    drivers = sorted({item.driver for item in members if item.driver}, key=release_key)
    return " to ".join(dict.fromkeys([drivers[0], drivers[-1]])) if drivers else "-"
