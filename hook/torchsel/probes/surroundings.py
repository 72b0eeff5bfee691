"""What stands between a process and the GPUs: containers, WSL, and variables that hide devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.probes.system import System

_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
_CONTAINER_VARIABLES = ("KUBERNETES_SERVICE_HOST", "container", "SINGULARITY_NAME", "APPTAINER_NAME")
# Slurm's word for "no devices"; CUDA reads any entry that it doesn't know as the end of the list.
_NO_DEVICE_WORDS = ("nodevfiles", "none", "void")


def in_container(system: System, environ: Mapping[str, str]) -> bool:
    """Whether this is a container: Docker, Podman, systemd-nspawn, Kubernetes, Apptainer."""
    if any(environ.get(name) for name in _CONTAINER_VARIABLES):
        return True
    return any(system.exists(path) for path in _CONTAINER_FILES)


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
        value = environ.get(name)
        if value is not None and _hides_all(value):
            return f'{name}="{value}"'
    return None


def _hides_all(value: str) -> bool:
    first = value.partition(",")[0].strip().lower()
    return not first or first.startswith("-") or first in _NO_DEVICE_WORDS
