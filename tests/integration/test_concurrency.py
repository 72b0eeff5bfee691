"""Several torchsel at once, beside uv, small crowds; large ones are ``scripts/robustness/crowd.py``'s."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support import crowd
from tests.support.crowd import Outcome, rush, workspace
from tests.support.index import Index
from tests.support.toolbox import World
from torchsel.files import transaction
from torchsel.files.state import exclusive, state_folder

posix = pytest.mark.skipif(os.name != "posix", reason="stand-ins for uv are shell scripts")


@pytest.fixture(scope="module")
def adding_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Index(extra=crowd.WHEELS) as index:
        yield World(index=index, folder=tmp_path_factory.mktemp("crowd"))


def test_a_crowd_beside_uv_add(adding_world: World) -> None:
    project = adding_world.project(adding_world.folder / "beside", crowd.TEXT)
    project.uv("lock")
    outcome = rush(project, [project.root], 7, adding=4)
    assert outcome.odd == []
    assert outcome.done + outcome.refused == 7
    assert len(outcome.added) == 4


def test_a_crowd_in_a_workspace_through_two_paths(adding_world: World) -> None:
    project = adding_world.project(adding_world.folder / "several", crowd.WORKSPACE)
    members = workspace(project)
    project.uv("lock")
    other = adding_world.folder / "other"
    other.symlink_to(project.root)
    outcome = rush(project, [project.root, members[0], other, other / "packages" / "m1"], 8)
    assert outcome.odd == []
    assert outcome.done + outcome.refused == 8


def test_programs_of_three_machines_with_an_environment_for_each_build(project: MakeProject) -> None:
    demo = project(crowd.SEVERAL_BUILDS)
    demo.torchsel("--host", "cpu")
    demo.uv("lock")
    outcome = crowd.race(demo, 9)
    assert (outcome.odd, outcome.done) == ([], 9)
    assert {path.name for path in demo.root.glob(".venv*")} == {".venv-cpu", ".venv-cu126", ".venv-cu132"}


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda text: text.replace('"testkit",', ""), "lost from pyproject.toml: ['testkit']"),
        (lambda text: text.replace("# the user's own words", ""), "a comment is lost"),
        (lambda text: text.replace("[tool.torchsel]", "[tool.torchsel"), "pyproject.toml is not whole"),
    ],
)
def test_a_loss_is_found(
    project: MakeProject, spoil: Callable[[str], str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = project(crowd.TEXT)
    demo.uv("lock")
    demo.pyproject.write_text(spoil(crowd.TEXT))
    outcome = Outcome()
    crowd.check(demo, outcome)
    assert any(line.startswith(found) for line in outcome.odd)


def test_a_lock_held_for_too_long_is_told(
    project: MakeProject, hosts: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = project(crowd.TEXT)
    monkeypatch.setattr(transaction, "exclusive", functools.partial(exclusive, timeout=0.2))
    with exclusive(demo.pyproject, state_folder(demo.env)):
        told = demo.torchsel_inprocess("--host", str(hosts["cpu"]))
    assert told.code == 3
    assert crowd.LOCK_MESSAGE in told.err
    assert demo.text() == crowd.TEXT


@posix
def test_a_uv_that_lives_on_keeps_the_lock_and_a_dead_holder_does_not(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(crowd.TEXT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    before = demo.text(), (demo.root / "uv.lock").read_bytes()
    folder = demo.root.parent / "bin"
    folder.mkdir()
    killer = folder / "uv"
    killer.write_text(
        '#!/bin/sh\n[ "$1" != --version ] || exec echo uv 0.13.9\n'
        'kill -9 $PPID\nsleep 1.5\necho late > late\necho "# torn" >> uv.lock\n'
    )
    killer.chmod(0o755)
    path = demo.env["PATH"]
    demo.env["PATH"] = f"{folder}{os.pathsep}{path}"
    demo.torchsel("--host", str(hosts["cpu"]), code=-9)
    demo.env["PATH"] = path
    start = time.monotonic()
    demo.torchsel("--host", str(hosts["h200"]))
    assert time.monotonic() - start > 0.8, "the second run did not wait for the first one's uv"
    assert (demo.root / "late").exists()
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == before


@posix
def test_nodes_with_caches_of_their_own_wait_for_each_other(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(crowd.TEXT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    folder = demo.root.parent / "bin"
    folder.mkdir()
    slow = folder / "uv"
    slow.write_text(f'#!/bin/sh\ntouch "$SIGN"\nsleep 2\nexec {demo.binary} "$@"\n')
    slow.chmod(0o755)
    sign = demo.root.parent / "sign"

    def node(name: str) -> dict[str, str]:
        return demo.env | {"TORCHSEL_CACHE_DIR": str(demo.root.parent / name), "SIGN": str(sign)}

    first = subprocess.Popen(
        [sys.executable, "-m", "torchsel", "--host", str(hosts["cpu"])],
        cwd=demo.root,
        env=node("first") | {"PATH": f"{folder}{os.pathsep}{demo.env['PATH']}"},
    )
    while not sign.exists():
        time.sleep(0.02)
    demo.env.update(node("second"))
    demo.torchsel("--host", str(hosts["gtx1080ti"]))
    assert first.poll() == 0, "the second did not wait for the first"
    assert "pytorch-cu126" in demo.text()
    demo.uv("lock", "--check")


@posix
def test_a_crowd_of_nodes_with_caches_of_their_own(adding_world: World) -> None:
    project = adding_world.project(adding_world.folder / "nodes", crowd.TEXT)
    project.uv("lock")
    outcome = rush(project, [project.root], 7, adding=4, nodes=True)
    assert outcome.odd == []
    assert outcome.done + outcome.refused == 7
    assert len(outcome.added) == 4


@posix
def test_a_lock_of_a_killed_torchsel_is_free_at_once(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(crowd.TEXT)
    code = (
        "import sys, time; from pathlib import Path;"
        "from torchsel.files.state import exclusive, state_folder;"
        "import os; lock = exclusive(Path('pyproject.toml'), state_folder(os.environ)); lock.__enter__();"
        "print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=demo.root, env=demo.env, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    start = time.monotonic()
    demo.torchsel("--host", str(hosts["cpu"]))
    assert time.monotonic() - start < 20
