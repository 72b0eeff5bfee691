"""The command line: what is read, and how an error ends it."""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import ROOT
from torchsel import cli
from torchsel.commands import GROUPS, TABLE, Row
from torchsel.commands.parser import _OTHER_WORDS, _TAKES_VALUE, build_parser, parse_arguments
from torchsel.console import Console
from torchsel.errors import ConfigError, MachineError

PROJECT = '[project]\nname = "demo"\nversion = "1"\n\n[tool.torchsel]\n'


def test_options_with_a_value_are_known() -> None:
    valued = {
        option
        for action in build_parser()._actions
        if not isinstance(action, argparse._SubParsersAction)
        and action.option_strings
        and action.nargs is None
        for option in action.option_strings
    }
    assert valued == _TAKES_VALUE


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_row_has_its_module_and_its_help(row: Row, capsys: pytest.CaptureFixture[str]) -> None:
    assert (ROOT / "hook/torchsel/commands" / f"{row.module.replace('.', '/')}.py").is_file()
    if row.kind == "uv":
        assert parse_arguments([row.name, "--help"]).uv_arguments[-1] == "--help"
        return
    with pytest.raises(SystemExit):
        parse_arguments([row.name, "--help"])
    assert "--no-cache" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "command", "behind"),
    [
        ([], "apply", ()),
        (["--backend", "uv", "check"], "check", ()),
        (["sync", "--locked"], "uv", ("sync", "--locked")),
        (["--project", "lock", "uv", "run", "-v"], "uv", ("run", "-v")),
        (["-q", "run", "--help"], "uv", ("run", "--help")),
        (["uv"], "uv", ()),
        (["--script", "run", "--dry-run"], "apply", ()),
    ],
)
def test_the_command(words: list[str], command: str, behind: tuple[str, ...]) -> None:
    arguments = parse_arguments(words)
    assert (arguments.command, tuple(arguments.uv_arguments)) == (command, behind)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("one", "two"), 2, "error: one\nerror: two\n"),
        (MachineError("no"), 3, "error: no\n"),
        (PermissionError(13, "Permission denied", "/x"), 3, "error: /x: Permission denied\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_stops_it(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.stopped(error, Console(color="never")) == code
    assert capsys.readouterr().err == said


def test_a_bug_names_the_way_around(project: MakeProject, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = project(PROJECT)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("torchsel.commands.uv.wrap.load_project", broken)
    ended = demo.torchsel_inprocess("uv", "sync")
    assert (ended.code, ended.out) == (123, "")
    assert "a bug in torchsel" in ended.err
    assert "please report" in ended.err
    assert "TORCHSEL_DISABLE=1" in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for uv that is a shell script")
@pytest.mark.parametrize(
    ("value", "is_plain"), [("1", True), ("yes", True), ("0", False), ("", False), ("false", False)]
)
def test_disabled_it_is_plain_uv(project: MakeProject, value: str, is_plain: bool) -> None:
    demo = project(PROJECT + "nonsense = 1\n", env={"TORCHSEL_DISABLE": value})
    ended = demo.torchsel("uv", "lock", code=None)
    assert ended.code == (0 if is_plain else 2)
    assert (demo.root / "uv.lock").exists() is is_plain
    assert ("tool.torchsel.nonsense" in ended.err) is not is_plain


def test_the_help_groups_commands_and_fits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse_arguments(["--help"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    headings = [line.removesuffix(":") for line in lines if line.endswith(":") and line[0] != " "]
    assert headings == [*GROUPS, "options", "examples"]
    for group, following in zip(GROUPS, headings[1:], strict=False):
        block = lines[lines.index(f"{group}:") + 1 : lines.index(f"{following}:") - 1]
        assert [line.split()[0] for line in block] == [row.name for row in TABLE if row.group == group]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "there is no command 'stauts'; did you mean 'torchsel status'?"),
        (["-q", "Verfy"], "there is no command 'Verfy'; did you mean 'torchsel verify'?"),
        (["export", "--frozen"], "'export' is a command of uv's: torchsel uv export"),
        (["pip", "install"], "'pip' is a command of uv's: torchsel uv pip"),
        (["install", "torch"], "there is no command 'install'; did you mean 'torchsel add NAME'?"),
        (["instal", "torch"], "there is no command 'instal'; did you mean 'torchsel add NAME'?"),
        (["upgrade"], "there is no command 'upgrade'; did you mean 'torchsel apply --upgrade'?"),
        (["xyzzy"], "there is no command 'xyzzy'; see 'torchsel --help'"),
    ],
)
def test_a_mistyped_command(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse_arguments(words)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_offered_for_other_words_is_understood() -> None:
    for form in _OTHER_WORDS.values():
        assert parse_arguments(form.split()[1:]).command
