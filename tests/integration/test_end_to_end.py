"""From ``torchsel`` through plain uv to the installed torch, on recorded machines, with real uv."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import OLDEST_UV

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
"""
DIRECT = f"""{HEAD}dependencies = ["torch", "testkit"]

[tool.torchsel]
"""
TRANSITIVE = f"""{HEAD}dependencies = ["trainkit"]

[tool.torchsel]
"""
SHOW = "import torch; print(torch.__version__)"

MACHINES = {
    "h200": "2.15.0+cu132",
    "gtx1080ti": "2.14.1+cu126",
    "rx7900": "2.14.1+rocm7.2",
    "b580": "2.15.0+xpu",
    "cpu": "2.15.0+cpu",
}


@pytest.mark.parametrize("text", [DIRECT, TRANSITIVE], ids=["direct", "transitive"])
@pytest.mark.parametrize(("host", "torch"), MACHINES.items(), ids=MACHINES)
def test_torchsel_then_plain_uv(
    project: MakeProject, hosts: dict[str, Path], host: str, torch: str, text: str
) -> None:
    demo = project(text, env={"TORCHSEL_HOST": str(hosts[host])})
    demo.torchsel()
    demo.uv("sync")
    assert demo.installed("torch") == torch
    assert demo.uv("run", "python", "-c", SHOW).out.strip() == torch
    routed = demo.text()
    demo.torchsel()
    assert demo.text() == routed
    demo.torchsel("check")
    demo.uv("lock", "--check")


@pytest.mark.parametrize(("host", "torch"), [("h200", "2.15.0+cu132"), ("rx7900", "2.9.1+rocm6.4")])
def test_the_oldest_uv(project: MakeProject, hosts: dict[str, Path], host: str, torch: str) -> None:
    bound = "torch<2.10" if host == "rx7900" else "torch"
    demo = project(DIRECT.replace('"torch"', f'"{bound}"'), uv_version=OLDEST_UV)
    demo.torchsel("--host", str(hosts[host]))
    demo.uv("sync")
    assert demo.installed("torch") == torch
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    demo.uv("sync")
    assert demo.installed("torch") in ("2.14.1+cu126", "2.9.1+cu126")


@pytest.mark.parametrize(
    ("spec", "host", "torch"),
    [
        ("torch<2.14", "rtx5090-570", "2.13.0+cu129"),
        ("torch<2.11", "v100", "2.10.0+cu129"),
        ("torch==2.9.1", "rx7900", "2.9.1+rocm6.4"),
        ("torch<2.9", "h200", "2.8.0+cu129"),
        ("torch", "p40x3-3090", "2.14.1+cu126"),
        ("torch", "uhd770", "2.15.0+cpu"),
        ("torch==2.8.0+cu126", "h200", "2.8.0+cu126"),
    ],
)
def test_specifiers_and_other_machines(
    project: MakeProject, hosts: dict[str, Path], spec: str, host: str, torch: str
) -> None:
    demo = project(DIRECT.replace('"torch"', f'"{spec}"'))
    demo.torchsel("--host", str(hosts[host]))
    demo.uv("sync")
    assert demo.installed("torch") == torch


def test_a_change_of_machine_keeps_every_release(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT.replace('"torch"', '"torch<2.9", "torchvision"'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    assert demo.locked("torch") == ["2.8.0", "2.8.0+cu129"]
    demo.pyproject.write_text(demo.text().replace("torch<2.9", "torch"))
    told = demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert demo.locked("torch") == ["2.8.0", "2.8.0+cu126"]
    assert demo.locked("torchvision") == ["0.23.0", "0.23.0+cu126"]
    assert told.err.splitlines()[-1] == (
        "torchsel: torch 2.8.0, torchvision 0.23.0 → cu126 (GTX 1080 Ti, driver 580.65.06) (uv.lock updated)"
    )
    demo.uv("lock", "--check")


def test_a_locked_release_that_cannot_run_is_left_and_said(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    told = demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert "2.14.1+cu126" in demo.locked("torch")
    assert "2.15.0" in told.err


def test_upgrade_lets_releases_move(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT.replace('"torch"', '"torch<2.9"'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    demo.pyproject.write_text(demo.text().replace("torch<2.9", "torch"))
    demo.torchsel("--host", str(hosts["gtx1080ti"]), "--upgrade")
    assert "2.14.1+cu126" in demo.locked("torch")


def test_no_lock_leaves_the_lock(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    lock = (demo.root / "uv.lock").read_bytes()
    demo.torchsel("--host", str(hosts["cpu"]), "--no-lock")
    assert (demo.root / "uv.lock").read_bytes() == lock
    assert "pytorch-cpu" in demo.text()


def test_a_failing_lock_changes_neither_file(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    failed = demo.torchsel("--backend", "cu999", code=3)
    assert "uv lock failed for cu999, so nothing was changed" in failed.err
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before
    assert [path.name for path in demo.root.iterdir() if "torchsel" in path.name] == []


def test_what_explains_a_failing_lock_comes_before_it(project: MakeProject, hosts: dict[str, Path]) -> None:
    text = DIRECT.replace('"torch",', '"torch", "torchvision>=0.29.2",')
    demo = project(text, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("lock")
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    warning, locking, *errors = demo.torchsel(code=3).err.splitlines()
    assert warning.startswith("warning: torch 2.15.0 in uv.lock has no build that fits")
    assert locking == "torchsel: locking for cu126 ..."
    assert errors[0] == "error: uv lock failed for cu126, so nothing was changed; uv said:"
    assert errors[1].startswith("error: No solution found")
    assert not any("Using CPython" in line for line in errors)


def test_companions_that_arrive_through_other_packages_are_routed(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(
        TRANSITIVE.replace("trainkit", "visionkit"), env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])}
    )
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu126"
    assert (demo.installed("torchvision") or "").endswith("+cu126")


def test_added_companions_are_routed_at_once(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.torchsel("sync")
    demo.torchsel("uv", "add", "visionkit")
    assert (demo.installed("torchvision") or "").endswith("+cu126")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_a_hand_edit_is_drift_and_mended(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["h200"]))
    routed = demo.text()
    demo.pyproject.write_text(routed.replace("explicit = true", "explicit = false"))
    drift = demo.torchsel("check", code=1)
    assert "pyproject.toml: tool.uv.index[0].explicit is false and should be true" in drift.err
    assert "run 'torchsel'" in drift.err
    demo.torchsel("--host", str(hosts["h200"]))
    assert demo.text() == routed


def test_the_wrapper_passes_uvs_exit_code_output_and_arguments_through(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(DIRECT, env={"TORCHSEL_HOST": str(hosts["cpu"])})
    ran = demo.torchsel(
        "run", "python", "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "--help", code=7
    )
    assert ran.out.strip() == "['--help']"
    assert demo.installed("torch") == "2.15.0+cpu"
    assert demo.torchsel("uv", "--version").out == demo.uv("--version").out
    demo.torchsel("uv", "sync", "--no-such-flag", code=2)


def test_frozen_and_locked_write_nothing(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    for flag in ("--frozen", "--locked"):
        kept = demo.torchsel("--host", str(hosts["cpu"]), "sync", flag)
        assert "this call keeps files as they are; run 'torchsel' first to have it" in kept.err
        assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before


def test_without_a_table_the_wrapper_is_plain_uv(project: MakeProject, hosts: dict[str, Path]) -> None:
    plain = HEAD + 'dependencies = ["testkit"]\n'
    demo = project(plain, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    assert demo.text() == plain
    assert demo.installed("testkit")


def test_a_workspace_is_routed_at_its_root(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(
        '[tool.uv.workspace]\nmembers = ["packages/*"]\n\n[tool.torchsel]\n',
        env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])},
    )
    member = demo.root / "packages" / "train"
    member.mkdir(parents=True)
    (member / "pyproject.toml").write_text(DIRECT.partition("[tool")[0].replace("demo", "train"))
    demo.torchsel("sync", "--all-packages", cwd=member)
    assert demo.installed("torch") == "2.14.1+cu126"
    assert "tool" not in tomllib.loads((member / "pyproject.toml").read_text())


def test_a_mirror_is_used_from_the_configuration(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT)
    mirror = demo.env.pop("TORCHSEL_INDEX_URL")
    demo.pyproject.write_text(f'{DIRECT}index-url = "{mirror}/"\n')
    demo.torchsel("--host", str(hosts["cpu"]))
    assert f'url = "{mirror}/cpu"' in demo.text()
    demo.uv("sync")
    assert demo.installed("torch") == "2.15.0+cpu"


def test_no_other_package_comes_from_a_backends_index(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    assert demo.installed("numberkit") == "2.0"


@pytest.mark.skipif(os.name == "nt", reason="os.execve")
def test_a_crashed_run_is_taken_back_by_the_next(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    killer = demo.root.parent / "bin" / "uv"
    killer.parent.mkdir()
    killer.write_text("#!/bin/sh\nkill -9 $PPID\n")
    killer.chmod(0o755)
    path = demo.env["PATH"]
    demo.env["PATH"] = f"{killer.parent}{os.pathsep}{path}"
    demo.torchsel("--host", str(hosts["cpu"]), code=-9)
    assert demo.text() != before[0]
    demo.env["PATH"] = path
    demo.torchsel("--host", str(hosts["h200"]))
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before


def test_a_lock_whose_torch_has_no_kernels_here_is_mended(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(DIRECT + 'backends = ["cu128"]\n')
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    assert "2.11.0+cu128" in demo.locked("torch")
    told = demo.torchsel("--host", str(hosts["v100"]))
    assert "2.10.0+cu128" in demo.locked("torch")
    assert "torch 2.11.0 in uv.lock has no build that fits" in told.err
    assert demo.torchsel("--host", str(hosts["v100"])).err == ""


def test_the_wrapper_locks_a_torch_that_runs_here(project: MakeProject, hosts: dict[str, Path]) -> None:
    for words in (("lock",), ("sync",)):
        demo = project(
            DIRECT + 'backends = ["cu128"]\n', name=words[0], env={"TORCHSEL_HOST": str(hosts["v100"])}
        )
        demo.torchsel(*words)
        assert "2.10.0+cu128" in demo.locked("torch")


def test_upgrade_moves_releases_of_a_routing_in_sync(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT.replace('"torch"', '"torch<2.9"'))
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    demo.pyproject.write_text(demo.text().replace("torch<2.9", "torch<2.10"))
    demo.uv("lock")
    assert "2.8.0+cu129" in demo.locked("torch")
    demo.torchsel("--host", str(hosts["h200"]), "--upgrade")
    assert "2.9.1+cu130" in demo.locked("torch")


def test_cpu_is_a_fallback_that_needs_no_leave(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT + 'backends = ["cu130"]\n')
    demo.torchsel("--host", str(hosts["cpu"]))
    assert "pytorch-cpu" in demo.text()
    demo.torchsel("check")


def test_torch_by_address_is_left_alone(project: MakeProject, hosts: dict[str, Path]) -> None:
    text = DIRECT.replace('"torch"', '"torch @ https://example.org/torch-2.9.0-py3-none-any.whl"')
    demo = project(text)
    said = demo.torchsel("--host", str(hosts["h200"]))
    assert "project.dependencies: torch is required by address; left alone" in said.err
    assert demo.text() == text


@pytest.mark.parametrize("strategy", ["pin", "groups"])
def test_telling_the_version_syncs_nothing(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    demo = project(DIRECT + f'strategy = "{strategy}"\n', env={"TORCHSEL_HOST": str(hosts["cpu"])})
    assert demo.torchsel("uv", "version").out == "demo 0.1.0\n"
    assert not (demo.root / ".venv").exists()
    demo.torchsel("uv", "version", "--bump", "patch")
    assert demo.installed("torch") == "2.15.0+cpu"


GUIDE = """\
[project.optional-dependencies]
cpu = ["torch>=2.7.0"]
cu130 = ["torch>=2.7.0"]

[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "cu130" }]]

[tool.uv.sources]
torch = [{ index = "pytorch-cpu", extra = "cpu" }, { index = "pytorch-cu130", extra = "cu130" }]

[[tool.uv.index]]
name = "pytorch-cpu"
url = "https://download.pytorch.org/whl/cpu"
explicit = true

[[tool.uv.index]]
name = "pytorch-cu130"
url = "https://download.pytorch.org/whl/cu130"
explicit = true
"""


def test_hand_written_extras_are_the_users_until_init(project: MakeProject, hosts: dict[str, Path]) -> None:
    text = f"{HEAD}\n{GUIDE}\n[tool.torchsel]\n"
    demo = project(text)
    said = demo.torchsel("--host", str(hosts["h200"]))
    assert demo.text() == text
    assert "chosen by cpu, cu130, which you wrote; 'torchsel init' takes that over" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("--dry-run", "sync"),
        ("--diff", "uv", "tree"),
        ("--no-lock", "lock"),
        ("--upgrade", "run", "python"),
        ("--script", "x.py", "status"),
        ("--proj", ".", "sync"),
    ],
)
def test_options_that_would_be_passed_over_are_refused(project: MakeProject, words: tuple[str, ...]) -> None:
    demo = project(DIRECT)
    demo.torchsel(*words, code=2)
    assert demo.text() == DIRECT
    assert not (demo.root / "uv.lock").exists()


def test_an_index_named_for_another_backend_is_drift_and_mended(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(DIRECT)
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    routed = demo.text()
    demo.pyproject.write_text(routed.replace('whl/cu126"', 'whl/cu130"'))
    assert "tool.uv.index[0].url" in demo.torchsel("check", code=1).err
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert demo.text() == routed


def test_upgrade_says_what_it_did(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT.replace('"torch"', '"torch<2.11"'))
    demo.torchsel("--host", str(hosts["k80"]))
    demo.uv("lock")
    assert "2.7.1+cu118" in demo.locked("torch")
    told = demo.torchsel("--host", str(hosts["h200"]), "--upgrade")
    assert told.err.splitlines()[-1].startswith("torchsel: torch 2.10.0 → cu130 (")
    assert "2.10.0+cu130" in demo.locked("torch")
    assert 'index = "pytorch-cu130"' in demo.text()


def test_status_is_there_when_nothing_is_usable(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT + 'fallback = "error"\n')
    demo.torchsel("--host", str(hosts["cpu"]), code=3)
    page = demo.torchsel("--host", str(hosts["cpu"]), "status")
    assert "no usable build of torch for this machine" in page.out


def test_warnings_are_said_where_nothing_is_written(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT + 'backend = "cu130"\n')
    demo.torchsel("--host", str(hosts["gtx1080ti"]), "lock")
    said = demo.torchsel("--host", str(hosts["gtx1080ti"]), "sync", "--locked")
    assert "this machine can't run cu130" in said.err


def test_who_types_torchsel_is_told_that_nothing_is_routed(project: MakeProject) -> None:
    demo = project(f'{HEAD}dependencies = ["numberkit"]\n')
    told = (
        "torchsel: pyproject.toml has no [tool.torchsel], so this is plain uv;"
        " to have torch routed: torchsel init"
    )
    for words in (("sync",), ("lock",), ("run", "python", "-V"), ("add", "numberkit"), ("uv", "sync")):
        assert demo.torchsel(*words).err.splitlines()[0] == told
    assert "torchsel" not in demo.torchsel("--hooked", "uv", "sync").err
    assert "torchsel" not in demo.torchsel("uv", "--version").err


def test_the_result_names_releases(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(DIRECT.replace('"torch"', '"torch", "torchvision"'))
    first = demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert "torchsel: torch 2.14.1, torchvision → cu126 (GTX 1080 Ti, driver 580.65.06)" in first.err
    demo.uv("lock")
    moved = demo.torchsel("--host", str(hosts["h200"]))
    assert "torchsel: torch 2.14.1, torchvision 0.29.1 → cu132 (H200, driver" in moved.err


def test_the_result_names_releases_by_group(project: MakeProject, hosts: dict[str, Path]) -> None:
    table = 'strategy = "groups"\nbackends = ["cpu", "cu126", "cu132"]\n'
    demo = project(DIRECT.replace('"torch"', '"torch", "torchvision"') + table)
    demo.torchsel("--host", str(hosts["h200"]), "lock")
    said = demo.torchsel("--host", str(hosts["h200"]), "-v").err
    assert "torch 2.15.0, torchvision → cpu, cu126 (torch 2.14.1), cu132, by group" in said
