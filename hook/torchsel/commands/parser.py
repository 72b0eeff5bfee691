"""The parser of the command line, made from the table of commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from torchsel import __version__
from torchsel.commands import GROUPS, ROWS, TABLE
from torchsel.commands.context import HOST, WRITING, Arguments, Option, flag
from torchsel.console import Console
from torchsel.errors import EXIT_CONFIG
from torchsel.uv.call import PROJECT_COMMANDS

_EXAMPLES = """\
examples:
  torchsel status               what this machine takes, and why
  torchsel sync --locked        the same as: torchsel uv sync --locked
  torchsel --backend cu126 run train.py
  torchsel check --host "gpu=V100*4,driver=570.124" hosts/*.json
  torchsel detect --json > hosts/a100.json
  eval "$(torchsel hook bash)"  in ~/.bashrc: plain uv takes the right torch
"""

_UVS = PROJECT_COMMANDS | frozenset(
    {"auth", "cache", "format", "pip", "publish", "python", "self", "tool", "venv", "workspace"}
)
"""uv's commands (0.13.9)."""

_OTHER_WORDS = {
    "install": "torchsel add NAME",
    "uninstall": "torchsel remove NAME",
    "update": "torchsel apply --upgrade",
    "upgrade": "torchsel apply --upgrade",
    "doctor": "torchsel status",
    "info": "torchsel status",
}
"""What other programs call it, and the form here."""

_COMMON = (
    Option("--project", metavar="DIR", help="the project's folder (default: search upwards)"),
    Option("--backend", metavar="TAG", help="'auto' or a torch backend: cpu, cu130, rocm7.2, xpu"),
    Option("-q", "--quiet", action="store_true", help="say nothing but errors"),
    Option("-v", "--verbose", action="store_true", help="say what the probes found"),
    flag("--no-cache", "look at everything anew"),
    Option(
        "--color",
        metavar="WHEN",
        choices=("auto", "always", "never"),
        help="colours: auto, always or never",
    ),
)

_TAKES_VALUE = frozenset(item.names[0] for item in (*_COMMON, HOST, *WRITING) if "metavar" in item.settings)
"""torchsel's own options, before the command, that have a value."""


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Read the command line; ``uv`` and its short forms take everything behind them as uv's.

    Exits with 0 for ``--help`` and ``--version`` and with 2 for a mistake, as argparse does.
    """
    parser = build_parser(argv)
    at, named = _command_at(argv), _named(argv)
    row = ROWS.get(named)
    if named and row is None:
        parser.error(_unknown(named))
    uvs = row if row and row.kind == "uv" else None
    # argparse would take uv's options for torchsel's, wherever they stand
    arguments = parser.parse_args(argv[:at] if uvs else argv, namespace=Arguments())
    if uvs:
        arguments.command, arguments.uv_arguments = "uv", (*uvs.words, *argv[at + 1 :])
    arguments.command = arguments.command or "apply"
    _refuse_idle_options(parser, arguments)
    return arguments


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """What reads ``argv``: of the commands only the one that is named there has its options.

    Completion is of all commands, so that all have theirs.
    """
    parser = _Parser(
        prog="torchsel",
        usage="torchsel [OPTIONS] [COMMAND ...]",
        description=_description(),
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_options(*_COMMON, HOST)
    parser.add_options(flag("--hooked", argparse.SUPPRESS))  # of the shell functions
    parser.add_argument("--version", action="version", version=f"torchsel {__version__}")
    named = _named(argv)
    commands = parser.add_subparsers(
        dest="command",
        metavar="COMMAND",
        parser_class=_Parser,
        prog="torchsel",
        help=None if named == "completion" else argparse.SUPPRESS,  # the description lists them by group
    )
    for row in TABLE:
        if row.kind == "uv":
            commands.add_parser(row.name, add_help=False, help=row.summary)
            continue
        command = commands.add_parser(
            row.name,
            help=row.summary,
            description=row.summary,
            epilog=row.example,
            argument_default=argparse.SUPPRESS,
        )
        if named in (row.name, "completion"):
            command.add_options(*_COMMON, *row.load().OPTIONS)
    parser.add_options(*WRITING)
    return parser


class _Parser(argparse.ArgumentParser):
    """argparse with torchsel's words and exit code for a mistake, and no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False} | settings)

    def add_options(self, *options: Option) -> None:
        for option in options:
            self.add_argument(*option.names, **option.settings)

    def error(self, message: str) -> NoReturn:
        Console().error(f"{message}; see '{self.prog} --help'")
        sys.exit(EXIT_CONFIG)


def _command_at(argv: Sequence[str]) -> int:
    """The place of the command's name, behind torchsel's own options."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _TAKES_VALUE else 1
    return at


def _named(argv: Sequence[str]) -> str:
    """The command's name as it stands there, empty where there is none."""
    return "".join(argv[_command_at(argv) :][:1])


def _unknown(word: str) -> str:
    """The sentence for a word that is no command: the form that is meant, else the nearest name."""
    if word in _UVS:
        return f"{word!r} is a command of uv's: torchsel uv {word}"
    near = get_close_matches(word.lower(), [*ROWS, *_OTHER_WORDS], n=1, cutoff=0.5)
    meant = [_OTHER_WORDS.get(name, f"torchsel {name}") for name in near]
    return f"there is no command {word!r}" + (f"; did you mean '{meant[0]}'?" if meant else "")


def _description() -> str:
    """What torchsel is, and the commands by group."""
    lines = ["The right PyTorch build for this machine in uv projects."]
    for group in GROUPS:
        lines += ["", f"{group}:"]
        lines += [f"  {row.name:<11} {row.summary}" for row in TABLE if row.group == group]
    return "\n".join(lines)


def _refuse_idle_options(parser: argparse.ArgumentParser, arguments: Arguments) -> None:
    """Refuse options of `apply` where another command would pass them over."""
    names = [item.names[0] for item in WRITING]
    idle = [name for name in names if getattr(arguments, name[2:].replace("-", "_"))]
    if idle and arguments.command not in ("apply", "init", "deinit"):
        behind = "; an option of uv's own goes behind its command" if arguments.command == "uv" else ""
        parser.error(f"{idle[0]} is for 'torchsel apply'{behind}")
