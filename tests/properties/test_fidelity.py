"""Nothing but torchsel's own entries changes: files as projects have them, and random ones in every style."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import fidelity
from tests.support.exploring import explored
from tests.support.fidelity import Example, LossError, check, failure, routed, shrunk
from torchsel.errors import ConfigError
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import SetValue

REAL = sorted((Path(__file__).parents[1] / "cases" / "real").glob("*.toml"))
CHANGED_IN_PLACE = {
    "empty-containers": 1,
    "tool-inline": 1,
    "uv-inline-table": 1,
    "uv-index-inline": 1,
    "uv-index-inline-one-line": 1,
}
"""Lines of a file that hold one of uv's tables in a single line, and so change with it."""

examples = st.builds(fidelity.example, st.randoms(use_true_random=False))


def real(path: Path, machines: tuple[str, str] = ("cu126", "rocm7.2")) -> Example:
    text = path.read_bytes().decode()
    return Example(
        text=text, locked=(), machines=machines, is_fresh="pytorch-cu" not in fidelity.uv_part(text)
    )


def lost_lines(before: str, after: str) -> list[str]:
    """Lines of ``before`` that ``after`` does not have, in their order; the last one may get a line end."""
    there = iter(f"{after}\n".splitlines(keepends=True))
    end = "" if before.endswith("\n") else "\r\n" if "\r\n" in before else "\n"
    lost, held = [], list(there)
    at = 0
    for line in f"{before}{end}".splitlines(keepends=True):
        if line in held[at:]:
            at = held.index(line, at) + 1
        else:
            lost.append(line)
    return lost


def test_there_are_enough_real_files() -> None:
    assert len(REAL) >= 60
    texts = [path.read_bytes() for path in REAL]
    assert len(set(texts)) == len(texts)
    assert any(b"\r\n" in text for text in texts)
    assert any(text.startswith("\ufeff".encode()) for text in texts)
    assert any(not text.endswith(b"\n") for text in texts)
    assert len(SWITCHED) >= 90


@pytest.mark.parametrize("machines", [("cu126", "rocm7.2"), ("cpu", "xpu")], ids="-".join)
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_files_there_and_back(path: Path, machines: tuple[str, str]) -> None:
    check(real(path, machines))


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_files_keep_every_line(path: Path) -> None:
    project = real(path)
    if project.is_fresh:
        lost = lost_lines(project.text, routed(project, project.text, "cu126"))
        assert len(lost) == CHANGED_IN_PLACE.get(path.stem, 0), lost


def switched(path: Path, strategy: str) -> str | None:
    """The file with another strategy; None where its table is written in another way, or says otherwise."""
    text = path.read_bytes().decode()
    found, count = re.subn(
        r"(?m)^\[tool\.torchsel\](\r?\n|$)(?!.*strategy)", f'[tool.torchsel]\nstrategy = "{strategy}"\n', text
    )
    return found if count and "strategy" not in text and 'default-groups = "all"' not in text else None


SWITCHED = [
    pytest.param(path, strategy, text, id=f"{path.stem}-{strategy}")
    for path in REAL
    for strategy in ("groups", "extras")
    if (text := switched(path, strategy))
]


@pytest.mark.parametrize(("path", "strategy", "text"), SWITCHED)
def test_real_files_with_other_strategies(path: Path, strategy: str, text: str) -> None:
    if "project" not in tomllib.loads(text.removeprefix("\ufeff")):
        with pytest.raises(ConfigError, match=rf"'{strategy}' needs a \[project\] table"):
            check(replace(real(path), text=text))
    else:
        check(replace(real(path), text=text))


def there_and_back(path: Path, others: tuple[str, ...]) -> tuple[str, str] | None:
    """The text under pin before and after other strategies; None where one of them is not for the project."""
    project = real(path)
    data = tomllib.loads(project.text.removeprefix("\ufeff"))
    if not project.is_fresh or "project" not in data or data["tool"].get("uv", {}).get("conflicts") == []:
        return None
    try:
        first = text = routed(project, with_strategy(project.text, "pin"), "cu126")
        for strategy in (*others, "pin"):
            text = routed(project, with_strategy(text, strategy), "cu126")
    except ConfigError:
        return None
    return first, text


def with_strategy(text: str, strategy: str) -> str:
    return edit_text(text, [SetValue(path=("tool", "torchsel", "strategy"), value=strategy)])


@pytest.mark.parametrize("others", [("groups",), ("extras",), ("groups", "extras"), ("extras", "groups")])
def test_real_files_come_back_from_other_strategies(others: tuple[str, ...]) -> None:
    trips = {path.stem: trip for path in REAL if (trip := there_and_back(path, others))}
    assert len(trips) > len(REAL) / 2
    assert {name: back for name, (first, back) in trips.items() if back != first} == {}


@settings(max_examples=explored(150), suppress_health_check=list(HealthCheck))
@given(project=examples)
def test_random_files_there_and_back(project: Example) -> None:
    check(project)


PLAIN = """\
# kept 1. first
[project]
name = "demo"  # kept 2.
dependencies = ["torch"]

[tool.torchsel]
"""


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda text: text.replace("# kept 2.", ""), "a line of the user's changed"),
        (lambda text: re.sub("first\r?\n", "first\r\n", text), "a line of the user's changed"),
        (lambda text: text.replace('"demo"', '"Demo"').replace("  # kept 2.", ""), "a line of the user's"),
        (lambda text: text.replace('["torch"]', '["torch", "x"]', 1), "a value of the user's changed"),
        (lambda text: "\ufeff" + text.removeprefix("\ufeff"), "the BOM"),
        (lambda text: f"{text}\n# more\n", "twice is not once"),
        (lambda text: text.replace("explicit = true", "explicit = false"), "torch is not routed"),
        (lambda _: PLAIN, "torch is not routed"),
    ],
)
def test_a_loss_is_found(spoil: Callable[[str], str], found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Example(text=PLAIN, locked=(), machines=("cu126", "cpu"), is_fresh=True)
    check(project)
    monkeypatch.setattr(fidelity, "routed", lambda *given: spoil(routed(*given)))
    with pytest.raises(LossError, match=found):
        check(project)


@pytest.mark.parametrize(("comment", "is_told"), [("  # kept 3.", True), ("", False)])
def test_an_empty_table_of_groups_is_told_by_its_comment(comment: str, is_told: bool) -> None:
    text = PLAIN.replace("[tool.torchsel]", f"[dependency-groups]{comment}\n\n[tool.torchsel]")
    project = Example(text=text, locked=(), machines=("cu126", "rocm7.2"), is_fresh=True)
    first = routed(project, text, "cu126")
    back = routed(project, routed(project, first, "rocm7.2"), "cu126")
    assert ("[dependency-groups]" in back) == is_told
    assert (back == first) == is_told


def test_a_text_that_is_not_the_first_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_memory(project: Example, text: str, machine: str) -> str:
        comment = "# been there\n" if "rocm" in text or "been" in text else ""
        return routed(project, text.replace("# been there\n", ""), machine) + comment

    project = Example(text=PLAIN, locked=(), machines=("cu126", "rocm7.2"), is_fresh=True)
    monkeypatch.setattr(fidelity, "routed", with_memory)
    with pytest.raises(LossError, match="there and back is not the same"):
        check(project)


def test_a_failing_example_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(project: Example, text: str, machine: str) -> str:
        return routed(project, text, machine).replace("# kept 7.\n", "")

    monkeypatch.setattr(fidelity, "routed", careless)
    numbers = (number for number in range(200))
    bad = next(p for n in numbers if isinstance(failure(p := fidelity.example(Random(n))), LossError))  # noqa: S311
    small = shrunk(bad)
    assert isinstance(failure(small), LossError)
    assert len(small.text.splitlines()) < 8
