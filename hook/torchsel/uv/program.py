"""uv itself: where it is, and starting it. The only module that starts uv."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchsel.errors import MachineError, UvError
from torchsel.uv.signals import Stops

LOCK_LIMIT = 1800.0
"""Seconds after which a ``uv lock`` is given up; resolving a large project over a slow line takes minutes."""

ASKING_LIMIT = 60.0
"""Seconds for one question to an index."""

LAST_WAIT = 3.0
"""Seconds that a uv which was told to end has for it."""

VERSION_LIMIT = 10.0
"""Seconds for ``uv --version``."""

TURN = 0.1
"""Seconds after which somebody who waits for uv looks whether a signal came."""

_NOT_FOR_LOCK = frozenset(
    {"UV_FROZEN", "UV_LOCKED", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_PROJECT"}
    | {"UV_NO_SOURCES", "UV_NO_SOURCES_PACKAGE"}
)
"""Variables that would keep ``uv lock`` from bringing uv.lock along, or lead it elsewhere."""

_INDEXES = frozenset({"UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_FIND_LINKS"})
"""Variables that name other indexes than the one that is asked."""

_BEGINNING = re.compile(r"error: | *\u00d7 ")
"""Of the lines that say why uv stopped (0.5.3 to 0.13.9)."""

_CHATTER = re.compile(
    r"warning: |(Using|Creating|Removed) (CPython|PyPy|GraalPy|Python|virtual) ?|"
    r"(Resolved|Prepared|Installed|Uninstalled|Audited) \d|(Downloading|Building|Updating|Updated) "
)


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
        check = ["--check"] if only_check else []
        try:
            done = self._finished(
                ["lock", "--project", str(folder), *self.told, *chosen, *check],
                limit=LOCK_LIMIT,
                without=_NOT_FOR_LOCK,
                cwd=self.start or folder,
                stdout=subprocess.DEVNULL,
                pass_fds=() if self.descriptor is None or sys.platform == "win32" else (self.descriptor,),
            )
        except subprocess.TimeoutExpired:
            msg = f"uv lock did not end within {LOCK_LIMIT:.0f} s"
            raise MachineError(msg) from None
        if done.returncode == 0:
            return None
        return cause(done.stderr) or f"nothing; it ended with exit code {done.returncode}"

    def finds(self, requirement: str, *, index: str) -> bool:
        """Whether an index (``name=url``) has what is required, for any platform; asked past uv's cache.

        False too where it can't be asked: who wants to know asks for something else as well.

        Raises:
            MachineError: uv could not be started.
        """
        settings = ("--quiet", "--universal", "--no-deps", "--no-config", "--refresh")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requirements.in"
            file.write_text(f"{requirement}\n", encoding="utf-8")
            try:
                done = self._finished(
                    ["pip", "compile", *settings, "--default-index", index, str(file)],
                    limit=ASKING_LIMIT,
                    without=_INDEXES,
                    cwd=folder,
                    stdout=subprocess.DEVNULL,
                )
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 0

    def version(self) -> tuple[int, ...]:
        """Release of uv, ``(0, 13, 9)``; empty where it does not say. It is asked once.

        Raises:
            MachineError: uv could not be started or did not end in time.
        """
        if "version" not in self.said:
            try:
                done = self._finished(["--version"], limit=VERSION_LIMIT, stdout=subprocess.PIPE)
            except subprocess.TimeoutExpired:
                msg = f"{self.program}: --version did not end within {VERSION_LIMIT:.0f} s"
                raise MachineError(msg) from None
            numbers = "".join(done.stdout.split()[1:2]).split(".")
            self.said["version"] = tuple(int(number) for number in numbers if number.isdecimal())
        return self.said["version"]

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
        done = self._finished(arguments, stdout=subprocess.PIPE)
        if done.returncode:
            msg = f"uv {arguments[0]} failed; uv said:\n{cause(done.stderr)}"
            raise UvError(msg, shell_code(done.returncode))
        return done.stdout

    def run(self, arguments: Sequence[str], *, is_last: bool = False) -> int:
        """Run uv on this terminal and return its exit code, negative for the signal that ended it.

        Signals are uv's to handle: what came before it was started is passed on to it. One that it ended well
        in spite of came too late for it, and is delivered here, unless the run ``is_last``.
        """
        with Stops() as stops:
            with self.starting():
                process = subprocess.Popen([str(self.program), *arguments], env=dict(self.environ))  # noqa: S603
            stops.pass_on_to(process)
            code = _waited(process)
            if code or is_last:
                stops.forget()
        return code

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """A part in which uv is started.

        Raises:
            MachineError: it could not be.
        """
        try:
            yield
        except OSError as error:
            msg = f"{self.program}: can't be started: {error.strerror}"
            raise MachineError(msg) from None

    def _finished(
        self,
        arguments: Sequence[str],
        *,
        limit: float = math.inf,
        without: Collection[str] = (),
        **how: Any,
    ) -> subprocess.CompletedProcess[str]:
        """Run uv without input to its end; whatever cuts the wait short ends uv first.

        Raises:
            MachineError: it could not be started.
            TimeoutExpired: it did not end within ``limit`` seconds.
        """
        command = [str(self.program), *arguments]
        how |= {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "errors": "replace"}
        environ = {name: value for name, value in self.environ.items() if name not in without}
        with (
            self.starting(),
            Stops() as stops,
            subprocess.Popen(command, env=environ, **how) as process,  # noqa: S603 - an absolute path, no shell
        ):
            try:
                output, said = _communicated(process, limit, stops)
            except BaseException:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(LAST_WAIT)
                process.kill()
                raise
        return subprocess.CompletedProcess(command, process.returncode, output, said)


def _waited(process: subprocess.Popen[bytes]) -> int:
    # A signal that comes right before a system call is seen when that has ended, so that none may take long.
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(TURN)


def _communicated(process: subprocess.Popen[str], limit: float, stops: Stops) -> tuple[str, str]:
    end = time.monotonic() + limit
    while True:
        stops.check()
        try:
            return process.communicate(timeout=TURN)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:  # else it was only a turn, to look for a signal
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
        # a relative entry leads into the current folder, which may be a stranger's
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
        # by its name and by what it is a link to
        return outside is None or outside.resolve() not in (
            *program.absolute().parents,
            *program.resolve().parents,
        )
    except OSError:
        return False


def _current_folder() -> str | None:
    with contextlib.suppress(OSError):  # it may have been deleted
        return os.path.realpath(os.curdir)
    return None


def cause(said: str) -> str:
    """Why uv failed, without its chatter: from its error on; all else where it names none."""
    lines = said.strip().splitlines()
    start = next((at for at, line in enumerate(lines) if _BEGINNING.match(line)), 0)
    kept = [line for line in lines[start:] if not _CHATTER.match(line)]
    return "\n".join(line.removeprefix("error: ") for line in kept).strip() or said.strip()
