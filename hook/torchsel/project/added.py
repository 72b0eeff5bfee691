"""Where ``uv add`` finds a requirement of the project's own, so that it can write another bound."""

from __future__ import annotations

from collections.abc import Collection

from torchsel.project.places import Added
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import Required


def added(project: Project, names: Collection[str]) -> tuple[Added, ...]:
    """What the project and its members require of ``names``.

    Packages are left out that come by address, and those whose bound is a constraint or an override of uv's,
    which no command changes.
    """
    fixed = {item.name for item in (*project.bounds, *project.required)
             if item.requirement.url or item.place.startswith("tool.uv.")}  # fmt: skip
    return tuple(
        _added(item, file, project)
        for file in project.files
        for item in file.required
        if item.name in names and item.name not in fixed
    )


def _added(item: Required, file: TomlFile, project: Project) -> Added:
    wanted = item.requirement
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    script = file.path.name if file.path.suffix != ".toml" else ""
    member = str(file.table("project").get("name", ""))
    whose = ("--script", script) if script else () if file is project.root else ("--package", member)
    return Added(
        package=item.name,
        name=f"{wanted.name}{extras}",
        marker=_in_single_quotes(str(wanted.marker or "")),
        options=(*whose, *_list_options(item.place)),
    )


def _list_options(place: str) -> tuple[str, ...]:
    for beginning, option in (
        ("project.optional-dependencies.", "--optional"),
        ("dependency-groups.", "--group"),
    ):
        if place.startswith(beginning):
            return option, place.removeprefix(beginning)
    return ()


def _in_single_quotes(marker: str) -> str:
    """As shells have no need to escape it."""
    return marker if "'" in marker else marker.replace('"', "'")
