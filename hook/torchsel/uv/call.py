"""A uv command line, as far as torchsel has to understand it, and uv's grammar (data/uv/options.csv)."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

_TABLE = Path(__file__).parents[1] / "data" / "uv" / "options.csv"
ANYWHERE = "*"

HOOKED_COMMANDS = ("sync", "lock", "run", "add", "remove", "export", "tree", "build", "version", "check")
"""uv's commands that the shell function sends through torchsel."""

PROJECT_COMMANDS = frozenset({*HOOKED_COMMANDS, "audit"})
"""uv's commands that read a project's sources or lock."""

CHANGES_LOCK = frozenset({"lock", "add", "remove"})
"""Commands after which the lock can name further packages to route."""

KEEPS_LOCK = frozenset({"--frozen", "--locked", "--check", "--check-exists", "--dry-run"})
"""Flags by which the user asks uv to leave the lock alone; torchsel then writes nothing either."""

FLAG_VARIABLES = {
    "UV_FROZEN": "--frozen",
    "UV_LOCKED": "--locked",
    "UV_NO_SYNC": "--no-sync",
    "UV_NO_DEFAULT_GROUPS": "--no-default-groups",
    "UV_NO_PROJECT": "--no-project",
    "UV_NO_SOURCES": "--no-sources",
}
"""uv's variables that stand for flags which matter here."""

VALUE_VARIABLES = {
    "--directory": ("UV_WORKING_DIR", "UV_WORKING_DIRECTORY"),
    "--project": ("UV_PROJECT",),
    "--no-sources-package": ("UV_NO_SOURCES_PACKAGE",),
}
"""uv's options with values that matter here, and variables that stand for them; the first one set counts."""

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})

# --no_workspace is an alias of uv's for --no-project
_NO_PROJECT = frozenset({"--no-project", "--no_workspace", "--help", "-h", "--version", "-V"})
_SCRIPT = frozenset({"-s", "--script", "--gui-script"})


@cache
def options() -> Mapping[str, Mapping[str, bool]]:
    """By command, ``*`` for any and none, each option and whether it takes a value."""
    found: dict[str, dict[str, bool]] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for command in row["commands"].split():
                found.setdefault(command, {})[row["option"]] = row["value"] == "yes"
    return found


def takes_value(option: str, command: str | None = None) -> bool | None:
    """Whether an option of ``command`` (None: before any) takes a value; None for one that is not known."""
    table = options()
    own = table.get(command or ANYWHERE, {})
    return own.get(option, table[ANYWHERE].get(option))


def commands() -> frozenset[str]:
    """Every command of uv's."""
    return frozenset(options()) - {ANYWHERE}


class Given(NamedTuple):
    """An option: by the command line's words from ``start`` up to ``stop``, or by a variable, with none."""

    name: str
    value: str | None = None
    start: int = 0
    stop: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class UvCall:
    """A uv command line as far as torchsel has to understand it.

    ``command`` is None where there is none (``uv --version``), else ``arguments[position - 1]``. ``given``
    are uv's own options, without what ``uv run`` passes on to the program it starts; ``unknown`` names those
    that uv's grammar does not have here. ``plain`` are the words behind the command that are no options;
    ``target`` is what ``uv run`` starts, with its own arguments; ``start`` the current folder.
    """

    command: str | None
    start: Path
    folder: Path
    given: tuple[Given, ...] = ()
    arguments: tuple[str, ...] = ()
    position: int = 0
    plain: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The names of all options."""
        return tuple(item.name for item in self.given)

    @property
    def script(self) -> Path | None:
        """The Python file that ``uv run`` starts, which may have metadata of its own (PEP 723)."""
        if self.command != "run" or not self.target or {"-m", "--module"}.intersection(self.options):
            return None
        named = self.target[0]
        if "://" in named or named == "-":
            return None
        if not _SCRIPT.intersection(self.options) and not named.endswith((".py", ".pyw")):
            return None
        return self.directory / named

    @property
    def directory(self) -> Path:
        """The folder that uv goes to, for which relative paths of its arguments are meant."""
        return self.start / "".join(self.values_of("--directory")[-1:])

    @property
    def is_for_project(self) -> bool:
        """Whether it is about a project."""
        without = _NO_PROJECT if self.command == "run" else _NO_PROJECT | _SCRIPT
        return self.command in PROJECT_COMMANDS and not without.intersection(self.options)

    @property
    def keeps_lock(self) -> bool:
        """Whether the user asked that files stay as they are."""
        implied = self.command == "run" and "--no-sync" in self.options  # uv's help: implies --frozen
        return implied or bool(KEEPS_LOCK.intersection(self.options))

    @property
    def only_writes(self) -> bool:
        """Whether it changes what is required, and neither locks nor installs."""
        return self.command in ("add", "remove", "version") and "--frozen" in self.options

    @property
    def syncs(self) -> bool:
        """Whether a command that changes the project goes on to sync; ``uv version`` may only tell."""
        if {"--no-sync", "--frozen", "--dry-run"}.intersection(self.options):
            return False
        return self.command != "version" or "--bump" in self.options or bool(self.plain)

    @property
    def brings(self) -> tuple[str, ...]:
        """The requirements of a ``uv add`` that is to change the project."""
        return self.plain if self.command == "add" and not self.keeps_lock else ()

    def values_of(self, *names: str) -> tuple[str, ...]:
        """Every value given to an option of these names."""
        return tuple(item.value for item in self.given if item.name in names and item.value is not None)

    def with_flags(self, *flags: str) -> tuple[str, ...]:
        """The arguments with ``flags`` right behind the command."""
        return (*self.arguments[: self.position], *flags, *self.arguments[self.position :])

    def without(self, names: Collection[str]) -> UvCall:
        """The call without the words of these options, each of which has words of its own."""
        gone = {at for item in self.given if item.name in names for at in range(item.start, item.stop)}
        kept = tuple(word for at, word in enumerate(self.arguments) if at not in gone)
        position = self.position - sum(at < self.position for at in gone)
        return replace(self, arguments=kept, position=position)


def read_uv_call(
    arguments: Sequence[str], folder: Path, *, environ: Mapping[str, str] | None = None
) -> UvCall:
    """Find uv's command, its options and the project folder in ``arguments`` and uv's variables.

    ``folder`` is the project folder where neither names one.
    """
    line = _Line(arguments)
    line.read()
    given = (*_of_variables(environ or {}), *line.given)
    # of several the last one counts, and the command line comes after the variables
    last = {item.name: item.value or "" for item in given}
    return UvCall(
        command=line.command,
        start=folder,
        folder=folder / last.get("--directory", "") / last.get("--project", ""),
        given=given,
        arguments=tuple(arguments),
        position=line.position,
        plain=tuple(line.plain),
        target=tuple(arguments[line.target :]),
        unknown=tuple(line.unknown),
    )


def _of_variables(variables: Mapping[str, str]) -> Iterator[Given]:
    for variable, flag in FLAG_VARIABLES.items():
        if variables.get(variable, "").lower() in _TRUE:
            yield Given(name=flag)
    for option, names in VALUE_VARIABLES.items():
        if value := next(filter(None, map(variables.get, names)), None):
            yield Given(name=option, value=value)


class _Line:
    """The words of a command line, read from the first to the last that is uv's."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.at = self.position = 0
        self.command: str | None = None
        self.given: list[Given] = []
        self.plain: list[str] = []
        self.unknown: list[str] = []
        self.target = len(words)

    def read(self) -> None:
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            if word == "--":  # behind it are no options, and with "uv run" it is the program that starts
                self.target = self.at
                break
            if word.startswith("--"):
                self._long(word)
            elif word.startswith("-") and word != "-":
                self._short(word)
            elif self.command is None:
                self.command, self.position = word, self.at
            elif self.command == "run":
                self.target = self.at - 1
                break
            else:
                self.plain.append(word)
        if self.command != "run":
            self.plain += self.words[self.target :]

    def _long(self, word: str) -> None:
        start = self.at - 1
        name, equals, value = word.partition("=")
        if equals:
            self._takes_value(name)
            self._add(name, value, start)
        else:
            self._add(name, self._next() if self._takes_value(name) else None, start)

    def _short(self, word: str) -> None:
        """One letter or several flags in one word, of which the last may have a value: ``-qp3.12``."""
        start, letters = self.at - 1, word[1:]
        while letters:
            name, letters = f"-{letters[0]}", letters[1:]
            if self._takes_value(name, is_last=not letters):
                self._add(name, letters.removeprefix("=") or self._next(), start)
                break
            self._add(name, None, start)

    def _takes_value(self, name: str, *, is_last: bool = True) -> bool:
        """As uv has it; before the command, what follows an unknown option is its value, or the command."""
        known = takes_value(name, self.command)
        if known is not None:
            return known
        self.unknown.append(name)
        behind = self.words[self.at : self.at + 1]
        return is_last and self.command is None and not commands().issuperset(behind)

    def _next(self) -> str:
        self.at += 1
        return "".join(self.words[self.at - 1 : self.at])

    def _add(self, name: str, value: str | None, start: int) -> None:
        self.given.append(Given(name=name, value=value, start=start, stop=self.at))
