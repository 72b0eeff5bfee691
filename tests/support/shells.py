"""Real shells for tests, without anybody's start-up files; a shell that is missing skips the test."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.toolbox import Project, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Shell:
    """A shell: how it is started without start-up files, and how it evaluates what a program prints."""

    name: str
    clean: tuple[str, ...]
    evaluation: str = 'eval "$({})"'

    def run(self, project: Project, script: str, *, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run a script file in the project's environment."""
        file = project.root.parent / f"script.{self.name}"
        file.write_text(script, encoding="utf-8")
        return project.run(self.program, *self.clean, str(file), code=code, cwd=cwd)

    def eval(self, command: str) -> str:
        """The line that evaluates a command's output."""
        return self.evaluation.format(command) + "\n"

    @property
    def hook(self) -> str:
        return self.eval(f"torchsel hook {self.name}")

    @property
    def program(self) -> str:
        found = shutil.which(self.name)
        if found is None:
            pytest.skip(f"{self.name} is not installed; on Debian: apt install {self.name}")
        return found


SHELLS = (
    Shell(name="bash", clean=("--noprofile", "--norc")),
    Shell(name="zsh", clean=("-f",)),
    Shell(name="fish", clean=("--no-config",), evaluation="{} | source"),
)
