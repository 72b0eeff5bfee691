"""The platform: what wheels could run here, and what may stand between a process and the GPUs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from torchsel.host import Host, normalize_machine
from torchsel.host import System as SystemName
from torchsel.probes.findings import Finding, ProbeResult
from torchsel.probes.pci import Scene
from torchsel.probes.seam import Platform, System

_NAMES: dict[str, SystemName] = {
    **{name: name for name in get_args(SystemName)},
    # Pythons of a Unix layer on Windows
    **dict.fromkeys(("cygwin", "msys"), "win32"),
}
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "container", "SINGULARITY_NAME", "APPTAINER_NAME")
# Slurm's word for "no devices"; CUDA reads any entry that it doesn't know as the end of the list.
_NO_DEVICE_WORDS = ("nodevfiles", "none", "void")


def read_machine(system: System) -> tuple[Host, ProbeResult]:
    """The host without accelerators, and what is to be said about it."""
    platform = system.platform()
    libc = platform.libc
    # musl says nothing about itself; its loader in /lib does
    if not libc and platform.name == "linux":
        libc = next(("musl" for name in system.list_dir("/lib") if name.startswith("ld-musl-")), None)
    host = Host(
        system=_NAMES.get(platform.name, "linux"),
        machine=normalize_machine(platform.native_machine or platform.machine),
        libc=libc,
        kernel=platform.kernel,
    )
    details = [host.system, host.machine, libc, platform.kernel and f"kernel {platform.kernel}"]
    details += ["WSL"] if is_wsl(system) else []
    finding = Finding(probe="platform", outcome="found", why=", ".join(filter(None, details)))
    return host, ProbeResult(findings=(finding,), notes=tuple(_notes(system, platform, libc)))


def in_container(scene: Scene) -> bool:
    """Whether this is a container: Docker, Podman, systemd-nspawn, Kubernetes, Apptainer."""
    told = any(scene.environ.get(name) for name in _CONTAINER_VARIABLES)
    return told or any(scene.system.exists(path) for path in _CONTAINER_FILES)


def is_wsl(system: System) -> bool:
    """Whether the kernel is Windows Subsystem for Linux's (``5.15.153.1-microsoft-standard-WSL2``)."""
    platform = system.platform()
    return platform.name == "linux" and "microsoft" in (platform.kernel or "").lower()


def hiding_variable(environ: Mapping[str, str], *names: str) -> str | None:
    """The first of the variables that hides every device, as ``NAME="value"``; None where none does.

    An empty list hides all, and so does one that starts with an index that is none, such as ``-1``
    (CUDA C++ Programming Guide, "CUDA Environment Variables"; HIP and ROCr read theirs the same way).
    """
    for name in names:
        value = environ.get(name, "all")
        first = value.partition(",")[0].strip().lower()
        if not first or first.startswith("-") or first in _NO_DEVICE_WORDS:
            return f'{name}="{value}"'
    return None


def _notes(system: System, platform: Platform, libc: str | None) -> list[str]:
    notes = []
    if platform.name not in _NAMES:
        notes.append(f"PyTorch publishes no wheels for {platform.name}; torchsel treats it as Linux.")
    if libc == "musl":
        notes.append(
            "This Python uses musl (Alpine Linux); PyTorch publishes no wheels for musl. "
            "Use an image or a distribution with glibc, such as Debian or Ubuntu."
        )
    if platform.bits == 32:
        notes.append("This Python is a 32-bit build; PyTorch has wheels for 64-bit Python only.")
    # WSL 1 reports 4.4.0-19041-Microsoft, WSL 2 a real kernel from 4.19 on
    if is_wsl(system) and (platform.kernel or "").startswith("4.4."):
        notes.append(
            "This is WSL 1, which has no access to a GPU; convert it with 'wsl --set-version <name> 2'."
        )
    return notes + _emulation_notes(platform)


def _emulation_notes(platform: Platform) -> list[str]:
    native = normalize_machine(platform.native_machine or platform.machine)
    if native == normalize_machine(platform.machine):
        if platform.name == "win32" and native == "aarch64":
            return ["Windows on Arm: PyTorch has CPU wheels only for it, for Python built for Arm64."]
        return []
    if platform.name == "darwin":
        return [
            "This Python is an x86_64 build under Rosetta on Apple silicon; "
            "use an arm64 Python, since PyTorch's last release for Intel Macs is 2.2."
        ]
    return [
        f"This Python is built for {platform.machine} and emulated on {platform.native_machine}; "
        "CUDA and XPU builds of PyTorch don't run there."
    ]
