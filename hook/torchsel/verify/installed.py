"""What an environment has, read from its metadata: its interpreter, torch, and the packages beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from torchsel.catalog.catalog import Catalog

OTHER_COMPANIONS = frozenset({"flash-attn", "bitsandbytes"})
"""Packages with machine code for torch or its CUDA that no index of PyTorch's has."""

MODULES = {"fbgemm-gpu-genai": "fbgemm_gpu", "torch-tensorrt-rtx": "torch_tensorrt"}
"""What is imported, where it is not the package's name."""


def interpreter_of(environment: Path) -> Path | None:
    """The environment's own Python by its absolute path, not resolved: by that it knows its environment."""
    for name in ("bin/python", "Scripts/python.exe"):
        path = environment.absolute() / name
        if os.access(path, os.X_OK):
            return path
    return None


def version_of(environment: Path, package: str) -> str | None:
    """The version of an installed package, local part included; None where it isn't there."""
    return installed_packages(environment).get(package)


def companions_of(environment: Path, catalog: Catalog) -> dict[str, str]:
    """The installed packages that are built against torch, with their versions."""
    known = (catalog.routable_packages | OTHER_COMPANIONS) - {"torch"}
    return {
        name: version for name, version in sorted(installed_packages(environment).items()) if name in known
    }


def module_of(package: str) -> str:
    """The module to import for a package."""
    return MODULES.get(package, package.replace("-", "_"))


def installed_packages(environment: Path) -> dict[str, str]:
    """Every installed package in its one spelling (PEP 503), with its version."""
    found: dict[str, str] = {}
    for info in dist_infos(environment):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        found[re.sub(r"[-_.]+", "-", name).lower()] = version
    return found


def dist_infos(environment: Path) -> Iterator[Path]:
    """The folders with the packages' metadata."""
    for site in (*environment.glob("lib/python*/site-packages"), environment / "Lib" / "site-packages"):
        yield from sorted(site.glob("*.dist-info"))
