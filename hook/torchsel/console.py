"""Words for people, on standard error: one prefix, colours by the conventions, silence with ``-q``."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import IO, Literal

ColorChoice = Literal["auto", "always", "never"]

_CREDENTIALS = r"(?<=://)(?:[^\s/?#]*|[^\s/?#@:]*:(?!\d*[/?#])\S*)@"
_QUERY = r"(?i)([?&][^=&\s]*(?:token|key|secret|pass|sig|auth)[^=&\s]*=)[^&\s'\"]+"
_CONTROLS = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"

_CODES = {"error": "31", "warning": "33", "hint": "36", "good": "32", "bad": "31", "dim": "2", "bold": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Where and how to speak; ``quiet`` leaves only errors."""

    color: ColorChoice = "auto"
    quiet: bool = False
    verbose: bool = False

    def say(self, text: str) -> None:
        """Tell what was done."""
        if not self.quiet:
            self._write(f"torchsel: {presentable(text)}")

    def detail(self, text: str) -> None:
        """Tell what only ``-v`` asks for."""
        if self.verbose:
            self._write(self.paint(f"torchsel: {presentable(text)}", "dim", sys.stderr))

    def warn(self, text: str) -> None:
        """Tell what may be wrong."""
        if not self.quiet:
            self._write(f"{self.paint('warning', 'warning', sys.stderr)}: {presentable(text)}")

    def error(self, text: str) -> None:
        """Tell what stopped the work."""
        for line in presentable(text).split("\n"):
            self._write(f"{self.paint('error', 'error', sys.stderr)}: {line}" if line else "")

    def paint(self, text: str, style: str, stream: IO[str]) -> str:
        """``text`` in a colour, where ``stream`` shall have any."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self._wants_color(stream) else text

    def _wants_color(self, stream: IO[str]) -> bool:
        """``--color``, then NO_COLOR (no-color.org) and FORCE_COLOR (force-color.org), then the terminal."""
        if self.color != "auto":
            return self.color == "always"
        if os.environ.get("NO_COLOR"):
            return False
        if os.environ.get("FORCE_COLOR"):
            return True
        return stream.isatty() and os.environ.get("TERM") != "dumb"

    def _write(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def presentable(text: str) -> str:
    """`redacted`, with control characters written out: it may hold what stands in a stranger's files."""
    import re  # noqa: PLC0415 - start-up time

    return re.sub(_CONTROLS, lambda found: ascii(found[0])[1:-1], redacted(text))


def redacted(text: str) -> str:
    """``text`` without user, password and tokens in URLs: it goes to terminals and logs."""
    import re  # noqa: PLC0415 - start-up time

    return re.sub(_QUERY, r"\1***", re.sub(_CREDENTIALS, "***@", text))
