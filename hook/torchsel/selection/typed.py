"""What to type so that a remedy takes hold: complete commands for this project, and lines of its table."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torchsel.project.requirement import Added

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_BETWEEN_DOUBLE_QUOTES = re.compile(r"[\w\s@%+=:,./<>~;&|()*'\[\]-]+", re.ASCII)


def add_commands(wanted: Iterable[str], direct: Iterable[Added]) -> tuple[str, ...]:
    """The commands after which the project requires torch, and its companions, as ``wanted`` says.

    Packages that the project does not name need no bound. Empty where torch's requirement is out of reach of
    ``uv add``.
    """
    bounds = {name: text.removeprefix(name) for text in wanted for name in [Requirement(text).name]}
    lists: dict[tuple[str, ...], list[str]] = {}
    named = [item for item in direct if item.package in bounds]
    for item in named:
        lists.setdefault(item.options, []).append(item.bound(bounds[item.package]))
    return _each("add", lists) if any(item.package == "torch" for item in named) else ()


def remove_commands(package: str, direct: Iterable[Added]) -> tuple[str, ...]:
    """The commands after which the project does without a package; empty where it does not name it."""
    return _each("remove", {item.options: [package] for item in direct if item.package == package})


def _each(verb: str, lists: Mapping[tuple[str, ...], Iterable[str]]) -> tuple[str, ...]:
    """A command for each list of requirements; of several none may lock before the last has its bound."""
    whose = ["uv" if "--script" in options else "torchsel" for options in lists]
    frozen = ["--frozen"] if len(lists) > 1 else []
    commands = [
        command(program, verb, *frozen, *options, *texts)
        for program, (options, texts) in zip(whose, lists.items(), strict=True)
    ]
    return (*commands, *(["torchsel sync"] if frozen else []))


def command(*words: str) -> str:
    """Words as a shell takes them; in double quotes where these do, which PowerShell and cmd know as well."""
    return " ".join(map(_quoted, words))


def backends_line(tag: str, names: Mapping[str, str], backends: Iterable[str]) -> str:
    """``backends`` of the project's table, there a table of ``names`` or a list, with one more."""
    if names:
        return f"backends = {_inline({**names, tag: tag})}"
    listed = ", ".join(f'"{each}"' for each in dict.fromkeys((*backends, tag)))
    return f"backends = [{listed}]"


def _inline(names: Mapping[str, str]) -> str:
    pairs = ", ".join(f'{_key(name)} = "{tag}"' for name, tag in names.items())
    return f"{{ {pairs} }}"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _quoted(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    return f'"{word}"' if _BETWEEN_DOUBLE_QUOTES.fullmatch(word) else shlex.quote(word)
