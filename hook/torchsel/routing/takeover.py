"""What ``torchsel init`` takes over from routing that a project wrote by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project import owned, requirements
from torchsel.routing.changes import required_name
from torchsel.routing.takeover_indexes import base_of, find_indexes, index_of, rename_edits, table_of
from torchsel.selection.demand import Demand
from torchsel.strategies import adopted
from torchsel.strategies.adopted_offer import Reader
from torchsel.toml.edits import Delete, SetValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torchsel.catalog.catalog import Catalog
    from torchsel.project.workspace import Project
    from torchsel.strategies.adopted import Offer
    from torchsel.toml.edits import Edit

TABLE = ("tool", "torchsel")

_ORDER = ("backend", "strategy", "backends", "default-backend", "index-url", "channel")


@dataclass(kw_only=True, slots=True)
class Takeover:
    """``table`` is ``[tool.torchsel]``; ``edits`` bring what is there into the form torchsel owns.

    ``notes`` say what was decided, ``routed`` are the backends torch was routed to.
    """

    table: dict[str, Any] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    routed: list[str] = field(default_factory=list)

    @property
    def all_edits(self) -> tuple[Edit, ...]:
        """The edits, the table's last."""
        table = {key: self.table[key] for key in _ORDER if key in self.table}
        return (*self.edits, SetValue(path=TABLE, value=table))

    def ask_for(self, backend: str | None) -> None:
        """Have the table ask for what the command line asked for, ``auto`` included."""
        if backend:
            self.table["backend"] = backend
            self.notes = [note for note in self.notes if "'auto'" not in note]


def take_over(project: Project, strategy: str | None, catalog: Catalog) -> Takeover:
    """What to write for ``project``; ``strategy`` None is the one that its routing has, else ``pin``.

    Raises:
        ConfigError: the routing is of a kind that ``[tool.torchsel]`` can't say.
    """
    result = Takeover()
    offers = _offers(project)
    if offers:
        _take_choices(result, project, offers, strategy, catalog)
    else:
        _take_sources(result, project, catalog)
        if strategy not in (None, "pin"):
            result.table["strategy"] = strategy
        if "torch" not in {item.name for item in requirements.direct_requirements(project)}:
            result.notes.append("the project does not require torch itself; 'uv add torch' adds it, routed")
    return result


def _offers(project: Project) -> tuple[Offer, ...]:
    """The root's own extras or groups.

    Raises:
        ConfigError: it is a member's that route torch.
    """
    own = adopted.package_of(project.root)
    for file in project.members:
        if adopted.offers(project, file.path.parent) and not adopted.offers(project, project.folder):
            _refuse(f"{file.path}: torch is routed by extras or groups of a workspace member")
    offers = adopted.offers(project, project.folder)
    if others := [
        offer.name
        for offer in offers
        if offer.place.package != own or any(way.file is not project.root for way in offer.ways)
    ]:
        listed = ", ".join(others)
        _refuse(f"{project.root.path}: {listed} are, or lead to, extras or groups of a workspace member")
    return offers


def _take_choices(
    result: Takeover, project: Project, offers: tuple[Offer, ...], strategy: str | None, catalog: Catalog
) -> None:
    scope = offers[0].place.scope
    found = "extras" if scope == "extra" else "groups"
    if strategy not in (None, found):
        msg = (
            f"{project.root.path}: torch is routed by {found}, which stay; --strategy {strategy} can't be had"
        )
        raise ConfigError(f"{msg} without giving them up: take them out first")
    _refuse_direct_sources(project)
    if any(way.requirement.url for offer in offers for way in offer.ways):
        _refuse(f"{project.root.path}: an extra or group requires torch by the address of a wheel")
    names = {offer.name: _tag(project, offer, catalog) for offer in offers}
    result.table |= {"strategy": found, "backends": names}
    _take_indexes(result, project)
    _take_default(result, project, names)
    _drop_conflicts(result, project, offers)
    listed = ", ".join(f"{name} ({tag})" for name, tag in names.items())
    result.notes.append(f"the {found} {listed} stay as they are named; one lock serves every machine")


def _tag(project: Project, offer: Offer, catalog: Catalog) -> str:
    """The backend of a choice, as Linux x86_64 gets it."""
    python = requirements.project_python(project.folder)
    host = Host(system="linux", machine="x86_64")
    reader = Reader(project=project, host=host, demand=Demand(python=python), catalog=catalog)
    where = f"{'.'.join(adopted.LISTS[offer.place.scope])}.{offer.name}"
    meaning = reader.meaning(offer.ways, where)
    if meaning.tag is None:
        _refuse(f"{project.root.path}: {meaning.trouble}")
    return str(meaning.tag)


def _drop_conflicts(result: Takeover, project: Project, offers: tuple[Offer, ...]) -> None:
    """Sets between the choices alone, where one of them has no source yet to tell that it is torchsel's."""
    if all(offer.has_source for offer in offers):
        return
    places = {offer.place for offer in offers}
    sets = owned.uv_table(project.root.data).get("conflicts", [])
    named = [adopted.members_of(members, adopted.package_of(project.root)) for members in sets]
    stale = [at for at, members in enumerate(named) if members and members <= places]
    result.edits += [Delete(path=("tool", "uv", "conflicts", at)) for at in reversed(stale)]


def _take_default(result: Takeover, project: Project, names: Mapping[str, str]) -> None:
    """``default-groups`` that name one of the choices, or all of them."""
    listed = owned.uv_table(project.root.data).get("default-groups")
    given = (
        {owned.canonical(name) for name in listed if isinstance(name, str)}
        if isinstance(listed, list)
        else set()
    )
    chosen = [tag for name, tag in names.items() if owned.canonical(name) in given]
    if result.table["strategy"] == "groups" and chosen:
        result.table["default-backend"] = chosen[0] if len(chosen) < len(names) else "none"
        if "dev" in project.root.table("dependency-groups") and "dev" not in given:
            result.notes.append(
                "default-groups has 'dev' too now, which uv takes by default where none is set"
            )


def _take_sources(result: Takeover, project: Project, catalog: Catalog) -> None:
    """Routing to one index, or to several by marker."""
    _refuse_direct_sources(project)
    _take_indexes(result, project)
    used = result.routed
    if not used:
        return
    if set(used) == {"cpu"}:
        result.table["backend"] = "cpu"
        result.notes.append(
            "backend = 'cpu', as torch was routed to CPU builds only; 'auto' chooses by machine"
        )
    else:
        was = ", ".join(dict.fromkeys(used))
        result.notes.append(
            f"torch was routed to {was}; from now on it is chosen by machine (backend = 'auto')"
        )
    _drop_helpers(result, project, catalog)


def _take_indexes(result: Takeover, project: Project) -> None:
    """Names, sources and URLs of the indexes that torch is routed to."""
    data, where = project.root.data, str(project.root.path)
    named = [name for item in _torch_items(project) if (name := index_of(item))]
    names = set(named)
    indexes = find_indexes(data, names)
    result.routed = [indexes.tags[name] for name in named if name in indexes.tags]
    if names and not result.routed:
        listed = ", ".join(sorted(names))
        _refuse(f"{where}: tool.uv.sources.torch: index {listed} says no backend that torchsel knows")
    result.table |= table_of(base_of(data, indexes, where))
    dropped = () if "strategy" in result.table else tuple(adopted.LISTS)
    result.edits += rename_edits(data, indexes, dropped)
    result.notes += [
        f"index {old!r} is torchsel's now, named for its backend" for old, _ in indexes.renames()
    ]


def _torch_items(project: Project) -> list[dict[str, Any]]:
    found = owned.sources(project.root.data)
    return [
        item
        for name, source in found.items()
        if owned.canonical(name) == "torch"
        for item in owned.items(source)
    ]


def _refuse_direct_sources(project: Project) -> None:
    for item in _torch_items(project):
        if "index" not in item:
            kind = next((key for key in item if key not in ("marker", "extra", "group")), "other")
            _refuse(f"{project.root.path}: tool.uv.sources.torch: torch comes from a {kind} source")


def _refuse(reason: str) -> NoReturn:
    msg = f"{reason}; [tool.torchsel] can't take that over (nothing was changed)"
    raise ConfigError(msg)


def _drop_helpers(result: Takeover, project: Project, catalog: Catalog) -> None:
    """Requirements such as ``pytorch-triton-rocm``, which only one backend has: an anchor does their work."""
    helpers = {row.package for row in catalog.index_only} & {
        owned.canonical(name) for name in owned.sources(project.root.data)
    }
    listed = project.root.table("project").get("dependencies")
    for at, text in reversed(list(enumerate(listed if isinstance(listed, list) else []))):
        name = required_name(text)
        if name in helpers:
            result.edits.append(Delete(path=("project", "dependencies", at)))
            result.notes.append(
                f"{name} is no longer a dependency: torchsel routes it where a build needs it"
            )
