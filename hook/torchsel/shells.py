"""``torchsel hook SHELL``: a ``uv`` function that goes through torchsel, the same text for everybody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

Shell = Literal["bash", "zsh", "fish", "powershell"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

_FOLDER = Path(__file__).parent / "data" / "shell"
_FILES: dict[Shell, str] = {"bash": "uv.bash", "zsh": "uv.zsh", "fish": "uv.fish", "powershell": "uv.ps1"}


def uv_function(shell: Shell, *, commands: Iterable[str], values: Iterable[str], flags: Iterable[str]) -> str:
    """The text to evaluate in ``shell``; it holds nothing from the project, the environment or the user.

    ``commands`` are those of uv's that go through torchsel, ``values`` and ``flags`` uv's options, with and
    without a value, that may stand before them; whatever has another one goes through as well.
    """
    text = (_FOLDER / _FILES[shell]).read_text(encoding="utf-8")
    for place, words in (("@COMMANDS@", commands), ("@VALUES@", values), ("@FLAGS@", flags)):
        text = text.replace(place, _words(shell, words))
    return text


def _words(shell: Shell, words: Iterable[str]) -> str:
    """Fixed words as each shell writes a list of them."""
    if shell == "powershell":
        return ", ".join(f"'{word}'" for word in words)
    return (" " if shell == "fish" else " | ").join(words)
