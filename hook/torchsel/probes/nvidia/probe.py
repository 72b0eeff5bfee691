"""NVIDIA GPUs: the driver from the kernel, devices from NVML, nvidia-smi last, the PCI bus for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, ProbeResult, absent, listing
from torchsel.probes.nvidia.driver import CONTROL_NODE, Driver, find_driver
from torchsel.probes.nvidia.nvml import VERSION_MISMATCH, ask_nvml, error_code
from torchsel.probes.nvidia.smi import ask_nvidia_smi
from torchsel.probes.nvidia.tegra import find_tegra, probe_tegra
from torchsel.probes.pci import PASSED_TO_A_GUEST, PciDevice
from torchsel.probes.platform import hiding_variable, in_container, is_wsl
from torchsel.probes.programs import within
from torchsel.probes.seam import System

_NAME = "NVIDIA"
_NVML = "NVML"


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What the NVIDIA probe works on."""

    system: System
    environ: Mapping[str, str]
    cards: tuple[PciDevice, ...]


def probe_nvidia(system: System, environ: Mapping[str, str], cards: Sequence[PciDevice]) -> ProbeResult:
    """NVIDIA GPUs that CUDA could use, and those that only lack a driver.

    The result's driver is set only together with an accelerator.
    """
    context = Context(system=system, environ=environ, cards=tuple(cards))
    driver = find_driver(system)
    tegra = None if context.cards else _tegra(system, driver)
    if (driver or context.cards or tegra) and (hidden := hiding_variable(environ, "CUDA_VISIBLE_DEVICES")):
        note = f"{hidden} hides all NVIDIA GPUs; unset it to use them."
        return absent(_NAME, f"{hidden} hides all", notes=(note,))
    if tegra:
        return tegra
    on_windows = system.platform().name == "win32"
    if driver is None or (on_windows and not context.cards):
        return _without_driver(context)
    result = _ask(context, driver)
    if not result.accelerators:
        return replace(result, driver=None)
    notes = result.notes + _visible_part(environ, result.accelerators)
    return replace(result, driver=driver.version or result.driver, notes=notes)


def _tegra(system: System, driver: Driver | None) -> ProbeResult | None:
    if system.platform().machine != "aarch64":
        return None
    tegra = find_tegra(system)
    return probe_tegra(tegra, driver.version if driver else None) if tegra else None


def _without_driver(context: Context) -> ProbeResult:
    ours = [card for card in context.cards if card.driver != PASSED_TO_A_GUEST]
    notes = tuple(_driver_note(card) for card in context.cards)
    if ours:
        accelerators = tuple(card.accelerator for card in ours)
        finding = Finding(probe=_NAME, outcome="found", why=f"{listing(accelerators)}, without a driver")
        return ProbeResult(findings=(finding,), accelerators=accelerators, notes=tuple(dict.fromkeys(notes)))
    tool = None if context.cards else context.system.find_program("nvidia-smi")
    if tool:
        notes = (f"{tool} is installed, but there is no NVIDIA GPU and no driver loaded; it is left out.",)
    return absent(_NAME, "no NVIDIA driver is loaded", notes=notes)


def _driver_note(card: PciDevice) -> str:
    what = f"The NVIDIA GPU {card.pci_id}"
    if card.driver == PASSED_TO_A_GUEST:
        return f"{what} is set aside for a virtual machine ({PASSED_TO_A_GUEST})."
    if card.driver:
        return f"{what} is run by {card.driver}; CUDA needs NVIDIA's own driver."
    return f"{what} has no driver loaded; CUDA needs NVIDIA's own."


def _ask(context: Context, driver: Driver) -> ProbeResult:
    """NVML, then nvidia-smi where that could know more, then what the bus shows."""
    told = Finding(
        probe="NVIDIA driver", outcome="found", why=f"{driver.version or 'loaded'} ({driver.where})"
    )
    result, asked_enough = _from_nvml(context.system, driver)
    if not result.accelerators and not asked_enough:
        tool = ask_nvidia_smi(context.system).after(*result.findings)
        result = tool if tool.accelerators else replace(tool, notes=result.notes)
    if not result.accelerators:
        result = _from_bus(context, driver, result)
    return result.after(told)


def _from_nvml(system: System, driver: Driver) -> tuple[ProbeResult, bool]:
    """NVML's GPUs, and whether nvidia-smi, which asks the same library, would be no better."""
    try:
        module = system.nvml()
    except OSError as error:
        return _failed(str(error)), False
    try:
        answer = within(system.timeout, lambda: ask_nvml(module))
    except TimeoutError as error:
        return _failed(f"{error}", f"The NVIDIA driver does not respond ({error}); a reboot may help."), True
    except module.NVMLError as error:
        mismatch = error_code(error) == VERSION_MISMATCH
        return _failed(str(error), _nvml_note(driver, str(error), mismatch=mismatch)), mismatch
    why = listing(answer.accelerators) or "the driver runs no GPU"
    finding = Finding(probe=_NVML, outcome="found" if answer.accelerators else "absent", why=why)
    return ProbeResult(
        findings=(finding,), accelerators=answer.accelerators, driver=answer.driver, notes=answer.notes
    ), True


def _failed(why: str, *notes: str) -> ProbeResult:
    return ProbeResult(findings=(Finding(probe=_NVML, outcome="failed", why=why),), notes=notes)


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


def _from_bus(context: Context, driver: Driver, result: ProbeResult) -> ProbeResult:
    """GPUs that neither tool listed: by their PCI ids where the driver can be reached, else none."""
    asked = result.findings[0].outcome
    if asked == "absent":
        return replace(result, notes=(*result.notes, *_nothing_attached(context, driver)))
    if is_wsl(context.system):
        return result
    if context.system.platform().name == "linux" and not context.system.exists(CONTROL_NODE):
        return replace(result, notes=(_no_nodes(context),))
    cards = [card.accelerator for card in context.cards if card.driver != PASSED_TO_A_GUEST]
    accelerators = tuple(cards) or (Accelerator(vendor="nvidia"),)
    finding = Finding(probe="PCI", outcome="found", why=listing(accelerators))
    return replace(
        result,
        findings=(*result.findings, finding),
        accelerators=accelerators,
        notes=result.notes or ("NVIDIA's libraries can't be loaded here; CUDA needs them, too.",),
    )


def _nothing_attached(context: Context, driver: Driver) -> list[str]:
    loaded = f"The NVIDIA driver {driver.version or ''}".rstrip()
    if not context.cards:
        return [f"{loaded} is loaded, but no NVIDIA GPU is there."]
    if in_container(context.system, context.environ):
        return [_no_nodes(context)]
    refused = [card.pci_id for card in context.cards if card.driver != PASSED_TO_A_GUEST]
    notes = [_driver_note(card) for card in context.cards if card.driver == PASSED_TO_A_GUEST]
    if refused:
        which = ", ".join(refused)
        notes.append(f"{loaded} does not run the NVIDIA GPU {which}: too old or too new for this driver.")
    return notes


def _no_nodes(context: Context) -> str:
    if in_container(context.system, context.environ):
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
