"""The commands of torchsel: a module each, and a row of `TABLE`."""

from __future__ import annotations

import importlib
from typing import Literal, NamedTuple, Protocol, cast, get_args

from torchsel.answer import Answer
from torchsel.commands.context import Context, Option

Group = Literal["start", "every day", "look", "teams and clusters", "shells"]
GROUPS: tuple[Group, ...] = get_args(Group)
"""The headings of the help, in its order."""

Kind = Literal["own", "text", "uv"]


class Command(Protocol):
    """A command's module."""

    OPTIONS: tuple[Option, ...]
    """Its own; a command of the kind ``uv`` has none."""

    def run(self, context: Context) -> Answer:
        """Do what it is for.

        Raises:
            TorchselError: what stops it, in a sentence for people.
        """


class Row(NamedTuple):
    """A command: ``module`` is below this package, ``group`` and ``summary`` its place and line in the help.

    What follows a command of the kind ``uv`` is uv's; ``words`` stand before it. ``text`` is the same in
    every project and on every machine. ``example`` ends its own help.
    """

    name: str
    group: Group
    summary: str
    module: str
    kind: Kind = "own"
    words: tuple[str, ...] = ()
    example: str = ""

    def load(self) -> Command:
        """Its module, imported only when it is wanted.

        The commands need very different parts: what a shell evaluates at its start does not wait for the
        catalog and the probes. So this is where start-up is cared for, and all else imports at the top.
        """
        return cast("Command", importlib.import_module(f"{__name__}.{self.module}"))


TABLE = (
    Row("init", "start", "write [tool.torchsel], and route torch for this machine", "init"),
    Row("deinit", "start", "take out the routing and [tool.torchsel], uv.lock in step", "deinit"),
    Row("help", "start", "the guides: 'torchsel help' lists them", "help", "text"),
    Row("apply", "every day", "bring routing and uv.lock in sync with this machine; the default", "apply"),
    Row("sync", "every day", "apply, then uv sync with all that follows", "uv.wrap", "uv", ("sync",)),
    Row("lock", "every day", "apply, then uv lock with all that follows", "uv.wrap", "uv", ("lock",)),
    Row("run", "every day", "apply, then uv run with all that follows", "uv.wrap", "uv", ("run",)),
    Row("add", "every day", "apply, then uv add with all that follows", "uv.wrap", "uv", ("add",)),
    Row("remove", "every day", "apply, then uv remove with all that follows", "uv.wrap", "uv", ("remove",)),
    Row("uv", "every day", "apply, then uv with all that follows", "uv.wrap", "uv"),
    Row("status", "look", "this machine, what it takes and why, and what is wrong", "status"),
    Row("verify", "look", "does the installed torch really work on this machine?", "verify"),
    Row("backend", "look", "print the selected backend, nothing else", "backend"),
    Row("detect", "look", "print the machine; --json is what --host takes", "detect"),
    Row("check", "teams and clusters", "for CI: is it in sync? does the lock serve a host?", "check"),
    Row("hosts", "teams and clusters", "print the different machines of a cluster's inventory", "hosts",
        example="sinfo -N -h -o '%N %G %f' | torchsel hosts -o hosts"),
    Row("env", "shells", "print the lines by which plain uv takes this machine's group", "env",
        example='in .envrc, for direnv: eval "$(torchsel env)"'),
    Row("hook", "shells", "print a shell function 'uv' that goes through torchsel", "hook", "text",
        example='in ~/.bashrc: eval "$(torchsel hook bash)"'),
    Row("completion", "shells", "print the completion of torchsel's commands", "completion", "text",
        example='in ~/.bashrc: eval "$(torchsel completion bash)"'),
    Row("schema", "shells", "print the JSON Schema of [tool.torchsel], for editors", "schema", "text"),
)  # fmt: skip
"""Every command, in the order of the help. A new one is a module and a row."""

ROWS = {row.name: row for row in TABLE}
