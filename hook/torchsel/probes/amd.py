"""AMD GPUs: the kernel's topology first, ROCm's tools where it says too little, the PCI bus for the rest.

The kernel's topology of what computes (amdkfd) needs no ROCm tool. Its layout: Linux
``drivers/gpu/drm/amd/amdkfd/kfd_topology.c``, one ``key value`` line a property.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, ProbeResult, absent, found, listing
from torchsel.probes.scene import SET_ASIDE, PciDevice, Scene, pci_id
from torchsel.probes.seam import Completed, System
from torchsel.vendors import VENDORS

OVERRIDE = "HSA_OVERRIDE_GFX_VERSION"

_NAME = "AMD"
_AMD = VENDORS["amd"].pci
_DEVICE = "/dev/kfd"
_TOPOLOGY = "/sys/class/kfd"
_NODES = f"{_TOPOLOGY}/kfd/topology/nodes"
_DENIED = (
    f"This user may not open {_DEVICE}, so PyTorch won't see the AMD GPU; join the groups that own it, "
    "usually 'sudo usermod -a -G render,video $USER', and log in again."
)

_PROPERTY = r"(?am)^(\w+)[ \t]+(\d{1,20})[ \t]*$"
_VERSION = r"([0-9]{1,2})\.([0-9]{1,3})\.([0-9]{1,3})"
_TARGET = re.compile(r"gfx[1-9][0-9a-f]{2,4}", re.ASCII)
# An agent's own fields; those of its caches, pools and ISAs stand further in.
_FIELD = re.compile(r"^[ \t]{2}(Name|Marketing Name|Device Type|Chip ID):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_CHIP = re.compile(r"\(0x([0-9a-f]{1,4})\)", re.ASCII | re.IGNORECASE)


def probe_amd(scene: Scene) -> ProbeResult:
    """AMD GPUs that ROCm could use; on Windows, those present."""
    system, cards = scene.system, scene.cards
    if system.platform().name != "linux":
        there = [card.accelerator for card in cards]
        return found(_NAME, there) if there else absent(_NAME, "no AMD display device is present")
    nodes = gpu_nodes(system)
    rocm_in_wsl = system.platform().is_wsl and system.exists("/dev/dxg") and system.find_program("rocminfo")
    if not (nodes or cards or rocm_in_wsl):
        return absent(_NAME, f"no AMD GPU in {_TOPOLOGY} or on the PCI bus")
    if hidden := scene.hiding_variable("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        return absent(_NAME, f"{hidden} hides all", f"{hidden} hides all AMD GPUs.")
    if not system.exists(_DEVICE) and not rocm_in_wsl:
        return _no_device(scene, nodes.values())
    result = _usable(system, tuple(nodes.values()))
    accelerators, notes = _with_overrides(result.accelerators, nodes, scene.environ)
    if system.exists(_DEVICE) and not system.accessible(_DEVICE):
        notes.append(_DENIED)
    if not accelerators:
        notes += map(_without_topology, cards)
    return replace(result, accelerators=accelerators, notes=tuple(dict.fromkeys(notes)))


def _usable(system: System, accelerators: tuple[Accelerator, ...]) -> ProbeResult:
    """The topology's GPUs, or the tools' where it has none or no gfx_target_version (before Linux 5.11)."""
    if accelerators and all(item.gfx_target for item in accelerators):
        return found("KFD topology", accelerators)
    topology = Finding(probe="KFD topology", outcome="absent", why="it names no gfx target")
    tools = ask_rocm_tools(system).after(topology)
    return tools if tools.accelerators else replace(tools, accelerators=accelerators)


def _no_device(scene: Scene, accelerators: Iterable[Accelerator]) -> ProbeResult:
    what = listing(accelerators) or ", ".join(card.pci_id for card in scene.cards)
    if scene.in_container:
        note = (
            f"The AMD GPU ({what}) is not passed into this container; "
            "start it with '--device /dev/kfd --device /dev/dri'."
        )
        return absent(_NAME, f"{_DEVICE} is not in this container", note)
    notes = [*map(_without_topology, scene.cards)] or [
        f"The AMD GPU ({what}) can't be used: {_DEVICE} is missing."
    ]
    return absent(_NAME, f"{_DEVICE} is missing", *notes)


def _without_topology(card: PciDevice) -> str:
    what = f"The AMD GPU {card.pci_id} can't be used by ROCm"
    if card.is_set_aside:
        return f"{what}: it {SET_ASIDE}."
    if card.driver == "amdgpu":
        return f"{what}: the amdgpu driver runs it without compute support ({_DEVICE})."
    return f"{what}: the amdgpu driver doesn't run it (driver: {card.driver or 'none'})."


def gpu_nodes(system: System) -> dict[int, Accelerator]:
    """AMD's GPUs by their nodes in the topology; processors and other vendors' nodes are passed over."""
    numbers = sorted(int(name) for name in system.list_dir(_NODES) if re.fullmatch(r"[0-9]{1,4}", name))
    looked = ((number, _node(system, number)) for number in numbers)
    return {number: accelerator for number, accelerator in looked if accelerator}


def _node(system: System, number: int) -> Accelerator | None:
    text = system.read_text(f"{_NODES}/{number}/properties") or ""
    properties = {key: int(value) for key, value in re.findall(_PROPERTY, text)}
    target = gfx_target(properties.get("gfx_target_version", 0))
    if properties.get("vendor_id") != _AMD or not (target or properties.get("simd_count")):
        return None
    device, minor = properties.get("device_id", 0), properties.get("drm_render_minor")
    # boards with a product EEPROM (Instinct, Radeon Pro) carry their marketing name
    name = system.read_text(f"/sys/class/drm/renderD{minor}/device/product_name") if minor else None
    return Accelerator(
        vendor="amd",
        name=(name or "").strip() or None,
        gfx_target=target,
        pci_id=pci_id(_AMD, device) if 0 < device <= 0xFFFF else None,
    )


def gfx_target(version: int) -> str | None:
    """The target's name from ``gfx_target_version``: 110000 is gfx1100, 90010 is gfx90a; None for 0."""
    if not 0 < version < 1_000_000:
        return None
    return _gfx_name(version // 10_000, version // 100 % 100, version % 100)


def _gfx_name(major: int, minor: int, stepping: int) -> str:
    return f"gfx{major}{minor:x}{stepping:x}"


def _with_overrides(
    accelerators: tuple[Accelerator, ...], nodes: Iterable[int], environ: Mapping[str, str]
) -> tuple[tuple[Accelerator, ...], list[str]]:
    """The accelerators as HSA_OVERRIDE_GFX_VERSION makes ROCm see them, and a note on each change."""
    numbers = list(nodes) or list(range(len(accelerators)))
    seen, notes = [], []
    for item, number in zip(accelerators, numbers, strict=False):
        written, target = override(environ, number) or ("", None)
        seen.append(replace(item, gfx_target=target) if target else item)
        if written and target is None:
            notes.append(f"{written} is not major.minor.stepping (10.3.0); ROCm ignores it.")
        elif written and target != item.gfx_target:
            notes.append(f"{written}: {item.label} is treated as {target}.")
    return tuple(seen) + accelerators[len(seen) :], notes


def override(environ: Mapping[str, str], node: int) -> tuple[str, str | None] | None:
    """What the user forces on a node: as written, and the gfx target, None where that is malformed.

    ROCr reads ``HSA_OVERRIDE_GFX_VERSION_<node>`` before ``HSA_OVERRIDE_GFX_VERSION``; both are
    ``major.minor.stepping`` in decimal digits, and it ignores anything else (libhsakmt ``topology.c``).
    """
    name = f"{OVERRIDE}_{node}" if f"{OVERRIDE}_{node}" in environ else OVERRIDE
    value = environ.get(name)
    if not value:
        return None
    match = re.fullmatch(_VERSION, value)
    return f"{name}={value}", _gfx_name(*map(int, match.groups())) if match else None


def ask_rocm_tools(system: System) -> ProbeResult:
    """GPUs by ``rocminfo``, then by ``rocm_agent_enumerator``; none where neither is installed or answers."""
    findings: list[Finding] = []
    for name, parse in _TOOLS.items():
        program = system.find_program(name)
        done = system.run(program, ()) if program else Completed()
        trouble = done.trouble or (f"exit code {done.code}" if done.code else "")
        if accelerators := () if trouble else parse(done.output):
            return found(name, accelerators).after(*findings)
        why = trouble or "not installed, or it lists no GPU"
        findings.append(Finding(probe=name, outcome="failed" if trouble else "absent", why=why))
    return ProbeResult(findings=tuple(findings))


def parse_rocminfo(output: str) -> tuple[Accelerator, ...]:
    """The agents of type GPU with their marketing names and chip ids."""
    agents = re.split(r"^Agent \d+", output, flags=re.MULTILINE)[1:]
    fields = (dict(_FIELD.findall(agent)) for agent in agents)
    return tuple(_agent(field) for field in fields if field.get("Device Type") == "GPU")


def _agent(fields: dict[str, str]) -> Accelerator:
    target = _TARGET.match(fields.get("Name", ""))
    chip = _CHIP.search(fields.get("Chip ID", ""))
    return Accelerator(
        vendor="amd",
        name=fields.get("Marketing Name") or None,
        gfx_target=target[0] if target else None,
        pci_id=pci_id(_AMD, int(chip[1], 16)) if chip else None,
    )


def parse_enumerator(output: str) -> tuple[Accelerator, ...]:
    """One target a line; ``gfx000`` stands for a processor."""
    targets = (line.strip() for line in output.splitlines())
    return tuple(Accelerator(vendor="amd", gfx_target=item) for item in targets if _TARGET.fullmatch(item))


_TOOLS: dict[str, Callable[[str], tuple[Accelerator, ...]]] = {
    "rocminfo": parse_rocminfo,
    "rocm_agent_enumerator": parse_enumerator,
}
