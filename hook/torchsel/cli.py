"""The command line: arguments in, one command run, an exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from torchsel import __version__
from torchsel.console import ColorChoice, Console
from torchsel.errors import EXIT_BUG, EXIT_CONFIG, EXIT_INTERRUPTED, EXIT_MACHINE, TorchselError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torchsel.pipeline.inputs import Options
    from torchsel.records.keep import Memo
    from torchsel.shells import Shell

UV_SHORT_FORMS = ("sync", "lock", "run")
SHELLS = ("bash", "zsh", "fish", "powershell")

_EXAMPLES = """\
examples:
  torchsel                      route torch for this machine, and lock
  torchsel status               what was found, and why this backend
  torchsel sync --locked        the same as: torchsel uv sync --locked
  torchsel --backend cu126 run train.py
  torchsel check                for CI and pre-commit: no hardware, no network, writes nothing
  torchsel detect --json > hosts/a100.json
  torchsel --host hosts/a100.json backend
  eval "$(torchsel hook bash)"  in ~/.bashrc: plain uv takes the right torch
"""


class Arguments(argparse.Namespace):
    """Every option, typed."""

    command: str = "apply"
    project: str | None = None
    backend: str | None = None
    host: str | None = None
    hosts: Sequence[str] = ()
    quiet: bool = False
    verbose: bool = False
    no_cache: bool = False
    color: ColorChoice = "auto"
    json: bool = False
    shell: Shell = "bash"
    no_lock: bool = False
    dry_run: bool = False
    diff: bool = False
    upgrade: bool = False
    script: str | None = None
    strategy: str | None = None
    uv_arguments: Sequence[str] = ()
    memo: Memo | None = None

    @property
    def folder(self) -> Path:
        """Where to look for the project."""
        from torchsel.project.workspace import current_folder  # noqa: PLC0415 - start-up time

        return Path(self.project) if self.project else current_folder()

    @property
    def parser(self) -> argparse.ArgumentParser:
        """What these were read by."""
        return _parser()

    @property
    def options(self) -> Options:
        """What the survey takes."""
        from torchsel.pipeline.inputs import Options  # noqa: PLC0415 - start-up time

        return Options(folder=self.folder, backend=self.backend, host=self.host, upgrade=self.upgrade)


def main(argv: Sequence[str] | None = None) -> int:
    """Run torchsel with ``argv`` (the process's where None) and return its exit code."""
    console = Console()
    try:
        words = sys.argv[1:] if argv is None else argv
        arguments = parse_arguments(words)
        console = Console(color=arguments.color, quiet=arguments.quiet, verbose=arguments.verbose)
        from torchsel.commands import dispatch as commands  # noqa: PLC0415 - after the arguments, so that --help is quick
        from torchsel.records import keep as memo  # noqa: PLC0415 - after the arguments, so that --help is quick

        return memo.run(words, arguments, console, commands.run)
    except TorchselError as error:
        console.error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return EXIT_INTERRUPTED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.error(f"{where}{error.strerror or error}")
        return EXIT_MACHINE
    except Exception as error:  # the last line of defence: no traceback reaches a user
        console.error(_bug(error))
        return EXIT_BUG


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Read the command line; ``uv`` and its short forms take everything behind them as uv's.

    Exits with 0 for ``--help`` and ``--version`` and with 2 for a mistake, as argparse does.
    """
    own, command, rest = _split_at_uv(argv)
    arguments = _parser().parse_args(own, namespace=Arguments())
    if command is not None:
        arguments.command = "uv"
        arguments.uv_arguments = (*(() if command == "uv" else (command,)), *rest)
    arguments.command = arguments.command or "apply"
    _refuse_idle_options(arguments)
    return arguments


def _refuse_idle_options(arguments: Arguments) -> None:
    """Refuse options of `apply` where another command would pass them over."""
    given = {
        "--no-lock": arguments.no_lock,
        "--dry-run": arguments.dry_run,
        "--diff": arguments.diff,
        "--upgrade": arguments.upgrade,
        "--script": arguments.script,
    }
    idle = [name for name, value in given.items() if value]
    if idle and arguments.command not in ("apply", "init"):
        behind = "; an option of uv's own goes behind its command" if arguments.command == "uv" else ""
        _parser().error(f"{idle[0]} is for 'torchsel apply'{behind}")


def _split_at_uv(argv: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """The arguments before uv's, the uv form found, and what follows it."""
    takes_value = {"--project", "--backend", "--host", "--color"}
    position = 0
    while position < len(argv) and argv[position].startswith("-"):
        position += 2 if argv[position] in takes_value else 1
    if position < len(argv) and argv[position] in ("uv", *UV_SHORT_FORMS):
        return list(argv[:position]), argv[position], list(argv[position + 1 :])
    return list(argv), None, []


class _Parser(argparse.ArgumentParser):
    """argparse with torchsel's words and exit code for a mistake, and no abbreviated options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False} | settings)

    def error(self, message: str) -> NoReturn:
        Console().error(f"{message}; see '{self.prog} --help'")
        sys.exit(EXIT_CONFIG)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="torchsel",
        description="The right PyTorch build for this machine in uv projects.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    _add_common(parser)
    _add_host(parser)
    parser.add_argument("--version", action="version", version=f"torchsel {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        found = commands.add_parser(
            name, help=summary, description=summary, argument_default=argparse.SUPPRESS
        )
        _add_common(found)
        (_add_hosts if name == "check" else _add_host)(found)
        return found

    _add_writing(parser)
    _add_writing(command("apply", "bring the routing (and uv.lock) in sync with this machine; the default"))
    _add_init(command("init", "write [tool.torchsel], taking over routing that is there, and route"))
    command("check", "is the routing what [tool.torchsel] generates? no hardware, no network, no writing")
    command("backend", "print the selected backend, nothing else")
    for name, summary in (("status", "machine, request, candidates, routing and what is wrong"),
                          ("detect", "print the host")):  # fmt: skip
        command(name, summary).add_argument("--json", action="store_true", help="for programs")
    _add_shell_commands(command)
    for name in ("uv", *UV_SHORT_FORMS):
        target = "uv" if name == "uv" else f"uv {name}"
        commands.add_parser(name, add_help=False, help=f"apply, then {target} with all that follows")
    return parser


def _add_shell_commands(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    env = command("env", "print the export line by which plain uv takes this machine's group")
    env.add_argument("--shell", choices=SHELLS, help="whose syntax (default: bash, which zsh reads too)")
    env.epilog = 'in .envrc, for direnv: eval "$(torchsel env)"'
    hook = command("hook", "print a shell function 'uv' that goes through torchsel, to be evaluated")
    hook.add_argument("shell", choices=SHELLS, help="which shell")
    hook.epilog = 'in ~/.bashrc: eval "$(torchsel hook bash)"'
    completion = command("completion", "print the completion of torchsel's own command line")
    completion.add_argument("shell", choices=SHELLS, help="which shell")
    completion.epilog = 'in ~/.bashrc: eval "$(torchsel completion bash)"'
    command("schema", "print the JSON Schema of [tool.torchsel], for editors")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--project", metavar="DIR", help="the project's folder (default: search upwards)")
    parser.add_argument(
        "--backend", metavar="TAG", help="'auto' or a torch backend: cpu, cu130, rocm7.2, xpu"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="say what the probes found")
    parser.add_argument("--no-cache", action="store_true", help="look at everything anew")
    parser.add_argument("--color", choices=("auto", "always", "never"), help="colours (default: auto)")


def _add_host(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="FILE", help="a recorded host instead of this machine")


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host",
        metavar="FILE",
        nargs="+",
        action="extend",
        dest="hosts",
        help="recorded hosts: say which backend each would get, and whether uv.lock has it",
    )


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strategy",
        choices=("pin", "groups", "extras"),
        help="'pin' is for this machine, the others for all (default: as it is routed now, else pin)",
    )
    parser.add_argument("--no-lock", action="store_true", help="leave uv.lock as it is")
    parser.add_argument("--dry-run", action="store_true", help="print the change, write nothing")


def _add_writing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-lock", action="store_true", help="leave uv.lock as it is")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, write nothing")
    parser.add_argument("--diff", action="store_true", help="print the change as a diff, write nothing")
    parser.add_argument(
        "--upgrade", action="store_true", help="let torch and its family move to new releases"
    )
    parser.add_argument("--script", metavar="FILE", help="route a script with inline metadata (PEP 723)")


def _bug(error: Exception) -> str:
    """Where the fault is, in one line."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown place"
    return (
        f"a bug in torchsel {__version__}: {type(error).__name__} at {place}: {error}\n"
        f"please report it, with this line and your pyproject.toml"
    )


def _drop_output() -> None:
    """Nobody reads standard output any more; keep the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
