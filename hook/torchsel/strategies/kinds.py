"""Kinds of projects in which ``[tool.torchsel]`` would have no effect, each by its own name."""

from __future__ import annotations

import re

from torchsel.errors import ConfigError
from torchsel.host import PLATFORMS
from torchsel.project.places import canonical
from torchsel.project.project import Project
from torchsel.project.requirement import admitted
from torchsel.strategies.offers import conflict_sets


def refuse_unknown_kinds(project: Project) -> None:
    """Refuse what torchsel can't route, so that nothing is written.

    Raises:
        ConfigError: naming the kind, the entry and what to write instead.
    """
    for reason in (_no_project, _taken_out, _chosen_by_marker, _forwarded):
        if said := reason(project):
            msg = f"{project.root.path}: {said} (nothing was changed)"
            raise ConfigError(msg)


def _no_project(project: Project) -> str:
    """Uv takes a root for a project where one of these tables is there (seen with uv 0.13.9)."""
    data, uv = project.root.data, project.root.present.uv
    if "project" in data or "dependency-groups" in data or "workspace" in uv or "dev-dependencies" in uv:
        return ""
    return "there is no [project] table, without which uv locks and syncs nothing here; 'uv init' writes one"


def _taken_out(project: Project) -> str:
    for item in project.bounds:
        marker, is_override = item.requirement.marker, item.place == "tool.uv.override-dependencies"
        if is_override and item.name == "torch" and marker and not admitted(str(marker), PLATFORMS):
            return f"{item.place}: {str(item.requirement)!r} takes torch out of the project on every platform"
    return ""


def _chosen_by_marker(project: Project) -> str:
    source = project.root.present.sources.get("torch")
    markers = [str(item.get("marker", "")) for item in source.items] if source else []
    found = next((text for text in markers if re.search(r"\bextra\b", text)), "")
    return found and (
        f"tool.uv.sources.torch: chosen by the marker {found!r}, which torchsel does not read; write"
        ' extra = "NAME" in place of it, and the extras as a set of tool.uv.conflicts'
    )


def _forwarded(project: Project) -> str:
    """Choices that are only those of a dependency outside the workspace."""
    if any(item.name == "torch" for item in project.required):
        return ""
    members = {file.present.package for file in project.files}
    chosen = {place.name for members in conflict_sets(project) for place in members if place.scope == "extra"}
    for item in project.required:
        extra = canonical(item.place.rpartition("optional-dependencies.")[2])
        source = project.root.present.sources.get(item.name)
        is_local = source is not None and any("path" in entry for entry in source.items)
        if extra in chosen and item.requirement.extras and is_local and item.name not in members:
            return (
                f"{item.place}: {str(item.requirement)!r} chooses by an extra of a path dependency, which"
                " torchsel does not read; make that a workspace member (tool.uv.workspace)"
            )
    return ""
