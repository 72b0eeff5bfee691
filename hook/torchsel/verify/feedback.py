"""The catalog's tables against what was seen: what they predict, and the row that puts them right."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from torchsel.backend import Backend, known_backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.kernels import driver_meets
from torchsel.catalog.rows import Build
from torchsel.config.config import Config
from torchsel.host import Host
from torchsel.selection.judge import case_of, machine_faults
from torchsel.selection.values import Demand, Fault

_CUDA_ARCH = re.compile(r"(sm|compute)_(\d+)(\d)", re.ASCII)
"""An entry of ``torch.cuda.get_arch_list()``; one with a letter (``sm_90a``) is for that GPU alone."""


def installed_backend(version: str, host: Host, catalog: Catalog) -> Backend | None:
    """The backend of an installed torch: its local version, else that of uv's default index at that release.

    None where neither says.
    """
    public, _, local = version.partition("+")
    tag = local
    if not tag:
        release = catalog.release(public)
        tag = (release.default_backend(host.platform) if release else None) or ""
    return known_backend(tag)


def known_build(version: str, host: Host, catalog: Catalog) -> Build | None:
    """The catalog's row that holds for an installed torch; None where no row does."""
    backend = installed_backend(version, host, catalog)
    release = catalog.standing_for(version.partition("+")[0])
    if backend is None or release is None:
        return None
    return next(iter(catalog.builds(release, backend.tag, host.platform)), None)


def faults_of(version: str, host: Host, catalog: Catalog) -> tuple[Fault, ...] | None:
    """What the tables have against an installed torch on ``host``; None where no row tells."""
    build = known_build(version, host, catalog)
    if build is None:
        return None
    return tuple(machine_faults(build, case_of(host, Demand(), Config(), catalog)))


def static_fault(version: str, host: Host, catalog: Catalog) -> str:
    """Why the installed torch can't run on this machine's GPUs by the tables; empty where nothing is known.

    A build for the CPU, and a machine without a GPU of the build's family, are no fault.
    """
    known = faults_of(version, host, catalog) or ()
    faults = [fault for fault in known if fault.kind in ("kernels", "broken", "driver")]
    if not faults:
        return ""
    return f"torch {version} can't run on this machine: {'; '.join(fault.text for fault in faults)}"


def needed_driver(version: str, host: Host, catalog: Catalog) -> str:
    """The lowest NVIDIA driver for an installed torch, above the machine's own; empty where none is known.

    Beside the CUDA major's minimum there is the driver that came with the build's CUDA: PTX needs that.
    """
    backend = installed_backend(version, host, catalog)
    if backend is None or backend.family != "cuda":
        return ""
    known = (
        catalog.driver_minimum(backend.release, host.driver_system, mode) for mode in ("minor", "strict")
    )
    newer = (least for least in known if least and not driver_meets(host.nvidia_driver or "0", least))
    return next(newer, "")


def observed_row(version: str, host: Host, catalog: Catalog, arch_list: Iterable[str]) -> Build | None:
    """The row that the catalog lacks for an installed torch; None where it has it, or nothing was seen."""
    backend = installed_backend(version, host, catalog)
    kernels, ptx = read_arch_list(arch_list)
    public = version.partition("+")[0]
    if backend is None or not kernels or not re.fullmatch(r"\d+\.\d+\.\d+", public, re.ASCII):
        return None
    known = next(iter(catalog.builds(public, backend.tag, host.platform)), None)
    if known and (set(known.kernels), set(known.ptx)) == (set(kernels), set(ptx)):
        return None
    row = known or Build(torch=public, backend=backend.tag, platform=host.platform)
    return replace(row, kernels=kernels, ptx=ptx)


def read_arch_list(arch_list: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Machine code and PTX of ``torch.cuda.get_arch_list()``, as the catalog writes them."""
    kernels: list[str] = []
    ptx: list[str] = []
    for item in arch_list:
        if match := _CUDA_ARCH.fullmatch(item):
            (kernels if match[1] == "sm" else ptx).append(f"{match[2]}.{match[3]}")
        elif item.startswith("gfx"):
            kernels.append(item.partition(":")[0])
    return tuple(dict.fromkeys(kernels)), tuple(dict.fromkeys(ptx))


def row_text(row: Build) -> str:
    """The row as TOML for pyproject.toml."""
    import tomlkit  # noqa: PLC0415 - only where the catalog is wrong

    table: dict[str, object] = {"torch": row.torch, "backend": row.backend, "platform": row.platform}
    table |= {name: list(items) for name in ("python", "kernels", "ptx") if (items := getattr(row, name))}
    return tomlkit.dumps({"tool": {"torchsel": {"catalog": {"builds": [table]}}}})
