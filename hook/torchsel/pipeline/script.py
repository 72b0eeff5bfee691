"""Routing for scripts: written into the block, or into a copy of it that only lends its environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torchsel.catalog.catalog import load_catalog
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError, TorchselError
from torchsel.files.replace import replace_file
from torchsel.files.state import digest, exclusive, state_folder
from torchsel.host import Host
from torchsel.pipeline.inputs import Inputs, Options, decide, read_config, strategy_in
from torchsel.pipeline.plan import Plan, other_hosts
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
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Append, Delete, Edit, SetValue
from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptPlan:
    """A script with its selection, and the block that routes it."""

    script: Script
    inputs: Inputs
    packages: tuple[str, ...]
    block: str
    notes: tuple[str, ...]
    is_users: bool
    other_hosts: tuple[str, ...] = ()

    @property
    def renewal(self) -> tuple[str, ...]:
        """The words of uv's for making its environment anew, with the torch of its lock where that stays."""
        holds = [part for hold in _holds(self) or ["torch"] for part in ("-P", hold)]
        return ("uv", "sync", "--script", str(self.script.path), *holds)

    @property
    def text(self) -> str:
        """The script with the routed block."""
        return self.script.text if self.block == self.script.block else self.script.with_block(self.block)


def plan_script(script: Script, backend: str | None, host: Host, environ: Mapping[str, str]) -> ScriptPlan:
    """Select for a script and work out its routing.

    Raises:
        ConfigError: the block's configuration is wrong, or it can't be edited.
        MachineError: nothing is usable with ``fallback = "error"``.
    """
    options = Options(folder=script.path.parent, backend=backend)
    strategy = strategy_in(script.as_project(), options, environ)
    if not strategy.is_for_one:
        msg = (
            f"{script.path}: tool.torchsel.strategy: a script has one environment, so only 'pin' works;"
            " take the line out"
        )
        raise ConfigError(msg)
    found = decide(strategy, host, options=options)
    wanted = strategy.routing(found.selection.backend) or Routing()
    unscoped = replace(wanted, groups={})
    changes = find_changes(Present(script.data), unscoped, ours=own_packages(strategy.setting))
    edits = () if changes.is_users else (*changes.edits, *_dependency_edits(script, wanted, found))
    return ScriptPlan(
        script=script,
        inputs=found,
        packages=wanted.packages,
        block=edit_text(script.block, edits) if edits else script.block,
        notes=(*changes.left_alone, *wanted.notes),
        is_users=changes.is_users,
        other_hosts=other_hosts(strategy, Plan(routing=wanted, changes=changes, text="")),
    )


def apply_script(
    path: Path, backend: str | None, host: Host, environ: Mapping[str, str], *, write: bool
) -> ScriptPlan:
    """Write the routing into a script's block, or only plan it.

    Raises:
        ConfigError: it has no block, or the block is wrong or can't be edited.
        MachineError: it can't be locked or written.
    """
    if not write:
        return plan_script(require_script(path), backend, host, environ)
    with exclusive(path, state_folder(environ)):
        plan = plan_script(require_script(path), backend, host, environ)
        if plan.text != plan.script.text:
            replace_file(path, plan.text.encode())
        return plan


def plan_for_run(path: Path, options: Options, environ: Mapping[str, str]) -> ScriptPlan | None:
    """The plan for running a script; None where it is plain uv's: no block, no torch, or its own routing.

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
    if "torchsel" not in table(script.data, "tool") and not names & load_catalog().routable_packages:
        return None
    host, _ = resolve_host(option=options.host, environ=environ)
    if "torchsel" not in table(script.data, "tool"):
        environ = {**_mirror(options.folder, environ), **environ}
    plan = plan_script(script, options.backend, host, environ)
    return None if plan.is_users else plan


def _mirror(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The variable for the ``index-url`` of the project that ``folder`` is in."""
    try:
        project = load_project(folder)
        config = read_config(project, environ)
    except TorchselError:
        return {}
    return {"TORCHSEL_INDEX_URL": config.index_url} if project.is_configured else {}


def environment_python(plan: ScriptPlan, uv: Uv, options: list[str]) -> Path:
    """Make the environment that the routed script needs, and return its Python; the script stays as it is.

    Raises:
        MachineError: uv could not make it.
    """
    tag = plan.inputs.selection.backend.tag  # an environment each: uv keeps one that meets a bare "torch"
    state = state_folder(uv.environ) / "scripts" / f"{digest(plan.script.path)}-{tag}"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = state / plan.script.path.name
    block = _bounded(_absolute(plan), plan)
    copy.write_text(plan.script.with_block(block), encoding="utf-8")
    if plan.script.lock.is_file():
        copy.with_name(f"{copy.name}.lock").write_bytes(plan.script.lock.read_bytes())
    holds = [part for hold in _holds(plan) for part in ("--upgrade-package", hold)]
    uv.check(["sync", "--script", str(copy), *holds, *options])
    return Path(uv.check(["python", "find", "--script", str(copy)]).strip())


def _dependency_edits(script: Script, wanted: Routing, found: Inputs) -> Iterator[Edit]:
    """A script has no groups, so its own list of dependencies carries the anchors.

    Only what no one else requires, as it is on a backend's index alone, is taken out again.
    """
    listed = script.data.get("dependencies") or []
    names = [required_name(item) for item in listed]
    ours = found.catalog.helpers - wanted.sources.keys()
    for at in reversed(range(len(listed))):
        if names[at] in ours and names[at] in Present(script.data).sources:
            yield Delete(path=("dependencies", at))
    for anchor in wanted.groups.get(ANCHOR_GROUP, ()):
        if required_name(anchor) not in {*names, *found.config.companions}:
            yield Append(path=("dependencies",), value=anchor)


def _absolute(plan: ScriptPlan) -> str:
    """The block with paths of local sources that hold from anywhere."""
    folder = plan.script.path.absolute().parent
    edits = [
        SetValue(path=(*SOURCES, source.key), value=[_placed(item, folder) for item in source.items])
        for source in Present(parse_toml(plan.block, plan.script.path)).sources.values()
        if any("path" in item for item in source.items)
    ]
    return edit_text(plan.block, edits) if edits else plan.block


def _placed(item: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {**item, "path": str(folder / item["path"])} if "path" in item else item


def _bounded(block: str, plan: ScriptPlan) -> str:
    """The block with a bound on torch where the index has a newer one than runs here."""
    bound = plan.inputs.decision.bound
    return edit_text(block, [Append(path=("dependencies",), value=f"torch{bound}")]) if bound else block


def _holds(plan: ScriptPlan) -> list[str]:
    family = plan.inputs.catalog.family_packages
    locked = locked_packages(plan.inputs.project.lock, family)
    stays = plan.inputs.selection.torch in {item.public for item in locked if item.name == "torch"}
    return sorted({f"{item.name}=={item.public}" if stays else item.name for item in locked})
