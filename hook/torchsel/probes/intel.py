"""Intel GPUs, by their PCI ids; whether PyTorch's XPU build supports one is for selection to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torchsel.probes.findings import Finding, ProbeResult, absent, listing
from torchsel.probes.pci import DEVICES, PASSED_TO_A_GUEST, PciDevice
from torchsel.probes.platform import in_container
from torchsel.probes.seam import System

_NAME = "Intel"
# Where the processor's own graphics sit on every Intel platform so far.
_INTEGRATED = "0000:00:02.0"


def probe_intel(system: System, environ: Mapping[str, str], cards: Sequence[PciDevice]) -> ProbeResult:
    """Intel GPUs that a process could open; on Windows, those present."""
    if not cards:
        return absent(_NAME, "no Intel display device on the PCI bus")
    usable = [card for card in cards if card.address is None or _has_render_node(system, card)]
    accelerators = tuple(card.accelerator for card in usable)
    left_out = [card for card in cards if card not in usable]
    found = [Finding(probe=_NAME, outcome="found", why=listing(accelerators))] if accelerators else []
    sentences = {card: _why_not(system, environ, card) for card in left_out}
    unusable = [Finding(probe=_NAME, outcome="absent", why=why) for why in sentences.values()]
    # Integrated graphics are in nearly every laptop and rarely for XPU; only -v tells about them.
    notes = tuple(why for card, why in sentences.items() if card.address != _INTEGRATED)
    return ProbeResult(findings=(*found, *unusable), accelerators=accelerators, notes=notes)


def _has_render_node(system: System, card: PciDevice) -> bool:
    nodes = (name for name in system.list_dir(f"{DEVICES}/{card.address}/drm") if name.startswith("renderD"))
    return any(system.exists(f"/dev/dri/{name}") for name in nodes)


def _why_not(system: System, environ: Mapping[str, str], card: PciDevice) -> str:
    what = f"The Intel GPU {card.pci_id} at {card.address}"
    if card.driver == PASSED_TO_A_GUEST:
        return f"{what} is set aside for a virtual machine ({PASSED_TO_A_GUEST})."
    if card.driver is None:
        return f"{what} has no kernel driver; it needs a kernel whose xe or i915 driver knows it."
    if in_container(system, environ):
        return f"{what} is not passed into this container; start it with '--device /dev/dri'."
    return f"{what} has no render node in /dev/dri, so no program can use it for computing."
