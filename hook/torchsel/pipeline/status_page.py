"""The page that ``torchsel status`` prints: nothing is decided here, and no line is wider than 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from textwrap import wrap

from torchsel.console import visible
from torchsel.host import Accelerator, Host
from torchsel.pipeline.inputs import Inputs
from torchsel.pipeline.status import Status
from torchsel.selection.values import Candidate
from torchsel.vendors import VENDORS

Paint = Callable[[str, str], str]

WIDTH = 80
"""Columns of the page."""

MOST_ROWS = 12
"""Candidates listed one by one; more are put together by verdict."""

ADOPT = ["none here; to have torch routed in a new one:", "uv init", "torchsel init", "torchsel add torch"]
"""What stands on the page where there is no project."""

_LABEL = 9
"""Columns of the words at the left."""


def to_text(status: Status, paint: Paint) -> str:
    """The page for people."""
    found, selection, request = status.inputs, status.inputs.selection, status.inputs.decision.request
    origin = "nothing asked for" if request.source == "default" else f"from {request.source}"
    torch = f", torch {selection.torch}" if selection.torch else ""
    backend, good = f"{selection.backend.tag}{torch}", "good" if selection.usable else "warning"
    lines = [
        *_section("machine", host_lines(found.host), paint),
        *_section("request", [f"{request.backend} ({origin})"], paint),
        *_section("backend", [backend, *selection.reasons], paint, good),
        "",
        *_candidate_lines(found, paint),
        "",
        *(_project_lines(status, paint) if found.project.is_there else _section("project", ADOPT, paint)),
    ]
    if status.warnings:
        mark = f"{paint('warning', 'warning')}: "
        lines += ["", *(line for text in status.warnings for line in _labelled(mark, _wrapped(text, _LABEL)))]
    return "\n".join(lines)


def _project_lines(status: Status, paint: Paint) -> list[str]:
    hosts = [f"{', '.join(status.other_hosts)}: neither PyTorch's own nor set by you"]
    state = "good" if status.in_sync and status.routed else "warning"
    return [
        *_section("project", [str(status.inputs.project.folder)], paint),
        *_section("routing", list(_routing_lines(status)), paint, state),
        *(_section("index", hosts, paint) if status.other_hosts else ()),
        *(_section("beside", list(_beside_lines(status)), paint) if status.beside else ()),
        *_section("uv.lock", [_locked_line(status.inputs)], paint),
        *_section(*_environment(status), paint),
    ]


def host_lines(host: Host) -> list[str]:
    """The host in lines for people."""
    parts = [host.words, *(part for part in (host.libc, host.kernel) if part)]
    if host.nvidia_driver:
        parts.append(f"NVIDIA driver {host.nvidia_driver}")
    counts = Counter(map(_accelerator_line, host.accelerators))
    found = [f"{count}x {line}" if count > 1 else line for line, count in counts.items()]
    return [", ".join(parts), *(found or ["no accelerator found"]), *host.notes]


def _accelerator_line(item: Accelerator) -> str:
    arch = f"compute capability {item.compute_capability}" if item.compute_capability else item.gfx_target
    known = ", ".join(part for part in (arch, item.pci_id) if part and part != item.label)
    vendor = VENDORS[item.vendor].name
    name = item.label if vendor.lower() in item.label.lower() else f"{vendor} {item.label}"
    return f"{name} ({known})" if known else name


def _routing_lines(status: Status) -> Iterator[str]:
    decision, state = status.inputs.decision, "in sync" if status.in_sync else "not in sync"
    alternatives = decision.alternatives
    packages = f": {', '.join(status.packages)}" if status.packages else ""
    if alternatives is None:
        yield f"{status.routed}, {state}{packages}" if status.routed else "torch is not routed by torchsel"
        return
    whose = "this project's own" if status.inputs.strategy.is_users else "the"
    offered = {name: _offer(name, tag) for name, tag in alternatives.names.items()}
    others = ", ".join(text for name, text in offered.items() if name != decision.chosen)
    if decision.chosen is None:
        yield f"none of {whose} {alternatives.scope}s, which are {others}"
        return
    yield f"{alternatives.scope} {offered[decision.chosen]}, {state}{packages}"
    if others:
        yield f"others of {whose} {alternatives.scope}s: {others}"


def _beside_lines(status: Status) -> Iterator[str]:
    tag = status.inputs.decision.tag
    for backend, texts in status.beside.items():
        here = " (this machine)" if backend == tag else ""
        yield f"{backend}{here}: {', '.join(texts) or 'nothing'}"


def _offer(name: str, tag: str) -> str:
    # the backend stands beside a name that does not say it
    return name if tag and tag.replace(".", "-") in name else f"{name} ({tag or 'not understood'})"


def _locked_line(found: Inputs) -> str:
    if found.project.lock is None:
        return "none yet; uv makes it"
    if found.locked is None:
        return f"no torch for {found.decision.tag}" if found.decision.alternatives else "no torch"
    return f"torch {found.locked.version}"


def _environment(status: Status) -> tuple[str, list[str]]:
    """This machine's environment, and the others."""
    here = status.environment
    others = {path: torch for path, torch in status.environments.items() if path != here}
    verdict = f", verified: {status.verified.verdict}" if status.verified else ""
    lines = [f"torch {status.installed}{verdict}" if status.installed else "no torch installed"]
    if others:
        listed = ", ".join(
            f"{path} ({f'torch {torch}' if torch else 'no torch'})" for path, torch in others.items()
        )
        lines.append(f"others: {listed}")
    # its name is the label where that fits
    return (here, lines) if len(here) < _LABEL else ("env", [f"{here}: {lines[0]}", *lines[1:]])


def _candidate_lines(found: Inputs, paint: Paint) -> list[str]:
    rows = _candidate_rows(found.selection.candidates)
    if not rows:
        return ["no candidates"]
    first = max(5, *(len(row[0]) for row in rows)) + 2
    second = max(7, *(len(row[1]) for row in rows)) + 2
    lines = [paint(f"{'torch':<{first}}{'backend':<{second}}    verdict", "dim")]
    for torch, tag, accepted, reason in rows:
        mark, style = ("yes", "good") if accepted else ("no ", "bad")
        head = f"{torch:<{first}}{tag:<{second}}"
        indent = len(head) + 4
        rest = f"\n{' ' * indent}".join(_wrapped(reason, indent))
        lines.append(f"{head}{paint(mark, style)} {rest}".rstrip())
    return lines


def _candidate_rows(candidates: tuple[Candidate, ...]) -> list[tuple[str, str, bool, str]]:
    rows = [(item.torch or "-", item.backend, item.accepted, item.reason) for item in candidates]
    if len(rows) <= MOST_ROWS:
        return rows
    # too long a table: one row for all releases with the same verdict
    releases: dict[tuple[str, bool, str], list[str]] = {}
    for torch, tag, accepted, reason in rows:
        releases.setdefault((tag, accepted, reason), []).append(torch)
    return [
        (found[0] if len(found) == 1 else f"{found[-1]}-{found[0]}", *verdict)
        for verdict, found in releases.items()
    ]


def _section(name: str, texts: list[str], paint: Paint, style: str = "") -> list[str]:
    """Texts beside one word; the first text, up to its comma, in the colour of ``style``."""
    lines = [line for text in texts for line in _wrapped(text, _LABEL)]
    if style:
        lead, comma, rest = lines[0].partition(",")
        lines[0] = f"{paint(lead, style)}{comma}{rest}"
    return _labelled(paint(name.ljust(_LABEL), "bold"), lines)


def _labelled(label: str, lines: list[str]) -> list[str]:
    first, *others = lines
    return [f"{label}{first}", *(f"{' ' * _LABEL}{line}" for line in others)]


def _wrapped(text: str, indent: int) -> list[str]:
    # a word that is longer, such as a path, is broken
    return wrap(visible(text), max(WIDTH - indent, 20), break_on_hyphens=False) or [""]
