"""What a verification is asked of in a project: its environment, and what is selected for this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.verify.last import keep
from torchsel.verify.values import Verification
from torchsel.verify.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.host import Accelerator
    from torchsel.pipeline.inputs import Inputs
    from torchsel.verify.values import Verified


def request_of(found: Inputs, environ: Mapping[str, str], *, timeout: float) -> Verification:
    """The verification of the project's environment against the selection."""
    targets = (_target(item, found) for item in found.selection.accelerators)
    return Verification(
        environment=found.environment(environ).folder,
        backend=found.selection.backend,
        torch=found.selection.torch,
        host=found.host,
        catalog=found.catalog,
        environ=environ,
        deciding=frozenset(target for target in targets if target),
        sync=sync_of(found),
        timeout=timeout,
    )


def verify_and_keep(request: Verification) -> Verified:
    """Verify, and note the verdict for ``torchsel status``.

    Raises:
        KeyboardInterrupt: it was interrupted; no child is left.
    """
    verified = verify(request)
    keep(verified, request.environment, request.host, request.environ)
    return verified


def sync_of(found: Inputs) -> tuple[str, ...]:
    """The commands after which the environment has what is selected."""
    return ("torchsel sync",) if found.is_ours else ("torchsel init", "torchsel sync")


def _target(item: Accelerator, found: Inputs) -> str | None:
    row = found.catalog.gpu(item.pci_id)
    return item.compute_capability or item.gfx_target or (row.target if row else None)
