"""Intel GPUs, by their PCI ids; whether PyTorch's XPU build supports one is for selection to say."""

from __future__ import annotations

from dataclasses import replace

from torchsel.probes.findings import Finding, ProbeResult, absent, found
from torchsel.probes.scene import DEVICES, SET_ASIDE, PciDevice, Scene
from torchsel.probes.seam import System

_NAME = "Intel"
# Where the processor's own graphics sit on every Intel platform so far.
_INTEGRATED = "0000:00:02.0"


def probe_intel(scene: Scene) -> ProbeResult:
    """Intel GPUs that a process could open; on Windows, those present."""
    if not scene.cards:
        return absent(_NAME, "no Intel display device on the PCI bus")
    usable = [card for card in scene.cards if card.address is None or _has_render_node(scene.system, card)]
    result = found(_NAME, (card.accelerator for card in usable)) if usable else ProbeResult()
    sentences = {card: _why_not(scene, card) for card in scene.cards if card not in usable}
    unusable = [Finding(probe=_NAME, outcome="absent", why=why) for why in sentences.values()]
    # Integrated graphics are in nearly every laptop and rarely for XPU; only -v tells about them.
    notes = tuple(why for card, why in sentences.items() if card.address != _INTEGRATED)
    return replace(result, findings=(*result.findings, *unusable), notes=notes)


def _has_render_node(system: System, card: PciDevice) -> bool:
    nodes = (name for name in system.list_dir(f"{DEVICES}/{card.address}/drm") if name.startswith("renderD"))
    return any(system.exists(f"/dev/dri/{name}") for name in nodes)


def _why_not(scene: Scene, card: PciDevice) -> str:
    what = f"The Intel GPU {card.pci_id} at {card.address}"
    if card.is_set_aside:
        return f"{what} {SET_ASIDE}."
    if card.driver is None:
        return f"{what} has no kernel driver; it needs a kernel whose xe or i915 driver knows it."
    if scene.in_container:
        return f"{what} is not passed into this container; start it with '--device /dev/dri'."
    return f"{what} has no render node in /dev/dri, so no program can use it for computing."
