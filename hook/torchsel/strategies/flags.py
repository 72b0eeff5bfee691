"""The flags by which uv is told which group or extra to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torchsel.project.owned import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchsel.strategies.named import Choices
    from torchsel.uv.call import UvCall

TAKES_FLAGS = frozenset({"sync", "run", "export", "tree"})
"""uv's commands that choose groups and extras (uv 0.13.9)."""

SYNCS_AFTER = frozenset({"add", "remove", "version"})
"""uv's commands that change the project and then sync, where ``--group`` means the group to change."""

_ONLY = ("--only-group", "--only-dev")


def choosing_flags(choices: Choices, tag: str, call: UvCall) -> tuple[str, ...]:
    """What to add to ``call`` so that it takes the group or extra of ``tag`` and none of the others.

    A choice among them that the user made on the command line stands; ``--no-group`` for the others then
    only keeps default groups out of its way.
    """
    if choices.scope == "extra":
        return _extra_flags(choices, tag, call)
    if any(option in call.options for option in _ONLY):
        return ()
    taken = _named(call.values_of("--group"), choices) or {choices.name_of(tag)}
    refused = _named(call.values_of("--no-group"), choices)
    chosen = [name for name in choices.names if name in taken and name not in refused]
    others = [name for name in choices.names if name not in chosen]
    flags = [part for name in others if name not in refused for part in ("--no-group", name)]
    return (*flags, *(part for name in chosen for part in ("--group", name)))


def _extra_flags(choices: Choices, tag: str, call: UvCall) -> tuple[str, ...]:
    if call.command == "tree":  # it has no --extra (uv 0.13.9) and shows them all
        return ()
    chosen = _named(call.values_of("--extra"), choices)
    refused = _named(call.values_of("--no-extra"), choices)
    name = choices.name_of(tag)
    if "--all-extras" in call.options:
        kept = chosen or {name}
        return tuple(part for other in choices.names if other not in kept for part in ("--no-extra", other))
    return () if chosen or name is None or name in refused else ("--extra", name)


def _named(words: Iterable[str], choices: Choices) -> set[str | None]:
    wanted = {canonical(word) for value in words for word in value.replace(",", " ").split()}
    return {name for name in choices.names if canonical(name) in wanted}
