"""Write hook/torchsel/data/uv/options.csv: uv's commands, and which of their options take a value.

    python scripts/catalog/uv_options.py UV...

The programs named are the oldest uv that is supported for something and the newest one; what either knows is
in the table. It is read from uv's completion for bash, made from the same parser that reads a command line,
where ``uv help`` leaves out what is hidden (``--preview-features``, ``--max-recursion-depth``).
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

TABLE = Path(__file__).parents[2] / "hook" / "torchsel" / "data" / "uv" / "options.csv"

ANYWHERE = "*"
"""In place of a command: the option may stand before one, and behind any."""

ALIASES = {
    "--trusted-host": "--allow-insecure-host",
    "--preview-feature": "--preview-features",
    "--requirement": "--requirements",
    "--constraint": "--constraints",
    "--build-constraint": "--build-constraints",
    "--config-settings": "--config-setting",
    "--raw-sources": "--raw",
    "--all": "--all-packages",
    "--no_workspace": "--no-project",
    "--no-exact": "--inexact",
    "--unsafe-package": "--no-emit-package",
    "--no-install-package": "--no-emit-package",
    "--no-install-project": "--no-emit-project",
    "--no-install-workspace": "--no-emit-workspace",
    "--no-install-local": "--no-emit-local",
    "--only-install-package": "--only-emit-package",
    "--only-install-project": "--only-emit-project",
    "--only-install-workspace": "--only-emit-workspace",
    "--only-install-local": "--only-emit-local",
    "--compile": "--compile-bytecode",
    "--no-compile": "--no-compile-bytecode",
    "--force-reinstall": "--reinstall",
    "--reverse": "--invert",
}
"""Other names that uv takes and shows nowhere (``alias`` in uv's crates/uv-cli/src/lib.rs)."""

_SECTION = re.compile(
    r"^ {8}(uv(?:__[a-z_]+?)?)\)\n {12}opts=\"([^\"]*)\"\n(.*?)^ {12}esac$", re.MULTILINE | re.DOTALL
)
_WITH_VALUE = re.compile(r"^ {16}(--?[\w-]+)\)$", re.MULTILINE)

Grammar = dict[str, dict[str, bool]]
"""By command, ``""`` before any, each option and whether it takes a value."""


def main() -> None:
    """Write the table for the programs that the command line names."""
    lines = rows(grammar(completion(Path(uv))) for uv in sys.argv[1:])
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("option", "value", "commands"), *lines])


def completion(uv: Path) -> str:
    """What ``uv`` prints for bash."""
    command = [str(uv), "generate-shell-completion", "bash"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def grammar(text: str) -> Grammar:
    """The options of uv itself and of each of its commands, without those of commands below one."""
    sections = {name: (words.split(), body) for name, words, body in _SECTION.findall(text)}
    top = [word for word in sections["uv"][0] if not word.startswith("-")]
    found: Grammar = {}
    for command in ("", *top):
        words, body = sections["uv" + (command and f"__{command.replace('-', '__')}")]
        valued = set(_WITH_VALUE.findall(body))
        options = {word: word in valued for word in words if word.startswith("-")}
        found[command] = options | {
            other: options[name] for other, name in ALIASES.items() if name in options
        }
    return found


def rows(grammars: Iterable[Grammar]) -> list[tuple[str, str, str]]:
    """An option, ``yes`` where it takes a value, and the commands that know it so."""
    known: Mapping[tuple[str, bool], set[str]] = defaultdict(set)
    for each in grammars:
        for command, options in each.items():
            for option, takes_value in options.items():
                known[option, takes_value].add(command)
    return [
        (option, "yes" if takes_value else "no", _listed(option, commands))
        for (option, takes_value), commands in sorted(known.items())
    ]


def _listed(option: str, commands: set[str]) -> str:
    """``*`` where an option may stand anywhere; that of every command, ``--help``, names them all as well."""
    words = sorted(commands - {""})
    if "" not in commands:
        return " ".join(words)
    return " ".join([ANYWHERE, *words]) if option == "--help" else ANYWHERE


if __name__ == "__main__":
    main()
