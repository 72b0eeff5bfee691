"""The shape of the source: imports point one way, functions stay short, nothing reaches into the tests."""

from __future__ import annotations

import ast
import statistics
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import pytest

from support.toolbox import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = ROOT / "hook" / "torchsel"

LAYERS = {
    "errors": {"torchsel", "errors"},
    "values": {"backend", "host", "edits", "console", "uvcall", "fast", "fast_host", "fast_record"},
    "facts": {"tables", "catalog", "config", "config_values", "probes", "project", "request"},
    "decisions": {
        *{
            "requirements",
            "kernels",
            "releases",
            "devices",
            "fit",
            "choice",
            "selection",
            "remarks",
            "wayout",
        },
        *{"select", "ways", "owned", "routing", "changes", "uvflags"},
        *{"toml_scan", "toml_data", "toml_render", "toml_document", "toml_inline", "toml_place"},
        *{"toml_change", "toml_edit", "files", "journal", "stops", "uvtool", "installed"},
    },
    "pipeline": {
        "init",
        "init_takeover",
        "init_indexes",
        "transaction",
        "schema",
        "shellhook",
        "shellenv",
        "completion",
        "keep",
        "adopted",
        "adopted_offer",
        "adopted_choice",
        "survey",
        "choices",
        "script",
        "script_routing",
        "plan",
        "apply",
        "check",
    },
    "report": {"report", "status", "status_text", "memo", "memo_files"},
    "cli": {"wrapper", "commands", "cli", "__main__"},
}
"""A module imports from its own layer and those before it, and never in a circle. The probes count as one."""

LAYER = {name: at for at, names in enumerate(LAYERS.values()) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))
"""Every source file of the package."""


def unit(dotted: str) -> str:
    """``torchsel.probes.amd`` is ``probes``, ``torchsel.cli`` is ``cli``, ``torchsel`` itself."""
    return dotted.split(".")[1] if "." in dotted else dotted


def unit_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "torchsel" if first == "__init__" else first


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of what runs: inside functions too, but not what only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield from (name for child in node.orelse for name in imported(child))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            name = node.module or ""
            submodules = {f"{name}.{alias.name}" for alias in node.names if is_module(f"{name}.{alias.name}")}
            yield from submodules or {name}
        else:
            yield from imported(node)


def is_module(dotted: str) -> bool:
    path = (ROOT / "hook").joinpath(*dotted.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> dict[str, int]:
    """Lines of each function, decorators and docstring included."""
    return {
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def uses(path: Path) -> set[str]:
    """Units of the package that a source file imports, its own left out."""
    names = {unit(name) for name in imported(parsed(path)) if name.split(".")[0] == "torchsel"}
    return names - {unit_of(path)}


def test_every_module_has_one_layer() -> None:
    assert {unit_of(path) for path in MODULES} == set(LAYER)
    assert sum(map(len, LAYERS.values())) == len(LAYER)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    here = unit_of(path)
    wrong = {name for name in uses(path) if LAYER[name] > LAYER[here]}
    assert not wrong, f"{here} may not import {sorted(wrong)}, which are of later layers"


def test_no_imports_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        graph.setdefault(unit_of(path), set()).update(uses(path))
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_reaches_into_tests_or_scripts(path: Path) -> None:
    own = {"tests", "support", "conftest", *(script.stem for script in (ROOT / "scripts").glob("*.py"))}
    assert not own & {name.split(".")[0] for name in imported(parsed(path))}


def test_functions_are_short() -> None:
    lines = functions()
    assert len(lines) > 300
    assert not {name: count for name, count in lines.items() if count > 60}
    assert statistics.median(lines.values()) <= 12
    assert sum(count > 25 for count in lines.values()) <= len(lines) * 0.05, "nearly all are under 25"


def test_what_counts_as_imported() -> None:
    source = (
        "import os\nfrom torchsel import files, __version__\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from torchsel.cli import main\n"
        "def f():\n    try:\n        from torchsel.probes.amd import x\n"
        "    finally:\n        import json.decoder\n"
    )
    names = list(imported(ast.parse(source)))
    assert names == ["os", "torchsel.files", "typing", "torchsel.probes.amd", "json.decoder"]
    assert [unit(name) for name in names[1::2]] == ["files", "probes"]
