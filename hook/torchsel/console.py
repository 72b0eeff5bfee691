"""Words for people, on standard error: one prefix, colours by the conventions, silence with ``-q``."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from dataclasses import dataclass
from typing import IO, Literal

ColorChoice = Literal["auto", "always", "never"]

# Texts come from strangers' files, so that a search may not go over the same characters again and again:
# each pattern takes what it has looked at (possessive), or is given a part that ends where it must.
_WORD = re.compile(r"\S++")
_CREDENTIALS = re.compile(r"(?<=://)(?:[^\s/?#]*|[^\s/?#@:]*:(?!\d*[/?#])\S*)@")
_NAME = re.compile(r"[?&][^=&\s]*+=?")
_SECRET = re.compile(r"token|key|secret|pass|sig|auth", re.IGNORECASE)
_VALUE = re.compile(r"[^&\s'\"]*+")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\r(?!\n)"
)
"""C0 and C1 controls but tab and newline, and those that turn the direction of writing."""

_CODES = {"error": "31", "warning": "33", "hint": "36", "good": "32", "bad": "31", "dim": "2", "bold": "1"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Console:
    """Where and how to speak; ``quiet`` leaves only errors."""

    color: ColorChoice = "auto"
    quiet: bool = False
    verbose: bool = False

    def print(self, text: str) -> None:
        """Write a result to standard output, as it is."""
        sys.stdout.write(text)

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
        try:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
        except OSError:  # nobody can be told; what was done stays done
            silence(sys.stderr)


def silence(stream: IO[str]) -> None:
    """Let what ``stream`` still holds go nowhere; at its end the interpreter would complain of it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def presentable(text: str) -> str:
    """`redacted` and `visible`: it may hold what stands in a stranger's files."""
    return visible(redacted(text))


def visible(text: str) -> str:
    """``text`` with the control characters that steer a terminal written out."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def visible_in_json(text: str) -> str:
    """The same for a JSON document, which says the same afterwards."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def redacted(text: str) -> str:
    """``text`` without user, password and tokens in URLs: it goes to terminals and logs."""
    shown = _WORD.sub(_without_credentials, text) if "://" in text and "@" in text else text
    return _without_tokens(shown)


def _without_credentials(word: re.Match[str]) -> str:
    """A word without spaces; behind its last ``@`` there is nothing to find."""
    head, at, rest = word[0].rpartition("@")
    return _CREDENTIALS.sub("***@", head + at) + rest


def _without_tokens(text: str) -> str:
    """The values of parameters whose name speaks of a secret are left out."""
    parts, at = [], 0
    while found := _NAME.search(text, at):
        parts.append(text[at : found.end()])
        at = found.end()
        if found[0].endswith("=") and _SECRET.search(found[0]) and (value := _VALUE.match(text, at)):
            parts.append("***" if value[0] else "")
            at = value.end()
    return "".join((*parts, text[at:]))
