"""uv's grammar as the table has it, against the uv that is installed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from scripts.catalog.uv_options import completion, grammar, rows
from tests.support.toolbox import OLDEST_UV, uv_binary
from torchsel.uv.call import ANYWHERE, HOOKED_COMMANDS, PROJECT_COMMANDS, commands, options, takes_value


@pytest.fixture(scope="module", params=[None, OLDEST_UV], ids=["newest", "oldest"])
def installed(request: pytest.FixtureRequest) -> Mapping[str, Mapping[str, bool]]:
    return grammar(completion(uv_binary(request.param)))


def test_every_option_is_known(installed: Mapping[str, Mapping[str, bool]]) -> None:
    assert installed.keys() - {""} <= commands()
    assert len(installed["run"]) > 60
    for command, known in installed.items():
        for option, takes in known.items():
            assert takes_value(option, command or None) == takes, f"uv {command} {option}"


def test_what_help_hides_is_known() -> None:
    assert takes_value("--preview-features") is True
    assert takes_value("--max-recursion-depth", "run") is True
    assert takes_value("--trusted-host", "sync") is True
    assert takes_value("--no-config", "sync") is False
    assert takes_value("--extra", "tree") is None
    assert takes_value("--extra") is None
    assert (takes_value("-m", "add"), takes_value("-m", "run")) == (True, False)


def test_commands() -> None:
    assert {*PROJECT_COMMANDS, *HOOKED_COMMANDS} <= commands()
    assert "pip" in commands()
    assert options()[ANYWHERE]["--color"] is True
    assert options()[ANYWHERE]["--offline"] is False


def test_rows_of_two_programs() -> None:
    old = {"": {"-q": False}, "sync": {"-q": False, "--wide": False}}
    new = {"": {"-q": False}, "sync": {"-q": False, "--wide": True}, "run": {"-q": False, "--wide": False}}
    assert rows([old, new]) == [
        ("--wide", "no", "run sync"),
        ("--wide", "yes", "sync"),
        ("-q", "no", "*"),
    ]
