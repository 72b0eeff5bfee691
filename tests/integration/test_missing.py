"""An index that lacks what the catalog promises: the next candidate, said and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.index import Index
from tests.support.toolbox import OLDEST_UV, Project, World, uv_binary

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
PYPROJECT = f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n'
LOCKED = PYPROJECT.replace('"torch"', '"torch>=2.15.0"')
WARNING = "/cu132 has no torch 2.15.0, which torchsel's catalog promises"


@pytest.fixture(scope="module")
def behind() -> Iterator[Index]:
    """As if torch 2.15.0 for CUDA 13.2 had never been built."""
    with Index(without={"cu132": ("torch-2.15.0",)}) as index:
        yield index


@pytest.fixture
def demo(behind: Index, tmp_path: Path, hosts: dict[str, Path]) -> Project:
    """A project locked at torch 2.15.0 on a machine without a GPU, now on one that wants CUDA 13.2."""
    return locked(behind, tmp_path, hosts)


def locked(index: Index, folder: Path, hosts: dict[str, Path], uv: str | None = None) -> Project:
    world = World(index=index, folder=folder)
    made = world.project(folder / "demo", LOCKED, uv=uv_binary(uv), env={"TORCHSEL_HOST": str(hosts["cpu"])})
    made.torchsel("lock")
    made.env["TORCHSEL_HOST"] = str(hosts["h200"])
    return made


@pytest.mark.parametrize("uv", [None, OLDEST_UV])
def test_the_next_candidate_is_taken(
    behind: Index, tmp_path: Path, hosts: dict[str, Path], uv: str | None
) -> None:
    demo = locked(behind, tmp_path, hosts, uv)
    told = demo.torchsel()
    assert WARNING in told.err
    assert "cu130 with torch 2.15.0 is taken" in told.err
    assert "2.15.0+cu130" in demo.locked("torch")
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.15.0+cu130"


def test_the_finding_stays_until_it_is_looked_for_anew(demo: Project, behind: Index) -> None:
    demo.torchsel()
    routed, asked = demo.text(), len(behind.requests)
    for words in ((), ("check",), ("backend",)):
        demo.torchsel(*words)
    assert (demo.text(), len(behind.requests)) == (routed, asked)
    assert demo.torchsel("backend").out == "cu130\n"
    assert WARNING in demo.torchsel("backend").err
    assert WARNING in demo.torchsel("--no-cache").err
    assert len(behind.requests) > asked
    assert demo.text() == routed


def test_an_index_that_has_caught_up_is_believed(demo: Project, index: Index) -> None:
    demo.torchsel()
    demo.env["TORCHSEL_INDEX_URL"] = index.whl
    assert demo.torchsel("backend").out == "cu132\n"


def test_every_way_to_lock(behind: Index, tmp_path: Path, hosts: dict[str, Path]) -> None:
    for name in ("sync", "lock", "init"):
        world = World(index=behind, folder=tmp_path / name)
        world.folder.mkdir()
        text = LOCKED if name != "init" else LOCKED.partition("\n[tool")[0]
        made = world.project(world.folder / "demo", text, env={"TORCHSEL_HOST": str(hosts["h200"])})
        if name == "init":
            made.uv("lock")
        assert WARNING in made.torchsel(name).err
        assert "2.15.0+cu130" in made.locked("torch")
        made.torchsel("sync", "--locked")
        assert made.installed("torch") == "2.15.0+cu130"


def test_a_lock_that_fails_for_another_reason_proves_nothing(
    index: Index, tmp_path: Path, hosts: dict[str, Path]
) -> None:
    made = locked(index, tmp_path, hosts)
    made.pyproject.write_text(made.text().replace('"torch>=', '"no-such-package", "torch>='))
    assert "uv lock failed for cu132" in made.torchsel(code=3).err
    assert made.torchsel("backend").out == "cu132\n"
    assert list((tmp_path / "home").rglob("missing-*.json")) == []


def test_an_index_that_does_not_answer_proves_nothing(
    behind: Index, tmp_path: Path, hosts: dict[str, Path]
) -> None:
    made = locked(behind, tmp_path, hosts)
    made.env.update({"TORCHSEL_INDEX_URL": "http://127.0.0.1:9/whl", "UV_HTTP_RETRIES": "0"})
    assert "uv lock failed for cu132" in made.torchsel(code=3).err
    assert list((tmp_path / "home").rglob("missing-*.json")) == []


def test_a_project_that_does_not_lock_without_it_either(demo: Project, tmp_path: Path) -> None:
    demo.pyproject.write_text(demo.text().replace('"torch>=', '"no-such-package", "torch>='))
    before = demo.text()
    assert "uv lock failed for cu132" in demo.torchsel(code=3).err
    assert demo.text() == before
    assert list((tmp_path / "home").rglob("missing-*.json")) == []


LISTS = {
    "groups": 'strategy = "groups"\nbackends = ["cpu", "cu126", "cu132"]\ndefault-backend = "none"\n',
    "extras": 'strategy = "extras"\nbackends = ["cpu", "cu126", "cu132"]\n',
}


def shared(behind: Index, folder: Path, hosts: dict[str, Path], table: str, torch: str = "torch") -> Project:
    """As `locked`, by groups or extras."""
    world = World(index=behind, folder=folder)
    text = PYPROJECT.replace('"torch"', f'"{torch}"')
    made = world.project(folder / "demo", text, env={"TORCHSEL_HOST": str(hosts["h200"])})
    made.uv("lock")
    assert made.locked("torch") == ["2.15.0"]
    made.pyproject.write_text(text + table)
    return made


@pytest.mark.parametrize("table", LISTS.values(), ids=LISTS)
def test_what_is_for_all_machines_locks_the_next_candidate(
    behind: Index, tmp_path: Path, hosts: dict[str, Path], table: str
) -> None:
    made = shared(behind, tmp_path, hosts, table)
    told = made.torchsel().err
    assert WARNING in told
    assert "torch 2.15.0 in uv.lock has no build for cu126, cu132: torch 2.14.1 there" in told
    committed = made.text(), (made.root / "uv.lock").read_bytes()
    made.torchsel("check")
    made.torchsel("sync", "--locked")
    assert made.installed("torch") == "2.14.1+cu132"
    made.env["TORCHSEL_HOST"] = str(hosts["cpu"])
    made.torchsel("sync", "--locked")
    assert made.installed("torch") == "2.15.0+cpu"
    assert list((tmp_path / "home").rglob("missing-*.json")) == []
    for words in ((), ("--no-cache",), ("sync",)):  # nothing is remembered, and nothing goes back and forth
        assert WARNING not in made.torchsel(*words).err
        assert (made.text(), (made.root / "uv.lock").read_bytes()) == committed


def test_init_with_groups_locks_the_next_candidate(
    behind: Index, tmp_path: Path, hosts: dict[str, Path]
) -> None:
    made = shared(behind, tmp_path, hosts, "")
    made.pyproject.write_text(PYPROJECT.partition("\n[tool")[0])
    assert WARNING in made.torchsel("init", "--strategy", "groups").err
    made.torchsel("check")
    made.torchsel("sync", "--locked")
    assert made.installed("torch") in ("2.14.1+cu132", "2.15.0+cu130")


@pytest.mark.parametrize("words", [(), ("lock",), ("sync",)])
def test_what_every_machine_has_to_know_is_to_be_written(
    behind: Index, tmp_path: Path, hosts: dict[str, Path], words: tuple[str, ...]
) -> None:
    table = LISTS["groups"].replace("cu126", "cu130")
    made = shared(behind, tmp_path, hosts, table, "torch>=2.15.0")
    if words:
        (made.root / "uv.lock").unlink()
    told = made.torchsel(*words, code=2).err
    assert WARNING in told
    assert "tool.torchsel.backends: cu132 has no build of the torch that the project requires" in told
    made.pyproject.write_text(made.text().replace(', "cu132"', ""))
    made.torchsel("sync")
    assert made.installed("torch") == "2.15.0+cu130"


def test_one_torch_for_all_is_to_be_written(behind: Index, tmp_path: Path, hosts: dict[str, Path]) -> None:
    table = LISTS["groups"].replace("cu126", "cu130") + "same-torch = true\n"
    made = shared(behind, tmp_path, hosts, table)
    told = made.torchsel(code=2).err
    assert f"{WARNING}; every machine has to know that: require torch<=2.14.1" in told
    made.pyproject.write_text(made.text().replace('"torch"', '"torch<=2.14.1"', 1))
    made.torchsel("sync")
    assert made.installed("torch") == "2.14.1+cu132"
