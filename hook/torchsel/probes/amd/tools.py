"""AMD GPUs as ROCm's own tools list them, for kernels whose topology says too little and for WSL."""

from __future__ import annotations

import re
from collections.abc import Callable

from torchsel.host import Accelerator
from torchsel.probes.findings import Finding, Outcome, ProbeResult, listing
from torchsel.probes.seam import System

_TARGET = re.compile(r"gfx[1-9][0-9a-f]{2,4}", re.ASCII)
# An agent's own fields; those of its caches, pools and ISAs stand further in.
_FIELD = re.compile(r"^[ \t]{2}(Name|Marketing Name|Device Type|Chip ID):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_CHIP = re.compile(r"\(0x([0-9a-f]{1,4})\)", re.ASCII | re.IGNORECASE)


def ask_rocm_tools(system: System) -> ProbeResult:
    """GPUs by ``rocminfo``, then by ``rocm_agent_enumerator``; none where neither is installed or answers."""
    findings: list[Finding] = []
    for name, parse in _TOOLS.items():
        accelerators, why = _ask(system, name, parse)
        outcome: Outcome = "found" if accelerators else "failed" if why else "absent"
        why = listing(accelerators) or why or "not installed, or it lists no GPU"
        findings.append(Finding(probe=name, outcome=outcome, why=why))
        if accelerators:
            return ProbeResult(findings=tuple(findings), accelerators=accelerators)
    return ProbeResult(findings=tuple(findings))


def parse_rocminfo(output: str) -> tuple[Accelerator, ...]:
    """The agents of type GPU with their marketing names and chip ids."""
    agents = re.split(r"^Agent \d+", output, flags=re.MULTILINE)[1:]
    fields = (dict(_FIELD.findall(agent)) for agent in agents)
    return tuple(_agent(field) for field in fields if field.get("Device Type") == "GPU")


def parse_enumerator(output: str) -> tuple[Accelerator, ...]:
    """One target a line; ``gfx000`` stands for a processor."""
    targets = (line.strip() for line in output.splitlines())
    return tuple(Accelerator(vendor="amd", gfx_target=item) for item in targets if _TARGET.fullmatch(item))


_TOOLS: dict[str, Callable[[str], tuple[Accelerator, ...]]] = {
    "rocminfo": parse_rocminfo,
    "rocm_agent_enumerator": parse_enumerator,
}


def _ask(
    system: System, name: str, parse: Callable[[str], tuple[Accelerator, ...]]
) -> tuple[tuple[Accelerator, ...], str | None]:
    program = system.find_program(name)
    if not program:
        return (), None
    done = system.run(program, (), timeout=system.timeout)
    if done.trouble or done.code:
        return (), done.trouble or f"exit code {done.code}"
    return parse(done.output), None


def _agent(fields: dict[str, str]) -> Accelerator:
    target = _TARGET.match(fields.get("Name", ""))
    chip = _CHIP.search(fields.get("Chip ID", ""))
    return Accelerator(
        vendor="amd",
        name=fields.get("Marketing Name") or None,
        gfx_target=target[0] if target else None,
        pci_id=f"1002:{int(chip[1], 16):04x}" if chip else None,
    )
