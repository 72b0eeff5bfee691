"""NVIDIA GPUs: the driver from the kernel, devices from NVML, nvidia-smi last, the PCI bus for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, ProbeResult, absent, found, listing
from torchsel.probes.nvidia.driver import CONTROL_NODE, Driver, find_driver, probe_tegra
from torchsel.probes.nvidia.tools import NVIDIA_SMI, ask_nvidia_smi, from_nvml
from torchsel.probes.scene import SET_ASIDE, PciDevice, Scene

_NAME = "NVIDIA"


def probe_nvidia(scene: Scene) -> ProbeResult:
    """NVIDIA GPUs that CUDA could use, and those that only lack a driver.

    The result's driver is set only together with an accelerator.
    """
    system, environ = scene.system, scene.environ
    driver = find_driver(system)
    tegra = None if scene.cards else probe_tegra(system, driver.version if driver else None)
    if (driver or scene.cards or tegra) and (hidden := scene.hiding_variable("CUDA_VISIBLE_DEVICES")):
        return absent(_NAME, f"{hidden} hides all", f"{hidden} hides all NVIDIA GPUs; unset it to use them.")
    if tegra:
        return tegra
    # on Windows the library stays behind when a card is taken out
    if driver is None or (system.platform().name == "win32" and not scene.cards):
        return _without_driver(scene)
    result = _ask(scene, driver)
    if not result.accelerators:
        return replace(result, driver=None)
    notes = (*result.notes, *_visible_part(environ, result.accelerators))
    return replace(result, driver=driver.version or result.driver, notes=notes)


def _without_driver(scene: Scene) -> ProbeResult:
    notes = list(dict.fromkeys(map(_driver_note, scene.cards)))
    if ours := _not_set_aside(scene):
        accelerators = [card.accelerator for card in ours]
        return found(_NAME, accelerators, *notes, why=f"{listing(accelerators)}, without a driver")
    if not scene.cards and (tool := scene.system.find_program(NVIDIA_SMI)):
        notes = [f"{tool} is installed, but there is no NVIDIA GPU and no driver loaded; it is left out."]
    return absent(_NAME, "no NVIDIA driver is loaded", *notes)


def _not_set_aside(scene: Scene) -> list[PciDevice]:
    return [card for card in scene.cards if not card.is_set_aside]


def _driver_note(card: PciDevice) -> str:
    what = f"The NVIDIA GPU {card.pci_id}"
    if card.is_set_aside:
        return f"{what} {SET_ASIDE}."
    if card.driver:
        return f"{what} is run by {card.driver}; CUDA needs NVIDIA's own driver."
    return f"{what} has no driver loaded; CUDA needs NVIDIA's own."


def _ask(scene: Scene, driver: Driver) -> ProbeResult:
    """NVML, then nvidia-smi where that could know more, then what the bus shows."""
    told = Finding(
        probe="NVIDIA driver", outcome="found", why=f"{driver.version or 'loaded'} ({driver.where})"
    )
    result, asked_enough = from_nvml(scene.system, driver)
    if not result.accelerators and not asked_enough:
        tool = ask_nvidia_smi(scene.system).after(*result.findings)
        result = tool if tool.accelerators else replace(tool, notes=result.notes)
    if not result.accelerators:
        result = _from_bus(scene, driver, result)
    return result.after(told)


def _from_bus(scene: Scene, driver: Driver, result: ProbeResult) -> ProbeResult:
    """GPUs that neither tool listed: by their PCI ids where the driver can be reached, else none."""
    if result.findings[0].outcome == "absent":  # NVML answered, and counted none
        return replace(result, notes=(*result.notes, *_nothing_attached(scene, driver)))
    if scene.system.platform().is_wsl:
        return result
    if scene.system.platform().name == "linux" and not scene.system.exists(CONTROL_NODE):
        return replace(result, notes=(_no_nodes(scene),))
    cards = tuple(card.accelerator for card in _not_set_aside(scene))
    on_bus = found("PCI", cards or (Accelerator(vendor="nvidia"),))
    notes = result.notes or ("NVIDIA's libraries can't be loaded here; CUDA needs them, too.",)
    return replace(on_bus.after(*result.findings), driver=result.driver, notes=notes)


def _nothing_attached(scene: Scene, driver: Driver) -> Iterator[str]:
    loaded = f"The NVIDIA driver {driver.version or ''}".rstrip()
    if not scene.cards:
        yield f"{loaded} is loaded, but no NVIDIA GPU is there."
    elif scene.in_container:
        yield _no_nodes(scene)
    else:
        yield from (_driver_note(card) for card in scene.cards if card.is_set_aside)
        if refused := ", ".join(card.pci_id for card in _not_set_aside(scene)):
            yield f"{loaded} does not run the NVIDIA GPU {refused}: too old or too new for this driver."


def _no_nodes(scene: Scene) -> str:
    if scene.in_container:
        return (
            "No NVIDIA GPU is passed into this container, though the machine has NVIDIA's driver; start it "
            "with '--gpus all' (Docker, with the NVIDIA Container Toolkit) or the like."
        )
    return (
        f"NVIDIA's driver is loaded, but its device files ({CONTROL_NODE}) are missing; "
        "run 'sudo nvidia-modprobe -u -c 0' or reboot."
    )


def _visible_part(environ: Mapping[str, str], accelerators: tuple[Accelerator, ...]) -> Iterator[str]:
    """A note where CUDA_VISIBLE_DEVICES picks among unlike GPUs."""
    value = environ.get("CUDA_VISIBLE_DEVICES")
    # none is left out: CUDA numbers them fastest first (unless CUDA_DEVICE_ORDER=PCI_BUS_ID), NVML by bus
    if value is not None and len({item.compute_capability for item in accelerators}) > 1:
        yield (
            f"CUDA_VISIBLE_DEVICES={value} may show only some of the GPUs; "
            "all are considered, so that the build suits each of them."
        )
