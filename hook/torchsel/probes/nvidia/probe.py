"""NVIDIA GPUs: the driver from the kernel, devices from NVML, nvidia-smi last, the PCI bus for the rest."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, Reading, listing, nothing
from torchsel.probes.nvidia.driver import CONTROL_NODE, Driver, find_driver
from torchsel.probes.pci import PASSED_TO_A_GUEST
from torchsel.probes.surroundings import hiding_variable, in_container, is_wsl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torchsel.probes.pci import PciDevice
    from torchsel.probes.system import System

_NAME = "NVIDIA"
_NVML = "NVML"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the NVIDIA probe works on."""

    system: System
    environ: Mapping[str, str]
    cards: tuple[PciDevice, ...]


def probe_nvidia(system: System, environ: Mapping[str, str], devices: Sequence[PciDevice]) -> Reading:
    """NVIDIA GPUs that CUDA could use, and those that only lack a driver.

    The reading's driver is set only together with an accelerator.
    """
    scene = Scene(system=system, environ=environ, cards=tuple(d for d in devices if d.vendor == "nvidia"))
    driver = find_driver(system)
    tegra = None if scene.cards else _tegra(system, driver)
    if (driver or scene.cards or tegra) and (hidden := hiding_variable(environ, "CUDA_VISIBLE_DEVICES")):
        note = f"{hidden} hides all NVIDIA GPUs; unset it to use them."
        return nothing(_NAME, f"{hidden} hides all", notes=(note,))
    if tegra:
        return tegra
    on_windows = system.platform().name == "win32"
    if driver is None or (on_windows and not scene.cards):
        return _without_driver(scene)
    reading = _ask(scene, driver)
    if not reading.accelerators:
        return replace(reading, driver=None)
    notes = reading.notes + _visible_part(environ, reading.accelerators)
    return replace(reading, driver=driver.version or reading.driver, notes=notes)


def _tegra(system: System, driver: Driver | None) -> Reading | None:
    if system.platform().machine != "aarch64":
        return None
    from torchsel.probes.nvidia.tegra import find_tegra, probe_tegra  # noqa: PLC0415 (no need elsewhere)

    tegra = find_tegra(system)
    return probe_tegra(tegra, driver.version if driver else None) if tegra else None


def _without_driver(scene: Scene) -> Reading:
    ours = [card for card in scene.cards if card.driver != PASSED_TO_A_GUEST]
    notes = tuple(_driver_note(card) for card in scene.cards)
    if ours:
        accelerators = tuple(card.accelerator for card in ours)
        finding = Finding(probe=_NAME, outcome="found", why=f"{listing(accelerators)}, without a driver")
        return Reading(findings=(finding,), accelerators=accelerators, notes=tuple(dict.fromkeys(notes)))
    tool = None if scene.cards else scene.system.find_program("nvidia-smi")
    if tool:
        notes = (f"{tool} is installed, but there is no NVIDIA GPU and no driver loaded; it is left out.",)
    return nothing(_NAME, "no NVIDIA driver is loaded", notes=notes)


def _driver_note(card: PciDevice) -> str:
    what = f"The NVIDIA GPU {card.pci_id}"
    if card.driver == PASSED_TO_A_GUEST:
        return f"{what} is set aside for a virtual machine ({PASSED_TO_A_GUEST})."
    if card.driver:
        return f"{what} is run by {card.driver}; CUDA needs NVIDIA's own driver."
    return f"{what} has no driver loaded; CUDA needs NVIDIA's own."


def _ask(scene: Scene, driver: Driver) -> Reading:
    """NVML, then nvidia-smi where that could know more, then what the bus shows."""
    told = Finding(
        probe="NVIDIA driver", outcome="found", why=f"{driver.version or 'loaded'} ({driver.where})"
    )
    reading, asked_enough = _from_nvml(scene.system, driver)
    if not reading.accelerators and not asked_enough:
        from torchsel.probes.nvidia.smi import ask_nvidia_smi  # noqa: PLC0415 (the last resort)

        tool = ask_nvidia_smi(scene.system).after(*reading.findings)
        reading = tool if tool.accelerators else replace(tool, notes=reading.notes)
    if not reading.accelerators:
        reading = _from_bus(scene, driver, reading)
    return reading.after(told)


def _from_nvml(system: System, driver: Driver) -> tuple[Reading, bool]:
    """NVML's GPUs, and whether nvidia-smi, which asks the same library, would be no better."""
    from torchsel.probes.nvidia import nvml as reader  # noqa: PLC0415 (only where there is a driver)
    from torchsel.probes.patience import within  # noqa: PLC0415

    try:
        module = system.nvml()
    except OSError as error:
        return _failed(str(error)), False
    try:
        answer = within(system.patience, lambda: reader.ask_nvml(module))
    except TimeoutError as error:
        return _failed(f"{error}", f"The NVIDIA driver does not respond ({error}); a reboot may help."), True
    except module.NVMLError as error:
        mismatch = reader.error_code(error) == reader.VERSION_MISMATCH
        return _failed(str(error), _nvml_note(driver, str(error), mismatch=mismatch)), mismatch
    why = listing(answer.accelerators) or "the driver runs no GPU"
    finding = Finding(probe=_NVML, outcome="found" if answer.accelerators else "absent", why=why)
    return Reading(
        findings=(finding,), accelerators=answer.accelerators, driver=answer.driver, notes=answer.notes
    ), True


def _failed(why: str, *notes: str) -> Reading:
    return Reading(findings=(Finding(probe=_NVML, outcome="failed", why=why),), notes=notes)


def _nvml_note(driver: Driver, error: str, *, mismatch: bool) -> str:
    if mismatch:
        return (
            f"The NVIDIA driver was updated while {driver.version or 'the old one'} stays loaded "
            "(library and kernel module differ); CUDA fails until you reboot, or restart the container."
        )
    return (
        f"NVIDIA's management library fails ({error.rstrip('.')}), so CUDA will, too, "
        "until 'nvidia-smi' lists the GPU; a reboot may help."
    )


def _from_bus(scene: Scene, driver: Driver, reading: Reading) -> Reading:
    """GPUs that neither tool listed: by their PCI ids where the driver can be reached, else none."""
    asked = reading.findings[0].outcome
    if asked == "absent":
        return replace(reading, notes=(*reading.notes, *_nothing_attached(scene, driver)))
    if is_wsl(scene.system):
        return reading
    if scene.system.platform().name == "linux" and not scene.system.exists(CONTROL_NODE):
        return replace(reading, notes=(_no_nodes(scene),))
    cards = [card.accelerator for card in scene.cards if card.driver != PASSED_TO_A_GUEST]
    accelerators = tuple(cards) or (Accelerator(vendor="nvidia"),)
    finding = Finding(probe="PCI", outcome="found", why=listing(accelerators))
    return replace(
        reading,
        findings=(*reading.findings, finding),
        accelerators=accelerators,
        notes=reading.notes or ("NVIDIA's libraries can't be loaded here; CUDA needs them, too.",),
    )


def _nothing_attached(scene: Scene, driver: Driver) -> list[str]:
    loaded = f"The NVIDIA driver {driver.version or ''}".rstrip()
    if not scene.cards:
        return [f"{loaded} is loaded, but no NVIDIA GPU is there."]
    if in_container(scene.system, scene.environ):
        return [_no_nodes(scene)]
    refused = [card.pci_id for card in scene.cards if card.driver != PASSED_TO_A_GUEST]
    notes = [_driver_note(card) for card in scene.cards if card.driver == PASSED_TO_A_GUEST]
    if refused:
        which = ", ".join(refused)
        notes.append(f"{loaded} does not run the NVIDIA GPU {which}: too old or too new for this driver.")
    return notes


def _no_nodes(scene: Scene) -> str:
    if in_container(scene.system, scene.environ):
        return (
            "No NVIDIA GPU is passed into this container, though the machine has NVIDIA's driver; start it "
            "with '--gpus all' (Docker, with the NVIDIA Container Toolkit) or the like."
        )
    return (
        f"NVIDIA's driver is loaded, but its device files ({CONTROL_NODE}) are missing; "
        "run 'sudo nvidia-modprobe -u -c 0' or reboot."
    )


def _visible_part(environ: Mapping[str, str], accelerators: tuple[Accelerator, ...]) -> tuple[str, ...]:
    """A note where CUDA_VISIBLE_DEVICES picks among unlike GPUs.

    Nothing is filtered: CUDA numbers GPUs fastest first (unless CUDA_DEVICE_ORDER=PCI_BUS_ID), NVML by bus.
    """
    value = environ.get("CUDA_VISIBLE_DEVICES")
    if value is None or len({item.compute_capability for item in accelerators}) < 2:
        return ()
    return (
        f"CUDA_VISIBLE_DEVICES={value} may show only some of the GPUs; "
        "all are considered, so that the build suits each of them.",
    )
