"""What a call of uv's installs, before anything is chosen for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from torchsel.project.places import DEFAULT_GROUPS, Scope, names_in
from torchsel.project.project import Project, TomlFile
from torchsel.project.reach import Part, names_of, reached
from torchsel.strategies.alternatives import Alternatives
from torchsel.strategies.offers import targets
from torchsel.uv.call import UvCall


def comes_to(project: Project, folder: Path, call: UvCall, packages: Collection[str]) -> bool:
    """Whether uv, called in ``folder``, installs one of ``packages`` by what the user requires.

    So it is taken to be where there is no uv.lock yet.
    """
    if project.lock is None:
        return True
    return bool(reached(project.lock, synced(project, folder, call)).intersection(packages))


def synced(project: Project, folder: Path, call: UvCall) -> Iterator[Part]:
    """The parts of the project that ``call`` names, without torchsel's own groups and extras."""
    is_only = bool({"--only-group", "--only-dev"}.intersection(call.options))
    for file in targets(project, folder, call):
        groups = _groups(file, call, is_only=is_only) - file.present.own_lists("group")
        extras = set() if is_only else _extras(file, call) - file.present.own_lists("extra")
        yield Part(
            package=file.present.package,
            lists={"group": groups, "extra": extras},
            has_base=not is_only,
        )


def unasked_groups(project: Project, call: UvCall, alternatives: Alternatives) -> list[str]:
    """Groups that uv takes by default, sorted: none of the alternatives, and none that ``call`` names."""
    named = names_in((*alternatives.names, *call.values_of("--group")))
    files = targets(project, call.folder, call)
    return sorted({name for file in files for name in _default_groups(file)} - named)


def _default_groups(file: TomlFile) -> set[str]:
    """Groups of a file that uv takes when none is named, normalised."""
    listed = file.table(*DEFAULT_GROUPS[:-1]).get(DEFAULT_GROUPS[-1], ["dev"])
    defined = names_of(file, "group")
    if not isinstance(listed, list):
        return defined if listed == "all" else set()
    return names_in(item for item in listed if isinstance(item, str)) & defined


def _groups(file: TomlFile, call: UvCall, *, is_only: bool) -> set[str]:
    named = names_in(call.values_of("--group", "--only-group"))
    if {"--dev", "--only-dev"}.intersection(call.options):
        named.add("dev")
    if "--all-groups" in call.options:
        named |= names_of(file, "group")
    elif not is_only and "--no-default-groups" not in call.options:
        named |= _default_groups(file)
    refused = {"dev"} if "--no-dev" in call.options else set()
    return named - refused - names_in(call.values_of("--no-group"))


def _extras(file: TomlFile, call: UvCall) -> set[str]:
    scope: Scope = "extra"
    every = names_of(file, scope) if "--all-extras" in call.options else set()
    return (every | names_in(call.values_of("--extra"))) - names_in(call.values_of("--no-extra"))
