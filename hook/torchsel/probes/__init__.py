"""The probes: each looks at the machine in one way, says what it found and why, and never raises."""

from __future__ import annotations

from torchsel.probes.findings import Finding
from torchsel.probes.run import probe

__all__ = ["Finding", "probe"]
