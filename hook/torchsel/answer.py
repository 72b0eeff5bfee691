"""What a command comes to: what it says, and what becomes of the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from torchsel.console import Console, visible
from torchsel.errors import EXIT_OK

Kind = Literal["print", "say", "warn", "detail"]


class Notice(NamedTuple):
    """Standard output (``print``), or a sentence for people, as `Console` says it."""

    kind: Kind
    text: str


class Speaker(Protocol):
    """Whoever is told sentences for people, as a `Draft` is."""

    def say(self, text: str) -> None:
        """Tell what was done."""

    def warn(self, text: str) -> None:
        """Tell what may be wrong."""

    def detail(self, text: str) -> None:
        """Tell what only ``-v`` asks for."""

    def say_at_once(self, text: str) -> None:
        """Tell what is about to take time, after all that was told before."""


class Program(NamedTuple):
    """The program that the process becomes: an absolute path, its arguments and all of its environment."""

    path: Path
    arguments: tuple[str, ...]
    environ: Mapping[str, str]


class Answer(NamedTuple):
    """The end of a command, beside what it said.

    ``code`` is the exit code, where no ``program`` takes over. Where it ``is_lasting``, it holds as long as
    project and machine stay as they are; ``rest`` are the last words of the command line where they are only
    handed on to what is started, so that the answer is the same whatever they are.
    """

    code: int = EXIT_OK
    program: Program | None = None
    is_lasting: bool = False
    rest: tuple[str, ...] = ()


class Draft:
    """What a command says, in the order in which a terminal shows both streams together.

    It waits for the end, or for `flush`.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self.notices: list[Notice] = []
        self.told = 0

    def print(self, text: str, *, is_painted: bool = False) -> None:
        """Text for standard output; unless it has colours, control characters in it are written out."""
        self.notices.append(Notice("print", text if is_painted else visible(text)))

    def say(self, text: str) -> None:
        """Tell what was done."""
        self.notices.append(Notice("say", text))

    def warn(self, text: str) -> None:
        """Tell what may be wrong, once."""
        # a project is looked at several times for one call of uv's
        if (notice := Notice("warn", text)) not in self.notices:
            self.notices.append(notice)

    def detail(self, text: str) -> None:
        """Tell what only ``-v`` asks for."""
        self.notices.append(Notice("detail", text))

    def say_at_once(self, text: str) -> None:
        """Tell what is about to take time."""
        self.say(text)
        self.flush()

    def flush(self) -> None:
        """Say what waits: something takes time now, went wrong, or it is the end."""
        waiting, self.told = self.notices[self.told :], len(self.notices)
        for kind, text in waiting:
            getattr(self.console, kind)(text)
