"""Every case of the corpus, byte for byte, and what `edit_text` refuses."""

from __future__ import annotations

import json
import time
import tomllib
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from torchsel.errors import ConfigError, NotEditableError
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Append, Delete, Edit, Prune, SetValue, apply_to_data, same

CORPUS = Path(__file__).parents[1] / "cases" / "edit"
CASES = sorted(folder for folder in CORPUS.iterdir() if folder.is_dir())
EDITED = [folder for folder in CASES if (folder / "after.toml").exists()]
REFUSED = [folder for folder in CASES if (folder / "error.txt").exists()]
INDEX = {"name": "pytorch-cu130", "url": "https://download.pytorch.org/whl/cu130", "explicit": True}


def edits_of(folder: Path) -> list[Edit]:
    return [as_edit(**record) for record in json.loads((folder / "edits.json").read_text(encoding="utf-8"))]


def as_edit(
    op: str, path: list[str | int], value: Any = None, comments: tuple[str, ...] | list[str] = ()
) -> Edit:
    where, above = tuple(path), tuple(comments)
    kinds: dict[str, Edit] = {
        "delete": Delete(path=where, comments=above),
        "prune": Prune(path=where),
        "set": SetValue(path=where, value=value, comments=above),
        "append": Append(path=where, value=value),
    }
    return kinds[op]


def text_of(file: Path) -> str:
    return file.read_bytes().decode()


def named(folder: Path) -> str:
    return folder.name


def test_every_case_has_one_expectation() -> None:
    assert len(CASES) >= 35
    assert len(EDITED) + len(REFUSED) == len(CASES)


@pytest.mark.parametrize("folder", EDITED, ids=named)
def test_corpus(folder: Path) -> None:
    before, edits = text_of(folder / "before.toml"), edits_of(folder)
    after = edit_text(before, edits)
    assert after == text_of(folder / "after.toml")
    expected = apply_to_data(tomllib.loads(before.removeprefix("\ufeff")), edits)
    assert same(tomllib.loads(after.removeprefix("\ufeff")), expected)


@pytest.mark.parametrize("folder", EDITED, ids=named)
def test_setting_again_changes_nothing(folder: Path) -> None:
    again = [edit for edit in edits_of(folder) if isinstance(edit, SetValue)]
    if all(isinstance(edit, SetValue) for edit in edits_of(folder)):
        after = text_of(folder / "after.toml")
        assert edit_text(after, again) == after


@pytest.mark.parametrize("folder", REFUSED, ids=named)
def test_refused(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        edit_text(text_of(folder / "before.toml"), edits_of(folder))
    assert f"{type(caught.value).__name__}: {caught.value}\n" == text_of(folder / "error.txt")


@pytest.mark.parametrize("folder", CASES, ids=named)
def test_no_edits_no_change(folder: Path) -> None:
    before = text_of(folder / "before.toml")
    if folder.name != "error-not-toml":
        assert edit_text(before, []) == before


PROJECT = '[project]\nname = "demo"\n\n'
GROUPS = ("dependency-groups",)
TORCHSEL = ("tool", "torchsel")


@pytest.mark.parametrize(
    "header",
    [
        "[dependency-groups]  # of ours\n",
        "[dependency-groups]\n# of ours\n",
        "# of ours\n[dependency-groups]\n",
        "[ dependency-groups ]\n",
        "[dependency-groups] \n",
        "  [dependency-groups]\n",
    ],
)
def test_a_header_that_people_wrote_is_not_pruned(header: str) -> None:
    text = f"{PROJECT}{header}\n[tool.uv]\n"
    prune: list[Edit] = [Delete(path=(*GROUPS, "torchsel")), Prune(path=GROUPS)]
    routed = edit_text(text, [SetValue(path=(*GROUPS, "torchsel"), value=["torch"])])
    assert routed != text
    assert edit_text(routed, prune) == text
    assert edit_text(text, [Prune(path=GROUPS)]) == text


def test_a_header_as_it_would_be_written_is_pruned() -> None:
    text = f"{PROJECT}[tool.uv]\n"
    routed = edit_text(text, [SetValue(path=(*GROUPS, "torchsel"), value=["torch"])])
    assert edit_text(routed, [Delete(path=(*GROUPS, "torchsel")), Prune(path=GROUPS)]) == text
    assert edit_text(f"{PROJECT}[dependency-groups]\n\n[tool.uv]\n", [Prune(path=GROUPS)]) == text


UV: dict[str, Any] = {
    "index": [INDEX],
    "sources": {"torch": [{"index": "pytorch-cu130"}]},
    "conflicts": [[{"group": "torch-cpu"}, {"group": "torch-cu130"}]],
    "default-groups": ["torch-cpu"],
}


@pytest.mark.parametrize("before", ["\n" * count for count in range(4)])
@pytest.mark.parametrize("behind", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("is_first_to_go", [True, False])
def test_blank_lines_are_as_many_again(before: str, behind: str, is_first_to_go: bool) -> None:
    text = f"[project]\nname = 'demo'\n{before}[[tool.uv.index]]\nname = 'corp'\n{behind}[tool.ruff]\n"
    paths = ("conflicts", "sources") if is_first_to_go else ("sources", "conflicts")
    full = edit_text(text, [SetValue(path=("tool", "uv", key), value=UV[key]) for key in UV if key in paths])
    assert full != text
    gone: list[Edit] = [Delete(path=("tool", "uv", key)) for key in paths]
    one = edit_text(full, gone[:1])
    assert edit_text(one, [SetValue(path=gone[0].path, value=UV[paths[0]])]) == full
    assert edit_text(one, gone[1:]) == edit_text(full, gone) == text


@pytest.mark.parametrize("order", list(permutations(UV)), ids=" ".join)
@pytest.mark.parametrize(
    "text",
    [
        "[tool]\nuv = { managed = true }\n",
        "[tool]\nuv = { default-groups = [], managed = true , sources.x.path = 'x' }  # mine\n",
        "tool = { uv.managed = true, x = 1 }\n",
        "[tool]\nuv.managed = true\nx = 1\n",
        "[tool.uv]\nconflicts = []\n# mine\ndefault-groups = []\n",
    ],
)
def test_keys_beside_the_users_are_placed_alike_in_every_order(text: str, order: tuple[str, ...]) -> None:
    there = tomllib.loads(text)["tool"]["uv"]
    new = [key for key in order if key not in there]
    add = {key: SetValue(path=("tool", "uv", key), value=UV[key]) for key in new}
    full = edit_text(text, [add[key] for key in UV if key in new])
    assert edit_text(text, list(add.values())) == full
    take: list[Edit] = [Delete(path=("tool", "uv", key)) for key in new]
    for count in range(len(new) + 1):
        assert edit_text(edit_text(full, take[:count]), [add[key] for key in new[:count]]) == full


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", PROJECT, f"{PROJECT}# ruff\n[tool.ruff]\n", f"{PROJECT}[tool.ruff]"])
def test_comments_come_and_go_with_their_table(before: str, newline: str) -> None:
    comments = ("one", "two: 'three'")
    before = before.replace("\n", newline)
    after = edit_text(before, [SetValue(path=TORCHSEL, value={"strategy": "pin"}, comments=comments)])
    lines = ["# one", "# two: 'three'", "[tool.torchsel]", 'strategy = "pin"']
    assert after.rstrip().endswith((newline if newline in before else "\n").join(lines))
    gone: list[Edit] = [Delete(path=TORCHSEL, comments=comments), Prune(path=("tool",))]
    assert edit_text(after, gone) == before
    mine = after.replace("two", "my own")
    assert "# one" in edit_text(mine, gone)


def test_a_table_that_is_there_gets_no_comments() -> None:
    edit = SetValue(path=TORCHSEL, value={"strategy": "pin"}, comments=("one",))
    assert "#" not in edit_text("[tool.torchsel]\n", [edit])
    assert "#" not in edit_text("tool = {}\n", [edit])


def test_a_result_that_means_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchsel.toml.tables._change_table", lambda *_, **__: None)
    edit = SetValue(path=("tool", "uv", "managed"), value=True)
    with pytest.raises(NotEditableError, match=r"^tool\.uv\.managed \(line 3\) is written in a way"):
        edit_text("[tool.ruff]\n\n[tool.uv]\n", [edit])


def test_a_result_that_is_not_toml_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchsel.toml.tables.render", lambda *_: "")
    edit = SetValue(path=("tool", "uv", "managed"), value=True)
    with pytest.raises(NotEditableError, match=r"^tool\.uv\.managed \(line 1\) is written in a way"):
        edit_text("[tool.uv]\n", [edit])


@pytest.mark.parametrize("opening", ["[", "{a="])
def test_deep_nesting_is_an_error_for_people(opening: str) -> None:
    closing = {"[": "]", "{a=": "}"}[opening]
    text = f"x = {opening * 5000}{closing * 5000}\n"
    with pytest.raises(ConfigError, match="nested too deeply"):
        edit_text(text, [Append(path=("tool", "uv", "index"), value=INDEX)])


def test_a_long_dotted_key_is_an_error_for_people() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        edit_text(f"{'a.' * 1500}b = 1\n", [Append(path=("tool", "uv", "index"), value=INDEX)])


def test_time_is_linear_in_the_length() -> None:
    edits: list[Edit] = [
        SetValue(path=("tool", "uv", "sources", name), value=[{"index": "pytorch-cu130"}])
        for name in ("torch", "torchvision", "torchaudio")
    ]
    edits.append(Append(path=("tool", "uv", "index"), value=INDEX))
    small, large = (seconds(edits, count) for count in (500, 5000))
    assert large < 40 * small


def seconds(edits: list[Edit], count: int) -> float:
    text = "".join(f'[tool.t{i}]\na = 1 # c\nb.c = ["x", {{ y = 1 }}]\n\n' for i in range(count))
    start = time.process_time()
    edit_text(text, edits)
    return time.process_time() - start
