"""AMD GPUs: the kernel's topology first, ROCm's tools where it says too little, the PCI bus for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torchsel.host import Accelerator
from torchsel.probes.amd.kfd import OVERRIDE, KfdNode, gpu_nodes, override
from torchsel.probes.amd.tools import ask_rocm_tools
from torchsel.probes.findings import Finding, ProbeResult, absent, listing
from torchsel.probes.pci import PASSED_TO_A_GUEST, PciDevice
from torchsel.probes.platform import hiding_variable, in_container, is_wsl
from torchsel.probes.seam import System

_NAME = "AMD"
_DEVICE = "/dev/kfd"
_TOPOLOGY = "/sys/class/kfd"


def probe_amd(system: System, environ: Mapping[str, str], cards: Sequence[PciDevice]) -> ProbeResult:
    """AMD GPUs that ROCm could use; on Windows, those present."""
    if system.platform().name != "linux":
        return _present(cards)
    nodes = _nodes(system)
    if not nodes and not cards and not _rocm_in_wsl(system):
        return absent(_NAME, f"no AMD GPU in {_TOPOLOGY} or on the PCI bus")
    if hidden := hiding_variable(environ, "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        return absent(_NAME, f"{hidden} hides all", notes=(f"{hidden} hides all AMD GPUs.",))
    if not system.exists(_DEVICE) and not _rocm_in_wsl(system):
        return _no_device(system, environ, nodes, cards)
    return _finish(_usable(system, nodes), nodes, cards, environ, denied=_denied(system))


def _present(cards: Sequence[PciDevice]) -> ProbeResult:
    if not cards:
        return absent(_NAME, "no AMD display device is present")
    accelerators = tuple(card.accelerator for card in cards)
    return ProbeResult(
        findings=(Finding(probe=_NAME, outcome="found", why=listing(accelerators)),),
        accelerators=accelerators,
    )


def _nodes(system: System) -> tuple[KfdNode, ...]:
    if not system.exists(_TOPOLOGY):
        return ()
    return gpu_nodes(system)


def _rocm_in_wsl(system: System) -> bool:
    return is_wsl(system) and system.exists("/dev/dxg") and system.find_program("rocminfo") is not None


def _usable(system: System, nodes: Sequence[KfdNode]) -> ProbeResult:
    """The topology's GPUs, or the tools' where it has none or no gfx_target_version (before Linux 5.11)."""
    accelerators = tuple(node.accelerator for node in nodes)
    if accelerators and all(item.gfx_target for item in accelerators):
        finding = Finding(probe="KFD topology", outcome="found", why=listing(accelerators))
        return ProbeResult(findings=(finding,), accelerators=accelerators)
    tools = ask_rocm_tools(system).after(
        Finding(probe="KFD topology", outcome="absent", why="it names no gfx target")
    )
    return tools if tools.accelerators else replace(tools, accelerators=accelerators)


def _finish(
    result: ProbeResult,
    nodes: Sequence[KfdNode],
    cards: Sequence[PciDevice],
    environ: Mapping[str, str],
    *,
    denied: str | None,
) -> ProbeResult:
    """Add what the user's variables change and what stands in the way."""
    accelerators, notes = _with_overrides(result.accelerators, nodes, environ)
    notes += [denied] if denied else []
    if not accelerators:
        notes += [_without_topology(card) for card in cards]
    return replace(result, accelerators=accelerators, notes=tuple(dict.fromkeys(notes)))


def _with_overrides(
    accelerators: tuple[Accelerator, ...], nodes: Sequence[KfdNode], environ: Mapping[str, str]
) -> tuple[tuple[Accelerator, ...], list[str]]:
    """The accelerators as HSA_OVERRIDE_GFX_VERSION makes ROCm see them, and a note on each change."""
    if not any(name.startswith(OVERRIDE) for name in environ):
        return accelerators, []
    numbers = [node.number for node in nodes] or list(range(len(accelerators)))
    seen, notes = [], []
    for item, number in zip(accelerators, numbers, strict=False):
        forced = override(environ, number)
        target = forced.gfx_target if forced else None
        seen.append(replace(item, gfx_target=target) if target else item)
        if forced and target is None:
            notes.append(f"{forced.written} is not major.minor.stepping (10.3.0); ROCm ignores it.")
        elif forced and target != item.gfx_target:
            notes.append(f"{forced.written}: {item.label} is treated as {target}.")
    return tuple(seen) + accelerators[len(seen) :], notes


def _denied(system: System) -> str | None:
    if not system.exists(_DEVICE) or system.accessible(_DEVICE):
        return None
    return (
        f"This user may not open {_DEVICE}, so PyTorch won't see the AMD GPU; join the groups that own it, "
        "usually 'sudo usermod -a -G render,video $USER', and log in again."
    )


def _no_device(
    system: System, environ: Mapping[str, str], nodes: Sequence[KfdNode], cards: Sequence[PciDevice]
) -> ProbeResult:
    what = listing(tuple(node.accelerator for node in nodes)) or ", ".join(card.pci_id for card in cards)
    if in_container(system, environ):
        note = (
            f"The AMD GPU ({what}) is not passed into this container; "
            "start it with '--device /dev/kfd --device /dev/dri'."
        )
        return absent(_NAME, f"{_DEVICE} is not in this container", notes=(note,))
    notes = tuple(map(_without_topology, cards)) or (
        f"The AMD GPU ({what}) can't be used: {_DEVICE} is missing.",
    )
    return absent(_NAME, f"{_DEVICE} is missing", notes=notes)


def _without_topology(card: PciDevice) -> str:
    what = f"The AMD GPU {card.pci_id} can't be used by ROCm"
    if card.driver == PASSED_TO_A_GUEST:
        return f"{what}: it is set aside for a virtual machine ({PASSED_TO_A_GUEST})."
    if card.driver == "amdgpu":
        return f"{what}: the amdgpu driver runs it without compute support ({_DEVICE})."
    return f"{what}: the amdgpu driver doesn't run it (driver: {card.driver or 'none'})."
