"""A uv.lock that is there already: its releases stay wherever a backend has them, whatever the strategy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
PLAIN = HEAD + 'dependencies = ["torch>=2.5", "torchvision"]\n'
NAMED = 'backends = ["cpu", "cu126", "cu130", "rocm7.2"]\n'
TABLES = {
    "pin": "",
    "groups": f'strategy = "groups"\n{NAMED}default-backend = "none"\n',
    "groups, all backends": 'strategy = "groups"\n',
    "extras": f'strategy = "extras"\n{NAMED}',
    "extras, all backends": 'strategy = "extras"\n',
}
LOCKED = ("2.8.0", "2.9.1", "2.10.0", "2.12.1", "2.14.1", "2.15.0")


def locked(project: MakeProject, release: str, table: str) -> Project:
    """A project locked by plain uv that then gets the table."""
    demo = project(PLAIN)
    demo.uv("lock", "-P", f"torch=={release}")
    demo.pyproject.write_text(f"{PLAIN}\n[tool.torchsel]\n{table}")
    return demo


@pytest.mark.parametrize("release", LOCKED)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_the_locked_release_stays_where_a_backend_has_it(
    release: str, table: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = locked(project, release, table)
    kept_there = {"h200": release, "gtx1080ti": "2.14.1" if release == "2.15.0" else release}
    for host, kept in kept_there.items():
        demo.torchsel("--host", str(hosts[host]))
        demo.torchsel("check")
        demo.uv("lock", "--check")
        demo.torchsel("--host", str(hosts[host]), "sync", "--locked")
        installed = demo.installed("torch") or ""
        assert installed.partition("+")[0] == kept, host
        assert installed.partition("+")[2].startswith("cu"), host
    text, lock = demo.text(), (demo.root / "uv.lock").read_bytes()
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == (text, lock)


def test_who_gets_another_release_is_told(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = locked(project, "2.15.0", TABLES["groups"])
    told = demo.torchsel("--host", str(hosts["h200"])).err
    assert "torch 2.15.0 in uv.lock has no build for cu126, rocm7.2: torch 2.14.1 there" in told
    assert "==" not in demo.text().partition("[tool.uv]")[0].partition("[dependency-groups]")[2]


def test_a_backend_without_the_required_torch_is_refused_before_uv(project: MakeProject) -> None:
    demo = project(f"{PLAIN.replace('>=2.5', '==2.15.0')}\n[tool.torchsel]\n{TABLES['groups']}")
    for command in ([], ["check"], ["sync"]):
        refused = demo.torchsel(*command, code=2)
        assert (
            "tool.torchsel.backends: cu126, rocm7.2 have no build of the torch that the project requires"
            " (==2.15.0), the newest is 2.14.1: take them out of the list"
            ' (backends = ["cpu", "cu130"]), or allow torch 2.14.1: torchsel add --frozen'
            ' "torch>=2.14.1" "torchvision>=0.29.1" && torchsel sync\n'
        ) in refused.err


@pytest.mark.parametrize("program", ["torchsel", "torchsel --hooked uv"])
@pytest.mark.parametrize(
    ("limit", "old_gpu", "new_gpu"),
    [("==2.15.0", "2.14.1+cu126", "2.15.0+cu130"), ("<2.9", "2.11.0+cu126", "2.11.0+cu130")],
)
def test_the_command_that_allows_a_torch_for_all_backends(
    project: MakeProject, hosts: dict[str, Path], limit: str, old_gpu: str, new_gpu: str, program: str
) -> None:
    demo = project(f"{PLAIN.replace('>=2.5', limit)}\n[tool.torchsel]\n{TABLES['groups']}")
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    typed = demo.torchsel("sync", code=2).err.rpartition(": torchsel add ")[2].strip()
    demo.run("bash", "-c", f"{program} add {typed}")
    demo.torchsel("check")
    assert demo.installed("torch") == old_gpu
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel("sync", "--locked")
    assert demo.installed("torch") == new_gpu


def test_no_command_where_a_constraint_holds_torch(project: MakeProject) -> None:
    constrained = '\n[tool.uv]\nconstraint-dependencies = ["torch>=2.15"]\n'
    demo = project(f"{PLAIN}\n[tool.torchsel]\n{TABLES['groups']}{constrained}")
    assert demo.torchsel("check", code=2).err.endswith("), or allow torch 2.14.1\n")


def test_a_lock_without_torch_from_the_routed_index_is_due(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = locked(project, "2.12.1", "")
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.torchsel("--host", str(hosts["h200"]), "--no-lock")
    failed = demo.torchsel("check", "--host", str(hosts["h200"]), code=1)
    assert failed.out.startswith("FAIL h200: ")
    demo.torchsel("--host", str(hosts["h200"]))
    assert "2.12.1+cu132" in demo.locked("torch")
    served = demo.torchsel("check", "--host", str(hosts["h200"]))
    assert served.out == "ok   h200: cu132, torch 2.12.1\n"
    demo.torchsel("--host", str(hosts["h200"]), "sync", "--locked")
    assert demo.installed("torch") == "2.12.1+cu132"


@pytest.mark.parametrize("flag", ["--locked", "--frozen"])
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_project_that_is_not_routed_stops_where_nothing_is_to_be_written(
    project: MakeProject, hosts: dict[str, Path], table: str, flag: str
) -> None:
    demo = locked(project, "2.14.1", table)
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    for words in (("sync", flag), ("run", flag, "python", "-c", "0")):
        stopped = demo.torchsel(*words, code=2)
        assert stopped.err == (
            f"error: {demo.pyproject}: torch is not routed yet, and {flag} is to write nothing;"
            " first run 'torchsel lock'\n"
        )
        assert demo.installed("torch") is None
        assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before
    variable = f"UV_{flag[2:].upper()}"
    demo.env[variable] = "1"
    for command in ("sync", "lock"):
        assert demo.torchsel(command, code=2).err.endswith(
            f"and {variable} is to write nothing; first run 'torchsel lock' without it\n"
        )
    del demo.env[variable]
    demo.torchsel("lock")
    demo.torchsel("sync", flag)
    assert demo.installed("torch") == "2.14.1+cu126"


def test_what_does_not_come_to_torch_goes_on(project: MakeProject, hosts: dict[str, Path]) -> None:
    group = '\n[dependency-groups]\ndocs = ["testkit"]\n'
    demo = project(f"{PLAIN}{group}", env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.uv("lock")
    demo.pyproject.write_text(f"{PLAIN}{group}\n[tool.torchsel]\n")
    demo.torchsel("sync", "--locked", "--only-group", "docs")
    assert (demo.installed("testkit"), demo.installed("torch")) == ("8.0", None)
    demo.torchsel("add", "--frozen", "torch<2.15")
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu132"


SAME = 'strategy = "groups"\nbackends = ["cpu", "cu130", "cu132"]\nsame-torch = true\n'


@pytest.mark.parametrize("is_routed", [False, True], ids=["locked", "routed and locked"])
@pytest.mark.parametrize("table", [*TABLES.values(), SAME], ids=[*TABLES, "one torch for all"])
def test_a_bound_below_the_locked_releases(
    project: MakeProject, hosts: dict[str, Path], table: str, is_routed: bool
) -> None:
    demo = locked(project, "2.15.0", table)
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    if is_routed:
        demo.torchsel("lock")
    demo.pyproject.write_text(demo.text().replace('"torch>=2.5"', '"torch>=2.5,<2.14"', 1))
    for command in (["status"], ["backend"], ["check", "--host", str(hosts["h200"])]):
        assert demo.torchsel(*command, code=None).code in (0, 1)
    demo.torchsel("sync")
    assert (demo.installed("torch") or "").startswith("2.13.0+cu1")
    demo.torchsel("check", "--host", str(hosts["h200"]))
    demo.uv("lock", "--check")


def test_a_bound_below_all_that_a_backend_has(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = locked(project, "2.15.0", 'strategy = "groups"\nbackends = ["cpu", "cu126", "cu132"]\n')
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel()
    demo.pyproject.write_text(demo.text().replace('"torch>=2.5"', '"torch<2.9"', 1))
    for command in ([], ["check"], ["sync"]):
        assert "cu132 has no build of the torch that the project requires (<2.9), the oldest is 2.12.0" in (
            demo.torchsel(*command, code=2).err
        )
    demo.pyproject.write_text(demo.text().replace(', "cu132"', ""))
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.8.0+cu126"


def test_the_team_quick_start_behind_uv_add(project: MakeProject, hosts: dict[str, Path]) -> None:
    """``uv add`` writes down the newest release, which some of the backends have not."""
    demo = project(HEAD + "dependencies = []\n", env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.uv("add", "torch")
    demo.pyproject.write_text(f"{demo.text()}\n[tool.torchsel]\n{TABLES['groups']}")
    told = demo.torchsel("sync", "--locked", code=2).err
    line = told.partition("(backends = ")[2].partition(")")[0]
    demo.pyproject.write_text(demo.text().replace(NAMED, f"backends = {line}\n"))
    demo.torchsel()
    demo.torchsel("sync", "--locked")
    assert demo.installed("torch") == "2.15.0+cu130"
