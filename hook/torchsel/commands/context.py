"""What a command is given."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torchsel.answer import Draft
from torchsel.console import ColorChoice
from torchsel.project.folders import current_folder
from torchsel.uv.call import UvCall, read_uv_call


class Option:
    """An option or argument of a command's, in argparse's words."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.names, self.settings = names, settings


def flag(name: str, about: str) -> Option:
    """An option without a value."""
    return Option(name, action="store_true", help=about)


HOST = Option("--host", metavar="HOST", help="a recorded host, or words: 'gpu=V100*4,driver=570'")
"""Of commands that look at the machine."""

HOSTS = Option(
    "--host",
    metavar="HOST",
    nargs="+",
    action="extend",
    dest="hosts",
    help="recorded hosts, inventories or machines in words: judge for all of these",
)
"""Of commands that judge for machines, one or several."""

JSON = flag("--json", "for programs")
NO_LOCK = flag("--no-lock", "leave uv.lock as it is")
ONLY_PRINTS = flag("--dry-run", "print the change, write nothing")

WRITING = (
    NO_LOCK,
    flag("--dry-run", "say what would change, write nothing"),
    flag("--diff", "print the change as a diff, write nothing"),
    flag("--upgrade", "let torch and its family move to new releases"),
    Option("--script", metavar="FILE", help="route a script with inline metadata (PEP 723)"),
)
"""Of ``apply``, which the bare ``torchsel`` takes as well."""


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
    hooked: bool = False
    color: ColorChoice = "auto"
    json: bool = False
    shell: str = "bash"
    no_lock: bool = False
    dry_run: bool = False
    diff: bool = False
    upgrade: bool = False
    script: str | None = None
    strategy: str | None = None
    timeout: float = 60.0
    report: str | None = None
    source: str = "-"
    driver: str | None = None
    output: str | None = None
    topic: str | None = None
    uv_arguments: Sequence[str] = ()

    @property
    def all_hosts(self) -> Sequence[str]:
        """Every machine named, before the command or behind it."""
        return self.hosts or ([self.host] if self.host else [])


class Context(NamedTuple):
    """One run of a command: the command line as ``words`` and as ``arguments``.

    ``draft`` takes what is to be said.
    """

    words: tuple[str, ...]
    arguments: Arguments
    draft: Draft
    environ: Mapping[str, str]

    @property
    def is_uvs(self) -> bool:
        """Whether the command line is one of uv's."""
        return self.arguments.command == "uv"

    @property
    def call(self) -> UvCall:
        """Uv's command line."""
        own = ("--project", self.arguments.project) if self.arguments.project else ()
        return read_uv_call((*own, *self.arguments.uv_arguments), current_folder(), environ=self.environ)

    @property
    def start(self) -> Path:
        """The folder in which the project is looked for, as uv does: by its variables too."""
        given = self.arguments.project
        return Path(given) if given and not self.is_uvs else self.call.folder
