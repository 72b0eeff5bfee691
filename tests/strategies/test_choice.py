"""Flags or a variable: by uv's release, the folder, the configuration and what the user says already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from torchsel.host import Host
from torchsel.pipeline.inputs import decide, strategy_in
from torchsel.project.workspace import load_project
from torchsel.strategies.choice import Choice, choose
from torchsel.strategies.protocol import Options
from torchsel.uv.call import read_uv_call
from torchsel.uv.program import Uv

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in for uv is a shell script")

TEXT = """\
[project]
name = "demo"
version = "0.1.0"
dependencies = ["torch"]

[dependency-groups]
dev = ["pytest"]
docs = ["sphinx"]

[tool.uv.workspace]
members = ["train"]

[tool.torchsel]
strategy = "groups"
backends = ["cpu", "cu126", "cu130"]
"""
NONE = TEXT + 'default-backend = "none"\n'
MEMBER = '[project]\nname = "train"\nversion = "0.1.0"\ndependencies = ["torch"]\n'
FLAGS = "--no-group torch-cu126 --no-group torch-cu130 --group torch-cpu"
VARIABLE = "torch-cu126 torch-cu130"


def chosen(
    folder: Path,
    words: str,
    *,
    text: str = NONE,
    release: str = "0.13.9",
    environ: Mapping[str, str] | None = None,
    inside: str = "",
) -> Choice:
    """On a machine without a GPU."""
    (folder / "pyproject.toml").write_text(text)
    (folder / "train").mkdir()
    (folder / "train" / "pyproject.toml").write_text(MEMBER)
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\necho uv {release}\n")
    program.chmod(0o755)
    strategy = strategy_in(load_project(folder), Options(folder=folder, environ={}, host="cpu"))
    found = decide(strategy, Host(system="linux", machine="x86_64", libc="glibc 2.36"))
    call = read_uv_call(words.split(), folder / inside, environ=environ)
    uv = Uv(program=program, environ={})
    return choose(found.setting, found.decision, call, environ=environ or {}, uv=uv)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("sync", VARIABLE),
        ("run --group docs python", VARIABLE),
        ("sync --group torch-cu126", "torch-cpu torch-cu130"),
        ("sync --all-groups", VARIABLE),
        ("add numpy", VARIABLE),
    ],
)
def test_by_the_variable(tmp_path: Path, words: str, value: str) -> None:
    assert chosen(tmp_path, words) == Choice(variables={"UV_NO_GROUP": value})


def test_an_only_group_that_is_named_says_all(tmp_path: Path) -> None:
    assert chosen(tmp_path, "sync --only-group Torch_CU126") == Choice()


@pytest.mark.parametrize(
    ("words", "how", "flags"),
    [
        ("sync", {"text": TEXT}, FLAGS),
        ("sync", {"release": "0.9.7"}, FLAGS),
        ("sync", {"release": "of mine"}, FLAGS),
        ("sync", {"inside": "train"}, FLAGS),
        ("sync --package train", {}, FLAGS),
        ("sync --no-group dev", {}, FLAGS),
        ("sync --no-default-groups", {}, FLAGS),
        ("sync", {"environ": {"UV_NO_DEFAULT_GROUPS": "1"}}, FLAGS),
        (
            "sync",
            {"text": TEXT, "environ": {"UV_NO_GROUP": "docs nowhere torch-cpu"}},
            f"{FLAGS} --no-group docs",
        ),
        ("sync --no-group dev", {"environ": {"UV_NO_GROUP": "docs"}}, FLAGS),
        ("sync", {"text": NONE.replace('"cpu", ', "")}, "--no-group torch-cu126 --no-group torch-cu130"),
    ],
)
def test_by_flags(tmp_path: Path, words: str, how: dict[str, str], flags: str) -> None:
    found = chosen(tmp_path, words, **how)  # type: ignore[arg-type]
    assert (" ".join(found.flags), dict(found.variables)) == (flags, {})


def test_groups_that_the_user_refuses_are_merged(tmp_path: Path) -> None:
    """Without those that uv would stop at, and without an earlier choice among ours."""
    environ = {"UV_NO_GROUP": "docs torch-cpu nowhere dev docs"}
    found = chosen(tmp_path, "sync", environ=environ)
    assert found.variables == {"UV_NO_GROUP": f"docs dev {VARIABLE}"}
