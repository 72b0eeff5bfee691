"""AMD GPUs in the kernel's compute topology (amdkfd), where no ROCm tool is needed.

Layout: Linux ``drivers/gpu/drm/amd/amdkfd/kfd_topology.c``, one ``key value`` line a property.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from torchsel.host import Accelerator
from torchsel.probes.pci import pci_id
from torchsel.probes.seam import System

NODES = "/sys/class/kfd/kfd/topology/nodes"
OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"

_AMD = 0x1002
_PROPERTY = r"(?am)^(\w+)[ \t]+(\d{1,20})[ \t]*$"
_VERSION = r"([0-9]{1,2})\.([0-9]{1,3})\.([0-9]{1,3})"


@dataclass(frozen=True, kw_only=True, slots=True)
class KfdNode:
    """One AMD GPU: its node number in the topology and the accelerator as the kernel describes it."""

    number: int
    accelerator: Accelerator


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """A variable that forces a gfx target, as written; ``gfx_target`` is None where it is malformed."""

    written: str
    gfx_target: str | None


def gpu_nodes(system: System) -> tuple[KfdNode, ...]:
    """AMD's GPU nodes in topology order; processors and other vendors' nodes are passed over."""
    numbers = sorted(int(name) for name in system.list_dir(NODES) if re.fullmatch(r"[0-9]{1,4}", name))
    found = (_node(system, number) for number in numbers)
    return tuple(node for node in found if node)


def gfx_target(version: int) -> str | None:
    """The target's name from ``gfx_target_version``: 110000 is gfx1100, 90010 is gfx90a; None for 0."""
    if not 0 < version < 1_000_000:
        return None
    return _gfx_name(version // 10_000, version // 100 % 100, version % 100)


def override(environ: Mapping[str, str], node: int) -> Override | None:
    """What the user forces on a node.

    ROCr reads ``HSA_OVERRIDE_GFX_VERSION_<node>`` before ``HSA_OVERRIDE_GFX_VERSION``; both are
    ``major.minor.stepping`` in decimal digits, and it ignores anything else (libhsakmt ``topology.c``).
    """
    name = f"{OVERRIDE}_{node}" if f"{OVERRIDE}_{node}" in environ else OVERRIDE
    value = environ.get(name)
    if not value:
        return None
    match = re.fullmatch(_VERSION, value)
    target = _gfx_name(*map(int, match.groups())) if match else None
    return Override(written=f"{name}={value}", gfx_target=target)


def _gfx_name(major: int, minor: int, stepping: int) -> str:
    return f"gfx{major}{minor:x}{stepping:x}"


def _node(system: System, number: int) -> KfdNode | None:
    text = system.read_text(f"{NODES}/{number}/properties") or ""
    properties = {key: int(value) for key, value in re.findall(_PROPERTY, text)}
    target = gfx_target(properties.get("gfx_target_version", 0))
    if properties.get("vendor_id") != _AMD or not (target or properties.get("simd_count")):
        return None
    device = properties.get("device_id", 0)
    accelerator = Accelerator(
        vendor="amd",
        name=_product_name(system, properties.get("drm_render_minor")),
        gfx_target=target,
        pci_id=pci_id(_AMD, device) if 0 < device <= 0xFFFF else None,
    )
    return KfdNode(number=number, accelerator=accelerator)


def _product_name(system: System, minor: int | None) -> str | None:
    """The marketing name that boards with a product EEPROM carry (Instinct, Radeon Pro)."""
    if not minor:
        return None
    text = system.read_text(f"/sys/class/drm/renderD{minor}/device/product_name")
    return (text or "").strip() or None
