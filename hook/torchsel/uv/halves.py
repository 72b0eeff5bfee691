"""A command that changes the project and then syncs, in two halves, so that something can come in between."""

from __future__ import annotations

from torchsel.uv.call import UvCall, options, takes_value

_ONLY_SYNCS = frozenset(
    f"--{verb}-install-{what}"
    for verb in ("no", "only")
    for what in ("project", "workspace", "local", "package")
)
"""Options of ``uv add`` that it does not take beside ``--no-sync``."""

_CHANGES = frozenset(
    {"--extra", "--group", "--dev", "--optional", "--editable", "--no-editable", "--no-editable-package"}
) | {"--script", "--frozen", "--output-format", "--dry-run", "--no-sync"}
"""Options that mean something else to the command than to ``uv sync``: what is added, and where to."""

_MOVES = frozenset({"--upgrade", "-U", "--upgrade-package", "-P", "--upgrade-group"})
"""Options that let releases move, which they have done in the first half."""

_OF_A_PROJECT = ("dev", "group", "groups", "extra", "extras", "editable")
"""How options end that are about a project's parts, and that ``uv sync`` does not take with a script."""

_PLACES = frozenset({"--project", "--directory", "--package", "--all-packages"})


def first_half(call: UvCall) -> tuple[str, ...]:
    """The command without its sync."""
    return call.without(_ONLY_SYNCS).with_flags("--no-sync")


def second_half(call: UvCall) -> tuple[str, ...]:
    """What ``uv sync`` is told of the command: all that does not name packages, and the list it was about."""
    words = _shared(call, "sync", _CHANGES | _MOVES)
    if call.command == "remove":
        return words
    # uv's own "add" installs the group or extra that it adds to as well, and removes nothing
    groups = [*(["dev"] if "--dev" in call.options else []), *call.values_of("--group")]
    lists = [part for name in groups for part in ("--group", name)]
    lists += [part for name in call.values_of("--optional") for part in ("--extra", name)]
    return (*words, "--inexact", *lists)


def for_lock(call: UvCall) -> tuple[str, ...]:
    """What ``uv lock`` is told of a command, whose own lock is to come out the same."""
    return _shared(call, "lock", _CHANGES | _MOVES | _PLACES | {"--check", "--locked"})


def for_script(call: UvCall) -> tuple[str, ...]:
    """What ``uv sync --script`` is told of a ``uv run``: nothing that is about a project."""
    about_projects = {name for name in options()["sync"] if name.endswith(_OF_A_PROJECT)}
    return _shared(call, "sync", _CHANGES | {"--package", "--all-packages", "--isolated"} | about_projects)


def _shared(call: UvCall, command: str, without: frozenset[str]) -> tuple[str, ...]:
    """The words of options on the command line that another command has as well."""
    words: list[str] = []
    for item in call.given:
        is_known = takes_value(item.name, command) == (item.value is not None)
        if item.stop and is_known and item.name not in without:
            words += [item.name] if item.value is None else [item.name, item.value]
    return tuple(words)
