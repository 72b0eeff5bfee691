"""Is the routing in the file what ``[tool.torchsel]`` generates, for some allowed backend?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torchsel.backend import Backend
from torchsel.pipeline.plan import make_plan
from torchsel.project.owned import owned_urls, routed_backend
from torchsel.project.requirements import locked_packages
from torchsel.strategies.ci import forbidden

if TYPE_CHECKING:
    from torchsel.catalog.catalog import Catalog
    from torchsel.config.keys import Config
    from torchsel.config.request import Request
    from torchsel.pipeline.inputs import Survey
    from torchsel.project.requirements import Locked
    from torchsel.project.workspace import Project
    from torchsel.toml.edits import Edit


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``drift`` says what differs, nothing when in sync; ``notes`` name entries that are the user's."""

    backends: tuple[str, ...]
    drift: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check(project: Project, config: Config, request: Request, catalog: Catalog) -> Verdict:
    """Compare without looking at hardware.

    Raises:
        ConfigError: the routing can't be generated at all.
    """
    routed = routed_backend(project.root.data)
    where = project.root.path.name
    plan = make_plan(project, config, Backend.parse(routed or "cpu"), catalog)
    drift = [f"{where}: {_describe(edit)}" for edit in plan.changes.edits]
    if plan.choices is None and routed is None:
        drift = [f"{where}: torch is not routed yet"] if drift else []
    elif plan.choices is None:
        drift = [*(f"{where}: {reason}" for reason in forbidden(str(routed), config, request)), *drift]
    tags = plan.choices.tags if plan.choices else (routed,) if routed else ()
    return Verdict(backends=tags, drift=tuple(drift), notes=plan.changes.left_alone)


@dataclass(frozen=True, kw_only=True, slots=True)
class HostVerdict:
    """What one recorded host would get; ``is_served`` is False where the commit has nothing for it."""

    sentence: str
    is_served: bool


def check_host(name: str, survey: Survey) -> HostVerdict:
    """Say which of the committed backends a host would get, and whether uv.lock has it.

    A host that no build runs on at all is not served; one whose GPU none of the backends runs on gets the
    CPU build, which is said.
    """
    tag = survey.selection.backend.tag
    locked = [item.version for item in _locked_from(tag, survey)]
    state = f"uv.lock has torch {', '.join(locked)}" if locked else "uv.lock does not have it"
    is_served = survey.selection.usable or bool(survey.host.accelerators)
    if survey.choices is None:
        routed = routed_backend(survey.project.root.data)
        if routed != tag:
            state = f"routed to {routed} now; 'torchsel' there changes it"
        choice = ""
    else:
        found = survey.choices.name_of(tag)
        if found is None:
            listed = ", ".join(survey.choices.tags)
            return HostVerdict(sentence=f"{name}: needs {tag}, which is not among {listed}", is_served=False)
        choice = f" ({survey.choices.scope} {found})"
        is_served &= bool(locked) or survey.project.lock is None
    said = "".join(f"; {warning}" for warning in survey.selection.warnings)
    return HostVerdict(sentence=f"{name}: {tag}{choice}; {state}{said}", is_served=is_served)


def _locked_from(tag: str, survey: Survey) -> list[Locked]:
    urls = owned_urls(survey.project.root.data)
    entries = locked_packages(survey.project.lock, ["torch"])
    return [item for item in entries if item.registry and urls.get(item.registry) == tag]


def _describe(edit: Edit) -> str:
    dotted = ".".join(str(key) for key in edit.path)
    return f"{dotted} {'is stale' if type(edit).__name__ == 'Delete' else 'is missing or differs'}"
