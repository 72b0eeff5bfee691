"""Projects and workspaces: found where uv finds them, read whole, and broken files told by place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from torchsel.cli import main
from torchsel.errors import ConfigError, MachineError
from torchsel.project.folders import find_pyproject
from torchsel.project.project import read_toml
from torchsel.project.workspace import load_project

PLAIN = '[project]\nname = "{}"\nversion = "0"\nrequires-python = ">=3.11"\n'


def workspace(members: str, exclude: str = "") -> str:
    return f"[tool.uv.workspace]\nmembers = [{members}]\nexclude = [{exclude}]\n"


def tree(folder: Path, files: dict[str, str]) -> None:
    """Each folder's pyproject.toml: a project named after it, and the text; ``-`` first: no project."""
    for at, text in files.items():
        name = at.replace("/", "-") or "root"
        (folder / at).mkdir(parents=True, exist_ok=True)
        content = text[1:] if text.startswith("-") else PLAIN.format(name) + text
        (folder / at / "pyproject.toml").write_text(content, encoding="utf-8")


TREES: dict[str, tuple[dict[str, str], list[str]]] = {
    "one project": ({"": "", "src/pkg": "-"}, ["", "src/pkg"]),
    "glob": ({"": workspace('"packages/*"'), "packages/a": "", "packages/b": ""}, ["packages/a", ""]),
    "a * does not stand for a slash": (
        {"": workspace('"packages/*"'), "packages/sub/x": ""},
        ["packages/sub/x"],
    ),
    "** does": ({"": workspace('"libs/**/z"'), "libs/z": "", "libs/m/n/z": ""}, ["libs/z", "libs/m/n/z"]),
    "exclude": (
        {"": workspace('"packages/*"', '"packages/x*"'), "packages/x1": "", "packages/y": ""},
        ["packages/x1", "packages/y"],
    ),
    "an excluding * stands for a slash": (
        {"": workspace('"a/**/d"', '"a/x*"'), "a/x1/k/d": "", "a/y/k/d": ""},
        ["a/x1/k/d", "a/y/k/d"],
    ),
    "odd spellings": (
        {"": workspace('"./libs/a/", "."', '"libs/b/"'), "libs/a": "", "libs/b": ""},
        ["libs/a", "libs/b", ""],
    ),
    "virtual root": ({"": "-" + workspace('"p"'), "p": ""}, ["", "p"]),
    "project inside a member": (
        {"": workspace('"packages/*"'), "packages/p": "", "packages/p/deep": ""},
        ["packages/p/deep", "packages/p"],
    ),
    "another project between": (
        {"": workspace('"mid/inner"'), "mid": "", "mid/inner": ""},
        ["mid/inner", "mid"],
    ),
    "a pyproject.toml of tools alone between": (
        {"": workspace('"mid/inner"'), "mid": "-[tool.ruff]\n", "mid/inner": ""},
        ["mid/inner"],
    ),
    "nested workspace": (
        {"": workspace('"other"'), "n": workspace('"k"'), "n/k": "", "other": ""},
        ["n/k", "n", "other"],
    ),
    "not a member": ({"": workspace('"p"'), "p": "", "q": ""}, ["q", "p"]),
    "a member that is not there": ({"": workspace('"nope"')}, [""]),
}
PLACES = [(files, start) for files, starts in TREES.values() for start in starts]
IDS = [f"{name}: from {start or 'root'}" for name, (_, starts) in TREES.items() for start in starts]


@pytest.mark.parametrize(("files", "start"), PLACES, ids=IDS)
def test_the_root_is_where_uv_locks(files: dict[str, str], start: str, tmp_path: Path, uv: Path) -> None:
    tree(tmp_path, files)
    found = load_project(tmp_path / start)
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    subprocess.run(
        [uv, "lock", "--quiet"], cwd=tmp_path / start, env=environ, check=True, capture_output=True
    )
    [lock] = [path for path in tmp_path.rglob("uv.lock") if "cache" not in path.parts]
    assert found.folder == lock.parent
    assert found.lock is None
    assert load_project(tmp_path / start).lock is not None
    locked = {item["name"] for item in read_toml(lock).data.get("package", [])}
    assert {file.data["project"]["name"] for file in found.files if "project" in file.data} == locked


def test_members_beside_the_root(tmp_path: Path) -> None:
    tree(tmp_path, {"": workspace('"b", "a", "empty"'), "a": "", "b": "", "c": ""})
    (tmp_path / "empty").mkdir()
    found = load_project(tmp_path / "b")
    assert [file.path.parent.name for file in found.members] == ["a", "b"]
    assert found.files == (found.root, *found.members)
    assert found.folder == tmp_path


@pytest.mark.parametrize("spelling", ["{0}/p/../p", "{0}/q/../p/src", "{0}/./p/"])
def test_spellings_of_the_start(spelling: str, tmp_path: Path) -> None:
    tree(tmp_path, {"": workspace('"p"'), "p": "", "q": ""})
    (tmp_path / "p" / "src").mkdir()
    assert load_project(Path(spelling.format(tmp_path))).folder == tmp_path


def test_a_relative_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, {"a": "", "b": ""})
    monkeypatch.chdir(tmp_path / "a")
    assert find_pyproject(Path("../b")) == tmp_path / "b" / "pyproject.toml"
    assert find_pyproject(Path()) == tmp_path / "a" / "pyproject.toml"


def test_dots_do_not_lead_through_another_project(tmp_path: Path) -> None:
    tree(tmp_path, {"a": ""})
    (tmp_path / "b").mkdir()
    with pytest.raises(ConfigError, match=f"^no pyproject.toml in {tmp_path / 'b'} or any folder above"):
        find_pyproject(tmp_path / "a" / ".." / "b")


def test_a_broken_file_above_is_not_judged(tmp_path: Path) -> None:
    tree(tmp_path, {"": "-x = [", "p": ""})
    assert load_project(tmp_path / "p").folder == tmp_path / "p"


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^no pyproject.toml in .* 'uv init', or give --project DIR$"):
        load_project(tmp_path)
    with pytest.raises(ConfigError, match=r"nowhere: no such folder$"):
        load_project(tmp_path / "nowhere")


def test_a_broken_member_or_lock_is_named(tmp_path: Path) -> None:
    tree(tmp_path, {"": workspace('"p"'), "p": ""})
    (tmp_path / "uv.lock").write_text("version = ")
    with pytest.raises(ConfigError, match=r"uv\.lock: not valid TOML"):
        load_project(tmp_path)
    (tmp_path / "p" / "pyproject.toml").write_text("[project")
    with pytest.raises(ConfigError, match=r"p/pyproject\.toml: not valid TOML"):
        load_project(tmp_path)


@pytest.mark.parametrize("text", ["", "tool = 1", "[tool]\nuv = []", "[tool.uv]\nworkspace = 1"])
def test_tables_of_the_wrong_type_are_empty(text: str, tmp_path: Path) -> None:
    tree(tmp_path, {"": f"-{text}"})
    found = load_project(tmp_path)
    assert found.root.table("tool", "uv", "workspace") == {}
    assert (found.members, found.is_configured) == ((), False)


def test_a_deleted_current_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for start in (Path(), Path("below")):
        with pytest.raises(MachineError, match="the current folder has been deleted; change to another one"):
            find_pyproject(start)


@pytest.mark.parametrize("command", ["apply", "check", "status", "sync", "init"])
def test_commands_in_a_deleted_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setenv("TORCHSEL_CACHE_DIR", str(tmp_path))
    assert main([command]) == 3
    assert "the current folder has been deleted" in capsys.readouterr().err
