"""The commands of torchsel: a module each, and a row of `TABLE`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from torchsel.answer import Answer
    from torchsel.commands.context import Context

Group = Literal["routing", "looking", "text", "uv"]


class Command(Protocol):
    """A command's module."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add its own options to its parser."""

    def run(self, context: Context) -> Answer:
        """Do what it is for.

        Raises:
            TorchselError: what stops it, in a sentence for people.
        """


class Row(NamedTuple):
    """A command: ``module`` is below this package, ``summary`` its line in the help.

    What follows a command of the group ``uv`` is uv's; ``words`` stand before it. ``text`` is the same in
    every project and on every machine.
    """

    name: str
    group: Group
    summary: str
    module: str
    words: tuple[str, ...] = ()

    def load(self) -> Command:
        """Its module, imported only when it is wanted.

        The commands need very different parts: what a shell evaluates at its start does not wait for the
        catalog and the probes. So this is where start-up is cared for, and all else imports at the top.
        """
        return cast("Command", importlib.import_module(f"{__name__}.{self.module}"))


TABLE = (
    Row(
        "apply",
        "routing",
        "bring the routing (and uv.lock) in sync with this machine; the default",
        "apply",
    ),
    Row("init", "routing", "write [tool.torchsel], taking over routing that is there, and route", "init"),
    Row("deinit", "routing", "take out the routing and [tool.torchsel], uv.lock in step", "deinit"),
    Row(
        "check",
        "looking",
        "is the routing what [tool.torchsel] generates? no hardware, no network, no writing",
        "check",
    ),
    Row("backend", "looking", "print the selected backend, nothing else", "backend"),
    Row("status", "looking", "machine, request, candidates, routing and what is wrong", "status"),
    Row("verify", "looking", "does the installed torch really work on this machine?", "verify"),
    Row("hosts", "looking", "print the different machines of a cluster's inventory", "hosts"),
    Row("detect", "looking", "print the host", "detect"),
    Row("env", "looking", "print the export lines by which plain uv takes this machine's group", "env"),
    Row("hook", "text", "print a shell function 'uv' that goes through torchsel, to be evaluated", "hook"),
    Row("completion", "text", "print the completion of torchsel's own command line", "completion"),
    Row("schema", "text", "print the JSON Schema of [tool.torchsel], for editors", "schema"),
    Row("uv", "uv", "apply, then uv with all that follows", "uv"),
    Row("sync", "uv", "apply, then uv sync with all that follows", "uv", ("sync",)),
    Row("lock", "uv", "apply, then uv lock with all that follows", "uv", ("lock",)),
    Row("run", "uv", "apply, then uv run with all that follows", "uv", ("run",)),
    Row("add", "uv", "apply, then uv add with all that follows", "uv", ("add",)),
    Row("remove", "uv", "apply, then uv remove with all that follows", "uv", ("remove",)),
)  # fmt: skip
"""Every command, in the order of the help. A new one is a module and a row."""

ROWS = {row.name: row for row in TABLE}
