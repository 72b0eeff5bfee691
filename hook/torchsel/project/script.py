"""Scripts with inline metadata (PEP 723): reading the block, and putting another in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchsel.errors import ConfigError
from torchsel.project.project import Project, TomlFile
from torchsel.project.toml_file import parse_toml, read_text, read_toml

# the reference regular expression of PEP 723, with carriage returns
_BLOCK = re.compile(
    r"^# /// (?P<type>[a-zA-Z0-9-]+)\r?$\n(?P<content>(?:^#(?:| .*)\r?$\n)+)^# ///\r?$", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """A script: its whole ``text``, the TOML of its block and what that says.

    ``above`` is the number of lines before the TOML, so that errors can name the script's own.
    """

    path: Path
    text: str
    block: str
    data: Mapping[str, Any]
    above: int

    @property
    def lock(self) -> Path:
        """Where uv keeps the script's lock."""
        return self.path.with_name(f"{self.path.name}.lock")

    def as_project(self) -> Project:
        """The block in the shape of a project, for reading requirements and configuration."""
        table = {
            "dependencies": self.data.get("dependencies"),
            "requires-python": self.data.get("requires-python"),
        }
        data = {"project": table, "tool": self.data.get("tool", {})}
        root = TomlFile(path=self.path, text=_lowered(self.block, self.above), data=data)
        lock = read_toml(self.lock) if self.lock.is_file() else None
        return Project(root=root, lock=lock, is_there=False)

    def with_block(self, block: str) -> str:
        """The script's text with another block, everything else as it is."""
        found = _find(self.text)
        if found is None:
            raise ConfigError(_missing(self.path))
        newline = "\r\n" if "\r\n" in found["content"] else "\n"
        lines = block.replace("\r\n", "\n").removesuffix("\n").split("\n")
        content = "".join(f"# {line}{newline}" if line else f"#{newline}" for line in lines)
        return self.text[: found.start("content")] + content + self.text[found.end("content") :]


def read_script(path: Path) -> Script | None:
    """Read a script; None where it has no metadata block.

    Raises:
        ConfigError: it is not UTF-8, too large, or its block is not TOML.
        MachineError: it can't be read.
    """
    text = read_text(path)
    found = _find(text)
    if found is None:
        return None
    lines = found["content"].splitlines(keepends=True)
    block = "".join(line.removeprefix("# ") if line.startswith("# ") else line[1:] for line in lines)
    above = text.count("\n", 0, found.start("content"))
    data = parse_toml(_lowered(block, above), path)
    return Script(path=path, text=text, block=block, data=data, above=above)


def require_script(path: Path) -> Script:
    """As `read_script`, for a script that has to have a block.

    Raises:
        ConfigError: it has none, or is wrong.
    """
    found = read_script(path)
    if found is None:
        raise ConfigError(_missing(path))
    return found


def _lowered(block: str, above: int) -> str:
    """The TOML at the lines where it stands in the script."""
    return "\n" * above + block


def _find(text: str) -> re.Match[str] | None:
    return next((found for found in _BLOCK.finditer(text) if found["type"] == "script"), None)


def _missing(path: Path) -> str:
    return f"{path}: no '# /// script' block; make one with 'uv add --script {path.name} torch'"
