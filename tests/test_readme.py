"""The README: its commands are run, its tables are the code's, its messages are real."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts import bootstrap
from scripts.pictures import draw as pictures
from tests.support.toolbox import CASES, ROOT, SYSTEM_CERTIFICATES
from torchsel.cli import build_parser, parse_arguments
from torchsel.config.keys import KEYS, parse_config

if TYPE_CHECKING:
    from tests.conftest import MakeProject
    from tests.support.toolbox import Project

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = (
    '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\ndependencies = ["torch"]\n\n'
)
TABLE = f"{PROJECT}[tool.torchsel]\n"


def section(heading: str) -> str:
    """The text below a second-level heading."""
    _, found, text = README.partition(f"\n## {heading}\n")
    assert found, f"README.md has no section {heading!r}"
    return text.partition("\n## ")[0]


def console(heading: str) -> list[str]:
    """The commands of a section, in order."""
    blocks = re.findall(r"```console\n(.*?)```", section(heading), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def column(table: str, at: int) -> list[str]:
    rows = [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in table.splitlines() if row.startswith("| ")]
    return [row[at] for row in rows[1:]]


def shell(project: Project, *commands: str) -> str:
    """Run commands as typed, each with success; what the last one printed."""
    out = ""
    for command in commands:
        out = project.run("bash", "-c", command).out
    return out


NOT_HERE = {"python3 scripts/test.py": "it is what runs this test"}
"""Commands that no test here runs, and why."""


def test_every_console_command_is_run_by_a_test() -> None:
    sections = [name for name in re.findall(r"^## (.*)$", README, re.MULTILINE) if console(name)]
    assert sections == ["See it, test it", "Install", *STARTS, "Where you work"]
    assert all(command in README for command in NOT_HERE)
    assert console("Where you work") == ["validate-pyproject pyproject.toml"], "in test_integration_tools.py"


def test_see_it() -> None:
    command, rest = console("See it, test it")
    assert rest in NOT_HERE
    if bootstrap._stamp() != bootstrap._wanted():
        pytest.skip("the environment in .work is not the one for this pyproject.toml; run scripts/test.py")
    done = subprocess.run(
        [sys.executable, *command.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "torch 2.14.1, torchvision 0.29.1 → cu126 (GTX 1080 Ti" in done.stdout + done.stderr
    assert "torch 2.14.1+cu126" in done.stdout


def test_install(tmp_path: Path) -> None:
    [command] = console("Install")
    # with this process' environment: an index of packages may be known only there
    env = (
        os.environ
        | SYSTEM_CERTIFICATES
        | {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    )
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, check=True, capture_output=True)
    shown = subprocess.run(
        [tmp_path / "bin" / "torchsel", "completion", "bash"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_shtab_torchsel" in shown.stdout
    for words, part in (("schema", '"same-torch"'), ("hook fish", "function uv"), ("--version", "torchsel ")):
        command = f"{tmp_path / 'bin' / 'torchsel'} {words}"
        assert part in subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


def test_one_machine(project: MakeProject, hosts: dict[str, Path]) -> None:
    """From an empty folder to the right torch, with the README's commands alone."""
    *start, _, route, sync, both, run, add = console(STARTS[0])
    assert start == ["uv init", "uv add torch", "torchsel init", "uv sync"]
    demo = project("", env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.pyproject.unlink()
    shell(demo, *start)
    assert demo.installed("torch") == "2.15.0+cu132"
    assert shell(demo, "uv run python -c 'import torch; print(torch.__version__)'").strip() == "2.15.0+cu132"
    demo.torchsel("check")
    demo.env["TORCHSEL_HOST"] = str(hosts["b580"])
    shell(demo, route, sync)
    assert demo.installed("torch") == "2.15.0+xpu"
    demo.env["TORCHSEL_HOST"] = str(hosts["cpu"])
    shell(demo, both)
    assert shell(demo, run).strip() == demo.installed("torch") == "2.15.0+cpu"
    shell(demo, add)
    assert (demo.installed("torchvision") or "").endswith("+cpu")


def test_one_machine_with_an_old_card(project: MakeProject, hosts: dict[str, Path]) -> None:
    uv_init, uv_add, init, sync, give_way, *_ = console(STARTS[0])
    demo = project("", env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.pyproject.unlink()
    shell(demo, uv_init, uv_add)
    told = demo.run("bash", "-c", init).err
    assert "the last is 2.14.1 with cu126: require torch<2.15" in told
    shell(demo, sync, give_way)
    assert demo.installed("torch") == "2.14.1+cu126"


def test_a_team(project: MakeProject, hosts: dict[str, Path]) -> None:
    [table] = re.findall(r"```toml\n(.*?)```", section(STARTS[1]), re.DOTALL)
    *lock, add, sync, check, check_words, kubectl, sinfo = console(STARTS[1])
    demo = project(PROJECT + table, env={"TORCHSEL_HOST": str(hosts["h200"])})
    (demo.root / ".gitignore").write_text(".venv/\n")
    (demo.root / "hosts").mkdir()
    for name in ("gtx1080ti", "rx7900", "cpu"):
        shutil.copy(hosts[name], demo.root / "hosts")
    shell(demo, "git init -q", *lock, add, "git add .gitignore hosts", f"git {IDENTITY} commit -q -m team")
    for host, local in {"gtx1080ti": "cu126", "rx7900": "rocm7.2", "cpu": "cpu", "h200": "cu130"}.items():
        demo.env["TORCHSEL_HOST"] = str(hosts[host])
        shell(demo, sync)
        assert (demo.installed("torch") or "").endswith(f"+{local}")
        assert shell(demo, "git status --porcelain") == ""
    assert [line[:4] for line in shell(demo, check).splitlines()] == ["ok  "] * 3
    assert [line[:4] for line in shell(demo, check_words).splitlines()] == ["ok  "] * 4
    for command, case in ((kubectl, "kubernetes-nvidia"), (sinfo, "slurm")):
        stand_in(demo, command.split()[0], CASES / "inventories" / f"{case}.in")
        shell(demo, command)
    assert {"v100x4-driver570.json", "cpu.json"} <= {path.name for path in (demo.root / "hosts").iterdir()}


def stand_in(demo: Project, name: str, prints: Path) -> None:
    """A program of this name that prints a file, whatever its arguments."""
    folder = demo.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\nexec cat {prints}\n", encoding="utf-8")
    (folder / name).chmod(0o755)
    demo.env["PATH"] = f"{folder}:{demo.env['PATH'].removeprefix(f'{folder}:')}"


STARTS = ["Quick start: one machine", "Quick start: a team"]
IDENTITY = "-c user.name=Test -c user.email=test@example.org"


def test_the_configuration_reference_is_the_codes() -> None:
    rows = []
    for name, key in KEYS.items():
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        shown = "none" if default is None else f"`{json.dumps(default)}`"
        rows.append(f"| `{name}` | {shown} | {key.doc} |")
    _, _, rest = README.partition("<!-- keys: start -->\n")
    assert rest.partition("<!-- keys: end -->")[0].splitlines()[2:] == rows


def test_every_command_and_common_option_is_in_the_table() -> None:
    [choices] = [
        item.choices for item in build_parser()._actions if isinstance(item, argparse._SubParsersAction)
    ]
    listed = re.findall(r"`(?:torchsel )?([a-z]+)\b", " ".join(column(section("Commands"), 0)))
    assert set(listed) - {"torchsel"} == set(choices)
    assert all(f"`{option}" in section("Commands") for option in ("--project", "--no-cache", "-q", "-v"))


def test_every_variable_is_explained() -> None:
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "hook").rglob("*")
        if path.suffix in (".py", ".bash")
    )
    used = set(re.findall(r"\bTORCHSEL_[A-Z_]+[A-Z]\b", source))
    assert used == set(re.findall(r"^\| `(TORCHSEL_[A-Z_]+)`", README, re.MULTILINE))


def test_toml_examples_are_legal() -> None:
    for block in re.findall(r"```toml\n(.*?)```", README, re.DOTALL):
        table = tomllib.loads(block).get("tool", {}).get("torchsel")
        if table is not None:
            parse_config(table, where="README.md")


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", name.lower()).replace(" ", "-")
        for name in re.findall(r"^##+ (.*)$", README, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file()


def test_the_pictures_are_what_torchsel_prints() -> None:
    for name, lines in pictures.record().items():
        drawn = (ROOT / "scripts" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
        assert drawn == pictures.draw(pictures.SESSIONS[name][0], lines), "run scripts/pictures/draw.py"


def test_examples_in_help_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    examples = re.findall(r"^  (torchsel.*?)(?:  .*)?$", capsys.readouterr().out, re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        assert parse_arguments(example.partition(" > ")[0].split()[1:]).command


NONE = f'{TABLE}strategy = "groups"\ndefault-backend = "none"\n'
CARD = "torchsel -q --backend cu126"
MESSAGES = {
    "no [tool.torchsel]": ("torchsel", 2, PROJECT),
    "torch is not routed yet": ("torchsel check", 1, TABLE),
    "tool.uv.index.0.explicit": (
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
"""Each row of the troubleshooting table: a command that says so, its exit code and the project."""


@pytest.mark.parametrize("beginning", MESSAGES)
def test_messages_are_real(project: MakeProject, hosts: dict[str, Path], beginning: str) -> None:
    rows = [row for row in column(section("Troubleshooting"), 0) if beginning in row]
    assert len(rows) == 1
    message = rows[0].removesuffix(" (uv)").strip("`")
    command, code, text = MESSAGES[beginning]
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    assert message in demo.run("bash", "-c", command, code=code).err


def test_no_message_is_left_out() -> None:
    assert len(column(section("Troubleshooting"), 0)) == len(MESSAGES)
