"""Routing for scripts: written into the block, or into a copy of it that only lends its environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torchsel.catalog.catalog import load_catalog
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError, TorchselError
from torchsel.files.replace import replace_file
from torchsel.files.state import digest, exclusive, state_folder
from torchsel.host import Host
from torchsel.pipeline.inputs import Inputs, decide, read_config, strategy_in
from torchsel.pipeline.plan import Plan
from torchsel.project.lock import locked_packages
from torchsel.project.places import ANCHOR_GROUP, SOURCES, table
from torchsel.project.present import Present
from torchsel.project.requirement import required_name
from torchsel.project.script import Script, read_script, require_script
from torchsel.project.toml_file import parse_toml, read_text
from torchsel.project.workspace import load_project
from torchsel.routing.changes import find_changes
from torchsel.routing.wanted import Routing
from torchsel.strategies.packages import own_packages
from torchsel.strategies.protocol import Options
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Append, Delete, Edit, SetValue
from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutedScript:
    """A script with its selection, and the routing, whose text is that of the block."""

    script: Script
    inputs: Inputs
    plan: Plan

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left alone, or could not be routed."""
        return (*self.plan.changes.left_alone, *self.plan.routing.notes)

    @property
    def renewal(self) -> tuple[str, ...]:
        """The words of uv's for making its environment anew, with the torch of its lock where that stays."""
        holds = [part for hold in _holds(self) or ["torch"] for part in ("-P", hold)]
        return ("uv", "sync", "--script", str(self.script.path), *holds)

    @property
    def text(self) -> str:
        """The script with the routed block."""
        is_same = self.plan.text == self.script.block
        return self.script.text if is_same else self.script.with_block(self.plan.text)


def routed_script(script: Script, host: Host, options: Options) -> RoutedScript:
    """Select for a script and work out its routing.

    Raises:
        ConfigError: the block's configuration is wrong, or it can't be edited.
        MachineError: nothing is usable with ``fallback = "error"``.
    """
    options = Options(folder=script.path.parent, environ=options.environ, backend=options.backend)
    strategy = strategy_in(script.as_project(), options)
    if not strategy.is_for_one:
        msg = (
            f"{script.path}: tool.torchsel.strategy: a script has one environment, so only 'pin' works;"
            " take the line out"
        )
        raise ConfigError(msg)
    found = decide(strategy, host)
    wanted = strategy.routing(found.selection.backend) or Routing()
    unscoped = replace(wanted, groups={})
    changes = find_changes(Present(script.data), unscoped, ours=own_packages(strategy.setting))
    edits = () if changes.is_users else (*changes.edits, *_dependency_edits(script, wanted, found))
    plan = Plan(routing=wanted, changes=changes, text=edit_text(script.block, edits))
    return RoutedScript(script=script, inputs=found, plan=plan)


def apply_script(path: Path, host: Host, options: Options) -> RoutedScript:
    """Write the routing into a script's block, or only plan it.

    Raises:
        ConfigError: it has no block, or the block is wrong or can't be edited.
        MachineError: it can't be locked or written.
    """
    if not options.writes:
        return routed_script(require_script(path), host, options)
    with exclusive(path, state_folder(options.environ)):
        routed = routed_script(require_script(path), host, options)
        if routed.text != routed.script.text:
            replace_file(path, routed.text.encode())
        return routed


def routed_for_run(path: Path, options: Options) -> RoutedScript | None:
    """The script as it is to be run; None where it is plain uv's: no block, no torch, or its own routing.

    Raises:
        ConfigError: the block or its configuration is wrong.
        MachineError: nothing is usable with ``fallback = "error"``.
    """
    try:
        read_text(path)
    except ConfigError:
        return None  # too large or not UTF-8: uv's to judge
    script = read_script(path)
    if script is None:
        return None
    names = {required_name(item) for item in script.data.get("dependencies") or ()}
    is_configured = "torchsel" in table(script.data, "tool")
    if not is_configured and not names & load_catalog().routable_packages:
        return None
    host, _ = resolve_host(option=options.host, environ=options.environ)
    if not is_configured:
        options = replace(options, environ={**_mirror(options), **options.environ})
    routed = routed_script(script, host, options)
    return None if routed.plan.changes.is_users else routed


def _mirror(options: Options) -> dict[str, str]:
    # a script without a table takes the mirror of the project around it
    try:
        project = load_project(options.folder)
        config = read_config(project, options.environ)
    except TorchselError:
        return {}
    return {"TORCHSEL_INDEX_URL": config.index_url} if project.is_configured else {}


def environment_python(routed: RoutedScript, uv: Uv, options: list[str]) -> Path:
    """Make the environment that the routed script needs, and return its Python; the script stays as it is.

    Raises:
        MachineError: uv could not make it.
    """
    # an environment for each backend: uv keeps one whose torch meets a bare "torch", whatever its build
    tag = routed.inputs.selection.backend.tag
    state = state_folder(uv.environ) / "scripts" / f"{digest(routed.script.path)}-{tag}"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = state / routed.script.path.name
    # the routing is in a copy, so that the script stays as it is
    copy.write_text(routed.script.with_block(_block_of_copy(routed)), encoding="utf-8")
    if routed.script.lock.is_file():
        copy.with_name(f"{copy.name}.lock").write_bytes(routed.script.lock.read_bytes())
    holds = [part for hold in _holds(routed) for part in ("--upgrade-package", hold)]
    uv.check(["sync", "--script", str(copy), *holds, *options])
    return Path(uv.check(["python", "find", "--script", str(copy)]).strip())


def _dependency_edits(script: Script, wanted: Routing, found: Inputs) -> Iterator[Edit]:
    # A script has no groups, so its own list of dependencies carries the anchors.
    listed = script.data.get("dependencies") or []
    names = [required_name(item) for item in listed]
    # only what is on a backend's index alone goes again, as nobody else requires that
    ours = found.catalog.helpers - wanted.sources.keys()
    for at in reversed(range(len(listed))):
        if names[at] in ours and names[at] in Present(script.data).sources:
            yield Delete(path=("dependencies", at))
    for anchor in wanted.groups.get(ANCHOR_GROUP, ()):
        if required_name(anchor) not in {*names, *found.config.companions}:
            yield Append(path=("dependencies",), value=anchor)


def _block_of_copy(routed: RoutedScript) -> str:
    """The block with paths that hold from anywhere, and torch bounded where a newer one does not run here."""
    folder, text = routed.script.path.absolute().parent, routed.plan.text
    edits: list[Edit] = [
        SetValue(path=(*SOURCES, source.key), value=[_placed(item, folder) for item in source.items])
        for source in Present(parse_toml(text, routed.script.path)).sources.values()
        if any("path" in item for item in source.items)
    ]
    if bound := routed.inputs.decision.bound:
        edits.append(Append(path=("dependencies",), value=f"torch{bound}"))
    return edit_text(text, edits)


def _placed(item: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {**item, "path": str(folder / item["path"])} if "path" in item else item


def _holds(routed: RoutedScript) -> list[str]:
    family = routed.inputs.catalog.family_packages
    locked = locked_packages(routed.inputs.project.lock, family)
    stays = routed.inputs.selection.torch in {item.public for item in locked if item.name == "torch"}
    return sorted({f"{item.name}=={item.public}" if stays else item.name for item in locked})
