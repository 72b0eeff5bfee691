"""``torchsel env`` evaluated by real shells and direnv, and then plain uv."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import MakeProject
from tests.support.exploring import explored
from tests.support.pages import recipe
from tests.support.shells import SHELLS, Shell
from tests.support.toolbox import OLDEST_UV, Project
from torchsel.shells import SHELLS as ROWS

GROUPS = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[dependency-groups]
dev = ["numberkit"]
docs = ["testkit"]

[tool.torchsel]
strategy = "groups"
backends = ["cpu", "cu126", "cu130", "rocm7.2"]
default-backend = "none"
"""
ENVRC = recipe("shells", "direnv", "sh")

every_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)


@pytest.fixture
def team(project: MakeProject, hosts: dict[str, Path]) -> Project:
    """A project with a group for each backend, locked, on a GTX 1080 Ti."""
    demo = project(GROUPS, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel()
    demo.uv("lock")
    return demo


@every_shell
def test_plain_uv_is_right_with_it_and_refuses_without(team: Project, shell: Shell) -> None:
    refused = team.uv("sync", "--locked", code=2)
    assert "incompatible with the conflicts" in refused.err
    before = team.text(), (team.root / "uv.lock").read_bytes()
    env = shell.eval(f"torchsel env --shell {shell.name}")
    show = "uv run --locked python -c 'import torch; print(torch.__version__)'\n"
    ran = shell.run(team, f"{env}uv sync --locked\n{show}uv export --locked -q\n")
    version, *exported = ran.out.splitlines()
    assert version == team.installed("torch") == "2.14.1+cu126"
    assert any(line.startswith("torch==2.14.1+cu126") for line in exported)
    assert team.installed("numberkit"), "the dev group stays"
    assert (team.text(), (team.root / "uv.lock").read_bytes()) == before


def test_it_follows_the_machine(team: Project, hosts: dict[str, Path]) -> None:
    for host, group in {"h200": "torch-cu130", "rx7900": "torch-rocm7-2", "cpu": "torch-cpu"}.items():
        line = team.torchsel("--host", str(hosts[host]), "env").out
        name, _, value = line.strip().removeprefix("export ").partition("=")
        assert name == "UV_NO_GROUP"
        assert set(value.strip("'").split()) == {
            *("torch-cpu", "torch-cu126", "torch-cu130", "torch-rocm7-2")
        } - {group}


def test_groups_refused_already_stay_refused(team: Project) -> None:
    team.env["UV_NO_GROUP"] = "docs  Torch_CU126 elsewhere docs"
    told = team.torchsel("env")
    assert told.out == "export UV_NO_GROUP='docs torch-cpu torch-cu130 torch-rocm7-2'\n"
    assert told.err == "torchsel: UV_NO_GROUP: elsewhere left out, no group of this project\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('strategy = "groups"', ""), "nothing to set: the routing is in pyproject.toml"),
        (("[tool.torchsel]", "[tool.other]"), "nothing to set: there is no [tool.torchsel] here"),
        (('strategy = "groups"', 'strategy = "extras"'), "nothing to set: uv has no variable for extras"),
        (
            ('default-backend = "none"', ""),
            "nothing to set: plain uv chooses by UV_NO_GROUP only with default-backend = 'none',"
            " and here it is 'pypi'; use 'torchsel uv' or the shell hook",
        ),
    ],
)
def test_where_there_is_nothing_to_set_it_says_why(
    project: MakeProject, hosts: dict[str, Path], change: tuple[str, str], said: str
) -> None:
    text = GROUPS.replace(*change)
    if "strategy" in change[0]:
        text = text.replace('default-backend = "none"', "")
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    told = demo.torchsel("env")
    assert told.out == ""
    assert said in told.err
    assert demo.torchsel("-q", "env").err == ""


def test_what_is_wrong_with_the_choice_is_said(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(GROUPS.replace('"cu126", ', ""), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    told = demo.torchsel("env")
    assert told.out == "export UV_NO_GROUP='torch-cu130 torch-rocm7-2'\n"
    assert "add 'cu126' to tool.torchsel.backends" in told.err


def test_a_uv_that_does_not_read_the_variable_is_told(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(GROUPS, uv_version=OLDEST_UV, env={"TORCHSEL_HOST": str(hosts["cpu"])})
    assert (
        f"uv {OLDEST_UV} does not read UV_NO_GROUP; update it to 0.9.8 or newer" in demo.torchsel("env").err
    )
    demo.env["PATH"] = "/nonexistent"
    missing = demo.torchsel("env")
    assert "uv was not found" in missing.err
    assert "UV_NO_GROUP" in missing.out


PRINT = {
    "bash": "printf '%s\\0' \"$UV_NO_GROUP\"\n",
    "zsh": "printf '%s\\0' \"$UV_NO_GROUP\"\n",
    "fish": "printf '%s\\0' $UV_NO_GROUP\n",
}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
NASTY = [
    "",
    "'",
    "\\",
    "\\'",
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    "a\nb",
    "%s\\n",
    "-n",
    "ü\u2019\u2018",
]


@every_shell
@settings(max_examples=explored(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(TEXT | st.sampled_from(NASTY), min_size=1, max_size=40))
def test_no_value_can_inject(project: MakeProject, shell: Shell, values: list[str]) -> None:
    demo = project(GROUPS)
    lines = [ROWS[shell.name].assigned("UV_NO_GROUP", value) for value in [*values, *NASTY]]
    script = "".join(f"{line}\n{PRINT[shell.name]}" for line in lines)
    file = demo.root / "script"
    file.write_bytes(script.encode())
    command = [shell.program, *shell.clean, str(file)]
    ran = subprocess.run(command, cwd=demo.root, env=demo.env, stdout=subprocess.PIPE, check=True)
    assert ran.stdout.decode().split("\0")[:-1] == [*values, *NASTY]
    assert not (demo.root / "pwned").exists()


def test_powershell_quotes() -> None:
    assert (
        ROWS["powershell"].assigned("UV_NO_GROUP", "a'b\u2019c $(x)")
        == "$env:UV_NO_GROUP = 'a''b\u2019\u2019c $(x)'"
    )


def test_in_a_members_folder_it_sets_nothing_and_says_what_to_use(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    root = GROUPS + '\n[tool.uv.workspace]\nmembers = ["train"]\n'
    demo = project(root, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    member = project(GROUPS.partition("\n[dep")[0].replace("demo", "train"), name="demo/train")
    demo.torchsel("lock")
    told = demo.torchsel("env", cwd=member.root)
    assert told.out == ""
    assert "in the folder of a workspace's member plain uv takes no group of the root" in told.err
    demo.torchsel("sync", "--locked", cwd=member.root)
    assert demo.installed("torch") == "2.14.1+cu126"
    assert "UV_NO_GROUP" in demo.torchsel("env").out


def test_direnv(team: Project) -> None:
    program = shutil.which("direnv")
    if program is None:
        pytest.skip("direnv is not installed; on Debian: apt install direnv")
    (team.root / ".envrc").write_text(ENVRC)
    team.run(program, "allow")
    team.run(program, "exec", ".", "uv", "sync", "--locked")
    assert team.installed("torch") == "2.14.1+cu126"
    exported = team.run(program, "export", "bash").out
    assert "torch-cu130" in exported
    assert "torch-cu126" not in exported
