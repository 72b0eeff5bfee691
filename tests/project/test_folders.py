"""Workspace patterns: the same folders as pathlib finds, in good time whatever they are."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from torchsel.errors import ConfigError
from torchsel.project import folders
from torchsel.project.folders import FolderTree
from torchsel.project.workspace import load_project

PATTERNS = (
    *("*", "**", "a", "a/*", "*/b", "**/b", "a/**", "a/**/b", "**/a/**", "[ab]/?", "[!a]", "a/../b"),
    *("../r/*", "**/**/b", "a//b", "./a/*", "**/link/*", "*/./b", "nope/*", "a/**/..", ".*", "li*/c"),
)


def make_tree(root: Path) -> FolderTree:
    for path in ("a/b/a/b", "a/c", "b/b", "b/.hidden", "c", ".hidden/b", "target/c"):
        (root / path).mkdir(parents=True)
    (root / "b" / "a").write_text("no folder")
    (root / "a" / "link").symlink_to(root / "target")
    (root / "link").symlink_to(root / "target")
    return FolderTree(root / "pyproject.toml")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_as_pathlib(pattern: str, tmp_path: Path) -> None:
    root = tmp_path / "r"
    tree = make_tree(root)
    expected = {path.resolve() for path in root.glob(pattern) if path.is_dir()}
    found = {(root / path).resolve() for path in tree.glob(pattern)}
    assert found == expected


@pytest.mark.parametrize("pattern", ["a**", "**b/c", "/etc/*", "/**"])
def test_what_is_no_pattern_matches_nothing(pattern: str, tmp_path: Path) -> None:
    assert make_tree(tmp_path / "r").glob(pattern) == set()


@pytest.mark.parametrize("pattern", ["", "."])
def test_the_folder_itself(pattern: str, tmp_path: Path) -> None:
    assert make_tree(tmp_path / "r").glob(pattern) == {str(tmp_path / "r")}


def hostile() -> dict[str, list[str]]:
    return {
        "a tree of stars": ["**/**/**"],
        "eight stars between names": ["/".join(["**", "d*"] * 8)],
        "a thousand patterns": [f"**/d{number}/**" for number in range(1000)],
        "a thousand equal patterns": ["**/**/**"] * 1000,
        "a thousand that match": ["**/" + "[d]*" + "?" * (number % 3) + "*" * 1 for number in range(1000)],
        "many parts": ["/".join(["**", "*", "**", "d1"][at % 7 % 4] for at in range(300))],
        "stars in one part": ["*" + "d*" * 2000 + "x"],
    }


@pytest.mark.parametrize("name", hostile())
@pytest.mark.parametrize("key", ["members", "exclude"])
def test_hostile_patterns_end_in_good_time(name: str, key: str, tmp_path: Path) -> None:
    for number in range(1260):
        (tmp_path / f"d{number % 6}" / f"d{number % 42}" / f"d{number}").mkdir(parents=True)
    keys = {"members": ["*"], "exclude": []} | {key: hostile()[name]}
    table = "".join(f"{name} = {patterns}\n" for name, patterns in keys.items())
    (tmp_path / "pyproject.toml").write_text(f"[tool.uv.workspace]\n{table}")
    start = time.process_time()
    with contextlib.suppress(ConfigError):
        load_project(tmp_path)
    assert time.process_time() - start < 3


def test_too_many_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = make_tree(tmp_path / "r")
    monkeypatch.setattr(folders, "MOST_LOOKS", 5)
    with pytest.raises(ConfigError, match=r"pyproject\.toml: tool\.uv\.workspace: .* make '\*\*' narrower"):
        tree.glob("**")
