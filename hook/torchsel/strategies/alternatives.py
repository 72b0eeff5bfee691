"""Alternatives: named ways to install torch, each with its backend, of which a machine takes one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torchsel.project.places import Scope, canonical, names_in
from torchsel.uv.call import UvCall, takes_value

TAKES_FLAGS = frozenset({"sync", "run", "export", "tree", "check"})
"""uv's commands that choose groups and extras (uv 0.13.9)."""

SYNCS_AFTER = frozenset({"add", "remove", "version"})
"""uv's commands that change the project and then sync, where ``--group`` means the group to change."""

_ONLY = ("--only-group", "--only-dev")


def repeated(option: str, names: Iterable[str]) -> tuple[str, ...]:
    """The option once for each name."""
    return tuple(part for name in names for part in (option, name))


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternatives:
    """``names`` maps each group (or extra, as ``scope`` says) to its backend's tag.

    The tag is empty for one that a user wrote and torchsel does not understand. ``rivals`` are the groups
    and extras that conflict with each, where that is the user's to say; without it all of ``names`` do.
    """

    scope: Scope
    names: Mapping[str, str]
    rivals: Mapping[str, tuple[tuple[Scope, str], ...]] = field(default_factory=dict)

    def name_of(self, tag: str) -> str | None:
        """The name a backend is chosen by, None where it is not offered."""
        return next((name for name, offered in self.names.items() if offered == tag), None)

    @property
    def tags(self) -> tuple[str, ...]:
        """Every backend offered."""
        return tuple(dict.fromkeys(self.names.values()))

    @property
    def listed(self) -> str:
        """``extra cpu (cpu), extra gpu (cu128)``."""
        return ", ".join(f"{self.scope} {name} ({tag or '?'})" for name, tag in self.names.items())

    def taken(self, chosen: str | None, call: UvCall) -> tuple[str, ...]:
        """The alternatives that ``call`` names, else the ``chosen`` one, but none that it refuses."""
        taken = self._named(call, "", "only-") or {chosen}
        refused = self._named(call, "no-")
        return tuple(name for name in self.names if name in taken and name not in refused)

    def tag_taken(self, chosen: str | None, call: UvCall) -> str | None:
        """The backend of the one alternative that ``call`` takes; None where it is another number of them."""
        taken = self.taken(chosen, call)
        return self.names[taken[0]] or None if len(taken) == 1 else None

    def is_named_by(self, call: UvCall) -> bool:
        """Whether the user has chosen among them on the command line."""
        return bool(self._named(call, "", "only-"))

    def flags(self, chosen: str | None, call: UvCall) -> tuple[str, ...]:
        """What to add to ``call`` so that it takes the ``chosen`` alternative and none of the others.

        A choice among them that the user made on the command line stands; ``--no-group`` for the others then
        only keeps default groups out of its way.
        """
        is_only = any(option in call.options for option in _ONLY)
        if self.scope == "extra":
            return () if is_only else (*self._extra_flags(chosen, call), *self._rival_flags(chosen, call))
        if is_only:
            return () if chosen is None or self._named(call, "only-") else ("--only-group", chosen)
        refused, wanted = self._named(call, "no-"), self.taken(chosen, call)
        others = [name for name in self.names if name not in wanted and name not in refused]
        rivals = self._rival_flags(chosen, call)
        return (*repeated("--no-group", others), *rivals, *repeated("--group", wanted))

    def _rival_flags(self, chosen: str | None, call: UvCall) -> tuple[str, ...]:
        """What leaves out groups and extras that conflict with what is taken, unless the call names them."""
        if call.command == "tree":  # it shows all of them
            return ()
        taken = self._named(call) or {chosen}
        rivals = dict.fromkeys(rival for name in taken for rival in self.rivals.get(name or "", ()))
        return tuple(
            part
            for scope, name in rivals
            if name not in names_in(call.values_of(f"--{scope}", f"--no-{scope}"))
            and (scope == "group" or "--all-extras" in call.options)  # uv takes no extra unasked
            and (scope == "extra" or scope != self.scope or name not in map(canonical, self.names))
            for part in (f"--no-{scope}", name)
        )

    def _extra_flags(self, chosen: str | None, call: UvCall) -> tuple[str, ...]:
        if not takes_value("--extra", call.command):
            return ()  # `uv tree` shows them all
        taken = self._named(call)
        if "--all-extras" in call.options:
            others = [name for name in self.names if name not in (taken or {chosen})]
            return () if self.rivals else repeated("--no-extra", others)
        return () if taken or chosen is None or chosen in self._named(call, "no-") else ("--extra", chosen)

    def _named(self, call: UvCall, *kinds: str) -> set[str | None]:
        """Those that the call has behind ``--group``, or by ``kinds`` behind ``--no-group`` and such."""
        wanted = names_in(call.values_of(*(f"--{kind}{self.scope}" for kind in kinds or ("",))))
        return {name for name in self.names if canonical(name) in wanted}
