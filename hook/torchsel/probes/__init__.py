"""The probes: each looks at the machine in one way, says what it found and why, and never raises.

Importing this package is cheap; the probes themselves load with the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.host import Host
    from torchsel.probes.reading import Finding
    from torchsel.probes.system import System

__all__ = ["probe", "probe_host"]


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
