"""Where the benchmark plays: the index on loopback, torchsel as users install it, and projects."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.timing import Command
from scripts.bootstrap import ROOT
from tests.support.index import Index
from tests.support.toolbox import Project, World, uv_binary
from tests.support.wheels import Wheel

FOLDER = ROOT / ".work" / "bench"
HOSTS = ROOT / "tests" / "cases" / "hosts"
LIBRARIES = 80
"""Packages beside torch's in the ordinary project; applications with torch have 60 to 150."""

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [{}]

[tool.torchsel]
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The machine as it is set up; ``rounds`` is how often each command is timed."""

    world: World
    tool: Path
    rounds: int
    load: float

    @property
    def torchsel(self) -> str:
        """The installed program."""
        return str(self.tool / "bin" / "torchsel")

    @property
    def python(self) -> str:
        """The interpreter it runs with."""
        return str(self.tool / "bin" / "python")

    @property
    def uv(self) -> str:
        """The real binary, without a Python in front of it."""
        return str(uv_binary())

    @property
    def machine(self) -> str:
        """One line: processor, system, versions, load."""
        uv = subprocess.run([self.uv, "--version"], capture_output=True, text=True, check=True).stdout.split()
        return (
            f"{os.cpu_count()} cores, {platform.system()} {platform.release()},"
            f" Python {platform.python_version()}, uv {uv[1]},"
            f" load {self.load:.1f} at the start, {self.rounds} rounds"
        )

    def project(self, name: str, *dependencies: str, settings: str = "") -> Project:
        """A new project with an empty ``[tool.torchsel]``, or with ``settings`` in it."""
        listed = ", ".join(f'"{item}"' for item in dependencies)
        return self.world.project(FOLDER / name, HEAD.format(listed) + settings)

    def command(self, at: Project, *words: str, env: Mapping[str, str] | None = None) -> Command:
        """A program in the project, in its clean environment."""
        return Command(words=words, cwd=at.root, env={**at.env, **(env or {})})

    def synced(self, at: Project) -> Project:
        """The project routed, locked and synced, and left alone long enough for records to be kept."""
        for words in ((self.torchsel,), (self.uv, "lock"), (self.torchsel,), (self.uv, "sync")):
            at.run(*words)
        time.sleep(2.2)
        return at

    def warm(self, at: Project, *words: str) -> None:
        """Run torchsel until its answer is on record.

        Raises:
            RuntimeError: it never is.
        """
        command = [self.python, "-X", "importtime", "-m", "torchsel", *words]
        for _ in range(20):
            done = subprocess.run(
                command, cwd=at.root, env=at.env, capture_output=True, text=True, check=True
            )
            if "tomllib" not in done.stderr:
                return
        msg = f"torchsel {' '.join(words)} in {at.root} is not answered from a record"
        raise RuntimeError(msg)


@contextlib.contextmanager
def stage(*, rounds: int) -> Iterator[Stage]:
    """Set everything up in an empty folder, and take the index down at the end."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    load = os.getloadavg()[0]
    with Index(extra={"pypi": _libraries()}) as index:
        yield Stage(world=World(index=index, folder=FOLDER), tool=_install(), rounds=rounds, load=load)


def _libraries() -> list[Wheel]:
    names = [f"library{number:02}" for number in range(LIBRARIES)]
    wheels = [Wheel(name=name, version="1.0", files=((f"{name}.py", ""),)) for name in names]
    return [*wheels, Wheel(name="application", version="1.0", requires=tuple(names))]


def _install() -> Path:
    """Install this checkout by uv in an environment of its own, as ``uv tool install`` does it."""
    tool = FOLDER / "tool"
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    uv = str(uv_binary())
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tool], env=environ, check=True)
    python = str(tool / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, str(ROOT)]
    subprocess.run(install, env=environ, check=True)
    return tool
