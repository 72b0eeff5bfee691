"""Through strategies and back; ``scripts/robustness/sequences.py`` tries thousands of random ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from tests.support import fidelity, sequences
from tests.support.fidelity import LossError
from tests.support.sequences import LayoutError, Sequence, Step, check, failure, shrunk

TEXT = """\
# kept 1. first
[project]
name = "demo"  # kept 2.
version = "0.1"
dependencies = ["torch"]

[tool.uv]
package = false

[tool.torchsel]
"""
PIN, GROUPS = Step(settings="pin", machine="cu126"), Step(settings="groups of three", machine="cpu")
PLAIN = Sequence(name="plain", text=TEXT, is_fresh=True, steps=(PIN, GROUPS, PIN))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_there_and_back(newline: str) -> None:
    check(replace(PLAIN, text=TEXT.replace("\n", newline)))


WAYS = {
    "an index between two": ("groups of three", "groups by name", "groups of three"),
    "an index before one": ("groups of three", "pin", "groups of three"),
    "default groups before conflicts": ("groups or none", "extras by name", "groups or none"),
    "default groups that come and go": ("groups of three", "groups or none", "groups of three"),
    "conflicts that come and go": ("groups or none", "pin", "groups or none"),
}


@pytest.mark.parametrize("own", ["", 'default-groups = ["dev"]\n', 'default-groups = ["dev", "docs"]\n'])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_lists_are_the_same_from_wherever_they_began(way: tuple[str, ...], own: str) -> None:
    text = TEXT.replace("package = false\n", f"package = false\n{own}")
    groups = '\n[dependency-groups]\ndev = ["pytest"]\ndocs = ["sphinx"]\n'
    steps = tuple(Step(settings=settings, machine="cu130") for settings in way)
    check(replace(PLAIN, text=text + groups, steps=steps))


@pytest.mark.parametrize(
    "table",
    [
        "[tool]\nuv = { package = false }\n",
        "[tool]\nuv.package = false\n",
        "[tool]\nuv.'index' = [{ name = 'corp' , url = 'https://corp.example' },]\n",
        "[tool]\nuv = { sources.x = { path = 'x' } , package = false }  # mine\n",
    ],
)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_table_of_few_lines_is_the_same_again(way: tuple[str, ...], table: str) -> None:
    text = TEXT.replace("[tool.uv]\npackage = false\n", table)
    assert text != TEXT
    check(replace(PLAIN, text=text, steps=tuple(Step(settings=name, machine="cu130") for name in way)))


@pytest.mark.parametrize("system", ["win32", "linux' and platform_machine == 'aarch64"])
def test_parts_of_a_source_are_in_one_order(system: str) -> None:
    line = f"environments = [\"sys_platform == 'linux'\", \"sys_platform == '{system}'\"]\n"
    ways = ("groups", "groups of three", "extras", "groups")
    steps = tuple(Step(settings=settings, machine="rocm7.2") for settings in ways)
    check(replace(PLAIN, text=TEXT.replace("package = false\n", line), steps=steps))


def test_an_earlier_routing_in_its_own_layout_means_the_same_again() -> None:
    source = "[tool.uv.sources]\ntorch = { index = 'pytorch-cu126' }\n"
    index = "[[tool.uv.index]]\nname = 'pytorch-cu126'\nurl = 'https://download.pytorch.org/whl/cu126'\n"
    text = f"{TEXT}\n{source}\n{index}explicit = true\n"
    found = failure(replace(PLAIN, text=text, is_fresh=False))
    assert isinstance(found, LayoutError)
    assert "{ index = 'pytorch-cu126'" in found.texts[1]
    spoilt = failure(replace(PLAIN, text=text))
    assert str(spoilt) == "there and back is not the same text"


def test_no_default_group_at_all_is_not_forgotten() -> None:
    text = TEXT.replace("package = false\n", "package = false\ndefault-groups = []\n")
    step = Step(settings="groups or none", machine="cpu")
    dev = '\n[dependency-groups]\ndev = ["pytest"]\n'
    found = failure(replace(PLAIN, text=text + dev, steps=(step, step)))
    assert str(found).startswith("tool.uv.default-groups: [] keeps 'dev' out")


def test_they_are_of_both_kinds_and_end_where_they_began() -> None:
    found = [sequences.sequence(Random(number)) for number in range(60)]  # noqa: S311 - to be repeatable
    assert {item.name.endswith(".toml") for item in found} == {True, False}
    assert {step.settings for item in found for step in item.steps} == set(sequences.SETTINGS)
    assert all(item.steps[0] == item.steps[-1] and len(item.steps) > 2 for item in found)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda text: text.replace("# kept 2.", ""), "a line of the user's changed"),
        (lambda text: text.replace('"0.1"', '"0.2"'), "a value of the user's changed"),
        (lambda text: f"{text}\n# more\n", "twice is not once"),
        (lambda text: text + "# been there\n" * ("conflicts" in text), "twice is not once"),
        (lambda text: text.replace("strategy =", "strategy  ="), "a setting of the user's changed"),
    ],
)
def test_a_loss_is_found(
    spoil: Callable[[str], str], what: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    routed = fidelity.routed
    monkeypatch.setattr(fidelity, "routed", lambda *given: spoil(routed(*given)))
    found = failure(PLAIN)
    assert (found is None) == (what is None)
    assert what is None or (isinstance(found, LossError) and str(found).startswith(what))


def test_a_text_that_is_not_the_first_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    routed = fidelity.routed

    def with_memory(given: fidelity.Example, text: str, machine: str) -> str:
        found = routed(given, text.replace("# been there\n", ""), machine)
        return found + "# been there\n" * ("been" in text or "conflicts" in found)

    monkeypatch.setattr(fidelity, "routed", with_memory)
    other = Step(settings="pin", machine="xpu")
    small = shrunk(replace(PLAIN, steps=(PIN, other, GROUPS, other, PIN)))
    assert small.steps == (PIN, GROUPS, PIN)
    assert str(failure(small)) == "there and back is not the same text"
