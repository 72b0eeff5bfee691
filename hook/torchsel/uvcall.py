"""A uv command line, as far as torchsel has to understand it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROJECT_COMMANDS = frozenset({"sync", "lock", "run", "add", "remove", "export", "tree", "build", "version"})
"""uv's commands that read a project's sources or lock."""

CHANGES_LOCK = frozenset({"lock", "add", "remove"})
"""Commands after which the lock can name further packages to route."""

KEEPS_LOCK = frozenset({"--frozen", "--locked", "--check", "--check-exists", "--no-sync", "--dry-run"})
"""Flags by which the user asks uv to leave the lock alone; torchsel then writes nothing either."""

_NO_PROJECT = frozenset(
    {"--no-project", "--script", "-s", "--help", "-h", "--version", "-V", "--no-sources", "--no-config"}
)

# uv's options that take a value and may stand before or after the command (uv 0.13.9, `uv help`)
_GLOBAL_VALUES = frozenset(
    {"--cache-dir", "--python-preference", "--color", "--config-file", "--directory", "--project",
     "--allow-insecure-host", "--trusted-host", "--python-fetch"}
)  # fmt: skip
# options of `uv run` that take a value, so that its command can be told from them
_RUN_VALUES = frozenset(
    {"--extra", "--no-extra", "--group", "--no-group", "--only-group", "--with", "--with-editable",
     "--with-requirements", "--env-file", "--package", "--python", "-p", "-m", "--module", "--index",
     "--default-index", "--index-url", "-i", "--extra-index-url", "--find-links", "-f",  "-P",
     "--upgrade-package",
     "--reinstall-package", "--index-strategy", "--keyring-provider", "--resolution", "--prerelease",
     "--fork-strategy", "--exclude-newer", "--exclude-newer-package", "--link-mode", "--config-setting", "-C",
     "--config-settings-package", "--no-build-isolation-package", "--no-build-package", "--no-binary-package",
     "--refresh-package", "--python-platform", "--upgrade-group", "-w"}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class UvCall:
    """A uv command line as far as torchsel has to understand it.

    ``command`` is None where there is none (``uv --version``). ``options`` are uv's own, without what
    ``uv run`` passes on to the program it starts.
    """

    command: str | None
    options: tuple[str, ...]
    folder: Path

    @property
    def is_for_project(self) -> bool:
        """Whether the routing matters to it."""
        return self.command in PROJECT_COMMANDS and not _NO_PROJECT.intersection(self.options)

    @property
    def keeps_lock(self) -> bool:
        """Whether the user asked that files stay as they are."""
        return bool(KEEPS_LOCK.intersection(self.options))


def read_uv_call(arguments: Sequence[str], folder: Path) -> UvCall:
    """Find uv's command, its options and the project folder in ``arguments``.

    ``folder`` is the project folder where the arguments name none.
    """
    command: str | None = None
    options: list[str] = []
    values: dict[str, str] = {}
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            break
        if not word.startswith("-"):
            if command is not None and command == "run":
                break
            command = command or word
            continue
        name, equals, value = word.partition("=")
        options.append(name)
        if name in _GLOBAL_VALUES or (command is not None and name in _RUN_VALUES):
            if not equals and position < len(arguments):
                value = arguments[position]
                position += 1
            values[name] = value
            if name in ("-m", "--module"):
                break
    base = folder / values["--directory"] if "--directory" in values else folder
    return UvCall(
        command=command,
        options=tuple(options),
        folder=base / values["--project"] if "--project" in values else base,
    )
