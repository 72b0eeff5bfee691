"""Asking a vendor's software within a time limit: a tool from a trusted folder, a driver's library."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TypeVar

T = TypeVar("T")

_LARGEST_OUTPUT = 1 << 18
_LAST_WAIT = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A program's end: its exit code and output, or ``trouble`` where there was no orderly end."""

    code: int | None = None
    output: str = ""
    trouble: str | None = None


def run_program(
    program: str, arguments: Sequence[str], *, timeout: float, trusted: Sequence[str]
) -> Completed:
    """Run ``program`` for at most ``timeout`` seconds; refuse one that is not in a ``trusted`` folder."""
    if not _is_in(program, trusted):
        return Completed(trouble=f"{program} is not in a trusted folder")
    try:
        process = _start(program, arguments)
    except (OSError, ValueError) as error:
        return Completed(trouble=f"could not be started ({error})")
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        _abandon(process)
        return Completed(trouble=f"no answer within {timeout:g} s")
    return Completed(code=process.returncode, output=output[:_LARGEST_OUTPUT].decode("utf-8", "replace"))


def within(seconds: float, work: Callable[[], T]) -> T:
    """Call ``work``, which has no time limit of its own, in a daemon thread and wait ``seconds`` for it.

    Raises:
        TimeoutError: it did not come back; the thread is left behind and dies with the process.
        Exception: whatever ``work`` raised.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        try:
            results.append(work())
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=call, name="torchsel-probe", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        msg = f"no answer within {seconds:g} s"
        raise TimeoutError(msg)
    return results[0]


def _is_in(program: str, trusted: Sequence[str]) -> bool:
    path = PureWindowsPath(program) if sys.platform == "win32" else PurePosixPath(program)
    return ".." not in path.parts and str(path.parent) in trusted


def _start(program: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 (an absolute path from a trusted folder, no shell)
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(program).parent,
        env=_environment(),
        start_new_session=sys.platform != "win32",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _environment() -> dict[str, str]:
    kept = {name: value for name in ("SystemRoot", "WINDIR") if (value := os.environ.get(name))}
    return {"LC_ALL": "C", "PATH": os.defpath, **kept}


def _abandon(process: subprocess.Popen[bytes]) -> None:
    """Kill it and its children, and don't wait for one that the kernel holds on to."""
    with suppress(OSError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, 9)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LAST_WAIT)
    if process.stdout:
        process.stdout.close()
