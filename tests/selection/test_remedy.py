"""Commands for remedies: whole, quoted for shells, a command for each list of requirements."""

from __future__ import annotations

import shlex
import tomllib

import pytest

from torchsel.backend import Backend
from torchsel.config.keys import parse_config
from torchsel.project.places import Added
from torchsel.selection.remedy import (
    Cure,
    Remedy,
    WayOut,
    add_commands,
    backends_line,
    command,
    remove_commands,
)
from torchsel.selection.values import Selection

TORCH = Added(package="torch", name="torch")
VISION = Added(package="torchvision", name="torchvision")
IN_GROUP = Added(package="torchvision", name="torchvision", options=("--group", "dev"))
BOUNDS = ("torch<2.15", "torchvision<0.29.2")


@pytest.mark.parametrize(
    ("direct", "typed"),
    [
        ((), ()),
        ((VISION,), ()),
        ((TORCH,), ('torchsel add "torch<2.15"',)),
        ((TORCH, VISION), ('torchsel add "torch<2.15" "torchvision<0.29.2"',)),
        (
            (TORCH, IN_GROUP),
            (
                'torchsel add --frozen "torch<2.15"',
                'torchsel add --frozen --group dev "torchvision<0.29.2"',
                "torchsel sync",
            ),
        ),
        (
            (Added(package="torch", name="torch", options=("--script", "a b.py")),),
            ("uv add --script \"a b.py\" \"torch<2.15\"",),
        ),
    ],
)  # fmt: skip
def test_add(direct: tuple[Added, ...], typed: tuple[str, ...]) -> None:
    assert add_commands(BOUNDS, direct) == typed


def test_remove() -> None:
    assert remove_commands("torchvision", (TORCH, VISION)) == ("torchsel remove torchvision",)
    assert remove_commands("torchaudio", (TORCH, VISION)) == ()
    assert remove_commands("torchvision", (VISION, IN_GROUP))[-1] == "torchsel sync"


@pytest.mark.parametrize("word", ["torch", "torch<2.15", "a 'b'", "$x", "`x`", 'a"b', "\\", "!x", "100%"])
def test_a_shell_reads_the_word(word: str) -> None:
    assert shlex.split(command("torchsel", word)) == ["torchsel", word]


def test_double_quotes_are_for_every_shell() -> None:
    assert command("torch<2 ; sys_platform == 'linux'") == "\"torch<2 ; sys_platform == 'linux'\""


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ({"backends": ["cpu"]}, 'backends = ["cpu", "cu126"]'),
        (
            {"strategy": "groups", "backends": {"gpu": "cu130", "cpu": "cpu"}},
            'backends = { gpu = "cu130", cpu = "cpu", cu126 = "cu126" }',
        ),
    ],
)
def test_the_line_is_the_list_with_one_more(table: dict[str, object], line: str) -> None:
    config = parse_config(table, where="here")
    assert backends_line("cu126", config.names, config.backends or ()) == line
    read = parse_config({**table, **tomllib.loads(line)}, where="here")
    assert read.backends is not None
    assert "cu126" in read.backends


def test_the_first_way_out_that_can_be_typed() -> None:
    driver = Remedy(kind=Cure.DRIVER, value="580")
    require = Remedy(kind=Cure.REQUIRE, value="<2.15", commands=("a", "b"))
    without = Remedy(kind=Cure.COMPANION, value="x", commands=("c",))

    def commands(*ways: WayOut) -> tuple[str, ...]:
        return Selection(backend=Backend.parse("cpu"), torch=None, reasons=(), ways_out=ways).commands

    assert commands() == ()
    assert commands((driver,), (driver, require)) == ()
    assert commands((driver,), (require, without), (without,)) == ("a", "b", "c")
