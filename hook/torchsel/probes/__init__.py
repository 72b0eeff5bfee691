"""The probes: each looks at the machine in one way, says what it found and why, and never raises.

Importing this package is cheap; the probes themselves load with the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.probes.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.host import Host
    from torchsel.probes.system import System

__all__ = ["Finding", "probe", "probe_host", "probe_machine"]


def probe(
    system: System | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Host, tuple[Finding, ...]]:
    """Look at the machine, or at what ``system`` and ``environ`` show of one.

    Returns:
        The host and every probe's finding, in the order they were made. ``Host.notes`` holds the sentences
        for the user; ``Host.nvidia_driver`` is set only where an NVIDIA accelerator is listed.
    """
    from torchsel.probes.run import run_probes  # noqa: PLC0415 (keeps start-up cheap)

    return run_probes(system, environ)


def probe_host(system: System | None = None, environ: Mapping[str, str] | None = None) -> Host:
    """As :func:`probe`, for a caller that needs the host alone."""
    return probe(system, environ)[0]


def probe_machine(system: System | None = None) -> Host:
    """The platform alone, without accelerators: for a user who names those."""
    from torchsel.probes.run import run_machine_probe  # noqa: PLC0415 (keeps start-up cheap)

    return run_machine_probe(system)
