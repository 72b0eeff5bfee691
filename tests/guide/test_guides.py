"""The guides: their commands are run, their tables are the code's, their messages are real."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import guides as made
from tests.conftest import MakeProject
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
from torchsel.commands.help import for_terminal
from torchsel.commands.parser import build_parser
from torchsel.config.keys import parse_config
from torchsel.uv.call import HOOKED_COMMANDS
from torchsel.verify.messages import Verdict, find_message

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
    "packages": Scene(pyproject=PROJECT + blocks_in(guide("packages"), "toml")[0]),
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
            there = (ROOT / "tests" / COVERED[f"{topic} {language}"]).read_text(encoding="utf-8")
            assert re.search(rf'(guide|recipe)\("{topic}"|\("{topic}", "[^"]+", "{language}"', there)


def test_nothing_is_covered_that_is_not_there() -> None:
    assert set(COVERED) <= {f"{topic} {language}" for topic in TOPICS for language, _ in blocks(guide(topic))}


@pytest.mark.parametrize("topic", TOPICS)
def test_toml_is_legal(topic: str) -> None:
    for block in blocks_in(guide(topic), "toml"):
        table: dict[str, Any] | None = tomllib.loads(block).get("tool", {}).get("torchsel")
        if table is not None:
            parse_config(table, where=f"{topic}.md")


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


FIVE = {
    "flash-attn with CUDA 12.8": ("h200", "torch 2.11.0+cu128, flash-attn 2.8.3+cu.12.8.torch.2.11"),
    "vLLM": ("h200", "torch 2.14.0+cu130, vllm 0.33.0"),
    "xformers": ("h200", "torch 2.15.0+cu130, xformers 0.0.35+cu130"),
    "CuPy or JAX": ("gtx1080ti", "torch 2.14.1+cu126, cupy-cuda12x 13.6.0, jax-cuda12-plugin 0.9.0"),
    "ONNX Runtime": ("cpu", "torch 2.15.0+cpu, onnxruntime 1.31.0"),
}
"""What people ask for most: a machine, and what it has then."""


def packages_project(toml: str) -> str:
    """The guide's table with the keys that it leaves out."""
    return toml.replace("[project]\n", PROJECT.partition("dependencies")[0])


@pytest.mark.parametrize("wanted", FIVE)
def test_the_five_that_people_ask_for(project: MakeProject, hosts: dict[str, Path], wanted: str) -> None:
    """Each as the guide writes it: locked, installed, checked and locked for another time."""
    _, _, rest = guide("packages").partition(f"\n### {wanted}\n")
    [toml, *_] = blocks_in(rest, "toml")
    host, expected = FIVE[wanted]
    demo = project(packages_project(toml), env={"TORCHSEL_HOST": str(hosts[host])})
    demo.torchsel("sync")
    names = [item.split()[0] for item in expected.split(", ")]
    assert ", ".join(f"{name} {demo.installed(name)}" for name in names) == expected
    demo.torchsel("check", "--host", str(hosts[host]))
    demo.torchsel("sync", "--locked")


def test_there_are_five() -> None:
    assert re.findall(r"^### (.*)$", guide("packages"), re.MULTILINE) == list(FIVE)


def test_vllm_is_from_the_index_that_was_named(project: MakeProject, hosts: dict[str, Path]) -> None:
    toml = blocks_in(guide("packages").partition("\n### vLLM\n")[2], "toml")[0]
    demo = project(packages_project(toml), env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    entry = (demo.root / "uv.lock").read_text().partition('name = "vllm"\nversion = "0.33.0"\n')[2]
    assert entry.startswith(f'source = {{ registry = "{demo.env["TORCHSEL_COMPANION_URL"]}/cu130')


def test_vllm_without_it_and_what_is_said(project: MakeProject, hosts: dict[str, Path]) -> None:
    toml = blocks_in(guide("packages").partition("\n### vLLM\n")[2], "toml")[0]
    text = packages_project(toml).replace('companions = ["vllm"]\n', "")
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    told = demo.torchsel("sync")
    assert (
        "vllm on uv's default index is built for CUDA 13 and may not work beside torch for cu126" in told.err
    )
    assert demo.installed("torch") == "2.14.0+cu126"
    assert "vllm is known to go with torch<=2.14.0" in demo.torchsel("status").out


def test_a_script_with_a_companion(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project("")
    demo.pyproject.unlink()
    [script] = [text for text in blocks_in(guide("scripts"), "python") if "companions" in text]
    (demo.root / "attend.py").write_text(script, encoding="utf-8")
    for host, expected in (
        ("h200", "2.14.1+cu132 2.8.3+cu.13.2.torch.2.14\n"),
        ("gtx1080ti", "2.14.1+cu126 2.8.3+cu.12.6.torch.2.14\n"),
    ):
        demo.env["TORCHSEL_HOST"] = str(hosts[host])
        assert demo.torchsel("run", "attend.py").out == expected
    assert (demo.root / "attend.py").read_text(encoding="utf-8") == script


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
    one_call, one_shell = blocks_in(guide("undoing"), "sh")[0].splitlines()
    demo.run("bash", "-c", one_call)
    demo.run("bash", "-c", f"{one_shell}; torchsel sync")
    assert demo.text() == TABLE
    assert demo.installed("torch") == "2.15.0"


def test_the_program_and_its_records_go(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TABLE, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    del demo.env["XDG_CACHE_HOME"]
    demo.env["HOME"] = str(demo.root.parent)
    demo.run("bash", "-c", "torchsel -q")
    records = demo.root.parent / ".cache" / "torchsel"
    assert records.is_dir()
    uninstall, remove = blocks_in(guide("undoing"), "sh")[1].splitlines()
    assert uninstall == "uv tool uninstall torchsel", "tests/test_readme.py runs it"
    demo.run("bash", "-c", remove)
    assert not records.exists()


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


@pytest.mark.parametrize("topic", TOPICS)
def test_on_a_terminal_tables_are_lists(topic: str) -> None:
    """Nothing is lost but the lines of tables, and no line is wider than a terminal's."""
    text = guide(topic)
    shown = for_terminal(text, 80)
    assert not [line for line in shown.splitlines() if line.startswith("|")]
    lines = [line for line in text.splitlines() if not line.startswith(("|-", "<!--"))]
    cells = [
        re.sub(r"(?<!\\) \| ", " ", line.strip("| ")) if line.startswith("| ") else line for line in lines
    ]
    assert shown.split() == " ".join(cells).split()
    for line in re.sub(r"^```.*?^```$", "", shown, flags=re.DOTALL | re.MULTILINE).splitlines():
        assert len(line) <= 100


def test_a_terminal_is_told_from_a_pipe(project: MakeProject) -> None:
    demo = project("")
    command = [sys.executable, "-m", "torchsel", "help", "configuration"]
    script = f"import pty, sys; sys.exit(pty.spawn({command}))"
    assert "| `backend`" in demo.run(*command).out
    shown = demo.run(sys.executable, "-c", script).out.replace("\r", "")
    assert '\n`backend`  `"auto"`\n    the backend asked for: ' in shown


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


def test_the_commands_of_the_shell_function_are_named() -> None:
    sentence = guide("shells").partition("goes through torchsel for")[2].partition("in projects")[0]
    assert tuple(re.findall(r"`([a-z]+)`", sentence)) == HOOKED_COMMANDS
