"""uv itself: where it is, and starting it. The only module that starts uv."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from torchsel.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOCK_LIMIT = 1800.0
"""Seconds after which a ``uv lock`` is given up; resolving a large project over a slow line takes minutes."""

_KEEP_LOCK = frozenset({"UV_FROZEN", "UV_LOCKED"})
"""Variables that would keep ``uv lock`` from bringing uv.lock along with pyproject.toml."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uv:
    """A uv executable and the environment it is started in."""

    program: Path
    environ: Mapping[str, str]

    def lock(self, folder: Path, *, upgrade: Iterable[str] = ()) -> str | None:
        """Run ``uv lock``, each of ``upgrade`` (PEP 508) passed as ``--upgrade-package``.

        Returns None when it worked, else what uv said.

        Raises:
            MachineError: uv could not be started or did not end in time.
        """
        import subprocess  # noqa: PLC0415 - start-up time

        chosen = [part for requirement in upgrade for part in ("--upgrade-package", requirement)]
        command = [str(self.program), "lock", "--project", str(folder), *chosen]
        try:
            done = subprocess.run(  # noqa: S603 - an absolute path, no shell
                command,
                cwd=folder,
                env={name: value for name, value in self.environ.items() if name not in _KEEP_LOCK},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LOCK_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"uv lock did not end within {LOCK_LIMIT:.0f} s; nothing was changed"
            raise MachineError(msg) from None
        except OSError as error:
            raise self._not_started(error) from None
        return None if done.returncode == 0 else done.stderr.strip()

    def run(self, arguments: Sequence[str]) -> int:
        """Run uv on this terminal and return its exit code; an interrupt is uv's to handle."""
        import signal  # noqa: PLC0415 - start-up time
        import subprocess  # noqa: PLC0415 - start-up time

        try:
            process = subprocess.Popen([str(self.program), *arguments], env=dict(self.environ))  # noqa: S603
        except OSError as error:
            raise self._not_started(error) from None
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, handler)

    def replace_process(self, arguments: Sequence[str]) -> NoReturn:
        """Become uv, so that signals and the terminal are uv's; on Windows run it and exit with its code."""
        command = [str(self.program), *arguments]
        if sys.platform != "win32":
            sys.stdout.flush()
            sys.stderr.flush()
            try:
                os.execve(command[0], command, dict(self.environ))  # noqa: S606 - an absolute path, no shell
            except OSError as error:
                raise self._not_started(error) from None
        sys.exit(self.run(arguments))

    def _not_started(self, error: OSError) -> MachineError:
        return MachineError(f"{self.program}: can't be started: {error.strerror}")


def find_uv(environ: Mapping[str, str], *, outside: Path | None = None) -> Path:
    """The uv to use: the one that started us (``UV``), else the first on ``PATH``.

    Relative entries of ``PATH`` and programs below ``outside`` (the project) are passed over, so that a
    cloned repository can't bring its own.

    Raises:
        MachineError: there is none.
    """
    name = "uv.exe" if sys.platform == "win32" else "uv"
    started_us = environ.get("UV")
    candidates = [Path(started_us)] if started_us else []
    candidates += [Path(entry) / name for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    for candidate in candidates:
        if candidate.is_absolute() and _is_trusted(candidate, outside):
            return candidate
    msg = "uv was not found on PATH (programs inside the project are not used); install it: https://docs.astral.sh/uv/"
    raise MachineError(msg)


def _is_trusted(program: Path, outside: Path | None) -> bool:
    try:
        if not program.is_file() or not os.access(program, os.X_OK):
            return False
        return outside is None or not _is_below(program, outside)
    except OSError:
        return False


def _is_below(program: Path, folder: Path) -> bool:
    folder = folder.resolve()
    return folder in program.absolute().parents or folder in program.resolve().parents
