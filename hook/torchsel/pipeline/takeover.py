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
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.places import LISTS, canonical
from torchsel.project.present import Index, Source
from torchsel.project.project import Project
from torchsel.project.requirement import holds_on, required_name
from torchsel.routing.sources import common_base, renames_of, renaming
from torchsel.strategies.offers import Offer, offers
from torchsel.strategies.protocol import Setting
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


def take_over(setting: Setting, strategy: str | None) -> Takeover:
    """What to write for a project; ``strategy`` is what the command line asks for.

    Raises:
        ConfigError: the routing is of a kind that ``[tool.torchsel]`` can't say.
    """
    project, backend, result = setting.project, setting.options.backend, Takeover()
    refuse_unknown_kinds(project)
    found = _offers(project)
    if found and strategy in (None, "adopted"):
        result.table["strategy"] = "adopted"
        names = f"{found[0].place.scope}s {_listed(found)}"
        result.notes.append(f"the {names} stay yours; torchsel takes one of them for each machine")
    elif found:
        _take_alternatives(result, setting, found, str(strategy))
    else:
        _take_sources(result, setting)
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
    # a member's count where the root has none
    folders = (project.folder, *(file.path.parent for file in project.members))
    return next((found for folder in folders if (found := offers(project, folder))), ())


def _listed(found: tuple[Offer, ...]) -> str:
    return ", ".join(offer.name for offer in found)


def _take_sources(result: Takeover, setting: Setting) -> None:
    """Routing to one index, or to several by marker."""
    project, present = setting.project, setting.present
    source = present.sources.get("torch")
    if source is None:
        return
    for item in source.items:
        if "index" not in item:
            kind = next((key for key in item if key not in ("marker", "extra", "group")), "other")
            _refuse(project, source, f"torch comes from a {kind} source")
    items = [item for item in source.items if _is_routed(item)]
    if any("extra" in item or "group" in item for item in items):
        _refuse(project, source, "it is for an extra or group that conflicts with no other")
    indexes = {index.name: index for index in reversed(present.indexes)}
    names = [str(item.get("index")) for item in items]
    strangers = [name for name in names if name not in indexes or not indexes[name].tag]
    if strangers:
        listed = ", ".join(strangers)
        _refuse(project, source, f"index {listed} has a URL that names no backend that torchsel knows")
    if not names:
        return
    _refuse_helpers(setting)
    found = {name: indexes[name] for name in names}
    _take_indexes(result, project, found)
    routed = ", ".join(dict.fromkeys(index.tag for index in found.values()))
    if setting.options.backend:
        return
    if routed == "cpu":
        result.table["backend"] = "cpu"
        result.notes.append(
            "backend = 'cpu', as torch was routed to CPU builds only; 'auto' chooses by machine"
        )
    else:
        result.notes.append(
            f"torch was routed to {routed}; from now on it is chosen by machine (backend = 'auto')"
        )


def _is_routed(item: Mapping[str, Any]) -> bool:
    """Whether an item of a source holds on a platform that torchsel routes."""
    # macOS keeps uv's default index, whatever a source says of it
    return any(holds_on(item.get("marker"), host, None) for host in _ROUTED)


def _take_alternatives(result: Takeover, setting: Setting, found: tuple[Offer, ...], strategy: str) -> None:
    project, scope = setting.project, found[0].place.scope
    if strategy != f"{scope}s":
        _refuse_offers(found, f"torch is routed by {scope}s, which --strategy {strategy} does not write")
    if any(way.file is not project.root for offer in found for way in offer.ways):
        _refuse_offers(found, "a workspace member has a part in them")
    _check_lists(setting, found)
    indexes = dict(_indexes_by_name(setting, found))
    missing = [offer.name for offer in found if offer.place.name not in indexes]
    if missing:
        _refuse_offers(found, f"tool.uv.sources.torch has nothing for {missing[0]}")
    tags = {offer.name: indexes[offer.place.name].tag for offer in found}
    result.table |= {"strategy": strategy, "backends": tags}
    _take_indexes(result, project, {index.name: index for index in indexes.values()})
    listed = ", ".join(f"{name} ({tag})" for name, tag in tags.items())
    result.notes.append(f"the {strategy} {listed} stay as they are named; one lock serves every machine")


def _check_lists(setting: Setting, found: tuple[Offer, ...]) -> None:
    """Refuse lists with packages that are not PyTorch's, and conflict sets with something else in them."""
    scope, present = found[0].place.scope, setting.present
    names = {offer.place.name for offer in found}
    for offer in found:
        for item in present.lists(scope)[offer.name]:
            if required_name(item) not in setting.catalog.routable_packages:
                _refuse_offers(found, f"{'.'.join(LISTS[scope])}.{offer.name} requires {item!r} too")
    for members in present.conflicts:
        inside = [canonical(str(member.get(scope, ""))) in names for member in members]
        if any(inside) and not all(inside):
            _refuse_offers(found, "tool.uv.conflicts has a set of them with others")


def _indexes_by_name(setting: Setting, found: tuple[Offer, ...]) -> Iterator[tuple[str, Index]]:
    """The index that torch's source has for each name; refused where a source says more than that."""
    scope, present = found[0].place.scope, setting.present
    names = {offer.place.name for offer in found}
    indexes = {index.name: index for index in reversed(present.indexes) if index.tag}
    for source in present.sources.values():
        for item in source.items:
            name, index = canonical(str(item.get(scope, ""))), indexes.get(str(item.get("index")))
            if name not in names:
                continue
            if index is None or set(item) != {"index", scope}:
                _refuse_offers(found, f"tool.uv.sources.{source.key} has {item!r}")
            if source.package == "torch":
                yield name, index


def _take_indexes(result: Takeover, project: Project, indexes: Mapping[str, Index]) -> None:
    """Give indexes the names that torchsel gives them, everywhere, and say where they are."""
    base = common_base(indexes, where=project.root.path)
    if base.url != DEFAULT_INDEX_URL:
        result.table["index-url"] = base.url
    if base.channel != "stable":
        result.table["channel"] = base.channel
    renames = renames_of(indexes)
    result.edits += renaming(project.root.present, indexes, renames)
    result.notes += [f"index {old!r} is torchsel's now, named for its backend" for old in renames]


def _refuse_helpers(setting: Setting) -> None:
    # such as pytorch-triton-rocm: an anchor does their work, where a backend needs it
    for item in setting.project.required:
        if item.name in setting.catalog.helpers:
            msg = (
                f"{setting.project.root.path}: {item.place}: {item.name} is on one backend's index alone, and"
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
    msg = (
        f"the {found[0].place.scope}s {_listed(found)} can't be taken over: {reason} (nothing was changed);"
        " 'torchsel init' adopts them as they are"
    )
    raise ConfigError(msg)
