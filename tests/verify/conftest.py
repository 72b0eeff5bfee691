"""What the tests of a verification ask for: an environment, and how to verify it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.support.stand_ins import Environment, make_environment
from torchsel.backend import Backend
from torchsel.catalog.catalog import load_catalog
from torchsel.host import Accelerator, Host
from torchsel.verify.verdicts import Verification, Verified
from torchsel.verify.verify import verify

H100 = Host(
    system="linux",
    machine="x86_64",
    kernel="6.8.0-45-generic",
    nvidia_driver="580.65.06",
    accelerators=(Accelerator(vendor="nvidia", name="NVIDIA H100", compute_capability="9.0"),),
)
PASCAL = replace(
    H100, accelerators=(Accelerator(vendor="nvidia", name="GTX 1080 Ti", compute_capability="6.1"),)
)
CPU = replace(H100, nvidia_driver=None, accelerators=())
AMD = replace(CPU, accelerators=(Accelerator(vendor="amd", name="MI300X", gfx_target="gfx942"),))
INTEL = replace(CPU, accelerators=(Accelerator(vendor="intel", name="Arc B580", pci_id="8086:e20b"),))


def asked(folder: Path, **changes: Any) -> Verification:
    """A verification for an H100 with cu130 selected, unless changed; ``backend`` may be a tag."""
    if isinstance(tag := changes.get("backend"), str):
        changes["backend"] = Backend.parse(tag)
    plain = Verification(
        environment=folder,
        backend=Backend.parse("cu130"),
        torch="2.13.0",
        host=H100,
        catalog=load_catalog(),
        environ=os.environ,
        timeout=30.0,
    )
    return replace(plain, **changes)


class Verify(Protocol):
    """Verifies the environment of a test."""

    def __call__(self, **changes: Any) -> Verified: ...


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return make_environment(tmp_path / "demo" / ".venv")


@pytest.fixture
def verified(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Verify:
    """A function that verifies ``environment``; no variable of the tester's hides or orders GPUs."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    return lambda **changes: verify(asked(environment.folder, **changes))
