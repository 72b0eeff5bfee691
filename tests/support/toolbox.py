"""Real programs for tests: uv in the versions that matter, and a project folder to run it and torchsel in."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.index import Index

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".work"
CASES = ROOT / "tests" / "cases"
HOSTS = CASES / "hosts"
SYSTEM_CERTIFICATES = {"UV_SYSTEM_CERTS": "1"}
"""For uv and prek on their way to a package index: the system's certificates, as pip finds them."""
OLDEST_UV = "0.5.3"
"""The oldest uv that knows named indexes and sources by index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a program did."""

    code: int
    out: str
    err: str


def uv_binary(version: str | None = None) -> Path:
    """Path of uv: the environment's own, or ``version``, installed once into ``.work``."""
    from uv import find_uv_bin

    if version is None:
        return Path(find_uv_bin())
    folder = WORK / f"uv-{version}"
    binary = folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not binary.exists():
        _install_uv(version, folder)
    return binary


def _install_uv(version: str, folder: Path) -> None:
    """Install beside and rename, so that a second run in parallel or an interrupted one does no harm."""
    WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WORK) as fresh:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--target",
            f"{fresh}/uv",
            f"uv=={version}",
        ]
        subprocess.run(command, check=True)
        with contextlib.suppress(OSError):  # another run was first
            Path(fresh, "uv").rename(folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What the projects of a test session share: the index, uv's cache, a home folder."""

    index: Index
    folder: Path

    def environment(self, uv: Path) -> dict[str, str]:
        """A clean environment in which ``uv`` is found first and knows only the loopback index."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {
            "PATH": os.pathsep.join([str(uv.parent), *_system_path()]),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CONFIG_DIRS": str(home / "etc"),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_STATE_HOME": str(home / "state"),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONUTF8": "1",
            "UV_CACHE_DIR": str(self.folder / "uv-cache"),
            "UV_DEFAULT_INDEX": self.index.default_index,
            "UV_LINK_MODE": "copy",
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON": sys.executable,
            "UV_PYTHON_DOWNLOADS": "never",
            "TORCHSEL_COMPANION_URL": self.index.companions,
            "TORCHSEL_INDEX_URL": self.index.whl,
        }

    def project(
        self, folder: Path, pyproject: str, *, uv: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Project:
        """Write ``pyproject`` to a new project in ``folder``; ``env`` adds to the clean environment."""
        binary = uv or uv_binary()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pyproject.toml").write_bytes(pyproject.encode())
        return Project(root=folder, binary=binary, env=self.environment(binary) | dict(env or {}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project folder, the uv it is used with and its environment (a dict: change it as a test needs)."""

    root: Path
    binary: Path
    env: dict[str, str] = field(repr=False)

    @property
    def pyproject(self) -> Path:
        return self.root / "pyproject.toml"

    def text(self) -> str:
        """pyproject.toml as it is now, newlines and all."""
        return self.pyproject.read_bytes().decode()

    def uv(self, *args: str, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run uv; any exit code but ``code`` fails the test with what uv said (None allows all)."""
        return self.run(str(self.binary), *args, code=code, cwd=cwd)

    def torchsel(self, *args: str, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run ``python -m torchsel`` as a process of its own."""
        return self.run(sys.executable, "-m", "torchsel", *args, code=code, cwd=cwd)

    def run(self, *command: str, code: int | None = 0, cwd: Path | None = None, stdin: str = "") -> Result:
        """Run any program in the project folder and its environment."""
        done = subprocess.run(
            command,
            cwd=cwd or self.root,
            env=self.env,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        result = Result(code=done.returncode, out=done.stdout, err=done.stderr)
        assert code is None or result.code == code, (
            f"{command} exited {result.code}\n{result.out}{result.err}"
        )
        return result

    def torchsel_inprocess(self, *args: str) -> Result:
        """Call the CLI's ``main`` here: fast, debuggable; not for commands that hand over to uv."""
        from torchsel.cli import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self.env, clear=True))
            stack.enter_context(contextlib.chdir(self.root))
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(err))
            try:
                code = main(list(args))
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return Result(code=code, out=out.getvalue(), err=err.getvalue())

    def installed(self, package: str) -> str | None:
        """Version of ``package`` in the project's ``.venv``, local version included, or None."""
        pattern = f"{package.replace('-', '_')}-*.dist-info/METADATA"
        for metadata in sorted((self.root / ".venv").rglob(pattern)):
            for line in metadata.read_text(encoding="utf-8").splitlines():
                if line.startswith("Version: "):
                    return line.removeprefix("Version: ")
        return None

    def locked(self, package: str) -> list[str]:
        """Versions of ``package`` in uv.lock, sorted as text; empty where it has none."""
        lock = self.root / "uv.lock"
        packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", []) if lock.exists() else []
        return sorted(item["version"] for item in packages if item["name"] == package)

    def torch_in_use(self) -> str:
        """``torch.__version__`` as ``uv run`` sees it, without uv syncing first."""
        code = "import torch; print(torch.__version__)"
        return self.uv("run", "--no-sync", "python", "-c", code).out.strip()


def host_files() -> dict[str, Path]:
    """Recorded hosts by name, for parametrizing."""
    return {path.stem: path for path in sorted(HOSTS.glob("*.json"))}


def _system_path() -> list[str]:
    """Where the system's own programs are, and nothing of the person who runs the tests."""
    return ["/usr/local/bin", "/usr/bin", "/bin"] if os.name == "posix" else [os.environ["PATH"]]
