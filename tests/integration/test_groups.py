"""One committed lock for every machine: groups and extras, with real uv on the loopback index."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project

BACKENDS = '["cpu", "cu126", "cu132", "rocm7.2", "xpu"]'
MACHINES = {
    "h200": "2.15.0+cu132",
    "gtx1080ti": "2.14.1+cu126",
    "rx7900": "2.14.1+rocm7.2",
    "b580": "2.15.0+xpu",
    "cpu": "2.15.0+cpu",
}
SHOW = "import torch; print(torch.__version__)"
PLACES = {
    "direct": ('"torch"', ""),
    "transitive": ('"trainkit"', ""),
    "group": ("", 'train = ["torch"]\n'),
}


def text(place: str, *settings: str, backends: str = BACKENDS) -> str:
    dependencies, group = PLACES[place]
    return "\n".join(
        [
            '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"',
            f'dependencies = [{dependencies}]\n\n[dependency-groups]\ndev = ["testkit"]\n{group}',
            f"[tool.torchsel]\nbackends = {backends}",
            *settings,
            "",
        ]
    )


def files(demo: Project) -> tuple[str, bytes]:
    return demo.text(), (demo.root / "uv.lock").read_bytes()


@pytest.mark.parametrize(
    ("place", "settings"),
    [
        ("direct", ('strategy = "groups"',)),
        ("direct", ('strategy = "groups"', 'default-backend = "none"')),
        ("direct", ('strategy = "groups"', 'default-backend = "cu132"')),
        ("direct", ('strategy = "extras"',)),
        ("transitive", ('strategy = "groups"', 'default-backend = "none"')),
        ("transitive", ('strategy = "extras"',)),
        ("group", ('strategy = "groups"', 'default-backend = "none"')),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[-1].split('"')[1::2]),
)
def test_one_lock_serves_every_machine_and_nothing_is_written(
    project: MakeProject, hosts: dict[str, Path], place: str, settings: tuple[str, ...]
) -> None:
    demo = project(text(place, *settings))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    committed = files(demo)
    demo.torchsel("-q", "check")
    flags = ("--group", "train") if place == "group" else ()
    for host, torch in MACHINES.items():
        demo.env["TORCHSEL_HOST"] = str(hosts[host])
        demo.torchsel("sync", "--locked", *flags)
        assert demo.installed("torch") == torch
        assert demo.installed("testkit")
        assert files(demo) == committed
    ran = demo.torchsel(
        "--host", str(hosts["gtx1080ti"]), "run", *flags, "--locked", "--offline", "python", "-c", SHOW
    )
    assert ran.out.strip() == "2.14.1+cu126"
    assert files(demo) == committed


def test_plain_uv_refuses_until_a_backend_is_chosen(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', 'default-backend = "none"'))
    demo.torchsel("--host", str(hosts["h200"]))
    refused = demo.uv("sync", code=2)
    assert "incompatible" in refused.err
    assert demo.installed("torch") is None


def test_hosts_that_are_not_served(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', backends='["cpu", "cu132"]'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    musl = demo.torchsel("check", "--host", str(hosts["alpine"]), code=1)
    assert "PyTorch has no wheels for musl libc" in musl.out
    radeon = demo.torchsel("check", "--host", str(hosts["rx7900"]), code=1)
    assert radeon.out.startswith(
        "FAIL rx7900: cpu, torch 2.15.0 (group torch-cpu); its GPU gets the CPU build: every build"
    )


def test_every_gpu_of_a_machine_is_to_be_served(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', backends='["cpu", "cu126", "cu130"]'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    served = demo.torchsel("check", "--host", str(hosts["p40x3-3090"]))
    assert served.out == "ok   p40x3-3090: cu126, torch 2.14.1 (group torch-cu126)\n"
    demo.torchsel("--host", str(hosts["p40x3-3090"]), "sync", "--locked")
    assert demo.installed("torch") == "2.14.1+cu126"
    partly = demo.torchsel("check", "--host", str(hosts["v100-rtx5090"]), code=1)
    assert (
        "cu130, torch 2.15.0 (group torch-cu130); no build that the project allows serves every GPU;"
        " cu130 leaves out" in partly.out
    )
    demo.pyproject.write_text(demo.text().replace("[tool.torchsel]", '[tool.torchsel]\ngpus = "best"'))
    demo.torchsel("check", "--host", str(hosts["v100-rtx5090"]))


def test_the_backend_that_serves_every_gpu_is_named(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', backends='["cpu", "cu130"]'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    said = demo.torchsel("check", "--host", str(hosts["p40x3-3090"]), code=1).out
    assert "; none of tool.torchsel.backends serves every GPU; cu130 leaves out 3x Tesla P40: " in said
    line = said.partition("; 2.14.1 with cu126 serves every GPU: add 'cu126' to tool.torchsel.backends (")[2]
    there = 'backends = ["cpu", "cu130"]'
    demo.pyproject.write_text(demo.text().replace(there, line.removesuffix(")\n")))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.torchsel("check", "--host", str(hosts["p40x3-3090"]))
    demo.torchsel("--host", str(hosts["p40x3-3090"]), "sync", "--locked")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_under_pin_what_a_host_needs_is_named(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct"), env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("lock")
    names = ("h200", "cpu", "gtx1080ti", "rx7900", "mac")
    told = demo.torchsel("check", "--host", *(str(hosts[name]) for name in names), code=1)
    lines = told.out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "ok", "FAIL", "FAIL", "ok"]
    assert "no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0" in lines[2]
    assert "needs cu126, torch 2.14.1" in lines[2]
    assert "needs rocm7.2, torch 2.14.1" in lines[3]


def test_checking_recorded_hosts(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', backends='["cpu", "cu132"]'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    served = demo.torchsel("check", "--host", str(hosts["h200"]), str(hosts["cpu"]))
    assert served.out.splitlines() == [
        "ok   h200: cu132, torch 2.15.0 (group torch-cu132)",
        "ok   cpu: cpu, torch 2.15.0 (group torch-cpu)",
    ]
    demo.pyproject.write_text(demo.text().replace('["cpu", "cu132"]', '["cpu", "cu132", "xpu"]'))
    demo.torchsel("--no-lock", "--host", str(hosts["h200"]))
    unserved = demo.torchsel("check", "--host", str(hosts["b580"]), code=1)
    assert unserved.out == (
        "FAIL b580: xpu, torch 2.15.0 (group torch-xpu); uv.lock has no torch for xpu; run 'torchsel lock'\n"
    )
    (demo.root / "uv.lock").unlink()
    without = demo.torchsel("check", "--host", str(hosts["cpu"]), code=1)
    assert "there is no uv.lock; run 'uv lock'" in without.out


def test_a_bump_that_drops_the_old_cards_fails(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', backends='["cpu", "cu126", "cu130"]'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    assert demo.torchsel("check", "--host", "gpu=V100*4,driver=570.124", "cpu").code == 0
    demo.pyproject.write_text(demo.text().replace('"torch"', '"torch>=2.15"', 1).replace('"cu126", ', ""))
    demo.torchsel("--host", str(hosts["h200"]), "--upgrade")
    bumped = demo.torchsel("check", "--host", "gpu=V100*4,driver=570.124", "cpu", code=1)
    lines = bumped.out.splitlines()
    assert lines[0].startswith("FAIL gpu=V100*4,driver=570.124: cpu, torch 2.15.0 (group torch-cpu); its GPU")
    assert lines[1] == "ok   cpu: cpu, torch 2.15.0 (group torch-cpu)"


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_adding_and_removing_keep_this_machines_torch_and_the_dev_group(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    demo = project(text("direct", f'strategy = "{strategy}"'), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("sync")
    demo.torchsel("uv", "add", "webkit9")
    assert demo.installed("webkit9")
    demo.torchsel("uv", "remove", "webkit9")
    assert demo.installed("webkit9") is None
    demo.torchsel("uv", "add", "--group", "docs", "webkit9")
    assert "docs" in tomllib.loads(demo.text())["dependency-groups"]
    assert demo.installed("torch") == "2.14.1+cu126"
    assert demo.installed("testkit")
    demo.torchsel("check")


def test_flags_of_the_user_win(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(
        text("direct", 'strategy = "groups"', 'default-backend = "none"'),
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    demo.torchsel("sync", "--group", "torch-cpu")
    assert demo.installed("torch") == "2.15.0+cpu"
    demo.torchsel("sync", "--only-group", "dev")
    assert (demo.installed("torch"), demo.installed("testkit")) == (None, "8.0")
    demo.torchsel("sync", "--no-dev")
    assert (demo.installed("torch"), demo.installed("testkit")) == ("2.14.1+cu126", None)
    demo.torchsel("sync", "--all-groups")
    assert (demo.installed("torch"), demo.installed("testkit")) == ("2.14.1+cu126", "8.0")


def test_all_extras_take_only_this_machines(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "extras"'), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("sync", "--all-extras")
    assert demo.installed("torch") == "2.14.1+cu126"
    demo.torchsel("sync", "--extra", "cpu")
    assert demo.installed("torch") == "2.15.0+cpu"


def test_exports_are_this_machines(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"'), env={"TORCHSEL_HOST": str(hosts["b580"])})
    demo.torchsel("lock")
    exported = demo.torchsel("uv", "export", "--no-hashes", "--quiet").out
    assert "torch==2.15.0+xpu" in exported
    assert "+cu132" not in exported


def test_names_of_ones_own(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(
        text("direct", 'strategy = "groups"', backends='{ small = "cpu", gpu = "cu126" }'),
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    demo.torchsel("sync")
    groups = tomllib.loads(demo.text())["dependency-groups"]
    assert set(groups) == {"dev", "small", "gpu"}
    assert demo.installed("torch") == "2.14.1+cu126"


def test_one_torch_for_all(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', "same-torch = true"))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    locked = {version for version in demo.locked("torch") if "+" in version}
    assert {version.partition("+")[0] for version in locked} == {"2.14.1"}
    assert len(locked) == 5
    demo.torchsel("check")


def test_no_shared_torch_is_said(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(text("direct", 'strategy = "groups"', "same-torch = true", backends='["cu118", "cu132"]'))
    refused = demo.torchsel("--host", str(hosts["h200"]), code=2)
    assert "tool.torchsel.same-torch: no torch that the project allows has a build for each" in refused.err


def test_switching_strategies_cleans_up(project: MakeProject, hosts: dict[str, Path]) -> None:
    pinned = text("direct", 'strategy = "pin"')
    demo = project(pinned, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel()
    first = tomllib.loads(demo.text())
    for strategy in ("groups", "extras", "pin"):
        now = demo.text()
        before = tomllib.loads(now)["tool"]["torchsel"]["strategy"]
        demo.pyproject.write_text(now.replace(f'strategy = "{before}"', f'strategy = "{strategy}"'))
        demo.torchsel()
        demo.torchsel("check")
        demo.uv("lock")
    last = tomllib.loads(demo.text())
    assert last["tool"]["uv"]["sources"] == first["tool"]["uv"]["sources"]
    assert last["tool"]["uv"]["index"] == first["tool"]["uv"]["index"]
    assert not last["tool"]["uv"].get("conflicts")
    assert last["dependency-groups"] == first["dependency-groups"]
    assert not last["project"].get("optional-dependencies")


def test_the_users_conflicts_groups_and_defaults_stay(project: MakeProject, hosts: dict[str, Path]) -> None:
    own = """
[tool.uv]
default-groups = ["docs"]
conflicts = [[{ group = "dev" }, { group = "docs" }]]
"""
    demo = project(
        text("direct", 'strategy = "groups"', 'default-backend = "cpu"').replace(
            'dev = ["testkit"]', 'dev = ["testkit"]\ndocs = ["webkit9"]'
        )
        + own,
        env={"TORCHSEL_HOST": str(hosts["h200"])},
    )
    demo.torchsel()
    uv = tomllib.loads(demo.text())["tool"]["uv"]
    assert uv["default-groups"] == ["docs", "torch-cpu"]
    assert uv["conflicts"][0] == [{"group": "dev"}, {"group": "docs"}]
    assert len(uv["conflicts"]) == 2
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.15.0+cu132"
    demo.pyproject.write_text(demo.text().replace('strategy = "groups"', 'strategy = "pin"').replace(
        'default-backend = "cpu"\n', ""))  # fmt: skip
    demo.torchsel()
    uv = tomllib.loads(demo.text())["tool"]["uv"]
    assert uv["default-groups"] == ["docs"]
    assert uv["conflicts"] == [[{"group": "dev"}, {"group": "docs"}]]


@pytest.mark.parametrize("where", ["root", "member"])
@pytest.mark.parametrize(
    "words", [(), ("--all-packages",), ("--package", "train")], ids=["plain", "all", "one"]
)
@pytest.mark.parametrize("default", ["pypi", "none"])
def test_workspaces(
    project: MakeProject, hosts: dict[str, Path], where: str, words: tuple[str, ...], default: str
) -> None:
    demo = project(
        text("direct", 'strategy = "groups"', f'default-backend = "{default}"')
        + '\n[tool.uv.workspace]\nmembers = ["packages/*"]\n',
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    member = demo.root / "packages" / "train"
    member.mkdir(parents=True)
    head = text("direct").partition("\n\n")[0]
    (member / "pyproject.toml").write_text(head.replace("demo", "train") + "\n")
    demo.torchsel("lock")
    committed = files(demo)
    demo.torchsel("sync", "--locked", *words, cwd=member if where == "member" else None)
    assert demo.installed("torch") == "2.14.1+cu126"
    assert files(demo) == committed
