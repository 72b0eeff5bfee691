"""Routing for scripts: written into the block, or into a copy of it that only lends its environment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchsel.catalog.catalog import load_catalog
from torchsel.config.request import resolve_host
from torchsel.errors import ConfigError
from torchsel.files.replace import digest, exclusive, replace_file, state_folder
from torchsel.pipeline.inputs import decide, read_config, read_request
from torchsel.pipeline.plan import routing_context
from torchsel.project import owned, requirements
from torchsel.project.owned import SOURCES, items, sources
from torchsel.project.script import read_script, require_script
from torchsel.project.workspace import parse_toml, read_text
from torchsel.routing.changes import find_changes, required_name
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Append, Delete, SetValue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torchsel.host import Host
    from torchsel.pipeline.inputs import Options, Survey
    from torchsel.project.script import Script
    from torchsel.routing.changes import Changes
    from torchsel.routing.wanted import Routing
    from torchsel.toml.edits import Edit
    from torchsel.uv.program import Uv


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptPlan:
    """A script with its selection, and the block that routes it."""

    script: Script
    survey: Survey
    packages: tuple[str, ...]
    block: str
    left_alone: tuple[str, ...]

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
    project = script.as_project()
    config = read_config(project, environ)
    if config.strategy != "pin":
        msg = f"{script.path}: tool.torchsel.strategy: a script has one environment, so only 'pin' works"
        raise ConfigError(msg)
    survey = decide(project, config, read_request(project, config, backend, environ), host)
    context = routing_context(project, config, survey.catalog)
    chosen = survey.selection.backend
    named = context.named_packages()
    wanted = context.pin(chosen, named, context.marker(chosen))
    unscoped = replace(wanted, groups={})
    found = find_changes(script.data, unscoped, ours=context.ours(named))
    edits = (
        (*found.edits, *_dependency_edits(script, wanted, found)) if not _is_foreign(found.left_alone) else ()
    )
    return ScriptPlan(
        script=script,
        survey=survey,
        packages=tuple(name for name in named if name in wanted.sources),
        block=edit_text(script.block, edits) if edits else script.block,
        left_alone=found.left_alone,
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
    if "torchsel" not in owned.table(script.data, "tool") and not names & load_catalog().routable_packages:
        return None
    host, _ = resolve_host(option=options.host, environ=environ)
    plan = plan_script(script, options.backend, host, environ)
    return None if _is_foreign(plan.left_alone) else plan


def environment_python(plan: ScriptPlan, uv: Uv, options: list[str]) -> Path:
    """Make the environment that the routed script needs, and return its Python; the script stays as it is.

    Raises:
        MachineError: uv could not make it.
    """
    tag = plan.survey.selection.backend.tag  # an environment each: uv keeps one that meets a bare "torch"
    state = state_folder(uv.environ) / "scripts" / f"{digest(plan.script.path)}-{tag}"
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = state / plan.script.path.name
    block = _bounded(_absolute(plan), plan)
    copy.write_text(replace(plan.script, block=block).with_block(block), encoding="utf-8")
    if plan.script.lock.is_file():
        copy.with_name(f"{copy.name}.lock").write_bytes(plan.script.lock.read_bytes())
    holds = [part for hold in _holds(plan) for part in ("--upgrade-package", hold)]
    uv.check(["sync", "--script", str(copy), *holds, *options])
    return Path(uv.check(["python", "find", "--script", str(copy)]).strip())


def _is_foreign(left_alone: tuple[str, ...]) -> bool:
    return any(note.startswith("tool.uv.sources.torch:") for note in left_alone)


def _dependency_edits(script: Script, wanted: Routing, found: Changes) -> Iterator[Edit]:
    """A script has no groups, so its own list of dependencies carries the anchors."""
    listed = script.data.get("dependencies") or []
    names = [required_name(item) for item in listed]
    helpers = wanted.sources.keys()
    gone = {
        str(edit.path[-1]) for edit in found.edits if isinstance(edit, Delete) and edit.path[:3] == SOURCES
    }
    for at in reversed(range(len(listed))):
        if names[at] in gone and names[at] not in helpers:
            yield Delete(path=("dependencies", at))
    for anchor in wanted.groups.get(requirements.ANCHOR_GROUP, ()):
        if required_name(anchor) not in names:
            yield Append(path=("dependencies",), value=anchor)


def _absolute(plan: ScriptPlan) -> str:
    """The block with paths of local sources that hold from anywhere."""
    folder = plan.script.path.absolute().parent
    edits = [
        SetValue(path=(*SOURCES, name), value=[_placed(item, folder) for item in items(source)])
        for name, source in sources(parse_toml(plan.block, plan.script.path)).items()
        if any("path" in item for item in items(source))
    ]
    return edit_text(plan.block, edits) if edits else plan.block


def _placed(item: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {**item, "path": str(folder / item["path"])} if "path" in item else item


def _bounded(block: str, plan: ScriptPlan) -> str:
    """The block with a bound on torch where the index has a newer one than runs here."""
    selection = plan.survey.selection
    builds = plan.survey.catalog.builds(backend=selection.backend.tag, platform=plan.survey.host.platform)
    if selection.torch is None or not builds or builds[0].torch == selection.torch:
        return block
    return edit_text(block, [Append(path=("dependencies",), value=f"torch<={selection.torch}")])


def _holds(plan: ScriptPlan) -> list[str]:
    family = plan.survey.catalog.family_packages
    locked = requirements.locked_packages(plan.survey.project.lock, family)
    stays = plan.survey.selection.torch in {item.public for item in locked if item.name == "torch"}
    return sorted({f"{item.name}=={item.public}" if stays else item.name for item in locked})
