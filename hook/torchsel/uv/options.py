"""uv's own grammar: its commands, and which of their options take a value (data/uv/options.csv)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).parents[1] / "data" / "uv" / "options.csv"
_ANYWHERE = "*"


def takes_value(option: str, command: str | None = None) -> bool | None:
    """Whether an option of ``command`` (None: before any) takes a value; None for one that is not known."""
    table = options()
    own = table.get(command or _ANYWHERE, {})
    return own.get(option, table[_ANYWHERE].get(option))


def commands() -> frozenset[str]:
    """Every command of uv's."""
    return frozenset(options()) - {_ANYWHERE}


def before_a_command(*, with_value: bool) -> list[str]:
    """The options that may stand before a command, those with a value or the others."""
    return [option for option, takes in options()[_ANYWHERE].items() if takes == with_value]


@cache
def options() -> Mapping[str, Mapping[str, bool]]:
    """By command, ``*`` for any and none, each option and whether it takes a value."""
    found: dict[str, dict[str, bool]] = {}
    with _TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for command in row["commands"].split():
                found.setdefault(command, {})[row["option"]] = row["value"] == "yes"
    return found
