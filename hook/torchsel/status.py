"""``torchsel status``: machine, request, candidates, routing, lock and environment, and what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torchsel import report
from torchsel.errors import TorchselError
from torchsel.installed import installed_version
from torchsel.owned import routed_backend
from torchsel.plan import make_plan
from torchsel.requirements import locked_here, locked_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torchsel.adopted_choice import Adopted
    from torchsel.host import Accelerator, Host
    from torchsel.requirements import Locked
    from torchsel.select import Candidate
    from torchsel.survey import Survey

    Paint = Callable[[str, str], str]

WIDTH = 80
"""Columns of the page."""

MOST_ROWS = 16
"""Candidates listed one by one; more are put together by verdict."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What stands where: ``routed`` in pyproject.toml, ``locked`` in uv.lock, ``installed`` in .venv."""

    survey: Survey
    routed: str | None
    in_sync: bool
    packages: tuple[str, ...]
    locked: Locked | None
    installed: str | None
    warnings: tuple[str, ...]


def take(survey: Survey, environ: Mapping[str, str]) -> Status:
    """Look at files and environment against the selection; whatever is wrong there becomes a warning."""
    if survey.adopted:
        return _take_adopted(survey, survey.adopted, environ)
    selection = survey.selection
    warnings = list(selection.warnings)
    packages: tuple[str, ...] = ()
    in_sync = False
    try:
        plan = make_plan(survey.project, survey.config, selection.backend, survey.catalog)
        packages, in_sync = plan.packages, plan.is_in_sync and survey.project.is_configured
        warnings += plan.changes.left_alone
    except TorchselError as error:
        warnings.append(str(error))
    entries = locked_packages(survey.project.lock, ["torch"])
    locked = next(iter(locked_here(entries, survey.host, survey.python)), None)
    installed = installed_version(survey.project.folder, "torch", environ)
    routed = routed_backend(survey.project.root.data)
    return Status(
        survey=survey,
        routed=routed,
        in_sync=in_sync,
        packages=packages,
        locked=locked,
        installed=installed,
        warnings=(*warnings, *_mismatches(survey, routed, in_sync, locked, installed)),
    )


def _take_adopted(survey: Survey, adopted: Adopted, environ: Mapping[str, str]) -> Status:
    """The same for a project that is routed by extras or groups of its own: those are always in sync."""
    tag = survey.selection.backend.tag
    entries = locked_packages(survey.project.lock, ["torch"])
    fitting = [item for item in entries if item.local == tag]
    fitting += [item for item in entries if not item.local and item.public == survey.selection.torch]
    locked = next(iter(fitting), None)
    installed = installed_version(survey.project.folder, "torch", environ)
    warnings = [*survey.selection.warnings, *adopted.notes]
    if locked and installed and installed != locked.version:
        warnings.append(f".venv has torch {installed}, uv.lock {locked.version}; run 'torchsel sync'")
    return Status(
        survey=survey,
        routed=tag if adopted.name else None,
        in_sync=True,
        packages=("torch",),
        locked=locked,
        installed=installed,
        warnings=tuple(warnings),
    )


def to_json(status: Status) -> str:
    """The status for programs; the documented fields and more."""
    survey = status.survey
    record: dict[str, Any] = {
        "project": str(survey.project.folder),
        "strategy": "adopted" if survey.adopted else survey.config.strategy,
        "choice": _choice(survey),
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


def to_text(status: Status, paint: Paint) -> str:
    """The page for people, at most 80 columns wide where words can be broken."""
    survey = status.survey
    lines = [
        *_section("machine", host_lines(survey.host), paint),
        *_section("request", [f"{survey.request.backend} ({_origin(survey)})"], paint),
        *_section("backend", _backend_lines(survey, paint), paint),
        "",
        *_candidate_lines(survey, paint),
        "",
        *_section("project", [str(survey.project.folder)], paint),
        *_section("routing", [_routing_line(status, paint)], paint),
        *_section("uv.lock", [_locked_line(status)], paint),
        *_section(
            ".venv", [f"torch {status.installed}" if status.installed else "no torch installed"], paint
        ),
    ]
    if status.warnings:
        lines += ["", *_warning_lines(status.warnings, paint)]
    return "\n".join(lines)


def host_lines(host: Host) -> list[str]:
    """The host in lines for people."""
    system = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}[host.system]
    parts = [f"{system} {host.machine}", *(part for part in (host.libc, host.kernel) if part)]
    if host.nvidia_driver:
        parts.append(f"NVIDIA driver {host.nvidia_driver}")
    lines = [", ".join(parts)]
    lines += [_accelerator_line(item) for item in host.accelerators] or ["no accelerator found"]
    return [*lines, *host.notes]


def _accelerator_line(item: Accelerator) -> str:
    arch = f"compute capability {item.compute_capability}" if item.compute_capability else item.gfx_target
    known = ", ".join(part for part in (arch, item.pci_id) if part and part != item.label)
    vendor = {"nvidia": "NVIDIA", "amd": "AMD", "intel": "Intel"}[item.vendor]
    name = item.label if vendor.lower() in item.label.lower() else f"{vendor} {item.label}"
    return f"{name} ({known})" if known else name


def _mismatches(
    survey: Survey, routed: str | None, in_sync: bool, locked: Locked | None, installed: str | None
) -> Iterator[str]:
    """What doesn't fit between routing, lock and environment, with the way to mend it."""
    tag = survey.selection.backend.tag
    if not survey.project.is_configured:
        yield f"{survey.project.root.path.name} has no [tool.torchsel]; add it to let torchsel route torch"
    elif not in_sync:
        yield (
            f"routed to {routed}; run 'torchsel' to route to {tag}"
            if routed
            else "run 'torchsel' to route torch"
        )
    local = locked.local if locked else ""
    if in_sync and local and local != tag and survey.host.system != "darwin":
        yield f"uv.lock has torch {locked.version if locked else ''}; run 'uv lock -P torch' to lock {tag}"
    if locked and installed and installed != locked.version:
        yield f".venv has torch {installed}, uv.lock {locked.version}; run 'uv sync'"


def _origin(survey: Survey) -> str:
    return "nothing asked for" if survey.request.source == "default" else f"from {survey.request.source}"


def _backend_lines(survey: Survey, paint: Paint) -> list[str]:
    selection = survey.selection
    torch = f" with torch {selection.torch}" if selection.torch else ""
    style = "good" if selection.usable else "warning"
    serving = report.hardware(selection, survey.host.nvidia_driver)
    first = f"{paint(selection.backend.tag, style)}{torch} for {serving}" if selection.accelerators else (
        f"{paint(selection.backend.tag, style)}{torch}"
    )  # fmt: skip
    return [first, *selection.reasons]


def _candidate_lines(survey: Survey, paint: Paint) -> list[str]:
    rows = _candidate_rows(survey.selection.candidates)
    if not rows:
        return ["no candidates"]
    first = max(5, *(len(row[0]) for row in rows)) + 2
    second = max(7, *(len(row[1]) for row in rows)) + 2
    lines = [paint(f"{'torch':<{first}}{'backend':<{second}}    verdict", "dim")]
    for torch, tag, accepted, reason in rows:
        mark, style = ("yes", "good") if accepted else ("no ", "bad")
        head = f"{torch:<{first}}{tag:<{second}}"
        verdict = _wrapped(reason, WIDTH - len(head) - 4, len(head) + 4)
        lines.append(f"{head}{paint(mark, style)} {verdict}".rstrip())
    return lines


def _candidate_rows(candidates: tuple[Candidate, ...]) -> list[tuple[str, str, bool, str]]:
    """A row each; where that makes too long a table, one row for all releases with the same verdict."""
    rows = [(item.torch or "-", item.backend, item.accepted, item.reason) for item in candidates]
    if len(rows) <= MOST_ROWS:
        return rows
    releases: dict[tuple[str, bool, str], list[str]] = {}
    for torch, tag, accepted, reason in rows:
        releases.setdefault((tag, accepted, reason), []).append(torch)
    return [
        (found[0] if len(found) == 1 else f"{found[-1]}-{found[0]}", *verdict)
        for verdict, found in releases.items()
    ]


def _choice(survey: Survey) -> str | None:
    """The extra or group that this machine takes, None where there is no choice."""
    if survey.adopted:
        return survey.adopted.name
    return survey.choices.name_of(survey.selection.backend.tag) if survey.choices else None


def _routing_line(status: Status, paint: Paint) -> str:
    if status.survey.adopted and status.survey.choices:
        kind, name = status.survey.choices.scope, status.survey.adopted.name
        return f"by this project's own {kind}s; here {name or 'none of them'}"
    if status.routed is None:
        return paint("torch is not routed", "warning")
    state = paint("in sync", "good") if status.in_sync else paint("not in sync", "warning")
    return (
        f"{status.routed}, {state}: {', '.join(status.packages)}"
        if status.packages
        else f"{status.routed}, {state}"
    )


def _locked_line(status: Status) -> str:
    if status.survey.project.lock is None:
        return "none yet; uv makes it"
    return f"torch {status.locked.version}" if status.locked else "without torch"


def _warning_lines(warnings: tuple[str, ...], paint: Paint) -> list[str]:
    return [f"{paint('warning', 'warning')}: {_wrapped(text, WIDTH - 9, 9)}" for text in warnings]


def _section(name: str, lines: list[str], paint: Paint) -> list[str]:
    return [
        f"{paint(name.ljust(9), 'bold') if at == 0 else ' ' * 9}{_wrapped(line, WIDTH - 9, 9)}"
        for at, line in enumerate(lines)
    ]


def _wrapped(text: str, width: int, indent: int) -> str:
    from textwrap import wrap  # noqa: PLC0415 - start-up time

    lines = wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * indent}".join(lines)
