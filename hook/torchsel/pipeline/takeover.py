"""What ``torchsel init`` writes for a project that routes torch already: little, so that nothing is lost.

Routing to indexes, as ``pin`` has it, becomes torchsel's. Extras and groups stay the user's, byte for byte:
they are adopted. Where ``--strategy`` asks for them to be generated, those of the very shape that torchsel
generates are taken over (that of uv's guide), and any other is refused with the entry that stands in the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from torchsel.backend import DEFAULT_INDEX_URL
from torchsel.catalog.catalog import Catalog
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.places import LISTS, canonical
from torchsel.project.present import Index, Source
from torchsel.project.project import Project
from torchsel.project.requirement import holds_on, required_name
from torchsel.routing.sources import common_base, renames_of, renaming
from torchsel.strategies.offers import Offer, offers
from torchsel.strategies.refusals import refuse_unknown_kinds
from torchsel.toml.edits import Edit, SetValue

TABLE = ("tool", "torchsel")
COMMENT = (
    "torchsel takes torch's build by machine: the indexes pytorch-*, the sources to them and the groups",
    "torchsel and torch-* are its own; to undo all of it: torchsel deinit",
)
"""Lines above the table, which go with it."""

_ORDER = ("backend", "strategy", "backends", "default-backend", "index-url", "channel")
_ROUTED = (
    Host(system="linux", machine="x86_64"),
    Host(system="linux", machine="aarch64"),
    Host(system="win32", machine="x86_64"),
)
"""Machines of the platforms that ``pin`` routes; macOS keeps uv's default index."""


@dataclass(kw_only=True, slots=True)
class Takeover:
    """``table`` is ``[tool.torchsel]``; ``edits`` bring what is there into the form torchsel owns.

    ``notes`` say what was decided.
    """

    table: dict[str, Any] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def all_edits(self) -> tuple[Edit, ...]:
        """The edits, the table's last."""
        table = {key: self.table[key] for key in _ORDER if key in self.table}
        comments = () if table.get("strategy") == "adopted" else COMMENT
        return (*self.edits, SetValue(path=TABLE, value=table, comments=comments))


def take_over(project: Project, strategy: str | None, backend: str | None, catalog: Catalog) -> Takeover:
    """What to write for ``project``; ``strategy`` and ``backend`` are what the command line asks for.

    Raises:
        ConfigError: the routing is of a kind that ``[tool.torchsel]`` can't say.
    """
    refuse_unknown_kinds(project)
    found = _offers(project)
    result = Takeover()
    if found and strategy in (None, "adopted"):
        listed = ", ".join(offer.name for offer in found)
        kind = f"{found[0].place.scope}s"
        result.table["strategy"] = "adopted"
        result.notes.append(f"the {kind} {listed} stay yours; torchsel takes one of them for each machine")
    elif found:
        _take_alternatives(result, project, found, str(strategy), catalog)
    else:
        _take_sources(result, project, backend, catalog)
        if strategy not in (None, "pin"):
            result.table["strategy"] = strategy
        if "torch" not in {item.name for item in project.required}:
            result.notes.append(
                "the project does not require torch itself; 'torchsel add torch' adds it, routed"
            )
    if backend:
        result.table["backend"] = backend
    return result


def _offers(project: Project) -> tuple[Offer, ...]:
    """The project's own extras or groups, a member's where the root has none."""
    folders = (project.folder, *(file.path.parent for file in project.members))
    return next((found for folder in folders if (found := offers(project, folder))), ())


def _take_sources(result: Takeover, project: Project, backend: str | None, catalog: Catalog) -> None:
    """Routing to one index, or to several by marker."""
    source = project.root.present.sources.get("torch")
    if source is None:
        return
    _refuse_addresses(project, source)
    indexes = [(item, _index_named(project, item.get("index"))) for item in source.items if _is_routed(item)]
    if any("extra" in item or "group" in item for item, _ in indexes):
        _refuse(project, source, "it is for an extra or group that conflicts with no other")
    strangers = [str(item.get("index")) for item, index in indexes if not index or not index.tag]
    if strangers:
        _refuse(
            project,
            source,
            f"index {', '.join(strangers)} has a URL that names no backend that torchsel knows",
        )
    found = {index.name: index for _, index in indexes if index}
    if not found:
        return
    _refuse_helpers(project, catalog)
    _take_indexes(result, project, found)
    routed = ", ".join(dict.fromkeys(index.tag for index in found.values()))
    if routed == "cpu" and not backend:
        result.table["backend"] = "cpu"
        result.notes.append(
            "backend = 'cpu', as torch was routed to CPU builds only; 'auto' chooses by machine"
        )
    elif not backend:
        result.notes.append(
            f"torch was routed to {routed}; from now on it is chosen by machine (backend = 'auto')"
        )


def _take_alternatives(
    result: Takeover, project: Project, found: tuple[Offer, ...], strategy: str, catalog: Catalog
) -> None:
    """Extras or groups in the form that torchsel generates, under the names that they have."""
    scope = found[0].place.scope
    if strategy != f"{scope}s":
        _refuse_offers(found, f"torch is routed by {scope}s, which --strategy {strategy} does not write")
    if any(way.file is not project.root for offer in found for way in offer.ways):
        _refuse_offers(found, "a workspace member has a part in them")
    _check_lists(project, found, catalog)
    indexes = dict(_indexes_by_name(project, found))
    missing = [offer.name for offer in found if offer.place.name not in indexes]
    if missing:
        _refuse_offers(found, f"tool.uv.sources.torch has nothing for {missing[0]}")
    tags = {offer.name: indexes[offer.place.name].tag for offer in found}
    result.table |= {"strategy": strategy, "backends": tags}
    _take_indexes(result, project, {index.name: index for index in indexes.values()})
    listed = ", ".join(f"{name} ({tag})" for name, tag in tags.items())
    result.notes.append(f"the {strategy} {listed} stay as they are named; one lock serves every machine")


def _check_lists(project: Project, found: tuple[Offer, ...], catalog: Catalog) -> None:
    """Refuse lists with packages that are not PyTorch's, and conflict sets with something else in them."""
    scope, present = found[0].place.scope, project.root.present
    names = {offer.place.name for offer in found}
    for offer in found:
        for item in present.lists(scope)[offer.name]:
            if required_name(item) not in catalog.routable_packages:
                _refuse_offers(found, f"{'.'.join(LISTS[scope])}.{offer.name} requires {item!r} too")
    for members in present.conflicts:
        inside = [canonical(str(member.get(scope, ""))) in names for member in members]
        if any(inside) and not all(inside):
            _refuse_offers(found, "tool.uv.conflicts has a set of them with others")


def _indexes_by_name(project: Project, found: tuple[Offer, ...]) -> Iterator[tuple[str, Index]]:
    """The index that torch's source has for each name; refused where a source says more than that."""
    scope = found[0].place.scope
    names = {offer.place.name for offer in found}
    for source in project.root.present.sources.values():
        for item in source.items:
            name, index = canonical(str(item.get(scope, ""))), _index_named(project, item.get("index"))
            if name not in names:
                continue
            if index is None or not index.tag or set(item) != {"index", scope}:
                _refuse_offers(found, f"tool.uv.sources.{source.key} has {item!r}")
            if source.package == "torch":
                yield name, index


def _take_indexes(result: Takeover, project: Project, indexes: Mapping[str, Index]) -> None:
    """Give indexes the names that torchsel gives them, everywhere, and say where they are."""
    present, base = project.root.present, common_base(indexes, where=project.root.path)
    if base.url != DEFAULT_INDEX_URL:
        result.table["index-url"] = base.url
    if base.channel != "stable":
        result.table["channel"] = base.channel
    renames = renames_of(indexes)
    result.edits += renaming(present, indexes, renames)
    result.notes += [f"index {old!r} is torchsel's now, named for its backend" for old in renames]


def _index_named(project: Project, name: object) -> Index | None:
    return next((index for index in project.root.present.indexes if index.name == name), None)


def _is_routed(item: Mapping[str, Any]) -> bool:
    """Whether an item of a source holds on a platform that torchsel routes."""
    return any(holds_on(item.get("marker"), host, None) for host in _ROUTED)


def _refuse_addresses(project: Project, source: Source) -> None:
    for item in source.items:
        if "index" not in item:
            kind = next((key for key in item if key not in ("marker", "extra", "group")), "other")
            _refuse(project, source, f"torch comes from a {kind} source")


def _refuse_helpers(project: Project, catalog: Catalog) -> None:
    """Requirements such as ``pytorch-triton-rocm``, which only one backend has: an anchor does their work."""
    for item in project.required:
        if item.name in catalog.helpers:
            msg = (
                f"{project.root.path}: {item.place}: {item.name} is on one backend's index alone, and"
                " torchsel routes it where a build needs it; first take it out:"
                f" uv remove --frozen {item.name}"
            )
            raise ConfigError(msg)


def _refuse(project: Project, source: Source, reason: str) -> NoReturn:
    msg = (
        f"{project.root.path}: tool.uv.sources.{source.key}: {reason}; [tool.torchsel] can't take that over"
        " (nothing was changed)"
    )
    raise ConfigError(msg)


def _refuse_offers(found: tuple[Offer, ...], reason: str) -> NoReturn:
    listed = ", ".join(offer.name for offer in found)
    msg = (
        f"the {found[0].place.scope}s {listed} can't be taken over: {reason} (nothing was changed);"
        " 'torchsel init' adopts them as they are"
    )
    raise ConfigError(msg)
