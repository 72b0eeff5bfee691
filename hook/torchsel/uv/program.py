"""uv itself: where it is, and starting it. The only module that starts uv."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from torchsel.errors import MachineError, UvError
from torchsel.uv.said import cause
from torchsel.uv.signals import Stops, interrupts_by_default

LOCK_LIMIT = 1800.0
"""Seconds after which a ``uv lock`` is given up; resolving a large project over a slow line takes minutes."""

ASKING_LIMIT = 60.0
"""Seconds for one question to an index."""

LAST_WAIT = 3.0
"""Seconds that a uv which was told to end has for it."""

TURN = 0.1
"""Seconds after which somebody who waits for uv looks whether a signal came."""

_NOT_FOR_LOCK = frozenset(
    {"UV_FROZEN", "UV_LOCKED", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_PROJECT"}
    | {"UV_NO_SOURCES", "UV_NO_SOURCES_PACKAGE"}
)
"""Variables that would keep ``uv lock`` from bringing uv.lock along, or lead it elsewhere."""


def dotted(version: tuple[int, ...]) -> str:
    """``0.13.9`` for what `Uv.version` returns."""
    return ".".join(map(str, version))


def shell_code(returncode: int) -> int:
    """A program's exit code as a shell tells it: 128 and the number of the signal that ended it."""
    return 128 - returncode if returncode < 0 else returncode


@dataclass(frozen=True, kw_only=True, slots=True)
class Uv:
    """A uv executable and the environment it is started in.

    ``descriptor`` is handed on to ``uv lock``: a lock that lasts while uv is at work, whatever becomes of us.
    ``told`` are options that every ``uv lock`` gets, to be read in the folder ``start``.
    """

    program: Path
    environ: Mapping[str, str]
    descriptor: int | None = None
    told: tuple[str, ...] = ()
    start: Path | None = None
    said: dict[str, tuple[int, ...]] = field(default_factory=dict, repr=False, compare=False)
    """Its version, once it was asked; copies with another environment share it."""

    def lock(self, folder: Path, *, upgrade: Iterable[str] = (), only_check: bool = False) -> str | None:
        """Run ``uv lock``, each of ``upgrade`` (PEP 508) passed as ``--upgrade-package``.

        With ``only_check`` it writes nothing, and works where uv.lock is what the project asks for. Returns
        None when it worked, else what uv said. An exception while uv is at work ends uv.

        Raises:
            MachineError: uv could not be started or did not end in time.
        """
        chosen = [part for requirement in upgrade for part in ("--upgrade-package", requirement)]
        command = [str(self.program), "lock", "--project", str(folder), *self.told, *chosen]
        try:
            done = _finished(
                [*command, "--check"] if only_check else command,
                limit=LOCK_LIMIT,
                cwd=self.start or folder,
                env={name: value for name, value in self.environ.items() if name not in _NOT_FOR_LOCK},
                stdout=subprocess.DEVNULL,
                pass_fds=() if self.descriptor is None or sys.platform == "win32" else (self.descriptor,),
            )
        except subprocess.TimeoutExpired:
            msg = f"uv lock did not end within {LOCK_LIMIT:.0f} s"
            raise MachineError(msg) from None
        except OSError as error:
            raise self._not_started(error) from None
        if done.returncode == 0:
            return None
        return cause(done.stderr) or f"nothing; it ended with exit code {done.returncode}"

    def finds(self, requirement: str, *, index: str) -> bool:
        """Whether an index (``name=url``) has what is required, for any platform; asked past uv's cache.

        False too where it can't be asked: who wants to know asks for something else as well.

        Raises:
            MachineError: uv could not be started.
        """
        others = {"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"}
        settings = ("--quiet", "--universal", "--no-deps", "--no-config", "--refresh")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requirements.in"
            file.write_text(f"{requirement}\n", encoding="utf-8")
            try:
                done = _finished(
                    [str(self.program), "pip", "compile", *settings, "--default-index", index, str(file)],
                    limit=ASKING_LIMIT,
                    cwd=folder,
                    env={name: value for name, value in self.environ.items() if name not in others},
                    stdout=subprocess.DEVNULL,
                )
            except subprocess.TimeoutExpired:
                return False
            except OSError as error:
                raise self._not_started(error) from None
        return done.returncode == 0

    def version(self) -> tuple[int, ...]:
        """Release of uv, ``(0, 13, 9)``; empty where it does not say. It is asked once.

        Raises:
            MachineError: uv could not be started or did not end in time.
        """
        if "version" not in self.said:
            self.said["version"] = self._version()
        return self.said["version"]

    def _version(self) -> tuple[int, ...]:
        command = [str(self.program), "--version"]
        try:
            done = subprocess.run(  # noqa: S603 - an absolute path, no shell
                command, env=dict(self.environ), capture_output=True, text=True, timeout=10, check=False
            )
        except subprocess.TimeoutExpired:
            msg = f"{self.program}: --version did not end within 10 s"
            raise MachineError(msg) from None
        except OSError as error:
            raise self._not_started(error) from None
        words = done.stdout.split()
        numbers = words[1].split(".") if len(words) > 1 else []
        return tuple(int(number) for number in numbers if number.isdecimal())

    def require(self, oldest: tuple[int, ...], purpose: str = "") -> None:
        """Refuse a uv that is older; one that does not say is let pass.

        Raises:
            MachineError: it is older, or could not be started.
        """
        version = self.version()
        if version and version < oldest:
            msg = (
                f"uv {dotted(version)} is too old{purpose}, {dotted(oldest)} or newer is needed;"
                " update it: uv self update"
            )
            raise MachineError(msg)

    def check(self, arguments: Sequence[str]) -> str:
        """Run uv for what it prints.

        Raises:
            MachineError: it could not be started.
            UvError: it failed; with what it said.
        """
        try:
            done = _finished([str(self.program), *arguments], env=dict(self.environ), stdout=subprocess.PIPE)
        except OSError as error:
            raise self._not_started(error) from None
        if done.returncode:
            msg = f"uv {arguments[0]} failed; uv said:\n{cause(done.stderr)}"
            raise UvError(msg, shell_code(done.returncode))
        return done.stdout

    def run(self, arguments: Sequence[str]) -> int:
        """Run uv on this terminal and return its exit code, negative for the signal that ended it.

        Signals are uv's to handle: what came before it was started is passed on to it. One that it ended well
        in spite of came too late for it, and is delivered here.
        """
        with Stops() as stops:
            code = self._attended(arguments, stops)
            if code:
                stops.forget()
        return code

    def replace_process(self, arguments: Sequence[str]) -> NoReturn:
        """Become uv, so that signals and the terminal are uv's; on Windows run it and exit with its code."""
        command = [str(self.program), *arguments]
        if sys.platform != "win32":
            sys.stdout.flush()
            sys.stderr.flush()
            try:
                with interrupts_by_default():
                    os.execve(command[0], command, dict(self.environ))  # noqa: S606 - an absolute path, no shell
            except OSError as error:
                raise self._not_started(error) from None
        with Stops() as stops:
            code = self._attended(arguments, stops)
            stops.forget()
        sys.exit(code)

    def _attended(self, arguments: Sequence[str], stops: Stops) -> int:
        try:
            process = subprocess.Popen([str(self.program), *arguments], env=dict(self.environ))  # noqa: S603
        except OSError as error:
            raise self._not_started(error) from None
        stops.pass_on_to(process)
        return process.wait()

    def _not_started(self, error: OSError) -> MachineError:
        return MachineError(f"{self.program}: can't be started: {error.strerror}")


def _finished(
    command: Sequence[str], *, limit: float = math.inf, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program without input to its end; whatever cuts the wait short ends the program first.

    Raises:
        OSError: it could not be started.
        TimeoutExpired: it did not end within ``limit`` seconds.
    """
    with Stops() as stops:
        return _waited_for(stops, command, limit, **how)


def _waited_for(
    stops: Stops, command: Sequence[str], limit: float, **how: Any
) -> subprocess.CompletedProcess[str]:
    with subprocess.Popen(  # noqa: S603 - an absolute path, no shell
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", **how
    ) as process:
        try:
            output, said = _communicated(process, limit, stops)
        except BaseException:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LAST_WAIT)
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, said)


def _communicated(process: subprocess.Popen[str], limit: float, stops: Stops) -> tuple[str, str]:
    end = time.monotonic() + limit
    while True:
        stops.check()
        try:
            return process.communicate(timeout=TURN)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise


def find_uv(environ: Mapping[str, str], *, outside: Path | None = None) -> Path:
    """The uv to use: the one that started us (``UV``), else the first on ``PATH``.

    Relative entries of ``PATH`` and programs in the current folder or below ``outside`` (the project) are
    passed over, so that a cloned repository can't bring its own.

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
        if os.path.realpath(program.parent) == _current_folder():
            return False
        return outside is None or not _is_below(program, outside)
    except OSError:
        return False


def _current_folder() -> str | None:
    with contextlib.suppress(OSError):  # it may have been deleted
        return os.path.realpath(os.curdir)
    return None


def _is_below(program: Path, folder: Path) -> bool:
    folder = folder.resolve()
    return folder in program.absolute().parents or folder in program.resolve().parents
