"""The real machine behind the seam: its files, a vendor's tools from trusted folders, NVIDIA's library."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, ClassVar

from torchsel.probes.seam import NVML_DLL, WSL_LIBRARIES, Completed, Platform

_LARGEST_FILE = 1 << 16
_LARGEST_OUTPUT = 1 << 18
_LAST_WAIT = 0.5
_POSIX_PROGRAMS = ("/usr/bin", "/usr/local/bin", "/opt/rocm/bin", WSL_LIBRARIES)
_WINDOWS_PROGRAMS = (r"C:\Windows\System32", r"C:\Program Files\NVIDIA Corporation\NVSMI")
# NixOS keeps the driver's libraries outside the loader's path.
_NVML_LIBRARIES = (
    "libnvidia-ml.so.1",
    f"{WSL_LIBRARIES}/libnvidia-ml.so.1",
    "/run/opengl-driver/lib/libnvidia-ml.so.1",
)


class RealSystem:
    """This machine."""

    timeout: ClassVar[float] = 5.0

    def platform(self) -> Platform:
        """Facts from the interpreter and the kernel, without a file or a subprocess."""
        bits = 64 if sys.maxsize > 2**32 else 32
        if sys.platform == "win32":
            from torchsel.probes.windows import platform_facts  # noqa: PLC0415 - Windows alone

            return platform_facts(bits)
        uname = os.uname()
        # Under Rosetta the machine reads x86_64, the kernel's own version line still names ARM64.
        rosetta = sys.platform == "darwin" and uname.machine == "x86_64" and "ARM64" in uname.version
        return Platform(
            name=sys.platform,
            machine=uname.machine,
            native_machine="arm64" if rosetta else None,
            libc=_glibc(),
            kernel=uname.release,
            bits=bits,
        )

    def read_text(self, path: str) -> str | None:
        """The first 64 KiB of a file."""
        with suppress(OSError, ValueError), Path(path).open("rb") as file:
            return file.read(_LARGEST_FILE).decode("utf-8", "replace")
        return None

    def list_dir(self, path: str) -> tuple[str, ...]:
        """Sorted names."""
        with suppress(OSError, ValueError):
            return tuple(sorted(os.listdir(path)))  # noqa: PTH208 (names alone are wanted, on the hot path)
        return ()

    def exists(self, path: str) -> bool:
        """Follows links."""
        return os.access(path, os.F_OK)

    def accessible(self, path: str) -> bool:
        """For the effective user's groups."""
        return os.access(path, os.R_OK | os.W_OK)

    def read_link(self, path: str) -> str | None:
        """None where it is no link."""
        with suppress(OSError, ValueError):
            return str(Path(path).readlink())
        return None

    def find_program(self, name: str) -> str | None:
        """Looks in the trusted folders, in their order."""
        suffix, separator = (".exe", "\\") if sys.platform == "win32" else ("", "/")
        candidates = (f"{folder}{separator}{name}{suffix}" for folder in _trusted_folders())
        return next((path for path in candidates if os.access(path, os.X_OK)), None)

    def run(self, program: str, arguments: Sequence[str]) -> Completed:
        """Output and errors come back as one text."""
        return run_program(program, arguments, timeout=self.timeout, trusted=_trusted_folders())

    def nvml(self) -> Any:
        """Loads the library by name, then from where WSL 2 and NixOS keep it; on Windows from System32."""
        try:
            import pynvml  # noqa: PLC0415 - useless without a driver
        except ImportError as error:
            msg = f"the nvidia-ml-py package can't be imported ({error})"
            raise OSError(msg) from error
        if pynvml.nvmlLib is None:
            pynvml.nvmlLib = _load_nvml(wsl=self.exists("/dev/dxg"))
        return pynvml

    def windows_display_ids(self) -> tuple[str, ...] | None:
        """Asks the configuration manager."""
        from torchsel.probes.windows import present_display_ids  # noqa: PLC0415 - Windows alone

        return present_display_ids()


def _trusted_folders() -> tuple[str, ...]:
    return _WINDOWS_PROGRAMS if sys.platform == "win32" else _POSIX_PROGRAMS


def _glibc() -> str | None:
    with suppress(AttributeError, OSError, ValueError):
        return os.confstr("CS_GNU_LIBC_VERSION") or None
    return None


def _load_nvml(*, wsl: bool) -> Any:
    import ctypes  # noqa: PLC0415 - slow to load, and pynvml has by now

    # A Linux driver installed inside WSL leaves a library that can't work there; Windows' own comes first.
    libraries = (_NVML_LIBRARIES[1], _NVML_LIBRARIES[0]) if wsl else _NVML_LIBRARIES
    for library in (NVML_DLL,) if sys.platform == "win32" else libraries:
        with suppress(OSError):
            return ctypes.CDLL(library)
    msg = "NVIDIA's management library (libnvidia-ml.so.1, nvml.dll) can't be loaded"
    raise OSError(msg)


def run_program(
    program: str, arguments: Sequence[str], *, timeout: float, trusted: Sequence[str]
) -> Completed:
    """Run ``program`` for at most ``timeout`` seconds; refuse one that is not in a ``trusted`` folder."""
    path = PurePath(program)
    if ".." in path.parts or str(path.parent) not in trusted:
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


def _start(program: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    # Windows' own libraries look for its folder
    kept = {name: value for name in ("SystemRoot", "WINDIR") if (value := os.environ.get(name))}
    return subprocess.Popen(  # noqa: S603 (an absolute path from a trusted folder, no shell)
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(program).parent,
        env={"LC_ALL": "C", "PATH": os.defpath, **kept},
        # a group of its own, to be ended with all that it started
        start_new_session=sys.platform != "win32",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


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
