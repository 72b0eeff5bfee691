"""A command that changes the project and then syncs, in two halves, so that something can come in between."""

from __future__ import annotations

from collections.abc import Iterator

from torchsel.uv.call import Given, UvCall
from torchsel.uv.options import options, takes_value

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
    given = [*_shared(call, "sync", _CHANGES | _MOVES)]
    words = tuple(word for item in given for word in item.words)
    return words if call.command == "remove" else (*words, "--inexact", *_list(call))


def for_lock(call: UvCall) -> tuple[str, ...]:
    """What ``uv lock`` is told of a command, whose own lock is to come out the same."""
    kept = {"--check", "--locked"}
    given = _shared(call, "lock", _CHANGES | _MOVES | _PLACES | kept)
    return tuple(word for item in given for word in item.words)


def for_script(call: UvCall) -> tuple[str, ...]:
    """What ``uv sync --script`` is told of a ``uv run``: nothing that is about a project."""
    about_projects = {name for name in options()["sync"] if name.endswith(_OF_A_PROJECT)}
    without = _CHANGES | {"--package", "--all-packages", "--isolated"} | about_projects
    return tuple(word for item in _shared(call, "sync", without) for word in item.words)


def _shared(call: UvCall, command: str, without: frozenset[str]) -> Iterator[Given]:
    """Options on the command line that another command has as well."""
    for item in call.given:
        is_known = takes_value(item.name, command) == (item.value is not None)
        if item.stop and is_known and item.name not in without:
            yield item


def _list(call: UvCall) -> Iterator[str]:
    """The group or extra that a package was added to, which uv's own command installs as well."""
    if "--dev" in call.options:
        yield from ("--group", "dev")
    for name in call.values_of("--group"):
        yield from ("--group", name)
    for name in call.values_of("--optional"):
        yield from ("--extra", name)
