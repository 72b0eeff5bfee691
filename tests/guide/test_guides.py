"""The guides: their commands are run, their tables are the code's, their messages are real."""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scripts import guides as made
from tests.support.pages import (
    GUIDES,
    TOPICS,
    blocks,
    blocks_in,
    column,
    console,
    guide,
    readme,
    recipe,
    section,
)
from tests.support.stage import PROJECT, TABLE, Scene, set_stage
from tests.support.toolbox import ROOT
from torchsel.commands import ROWS
from torchsel.commands.parser import build_parser
from torchsel.config.keys import KEYS, parse_config
from torchsel.verify.messages import find_message
from torchsel.verify.values import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeProject

GROUPS = f"""{TABLE}strategy = "groups"
backends = ["cpu", "cu126", "cu130"]
default-backend = "none"
"""
LOCKED = ("torchsel", "uv lock")
ENVIRONMENT = blocks_in(guide("slurm"), "toml")[0].splitlines()[1]
SCENES = {
    "bots": Scene(pyproject=GROUPS, ready=LOCKED),
    "catalog": Scene(ready=("torchsel sync",)),
    "ci": Scene(pyproject=GROUPS, ready=LOCKED),
    "clusters": Scene(pyproject=PROJECT + blocks_in(guide("clusters"), "toml")[0]),
    "dask": Scene(pyproject=GROUPS, ready=LOCKED),
    "kubernetes": Scene(pyproject=PROJECT, ready=("rm -r hosts",)),
    "ray": Scene(
        pyproject=f"{GROUPS}{ENVIRONMENT}\n",
        ready=LOCKED,
        files={"driver.py": "import torch\n"},  # tests/integration/test_ray.py has one of Ray's
    ),
    "scripts": Scene(files={"train.py": blocks_in(guide("scripts"), "python")[0]}),
    "slurm": Scene(
        pyproject=PROJECT,
        ready=("rm -r hosts",),
        before={
            "uv lock": f"sed -i 's/^.tool.torchsel.$/&\\n{ENVIRONMENT}/' pyproject.toml",
            "srun torchsel verify": "torchsel sync --locked",
        },
    ),
    "strategy": Scene(pyproject=PROJECT),
    "troubleshooting": Scene(before={"torchsel verify": "torchsel sync"}),
}
"""Scenes of guides that the ordinary one does not fit."""

COVERED = {
    "ci yaml": "integration/test_tools.py",
    "dask python": "guide/test_guides.py",
    "images dockerfile": "integration/test_tools.py",
    "images json": "guide/test_guides.py",
    "kubernetes yaml": "guide/test_guides.py",
    "pre-commit sh": "integration/test_precommit.py",
    "pre-commit yaml": "integration/test_precommit.py",
    "ray sh": "integration/test_ray.py",
    "bots yaml": "guide/test_guides.py",
    "bots json": "guide/test_guides.py",
    "scripts python": "guide/test_guides.py",
    "shells powershell": "integration/test_shells.py",
    "shells sh": "integration/test_shells.py",
    "slurm sh": "guide/test_guides.py",
    "tasks json": "integration/test_tools.py",
    "tasks just": "integration/test_tools.py",
    "tasks make": "integration/test_tools.py",
    "tasks python": "integration/test_tools.py",
    "undoing sh": "guide/test_guides.py",
}
"""Blocks that are no commands to type: guide and language, and where they are tested; TOML always is here."""


def test_there_are_guides_and_scenes_are_theirs() -> None:
    assert len(TOPICS) >= 20
    assert set(SCENES) <= set(TOPICS)


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if console(guide(topic))])
def test_its_commands_work_in_their_order(project: MakeProject, hosts: dict[str, Path], topic: str) -> None:
    scene = SCENES.get(topic, Scene())
    demo = project(scene.pyproject, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    set_stage(demo, scene)
    for command in console(guide(topic)):
        if command in scene.before:
            demo.run("bash", "-c", scene.before[command])
        demo.run("bash", "-c", command)


@pytest.mark.parametrize("topic", TOPICS)
def test_its_form(topic: str) -> None:
    title, blank, summary, *_ = guide(topic).splitlines()
    assert title.startswith("# ")
    assert not blank
    assert summary.endswith((".", "?"))
    assert len(f"  {topic:15}  {summary}") <= 80
    prose = re.sub(r"^```.*?^```$", "", guide(topic), flags=re.DOTALL | re.MULTILINE)
    assert max(len(line) for line in prose.splitlines() if not line.startswith("|")) <= 100


@pytest.mark.parametrize("topic", TOPICS)
def test_its_blocks_are_tested_somewhere(topic: str) -> None:
    for language, _ in blocks(guide(topic)):
        if language not in ("console", "toml"):
            assert (ROOT / "tests" / COVERED[f"{topic} {language}"]).is_file()


def test_nothing_is_covered_that_is_not_there() -> None:
    assert set(COVERED) <= {f"{topic} {language}" for topic in TOPICS for language, _ in blocks(guide(topic))}


@pytest.mark.parametrize("topic", TOPICS)
def test_toml_is_legal(topic: str) -> None:
    for block in blocks_in(guide(topic), "toml"):
        table: dict[str, Any] | None = tomllib.loads(block).get("tool", {}).get("torchsel")
        if table is not None:
            known = {key: value for key, value in table.items() if key in KEYS}
            assert {"also", "companions"} >= table.keys() - known.keys()
            parse_config(known, where=f"{topic}.md")


@pytest.mark.parametrize("topic", TOPICS)
def test_what_it_names_is_there(topic: str) -> None:
    text = guide(topic)
    assert set(re.findall(r"`torchsel help ([a-z-]+)`", text)) <= set(TOPICS)
    for path in re.findall(r"`(scripts/[\w./]+)`", text):
        assert (ROOT / path).is_file()
    named = re.findall(r"`torchsel ([a-z][a-z-]*)", re.sub(r"`torchsel\.", "", text))
    assert set(named) <= ROWS.keys()


def test_made_parts_are_the_codes() -> None:
    for path, text in made.made().items():
        assert path.read_text(encoding="utf-8") == text, "run scripts/guides.py"


def test_every_command_and_common_option_is_listed() -> None:
    text = guide("commands")
    [choices] = [
        item.choices for item in build_parser()._actions if isinstance(item, argparse._SubParsersAction)
    ]
    listed = re.findall(r"`(?:torchsel )?([a-z]+)\b", " ".join(column(text, 0)))
    assert set(listed) - {"torchsel"} == set(choices)
    assert all(f"`{option}" in text for option in ("--project", "--no-cache", "-q", "-v"))


def test_every_variable_is_explained() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "hook").rglob("*")
        if path.suffix in (".py", ".bash")
    )
    used = set(re.findall(r"\bTORCHSEL_[A-Z_]+[A-Z]\b", source))
    listed = set(re.findall(r"^\| `(TORCHSEL_[A-Z_]+)`", guide("configuration"), re.MULTILINE))
    assert used == listed


def test_every_verdict_is_explained() -> None:
    verdicts = Verdict.__args__  # type: ignore[attr-defined]
    assert tuple(word.strip("`") for word in column(guide("verify"), 0)) == verdicts


@pytest.mark.parametrize("page", ["README", "troubleshooting"])
def test_pytorchs_messages_are_understood(page: str) -> None:
    text = readme() if page == "README" else guide(page)
    rows = column(section(text, "The message you searched for" if page == "README" else "PyTorch says"), 0)
    assert len(rows) >= 5
    assert [row for row in rows if find_message(row) is None] == []


NONE = f'{TABLE}strategy = "groups"\ndefault-backend = "none"\n'
CARD = "torchsel -q --backend cu126"
MESSAGES = {
    "no [tool.torchsel]": ("torchsel", 2, PROJECT),
    "torch is not routed yet": ("torchsel check", 1, TABLE),
    "tool.uv.index[0].explicit": (
        f"{CARD}; sed -i s/explicit/other/ pyproject.toml; torchsel check",
        1,
        TABLE,
    ),
    "unknown key": ("torchsel", 2, f'{TABLE}strateg = "pin"\n'),
    "has no build that fits": ("uv lock && torchsel", 0, TABLE),
    "which is not what is routed": (f"{CARD}; uv lock; torchsel --backend cpu sync --locked", 0, TABLE),
    "CI without a usable GPU": (f"{CARD}; CI=true TORCHSEL_HOST= CUDA_VISIBLE_DEVICES=-1 torchsel", 0, TABLE),
    "are incompatible with the conflicts": ("torchsel; uv sync", 2, NONE),
    "is not defined in the project": ("UV_NO_GROUP=torch-cpu uv sync", 2, PROJECT),
    "no such file": ("TORCHSEL_HOST=/nowhere.json torchsel", 2, TABLE),
    "uv was not found on PATH": ('it="$(command -v torchsel)"; PATH=/nowhere "$it" sync', 3, TABLE),
}
"""Each row of torchsel's and uv's messages: a command that says so, its exit code and the project."""


@pytest.mark.parametrize("beginning", MESSAGES)
def test_messages_are_real(project: MakeProject, hosts: dict[str, Path], beginning: str) -> None:
    table = section(guide("troubleshooting"), "torchsel and uv say")
    rows = [row for row in column(table, 0) if beginning in row]
    assert len(rows) == 1
    message = rows[0].removesuffix(" (uv)").strip("`")
    command, code, text = MESSAGES[beginning]
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    assert message in demo.run("bash", "-c", command, code=code).err


def test_no_message_is_left_out() -> None:
    assert len(column(section(guide("troubleshooting"), "torchsel and uv say"), 0)) == len(MESSAGES)


def test_a_job_script_of_slurm(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(GROUPS, env={"TORCHSEL_HOST": str(hosts["h200"])})
    set_stage(demo, Scene(ready=LOCKED))
    [script] = blocks_in(guide("slurm"), "sh")
    assert demo.run("bash", "-c", script).out == "2.15.0+cu130\n"


def test_a_pod_of_kubernetes(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(GROUPS, env={"TORCHSEL_HOST": str(hosts["h200"])})
    set_stage(demo, Scene(ready=LOCKED))
    [pod] = blocks_in(guide("kubernetes"), "yaml")
    [container] = yaml.safe_load(pod)["containers"]
    assert demo.run(*container["command"]).out == "2.15.0+cu130\n"


def test_a_dev_container(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TABLE, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.run("bash", "-c", json.loads(recipe("images", "Dev containers", "json"))["postCreateCommand"])
    assert demo.installed("torch") == "2.14.1+cu126"


def test_bots_could_read_their_files() -> None:
    [update] = yaml.safe_load(recipe("bots", "Dependabot", "yaml"))["updates"]
    assert update["package-ecosystem"] == "uv"
    [rule] = json.loads(recipe("bots", "Renovate", "json"))["packageRules"]
    assert update["groups"]["torch"]["patterns"] == rule["matchPackageNames"]


@pytest.mark.parametrize(("strategy", "locked"), [("pin", ["2.14.1+cu126"]), ("groups", None)])
def test_what_an_update_bot_does(
    project: MakeProject, hosts: dict[str, Path], strategy: str, locked: list[str] | None
) -> None:
    demo = project(f'{TABLE}strategy = "{strategy}"\n', env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.run("bash", "-c", "torchsel && uv lock")
    del demo.env["TORCHSEL_HOST"]
    before = demo.locked("torch")
    demo.run("bash", "-c", "uv lock --upgrade")
    assert demo.locked("torch") == before
    assert locked is None or set(locked) <= set(before)


def test_plain_uv_for_one_call(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TABLE, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    one_call, *_ = blocks_in(guide("undoing"), "sh")[0].splitlines()
    demo.run("bash", "-c", one_call)
    assert demo.text() == TABLE
    assert demo.installed("torch") == "2.15.0"


def test_the_launcher_of_dask_is_a_command(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(GROUPS, env={"TORCHSEL_HOST": str(hosts["h200"])})
    set_stage(demo, Scene(ready=LOCKED))
    [code] = blocks_in(guide("dask"), "python")
    [launcher] = re.findall(r'python="([^"]+)"', code)
    assert demo.run("bash", "-c", f"{launcher} train.py").out == "2.15.0+cu130\n"


def test_they_are_printed(project: MakeProject) -> None:
    demo = project("")
    demo.pyproject.unlink()
    listed = demo.torchsel_inprocess("help")
    assert (listed.code, listed.err) == (0, "")
    assert re.findall(r"^  ([a-z-]+)  ", listed.out, re.MULTILINE) == TOPICS
    for topic in TOPICS:
        shown = demo.torchsel_inprocess("help", topic)
        assert (shown.code, shown.out, shown.err) == (0, (GUIDES / f"{topic}.md").read_text("utf-8"), "")


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ("slrum", "there is no guide 'slrum'; did you mean 'torchsel help slurm'?"),
        ("Kubernets", "there is no guide 'kubernets'; did you mean 'torchsel help kubernetes'?"),
        ("xyzzy", "there is no guide 'xyzzy'; 'torchsel help' lists them"),
        ("sync", "'sync' is a command: torchsel sync --help"),
        ("../../cli", "there is no guide '../../cli'"),
    ],
)
def test_the_nearest_is_offered(project: MakeProject, topic: str, said: str) -> None:
    told = project("").torchsel_inprocess("help", topic)
    assert (told.code, told.out) == (2, "")
    assert said in told.err
