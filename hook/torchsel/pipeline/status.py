"""``torchsel status``: where routing, lock and environment stand against the selection, and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torchsel.errors import TorchselError
from torchsel.pipeline.check import beside_torch
from torchsel.pipeline.inputs import Inputs
from torchsel.pipeline.leaks import leaks_in, leaks_out
from torchsel.pipeline.plan import Plan, other_hosts
from torchsel.project.environment import installed_version, present_environments
from torchsel.verify.installed import InstalledTorch
from torchsel.verify.last import LastVerdict, last_verdict
from torchsel.verify.verdicts import to_run


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What stands where: the routing in pyproject.toml, uv.lock, and what is installed on this machine.

    ``environment`` is this machine's; ``environments`` maps each that is there to its torch. ``beside`` is
    what the configuration has beside torch, by backend. ``verified`` is what ``torchsel verify`` said last,
    while it holds. ``commands`` lead out of what the warnings tell, in order to run them. ``other_hosts`` are
    neither PyTorch's nor the user's own.
    """

    inputs: Inputs
    routed: str | None
    in_sync: bool
    packages: tuple[str, ...]
    other_hosts: tuple[str, ...]
    beside: dict[str, tuple[str, ...]]
    environment: str
    environments: Mapping[str, str | None]
    installed: str | None
    verified: LastVerdict | None
    warnings: tuple[str, ...]
    commands: tuple[str, ...]


def take(found: Inputs) -> Status:
    """Look at files and environment against the decision; whatever is wrong there becomes a warning."""
    plan, notes = _planned(found)
    in_sync = found.is_ours and plan is not None and plan.is_in_sync
    # while the file is to change, the lock will too
    lock_drift = found.lock_drift if in_sync and found.project.lock else ""
    environment = found.environment()
    installed = installed_version(environment.folder, "torch")
    mixed_up = _venv_warning(found, installed) if found.is_ours else ""
    # of a torch that is not the locked one a sync is due anyway, whatever it runs on
    wrong = mixed_up or _kernel_warning(found, installed)
    verified = last_verdict(environment.folder, found.host, found.setting.options.environ)
    strategy = found.strategy
    warnings = (
        *(*found.selection.warnings, *found.decision.notes, *notes, environment.note),
        *(_drift(found, in_sync=in_sync), lock_drift),
        *((*leaks_in(strategy), leaks_out(strategy)) if found.is_ours else ()),
        f"{environment.path}{wrong}" if wrong else "",
        f"torchsel verify: {verified.why}" if verified and verified.verdict != "works" else "",
    )
    packages, by = plan.routing.packages if plan else (), _program(found)
    steps = {
        "torchsel": packages and not in_sync,
        f"{by} lock": lock_drift,
        f"{by} sync": mixed_up and not lock_drift,
    }
    return Status(
        inputs=found,
        routed=found.strategy.routed(found.decision),
        in_sync=in_sync,
        packages=packages,
        other_hosts=other_hosts(found.setting, plan) if plan and found.is_ours else (),
        beside=_beside(found),
        environment=environment.path,
        environments={
            path: installed_version(found.project.folder / path, "torch")
            for path in present_environments(environment)
        },
        installed=installed,
        verified=verified,
        warnings=tuple(dict.fromkeys(filter(None, warnings))),
        commands=_commands(found, steps),
    )


def _planned(found: Inputs) -> tuple[Plan | None, list[str]]:
    """The plan, and what to mind about it; None where there can be none."""
    try:  # a picture of what is wrong does not stop at it
        plan = found.plan
    except TorchselError as error:
        return None, [str(error)]
    return plan, [f"{note}; remove it to have torchsel route it" for note in plan.changes.left_alone]


def _drift(found: Inputs, *, in_sync: bool) -> str:
    """Why the file is not what this machine needs; empty where it is."""
    project, decision = found.project, found.decision
    if found.is_ours:
        lacks = decision.alternatives and not decision.chosen
        return found.strategy.drift(decision) if lacks or not in_sync else ""
    untold = f"{project.root.path.name} has no [tool.torchsel]; run 'torchsel init' to have torch routed"
    return untold if project.is_there else ""


def to_json(status: Status) -> str:
    """The status for programs; the documented fields and more."""
    found = status.inputs
    record: dict[str, Any] = {
        "project": str(found.project.folder) if found.project.is_there else None,
        "strategy": found.strategy.name,
        "choice": found.decision.chosen,
        "requested": found.decision.request.backend,
        "requested_by": found.decision.request.source,
        "backend": found.selection.backend.tag,
        "torch": found.selection.torch,
        "reasons": found.selection.reasons,
        "packages": status.packages,
        "other_hosts": status.other_hosts,
        "beside": status.beside,
        "in_sync": status.in_sync,
        "routed": status.routed,
        "locked": found.locked.version if found.locked else None,
        "environment": status.environment,
        "environments": [{"path": path, "torch": torch} for path, torch in status.environments.items()],
        "installed": status.installed,
        "verified": asdict(status.verified) if status.verified else None,
        "candidates": [asdict(item) for item in found.selection.candidates],
        "warnings": status.warnings,
        "commands": status.commands,
        "host": found.host.to_record(),
        "findings": [item.line for item in found.findings],
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def _beside(found: Inputs) -> dict[str, tuple[str, ...]]:
    """What stands beside torch for each backend that the project has, this machine's first."""
    if not found.config.companions and not found.config.also:
        return {}
    decision = found.decision
    tags = (decision.tag, *(decision.alternatives.tags if decision.alternatives else ()))
    return {tag: beside_torch(found, tag).texts for tag in tags}


def _commands(found: Inputs, steps: Mapping[str, object]) -> tuple[str, ...]:
    """What to type, in order, so that the best this machine can have is routed, locked and installed.

    What leads out of having no build comes first; it routes and syncs on the way.
    """
    if not found.is_ours:
        return ("torchsel init", *found.selection.commands)
    return found.selection.commands or tuple(step for step, is_due in steps.items() if is_due)


def _program(found: Inputs) -> str:
    # plain uv does not know which of several groups or extras to take
    return "torchsel" if found.decision.alternatives else "uv"


def _kernel_warning(found: Inputs, installed: str | None) -> str:
    """Where the installed torch has nothing that runs on this machine's GPU, by the catalog's tables."""
    if installed is None or not found.selection.usable:
        return ""
    fault = InstalledTorch(version=installed, host=found.host, catalog=found.catalog).static_fault()
    return f": {fault}{to_run(found.sync)}" if fault else ""


def _venv_warning(found: Inputs, installed: str | None) -> str:
    """Where the environment has another torch than uv.lock or, without a lock, than this machine needs."""
    tag, locked = found.decision.tag, found.locked
    sync = f"{_program(found)} sync"
    local = (installed or "").partition("+")[2]
    if installed and locked and installed != locked.version:
        return f" has torch {installed}, uv.lock {locked.version}; run '{sync}'"
    if local and not locked and local != tag:
        return f" has torch {installed}, this machine needs {tag}; run '{sync}'"
    return ""
