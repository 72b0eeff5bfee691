"""A uv command line, as far as torchsel has to understand it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROJECT_COMMANDS = frozenset(
    {"sync", "lock", "run", "add", "remove", "export", "tree", "build", "version", "check", "audit"}
)
"""uv's commands that read a project's sources or lock."""

HOOKED_COMMANDS = ("sync", "lock", "run", "add", "remove", "export", "tree", "build")
"""uv's commands that the shell function sends through torchsel."""

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

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})

_NO_PROJECT = frozenset(
    {"--no-project", "--script", "-s", "--gui-script", "--help", "-h", "--version", "-V", "--no-sources"}
)

# uv's options that take a value and may stand before or after the command (uv 0.13.9, `uv help`)
GLOBAL_VALUES = frozenset(
    {"--cache-dir", "--python-preference", "--color", "--config-file", "--directory", "--project",
     "--allow-insecure-host", "--trusted-host", "--python-fetch"}
)  # fmt: skip
# options of `uv run` that take a value, so that its command can be told from them
_RUN_VALUES = frozenset(
    {"--extra", "--no-extra", "--group", "--no-group", "--only-group", "--with", "--with-editable",
     "--with-requirements", "--env-file", "--package", "--python", "-p", "--index", "--default-index",
     "--index-url", "-i", "--extra-index-url", "--find-links", "-f", "-P", "--upgrade-package",
     "--no-editable-package", "--prerelease-package", "--no-sources-package",
     "--reinstall-package", "--index-strategy", "--keyring-provider", "--resolution", "--prerelease",
     "--fork-strategy", "--exclude-newer", "--exclude-newer-package", "--link-mode", "--config-setting", "-C",
     "--config-settings-package", "--no-build-isolation-package", "--no-build-package", "--no-binary-package",
     "--refresh-package", "--python-platform", "--upgrade-group", "-w"}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class UvCall:
    """A uv command line as far as torchsel has to understand it.

    ``command`` is None where there is none (``uv --version``), else ``arguments[position - 1]``. ``options``
    are uv's own, without what ``uv run`` passes on to the program it starts; ``values`` those with a value.
    ``target`` is what ``uv run`` starts, with its own arguments; ``start`` the current folder.
    """

    command: str | None
    options: tuple[str, ...]
    folder: Path
    arguments: tuple[str, ...] = ()
    position: int = 0
    values: tuple[tuple[str, str], ...] = ()
    target: tuple[str, ...] = ()
    start: Path | None = None

    @property
    def script(self) -> Path | None:
        """The Python file that ``uv run`` starts, which may have metadata of its own (PEP 723)."""
        if self.command != "run" or not self.target or {"-m", "--module"}.intersection(self.options):
            return None
        is_named = {"-s", "--script", "--gui-script"}.intersection(self.options)
        if not is_named and not self.target[0].endswith((".py", ".pyw")):
            return None
        return (self.start or self.folder) / "".join(self.values_of("--directory")[-1:]) / self.target[0]

    @property
    def is_for_project(self) -> bool:
        """Whether the routing matters to it."""
        return self.command in PROJECT_COMMANDS and not _NO_PROJECT.intersection(self.options)

    @property
    def keeps_lock(self) -> bool:
        """Whether the user asked that files stay as they are."""
        implied = self.command == "run" and "--no-sync" in self.options  # uv's help: implies --frozen
        return implied or bool(KEEPS_LOCK.intersection(self.options))

    @property
    def syncs(self) -> bool:
        """Whether a command that changes the project goes on to sync; ``uv version`` may only tell."""
        if {"--no-sync", "--frozen", "--dry-run"}.intersection(self.options):
            return False
        if self.command != "version" or "--bump" in self.options:
            return True
        has_value = any(word[:1] != "-" for word in self.arguments[self.position :])
        return has_value and "--output-format" not in self.options

    @property
    def brings(self) -> tuple[str, ...]:
        """The words of a ``uv add`` that is to change the project: requirements, and values of options."""
        if self.command != "add" or self.keeps_lock:
            return ()
        return tuple(word for word in self.arguments[self.position :] if word[:1] != "-")

    def values_of(self, *names: str) -> tuple[str, ...]:
        """Every value given to an option of these names."""
        return tuple(value for name, value in self.values if name in names)

    def with_flags(self, *flags: str) -> tuple[str, ...]:
        """The arguments with ``flags`` right behind the command."""
        return (*self.arguments[: self.position], *flags, *self.arguments[self.position :])


def read_uv_call(
    arguments: Sequence[str], folder: Path, *, environ: Mapping[str, str] | None = None
) -> UvCall:
    """Find uv's command, its options and the project folder in ``arguments`` and uv's variables.

    ``folder`` is the project folder where neither names one.
    """
    variables = environ or {}
    command: str | None = None
    options = [flag for name, flag in FLAG_VARIABLES.items() if variables.get(name, "").lower() in _TRUE]
    places = {"--directory": variables.get("UV_WORKING_DIR"), "--project": variables.get("UV_PROJECT")}
    values = [(option, value) for option, value in places.items() if value]
    position = behind = 0
    target = len(arguments)
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            target = position
            break
        if not word.startswith("-") or word == "-":
            if command is not None and command == "run":
                target = position - 1
                break
            if command is None:
                command, behind = word, position
            continue
        name, equals, value = word.partition("=")
        options.append(name)
        if name in GLOBAL_VALUES or (command is not None and name in _RUN_VALUES):
            if not equals and position < len(arguments):
                value = arguments[position]
                position += 1
            values.append((name, value))
    last = dict(values)
    return UvCall(
        command=command,
        options=tuple(options),
        folder=folder / last.get("--directory", "") / last.get("--project", ""),
        arguments=tuple(arguments),
        position=behind,
        values=tuple(values),
        target=tuple(arguments[target:]),
        start=folder,
    )
