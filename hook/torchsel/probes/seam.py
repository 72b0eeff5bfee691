"""The one seam through which the probes see a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

WSL_LIBRARIES = "/usr/lib/wsl/lib"
NVML_DLL = r"C:\Windows\System32\nvml.dll"


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """What the interpreter says about where it runs.

    ``name`` is ``sys.platform``; ``machine`` what this Python was started as and ``native_machine`` the
    processor's own where an emulator stands between them; ``bits`` the size of its pointers.
    """

    name: str
    machine: str
    native_machine: str | None = None
    libc: str | None = None
    kernel: str | None = None
    bits: int = 64

    @property
    def is_wsl(self) -> bool:
        """Whether the kernel is Windows Subsystem for Linux's (``5.15.153.1-microsoft-standard-WSL2``)."""
        return self.name == "linux" and "microsoft" in (self.kernel or "").lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Completed:
    """A program's end: its exit code and output, or ``trouble`` where there was no orderly end."""

    code: int | None = None
    output: str = ""
    trouble: str | None = None


class System(Protocol):
    """A machine as the probes see it; every path is absolute, and nothing here raises but :meth:`nvml`."""

    @property
    def timeout(self) -> float:
        """Seconds that a driver or a program gets to answer."""

    def platform(self) -> Platform:
        """Facts that need no file."""

    def read_text(self, path: str) -> str | None:
        """A small file's text; None where it can't be read."""

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Names in a folder, sorted; empty where it can't be read."""

    def exists(self, path: str) -> bool:
        """Whether the path leads anywhere."""

    def accessible(self, path: str) -> bool:
        """Whether this user may read and write it."""

    def read_link(self, path: str) -> str | None:
        """A symbolic link's target as it stands in the link."""

    def find_program(self, name: str) -> str | None:
        """A program's absolute path in one of the trusted folders, never through PATH."""

    def run(self, program: str, arguments: Sequence[str]) -> Completed:
        """Run a program from a trusted folder, without a shell, for no longer than `timeout`."""

    def nvml(self) -> Any:
        """The ``pynvml`` module with its library loaded.

        Raises:
            OSError: the binding or NVIDIA's library is not there.
        """

    def windows_display_ids(self) -> tuple[str, ...] | None:
        r"""Ids of the display devices present on Windows, ``PCI\VEN_10DE&DEV_2684&…``; None elsewhere."""
