"""Scripts with inline metadata (PEP 723): reading the block, and putting another in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchsel.errors import ConfigError
from torchsel.project.project import Project, TomlFile, read_toml
from torchsel.project.toml_file import parse_toml, read_text

# the reference regular expression of PEP 723, with carriage returns
_BLOCK = re.compile(
    r"^# /// (?P<type>[a-zA-Z0-9-]+)\r?$\n(?P<content>(?:^#(?:| .*)\r?$\n)+)^# ///\r?$", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script: its whole ``text``, where its block is in that, the block's TOML and what that says."""

    path: Path
    text: str
    place: slice
    block: str
    data: Mapping[str, Any]

    @property
    def lock(self) -> Path:
        """Where uv keeps the script's lock."""
        return self.path.with_name(f"{self.path.name}.lock")

    def as_project(self) -> Project:
        """The block in the shape of a project, for reading requirements and configuration."""
        table = {key: self.data.get(key) for key in ("dependencies", "requires-python")}
        data = {"project": table, "tool": self.data.get("tool", {})}
        root = TomlFile(path=self.path, text=_lowered(self.block, self.text[: self.place.start]), data=data)
        lock = read_toml(self.lock) if self.lock.is_file() else None
        return Project(root=root, lock=lock, is_there=False)

    def with_block(self, block: str) -> str:
        """The script's text with another block, everything else as it is."""
        newline = "\r\n" if "\r\n" in self.text[self.place] else "\n"
        lines = block.replace("\r\n", "\n").removesuffix("\n").split("\n")
        content = "".join(f"# {line}{newline}" if line else f"#{newline}" for line in lines)
        return self.text[: self.place.start] + content + self.text[self.place.stop :]


def read_script(path: Path) -> Script | None:
    """Read a script; None where it has no metadata block.

    Raises:
        ConfigError: it is not UTF-8, too large, or its block is not TOML.
        MachineError: it can't be read.
    """
    text = read_text(path)
    found = next((match for match in _BLOCK.finditer(text) if match["type"] == "script"), None)
    if found is None:
        return None
    place = slice(*found.span("content"))
    lines = text[place].splitlines(keepends=True)
    block = "".join(line.removeprefix("# ") if line.startswith("# ") else line[1:] for line in lines)
    data = parse_toml(_lowered(block, text[: place.start]), path)
    return Script(path=path, text=text, place=place, block=block, data=data)


def require_script(path: Path) -> Script:
    """As `read_script`, for a script that has to have a block.

    Raises:
        ConfigError: it has none, or is wrong.
    """
    if found := read_script(path):
        return found
    msg = f"{path}: no '# /// script' block; make one with 'uv add --script {path.name} torch'"
    raise ConfigError(msg)


def _lowered(block: str, above: str) -> str:
    """The TOML at the lines where it stands in the script, so that errors name those."""
    return "\n" * above.count("\n") + block
