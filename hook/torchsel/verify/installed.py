"""What an environment has, by its metadata: its interpreter, its packages, and torch against the catalog."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from torchsel.backend import Backend, known_backend
from torchsel.catalog.catalog import Catalog
from torchsel.catalog.kernels import driver_meets
from torchsel.catalog.rows import Build
from torchsel.config.config import Config
from torchsel.host import Host
from torchsel.project.environment import site_packages
from torchsel.selection.judge import case_of, machine_faults
from torchsel.selection.values import Demand, Fault

OTHER_COMPANIONS = frozenset({"flash-attn", "bitsandbytes"})
"""Packages with machine code for torch or its CUDA that no index of PyTorch's has."""

MODULES = {"fbgemm-gpu-genai": "fbgemm_gpu", "torch-tensorrt-rtx": "torch_tensorrt"}
"""What is imported, where it is not the package's name."""

_CUDA_ARCH = re.compile(r"(sm|compute)_(\d+)(\d)", re.ASCII)
"""An entry of ``torch.cuda.get_arch_list()``; one with a letter (``sm_90a``) is for that GPU alone."""


def interpreter_of(environment: Path) -> Path | None:
    """The environment's own Python by its absolute path."""
    # not resolved: by where it was called it knows its environment
    paths = (environment.absolute() / name for name in ("bin/python", "Scripts/python.exe"))
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def companions_of(environment: Path, catalog: Catalog) -> dict[str, str]:
    """The installed packages that are built against torch, with their versions."""
    known = (catalog.routable_packages | OTHER_COMPANIONS) - {"torch"}
    found: dict[str, str] = {}
    for info in dist_infos(environment):
        spelling, _, version = info.name.removesuffix(".dist-info").partition("-")
        name = re.sub(r"[-_.]+", "-", spelling).lower()  # PEP 503
        if name in known:
            found[name] = version
    return dict(sorted(found.items()))


def module_of(package: str) -> str:
    """The module to import for a package."""
    return MODULES.get(package, package.replace("-", "_"))


def dist_infos(environment: Path) -> Iterator[Path]:
    """The folders with the packages' metadata."""
    for site in site_packages(environment):
        yield from sorted(site.glob("*.dist-info"))


@dataclass(frozen=True, kw_only=True, slots=True)
class InstalledTorch:
    """A torch, installed on a host, against the catalog's tables; ``version`` has its local part."""

    version: str
    host: Host
    catalog: Catalog

    @property
    def public(self) -> str:
        """The release."""
        return self.version.partition("+")[0]

    @property
    def words(self) -> str:
        """It in a sentence, ``torch 2.14.1+cu126``."""
        return f"torch {self.version}"

    @property
    def backend(self) -> Backend | None:
        """By its local version, else that of uv's default index at that release; None where neither says."""
        tag = self.version.partition("+")[2]
        if not tag:
            release = self.catalog.release(self.public)
            tag = (release.default_backend(self.host.platform) if release else None) or ""
        return known_backend(tag)

    def faults(self) -> tuple[Fault, ...] | None:
        """What the tables have against it on its host; None where no row tells."""
        build = self._row(self.catalog.standing_for(self.public))
        if build is None:
            return None
        return tuple(machine_faults(build, case_of(self.host, Demand(), Config(), self.catalog)))

    def static_fault(self) -> str:
        """Why it can't run on this machine's GPUs by the tables; empty where nothing is known.

        A build for the CPU, and a machine without a GPU of the build's family, are no fault.
        """
        known = self.faults() or ()
        texts = [fault.text for fault in known if fault.kind in ("kernels", "broken", "driver")]
        return f"{self.words} can't run on this machine: {'; '.join(texts)}" if texts else ""

    def needed_driver(self) -> str:
        """The lowest NVIDIA driver for it, above the machine's own; empty where none is known."""
        if self.backend is None or self.backend.family != "cuda":
            return ""
        # PTX needs the driver that came with the build's CUDA, beside the minimum of the CUDA major
        known = (
            self.catalog.driver_minimum(self.backend.release, self.host.driver_system, mode)
            for mode in ("minor", "strict")
        )
        newer = (
            least for least in known if least and not driver_meets(self.host.nvidia_driver or "0", least)
        )
        return next(newer, "")

    def missing_row(self, arch_list: Iterable[str]) -> Build | None:
        """The row that the catalog lacks for it; None where it has it, or nothing was seen."""
        kernels, ptx = read_arch_list(arch_list)
        if self.backend is None or not kernels or not re.fullmatch(r"\d+\.\d+\.\d+", self.public, re.ASCII):
            return None
        known = self._row(self.public)
        if known and (set(known.kernels), set(known.ptx)) == (set(kernels), set(ptx)):
            return None
        # what else the catalog has of the build, such as its Pythons, is kept
        row = known or Build(torch=self.public, backend=self.backend.tag, platform=self.host.platform)
        return replace(row, kernels=kernels, ptx=ptx)

    def _row(self, release: str | None) -> Build | None:
        """The catalog's row for its backend at a release."""
        if self.backend is None or release is None:
            return None
        return next(iter(self.catalog.builds(release, self.backend.tag, self.host.platform)), None)


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
