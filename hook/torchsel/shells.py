"""The shells: how each is written."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple


class Shell(NamedTuple):
    """How a shell is written.

    ``file`` in ``data/shell`` has its function, ``listed`` writes fixed words as the list that it has there,
    ``assigned`` the line that sets a variable, by its name, to whatever value.
    """

    file: str
    listed: Callable[[Iterable[str]], str]
    assigned: Callable[[str, str], str]


def _exported(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _in_fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _in_powershell(name: str, value: str) -> str:
    # PowerShell takes the typographic quotes for quotes as well
    quoted = "".join(char * 2 if char in "'\u2018\u2019\u201a\u201b" else char for char in value)
    return f"$env:{name} = '{quoted}'"


SHELLS: Mapping[str, Shell] = MappingProxyType(
    {
        "bash": Shell("uv.bash", " | ".join, _exported),
        "zsh": Shell("uv.zsh", " | ".join, _exported),
        "fish": Shell("uv.fish", " ".join, _in_fish),
        "powershell": Shell("uv.ps1", lambda words: ", ".join(f"'{word}'" for word in words), _in_powershell),
    }
)
"""By name. A further one is a row, and a file."""
