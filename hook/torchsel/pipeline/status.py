"""``torchsel status``: where routing, lock and environment stand against the selection, and what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchsel.errors import TorchselError
from torchsel.pipeline import report
from torchsel.pipeline.plan import make_plan
from torchsel.project.environment import installed_version
from torchsel.project.owned import owned_urls, routed_backend, routed_choices
from torchsel.project.requirements import locked_here, locked_packages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchsel.pipeline.inputs import Survey
    from torchsel.project.requirements import Locked


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What stands where: ``routed`` in pyproject.toml, ``locked`` in uv.lock, ``installed`` in .venv.

    ``choice`` is the group or extra that this machine takes, None where there is none; ``routed`` is then
    what that one is routed to.
    """

    survey: Survey
    choice: str | None
    routed: str | None
    in_sync: bool
    packages: tuple[str, ...]
    locked: Locked | None
    installed: str | None
    warnings: tuple[str, ...]


def take(survey: Survey, environ: Mapping[str, str]) -> Status:
    """Look at files and environment against the selection; whatever is wrong there becomes a warning."""
    choice = _choice(survey)
    routed = _routed(survey, choice)
    packages, in_sync, notes = _routing(survey)
    locked = _locked(survey)
    installed = installed_version(survey.project.folder, "torch", environ)
    drift = _drift(survey, choice, routed) if not in_sync or (survey.choices and not choice) else ""
    warnings = [*survey.selection.warnings, *notes, drift]
    if survey.project.is_configured or survey.adopted:
        warnings += [
            *_lock_warnings(survey, locked, in_sync=in_sync),
            _venv_warning(survey, locked, installed),
        ]
    return Status(
        survey=survey,
        choice=choice,
        routed=routed,
        in_sync=in_sync,
        packages=packages,
        locked=locked,
        installed=installed,
        warnings=tuple(dict.fromkeys(text for text in warnings if text)),
    )


def to_json(status: Status) -> str:
    """The status for programs; the documented fields and more."""
    survey = status.survey
    record: dict[str, Any] = {
        "project": str(survey.project.folder),
        "strategy": "adopted" if survey.adopted else survey.config.strategy,
        "choice": status.choice,
        "requested": survey.request.backend,
        "requested_by": survey.request.source,
        "backend": survey.selection.backend.tag,
        "torch": survey.selection.torch,
        "reasons": list(survey.selection.reasons),
        "packages": list(status.packages),
        "in_sync": status.in_sync,
        "routed": status.routed,
        "locked": status.locked.version if status.locked else None,
        "installed": status.installed,
        "candidates": [
            {"backend": item.backend, "torch": item.torch, "accepted": item.accepted, "reason": item.reason}
            for item in survey.selection.candidates
        ],
        "warnings": list(status.warnings),
        "host": survey.host.to_record(),
        "findings": [report.finding(item) for item in survey.findings],
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def _choice(survey: Survey) -> str | None:
    if survey.adopted:
        return survey.adopted.name
    return survey.choices.name_of(survey.selection.backend.tag) if survey.choices else None


def _routed(survey: Survey, choice: str | None) -> str | None:
    """The backend that torch is routed to for this machine, None where torchsel did not route it."""
    if survey.adopted:
        return survey.selection.backend.tag if choice else None
    data = survey.project.root.data
    if survey.choices:
        return routed_choices(data, survey.choices.scope).get(choice or "")
    return routed_backend(data)


def _routing(survey: Survey) -> tuple[tuple[str, ...], bool, list[str]]:
    """The packages to route, whether the file has that routing, and what to mind about it."""
    if survey.adopted:
        return ("torch",), True, list(survey.adopted.notes)
    try:
        plan = make_plan(survey.project, survey.config, survey.selection.backend, survey.catalog)
    except TorchselError as error:
        return (), False, [str(error)]
    notes = [f"{note}; remove it to have torchsel route it" for note in plan.changes.left_alone]
    return plan.packages, plan.is_in_sync and survey.project.is_configured, notes


def _drift(survey: Survey, choice: str | None, routed: str | None) -> str:
    """Why the routing is not in sync, and what to do."""
    tag, choices = survey.selection.backend.tag, survey.choices
    if survey.adopted:
        return ""
    if not survey.project.is_configured:
        return (
            f"{survey.project.root.path.name} has no [tool.torchsel]; add it (it may be empty) to route torch"
        )
    if choices and choice is None:
        return f"none of the {choices.scope}s is for {tag}; add {tag!r} to tool.torchsel.backends"
    if choices or routed == tag:
        return "the routing is not what [tool.torchsel] generates; run 'torchsel'"
    if routed is None:
        return "torch is not routed yet; run 'torchsel'"
    need = "this machine needs" if survey.request.backend == "auto" else f"{survey.request.source} asks for"
    return f"torch is routed to {routed}, but {need} {tag}; run 'torchsel'"


def _locked(survey: Survey) -> Locked | None:
    """The torch that uv.lock has for this machine."""
    entries = locked_packages(survey.project.lock, ["torch"])
    tag, torch = survey.selection.backend.tag, survey.selection.torch
    if survey.adopted:
        local = [item for item in entries if item.local == tag]
        entries = local or [item for item in entries if not item.local and item.public == torch]
    elif survey.choices:
        urls = owned_urls(survey.project.root.data)
        entries = [item for item in entries if urls.get(item.registry or "") == tag]
    return next(iter(locked_here(entries, survey.host, survey.python)), None)


def _lock_warnings(survey: Survey, locked: Locked | None, *, in_sync: bool) -> Iterator[str]:
    """Where uv.lock has no torch, or another build, for what is routed."""
    tag, lock = survey.selection.backend.tag, survey.project.lock
    if lock is None or not in_sync:
        return
    if survey.choices:
        if locked is None and _choice(survey):
            yield f"uv.lock has no torch for {tag}; run 'torchsel lock'"
        return
    is_built = survey.host.platform in survey.catalog.platforms_of(tag, survey.selection.torch)
    is_routed = routed_backend(survey.project.root.data) and survey.host.system != "darwin" and is_built
    registry = locked.registry if locked else None
    if locked and is_routed and owned_urls(survey.project.root.data).get(registry or "") != tag:
        yield f"uv.lock has torch {locked.version}, which is not from the {tag} index; run 'uv lock'"


def _venv_warning(survey: Survey, locked: Locked | None, installed: str | None) -> str:
    """Where the environment has another torch than uv.lock or, without a lock, than this machine needs."""
    tag, sync = survey.selection.backend.tag, "torchsel sync" if survey.choices else "uv sync"
    local = (installed or "").partition("+")[2]
    if installed and locked and installed != locked.version:
        return f".venv has torch {installed}, uv.lock {locked.version}; run '{sync}'"
    if local and not locked and local != tag:
        return f".venv has torch {installed}, this machine needs {tag}; run '{sync}'"
    return ""
