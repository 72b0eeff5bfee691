"""An environment for each build: several machines on one checkout, with real uv on the loopback index."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.toolbox import Project, World, host_files
from torchsel.project.environment import installed_version

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[dependency-groups]
dev = ["testkit"]
docs = ["webkit9"]

[tool.torchsel]
"""
PLACE = 'environment = ".venv-{backend}"\n'
GROUPS = f'{HEAD}strategy = "groups"\nbackends = ["cpu", "cu126", "cu132"]\n'
TEAM = f'{GROUPS}default-backend = "none"\n{PLACE}'
GUIDE = f"""\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = []

[project.optional-dependencies]
cpu = ["torch"]
gpu = ["torch"]

[tool.torchsel]
strategy = "adopted"
{PLACE}
[tool.uv]
conflicts = [[{{ extra = "cpu" }}, {{ extra = "gpu" }}]]

[tool.uv.sources]
torch = [{{ index = "c", extra = "cpu" }}, {{ index = "g", extra = "gpu" }}]

[[tool.uv.index]]
name = "c"
url = "@WHL@/cpu"
explicit = true

[[tool.uv.index]]
name = "g"
url = "@WHL@/cu126"
explicit = true
"""
OLD, NEW, NONE = (str(host_files()[name]) for name in ("gtx1080ti", "h200", "cpu"))
BUILDS = {OLD: "2.14.1+cu126", NEW: "2.15.0+cu132", NONE: "2.15.0+cpu"}
PLACES = {OLD: ".venv-cu126", NEW: ".venv-cu132", NONE: ".venv-cpu"}
LAST_WITHOUT = "0.9.7"
"""The last uv that does not read UV_NO_GROUP."""

SHOW = "import torch; print(torch.__version__)"
ASLEEP = """\
import pathlib, sys, time
pathlib.Path(sys.argv[1]).touch()
while not pathlib.Path(sys.argv[2]).exists():
    time.sleep(0.05)
import torch
print(torch.__version__)
"""


@pytest.fixture
def team(project: MakeProject) -> Project:
    """Groups that choose by environment, locked and committed."""
    demo = project(TEAM)
    demo.torchsel("--host", NONE)
    demo.uv("lock")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        demo.run("git", "-c", "user.name=a", "-c", "user.email=a@a", *words)
    return demo


def torch_in(demo: Project, name: str) -> str | None:
    return installed_version(demo.root / name, "torch")


def on(demo: Project, host: str, *words: str, code: int = 0) -> str:
    demo.env["TORCHSEL_HOST"] = host
    return demo.torchsel(*words, code=code).out.strip()


def test_a_sync_leaves_what_another_machine_runs_alone(team: Project, tmp_path: Path) -> None:
    awake, end = tmp_path / "awake", tmp_path / "end"
    sleeper = subprocess.Popen(
        [*(sys.executable, "-m", "torchsel", "run", "--locked", "python", "-c", ASLEEP), awake, end],
        cwd=team.root,
        env={**team.env, "TORCHSEL_HOST": OLD},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not awake.exists():
        assert sleeper.poll() is None
        time.sleep(0.05)
    on(team, NEW, "sync", "--locked")
    assert on(team, NEW, "run", "--locked", "python", "-c", SHOW) == BUILDS[NEW]
    end.touch()
    assert sleeper.communicate(timeout=60)[0].strip() == BUILDS[OLD]
    assert (torch_in(team, PLACES[OLD]), torch_in(team, PLACES[NEW])) == (BUILDS[OLD], BUILDS[NEW])
    assert not (team.root / ".venv").exists()


def test_ten_switches_install_nothing_and_git_is_clean(team: Project) -> None:
    for host in (OLD, NEW):
        on(team, host, "sync", "--locked")
    for host in (OLD, NEW) * 5:
        said = team.torchsel("--host", host, "sync", "--locked").err
        assert not {"Installed", "Uninstalled", "Prepared"} & set(said.split())
        assert torch_in(team, PLACES[host]) == BUILDS[host]
    assert team.run("git", "status", "--porcelain").out == ""


def test_status_lists_each_environment(team: Project) -> None:
    for host in (OLD, NEW):
        on(team, host, "sync", "--locked")
    found = json.loads(on(team, NEW, "status", "--json"))
    assert found["environments"] == [
        {"path": ".venv-cu132", "torch": BUILDS[NEW]},
        {"path": ".venv-cu126", "torch": BUILDS[OLD]},
    ]
    assert (found["environment"], found["installed"], found["warnings"]) == (".venv-cu132", BUILDS[NEW], [])
    page = on(team, NEW, "status")
    assert f"env      .venv-cu132: torch {BUILDS[NEW]}" in page
    assert f"others: .venv-cu126 (torch {BUILDS[OLD]})" in page
    assert BUILDS[OLD] in on(team, OLD, "verify", "--json"), "verify looks at this machine's"


def test_what_uv_starts_keeps_the_choice(team: Project) -> None:
    nested = ("run", "--locked", "uv", "run", "--locked", "python", "-c", SHOW)
    for host in (OLD, NEW, OLD):
        assert on(team, host, *nested) == BUILDS[host]
    for name in (PLACES[OLD], PLACES[NEW]):
        assert torch_in(team, name) is not None
    on(team, OLD, "run", "--locked", sys.executable, "-m", "torchsel", "--host", NONE, "sync", "--locked")
    assert torch_in(team, PLACES[NONE]) == BUILDS[NONE], "a torchsel further in decides anew"
    assert torch_in(team, PLACES[OLD]) == BUILDS[OLD]


def test_another_project_further_in(team: Project, project: MakeProject) -> None:
    other = project(HEAD.partition("[tool.torchsel]")[0], name="other", env=team.env)
    inside = ("run", "--locked", "env", "-C", str(other.root))
    assert "not defined in the project" in team.torchsel("--host", OLD, *inside, "uv", "sync", code=2).err
    on(team, OLD, *inside, "-u", "UV_NO_GROUP", "uv", "sync")
    assert torch_in(other, PLACES[OLD]) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="a parent's command line is read from /proc")
def test_uvs_command_line_has_no_group(team: Project) -> None:
    """A program may start others by the command line of the uv above it."""
    show = "import os; print(*open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')[:3])"
    above = on(team, OLD, "run", "--locked", "python", "-c", show)
    assert above == f"{team.binary} run --locked"
    told = on(team, OLD, "run", "--locked", "python", "-c", "import os; print(os.environ['UV_NO_GROUP'])")
    assert told == "torch-cpu torch-cu132"


@pytest.mark.parametrize(
    ("words", "place", "torch", "others"),
    [
        (("--group", "torch-cpu"), ".venv-cpu", "2.15.0+cpu", (True, False)),
        (("--no-group", "dev"), ".venv-cu126", "2.14.1+cu126", (False, False)),
        (("--no-default-groups",), ".venv-cu126", "2.14.1+cu126", (False, False)),
        (("--no-dev", "--group", "docs"), ".venv-cu126", "2.14.1+cu126", (False, True)),
        (("--all-groups",), ".venv-cu126", "2.14.1+cu126", (True, True)),
        (("--only-group", "docs"), ".venv-cu126", None, (False, True)),
        (("--only-group", "torch-cpu"), ".venv-cpu", "2.15.0+cpu", (False, False)),
    ],
    ids=str,
)
def test_flags_of_the_user_win(
    team: Project, words: tuple[str, ...], place: str, torch: str | None, others: tuple[bool, bool]
) -> None:
    on(team, OLD, "sync", "--locked", *words)
    assert torch_in(team, place) == torch
    there = tuple(installed_version(team.root / place, name) is not None for name in ("testkit", "webkit9"))
    assert there == others


def test_groups_that_the_user_refuses_stay_refused(team: Project) -> None:
    team.env["UV_NO_GROUP"] = "dev"
    on(team, OLD, "sync", "--locked")
    assert (torch_in(team, ".venv-cu126"), installed_version(team.root / ".venv-cu126", "testkit")) == (
        BUILDS[OLD],
        None,
    )
    team.pyproject.write_text(team.text().replace('default-backend = "none"\n', ""))
    on(team, OLD, "sync")
    assert (torch_in(team, ".venv-cu126"), installed_version(team.root / ".venv-cu126", "testkit")) == (
        BUILDS[OLD],
        None,
    )


def test_a_uv_too_old_for_the_variable_gets_flags(project: MakeProject) -> None:
    demo = project(TEAM, uv_version=LAST_WITHOUT)
    for host in (OLD, NEW):
        on(demo, host, "sync")
        assert torch_in(demo, PLACES[host]) == BUILDS[host]


@pytest.mark.parametrize("strategy", ["pin", "extras", "groups"])
def test_every_strategy(project: MakeProject, strategy: str) -> None:
    more = "" if strategy == "pin" else 'backends = ["cpu", "cu126", "cu132"]\n'
    demo = project(f'{HEAD}strategy = "{strategy}"\n{more}{PLACE}')
    for host in (OLD, NEW, OLD):
        on(demo, host, "sync")
        version, _, local = (torch_in(demo, PLACES[host]) or "").partition("+")
        assert local == BUILDS[host].partition("+")[2]
        assert strategy == "pin" or version == BUILDS[host].partition("+")[0], "pin has one release for all"
        on(demo, host, "uv", "add", "--dev", "webkit9")
        assert installed_version(demo.root / PLACES[host], "webkit9")
        on(demo, host, "uv", "remove", "--dev", "webkit9")
    assert not (demo.root / ".venv").exists()


def test_adopted(project: MakeProject, index: Index) -> None:
    demo = project(GUIDE.replace("@WHL@", index.whl))
    demo.uv("lock")
    on(demo, OLD, "sync", "--locked")
    on(demo, NONE, "sync", "--locked")
    assert (torch_in(demo, ".venv-cu126"), torch_in(demo, ".venv-cpu")) == (BUILDS[OLD], BUILDS[NONE])
    on(demo, OLD, "sync", "--locked", "--extra", "cpu")
    assert (torch_in(demo, ".venv-cu126"), torch_in(demo, ".venv-cpu")) == (BUILDS[OLD], BUILDS[NONE])


def test_the_users_own_place_wins_and_that_is_said(team: Project) -> None:
    team.env["UV_PROJECT_ENVIRONMENT"] = "own"
    told = team.torchsel("--host", OLD, "sync", "--locked")
    said = "torchsel: UV_PROJECT_ENVIRONMENT is set, so the environment is own, not .venv-cu126"
    assert told.err.splitlines().count(said) == 1
    assert torch_in(team, "own") == BUILDS[OLD]
    assert not (team.root / ".venv-cu126").exists()
    assert said.partition(": ")[2] in json.loads(on(team, OLD, "status", "--json"))["warnings"]


def test_a_place_outside_the_project(team: Project, tmp_path: Path) -> None:
    team.env["TORCHSEL_ENVIRONMENT"] = f"{tmp_path}/envs/{{project}}/{{backend}}"
    on(team, OLD, "sync", "--locked")
    [place] = (tmp_path / "envs").glob("demo-*/cu126")
    assert installed_version(place, "torch") == BUILDS[OLD]
    team.env["TORCHSEL_ENVIRONMENT"] = "{node}"
    assert "TORCHSEL_ENVIRONMENT: {node} is not one of {backend}" in team.torchsel("sync", code=2).err


@pytest.mark.parametrize("lines", ["env", "hook bash"])
def test_plain_uv_in_a_shell(team: Project, lines: str) -> None:
    for host in (OLD, NEW):
        team.env["TORCHSEL_HOST"] = host
        plain = f'uv sync --locked\nuv run --locked python -c "{SHOW}"'
        script = f'eval "$({sys.executable} -m torchsel {lines})"\n{plain}'
        assert team.run("bash", "-ec", script).out.strip() == BUILDS[host]
        assert torch_in(team, PLACES[host]) == BUILDS[host]


def test_env_of_another_machine_is_taken_back(team: Project, project: MakeProject) -> None:
    """A job that was submitted from a shell with torchsel's variables, and a folder without a place."""
    lines = on(team, OLD, "env").splitlines()
    for line in lines:
        name, _, value = line.removeprefix("export ").partition("=")
        team.env[name] = value.strip("'")
    assert team.env["UV_PROJECT_ENVIRONMENT"] == ".venv-cu126"
    on(team, NEW, "sync", "--locked")
    assert (torch_in(team, ".venv-cu132"), torch_in(team, ".venv-cu126")) == (BUILDS[NEW], None)
    other = project(HEAD, name="other", env=team.env)
    assert on(other, NEW, "env") == "export UV_PROJECT_ENVIRONMENT=''\nexport TORCHSEL_SET_ENVIRONMENT=''"


# an environment for each of these hosts


def test_prepared_machines_need_no_network(tmp_path: Path) -> None:
    with Index() as index:
        demo = World(index=index, folder=tmp_path).project(tmp_path / "demo", TEAM)
        demo.torchsel("--host", NONE)
        demo.uv("lock")
        written = demo.text(), (demo.root / "uv.lock").read_bytes()
        told = demo.torchsel("sync", "--for", OLD, NEW, "gpu=GTX 1080 Ti,driver=580", "cpu", "--no-dev")
        assert [line for line in told.err.splitlines() if line.startswith("torchsel: .venv")] == [
            "torchsel: .venv-cu126: cu126, for gtx1080ti, gpu=GTX 1080 Ti,driver=580",
            "torchsel: .venv-cu132: cu132, for h200",
            "torchsel: .venv-cpu: cpu, for cpu",
        ]
    demo.env["UV_CACHE_DIR"] = str(tmp_path / "the node's own cache")
    for host, torch in BUILDS.items():
        ran = on(demo, host, "run", "--locked", "--offline", "--no-dev", "python", "-c", SHOW)
        assert (ran, torch_in(demo, PLACES[host])) == (torch, torch)
        assert installed_version(demo.root / PLACES[host], "testkit") is None
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == written


def test_hosts_that_cannot_be_prepared(team: Project, hosts: dict[str, Path]) -> None:
    on(team, NONE, "lock")
    words = ("sync", "--for", str(hosts["windows-rtx4090"]), str(hosts["b580"]), OLD)
    told = team.torchsel(*words, code=3)
    assert "torchsel: windows-rtx4090: skipped, as it is win_amd64; prepare it on such a machine" in told.err
    assert "warning: b580: " in told.err
    assert torch_in(team, ".venv-cu126") == BUILDS[OLD], "the others are made"
    team.torchsel("sync", "--for", str(hosts["windows-rtx4090"]), OLD)
    broken = ("sync", "--for", OLD, "--for=cpu", "--only-group", "nowhere")
    assert (
        ".venv-cu126: uv sync failed, so it is not ready for gtx1080ti" in team.torchsel(*broken, code=3).err
    )


@pytest.mark.parametrize(
    ("text", "words", "environ", "said"),
    [
        (
            TEAM.replace(PLACE, ""),
            ("cpu",),
            {},
            'add this line to [tool.torchsel]: environment = ".venv-{backend}"',
        ),
        (TEAM, (), {}, "--for: expected hosts, such as 'torchsel sync --for hosts/*.json'"),
        (TEAM, ("no-such-gpu",), {}, "no-such-gpu"),
        (
            TEAM.replace("{backend}", "{system}"),
            ("cpu", OLD),
            {},
            "can't be the environment of both cpu and cu126",
        ),
        (TEAM, ("cpu", OLD), {"UV_PROJECT_ENVIRONMENT": "own"}, "UV_PROJECT_ENVIRONMENT: own can't be"),
        (TEAM.replace('"cu132"', '"xpu"'), ("cpu",), {}, "torch is not routed as [tool.torchsel] says"),
    ],
)
def test_for_is_refused(
    team: Project, text: str, words: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    before, _, rest = team.text().partition("[tool.torchsel]")
    table = text.partition("[tool.torchsel]")[2]
    team.pyproject.write_text(f"{before}[tool.torchsel]{table}{rest.partition(PLACE)[2]}")
    team.env.update(environ)
    told = team.torchsel("sync", "--for", *words, code=2)
    assert said in told.err
    assert not any(team.root.glob(".venv*"))


def test_for_needs_a_table(project: MakeProject) -> None:
    demo = project(HEAD.partition("[tool.torchsel]")[0])
    assert "no [tool.torchsel]; run 'torchsel init'" in demo.torchsel("sync", "--for", "cpu", code=2).err


def test_pin_prepares_what_is_routed(project: MakeProject) -> None:
    demo = project(f"{HEAD}{PLACE}")
    on(demo, OLD, "lock")
    told = demo.torchsel("sync", "--for", OLD, NEW, code=3)
    assert "warning: h200: needs cu132, and torch is routed to cu126" in told.err
    assert (torch_in(demo, ".venv-cu126"), torch_in(demo, ".venv-cu132")) == (BUILDS[OLD], None)


def test_init_with_groups_names_the_line(project: MakeProject) -> None:
    demo = project(HEAD.partition("[tool.torchsel]")[0])
    told = demo.torchsel("--host", OLD, "init", "--strategy", "groups", "--dry-run")
    assert told.err.splitlines()[-1].endswith('environment = ".venv-{backend}"')
    assert "environment =" not in told.out
    other = project(HEAD.partition("[tool.torchsel]")[0], name="other")
    assert ".venv" not in other.torchsel("--host", OLD, "init", "--dry-run").err
