"""What a probe hands back: findings, accelerators and sentences for the user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from torchsel.host import Accelerator


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One way of looking and what came of it; ``why`` completes the sentence for ``-v``."""

    probe: str
    outcome: Literal["found", "absent", "failed"]
    why: str

    @property
    def line(self) -> str:
        """What one way of looking came to."""
        return f"{self.probe}: {self.outcome}: {self.why}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """What one probe found.

    ``driver`` is the NVIDIA driver version, raw; ``notes`` are whole sentences that a user should see.
    """

    findings: tuple[Finding, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    driver: str | None = None
    notes: tuple[str, ...] = ()

    def after(self, *findings: Finding) -> ProbeResult:
        """The same result with findings that were made before it."""
        return replace(self, findings=findings + self.findings)


def found(
    probe: str,
    accelerators: Iterable[Accelerator],
    *notes: str,
    why: str | None = None,
    driver: str | None = None,
) -> ProbeResult:
    """A result that lists accelerators; ``why`` is said of them in place of their names."""
    items = tuple(accelerators)
    finding = Finding(probe=probe, outcome="found", why=why or listing(items))
    return ProbeResult(findings=(finding,), accelerators=items, driver=driver, notes=notes)


def absent(probe: str, why: str, *notes: str) -> ProbeResult:
    """A result that lists no accelerator, and why."""
    return ProbeResult(findings=(Finding(probe=probe, outcome="absent", why=why),), notes=notes)


def failed(probe: str, why: str, *notes: str) -> ProbeResult:
    """A result of what could not be asked, and why."""
    return ProbeResult(findings=(Finding(probe=probe, outcome="failed", why=why),), notes=notes)


def listing(accelerators: Iterable[Accelerator]) -> str:
    """The accelerators in a few words: ``NVIDIA H200 (9.0), gfx1100``."""
    return ", ".join(_words(item) for item in accelerators)


def _words(item: Accelerator) -> str:
    detail = item.compute_capability or (item.gfx_target if item.name else None)
    return f"{item.label} ({detail})" if detail else item.label
