"""What an outcome depends on, as it is now: the project's files, the machine, torchsel itself.

Of the machine it is what Linux shows of its accelerators in a few of the kernel's files, as one text.
Whatever makes the probes find something else changes this text; no driver, library or program is asked, so
that it costs half a millisecond. `READINGS` is the list: a record holds while all of it stays the same.
"""

import os
import sys

try:
    from _blake2 import blake2b  # a tenth of a millisecond; hashlib, with OpenSSL, three
except ImportError:  # an interpreter that has it elsewhere
    from hashlib import blake2b

TYPE_CHECKING = False  # typing takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LARGEST = 1 << 20
"""Bytes that are read of any file; a record of a workspace of 300 members has 100 kB."""

_PART = 1 << 16
"""Bytes read at once; the kernel's list of devices is the only long one of its files."""

_LIBRARY = "libnvidia-ml.so.1"
_LIBRARIES = (
    *("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"),
    *("/usr/lib/wsl/lib", "/run/opengl-driver/lib"),
)
_PROGRAMS = ("nvidia-smi", "rocminfo", "rocm_agent_enumerator")
_PROGRAM_FOLDERS = ("/usr/bin", "/usr/local/bin", "/opt/rocm/bin", "/usr/lib/wsl/lib")
_MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container", "/etc/nv_tegra_release", "/lib")
_NODES = ("nvidia", "kfd", "dxg")
_PCI = "/sys/bus/pci/devices"
_KFD = "/sys/class/kfd/kfd/topology"


def dependencies(files: "Iterable[str]") -> str:
    """What a record's digest is made of: the machine, torchsel, and ``files``, there or not."""
    # a squashfs image gives its files whatever times it was made with, so that what a project says counts too
    parts = [signature(), itself()]
    for path in files:
        parts += [path, stamp(path), _read(path) if path.endswith("/pyproject.toml") else ""]
    return digest(parts)


def digest(parts: "Iterable[str]") -> str:
    """A name for the parts, of 32 hexadecimal digits."""
    content = b"\0".join(os.fsencode(part) for part in parts)
    return blake2b(content, digest_size=16).hexdigest()


def itself() -> str:
    """This installation: Python, where packages are installed, torchsel's own files with its data."""
    own = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib is slow to import
    folders = [path for path in sys.path if path.endswith("-packages")]
    parts = [sys.version, sys.prefix, *(f"{path} {stamp(path)}" for path in (*folders, own, f"{own}/data"))]
    if not own.endswith("-packages/torchsel"):  # a checkout, whose files are edited in place
        for folder, inner, names in os.walk(own):
            inner[:] = sorted(name for name in inner if name != "__pycache__")
            parts += [f"{folder}/{name} {stamp(f'{folder}/{name}')}" for name in sorted(names)]
    return "\n".join(parts)


def signature(root: str = "") -> str:
    """All of `READINGS`, of the machine whose ``/proc``, ``/sys`` and ``/dev`` are below ``root``."""
    return "\n".join(f"{name}: {read(root)}" for name, read in READINGS.items())


def stamp(path: str) -> str:
    """What changes when a file's content, place or rights do; the error's number where it can't be asked."""
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib is slow to import
    except OSError as error:
        return f"-{error.errno}"
    return (
        f"{found.st_dev} {found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
        f" {found.st_mode} {found.st_uid}"
    )


def _kernel(_root: str) -> str:
    uname = os.uname()
    return f"{uname.sysname} {uname.release} {uname.version} {uname.machine}"


def _c_library(_root: str) -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return ""


def _user(_root: str) -> str:
    return f"{os.getuid()} {os.geteuid()} {os.getegid()} {sorted(os.getgroups())}"


def _group(root: str) -> str:
    """The control groups that could restrict devices; below user.slice each terminal has its own."""
    lines = _read(f"{root}/proc/self/cgroup").splitlines()
    kept = [line for line in lines if line.startswith("0::") or ":devices:" in line]
    return " ".join("/".join(line.split("/")[:3]) if ":/user.slice/" in line else line for line in kept)


def _pci(root: str) -> str:
    """Every device with its driver; interrupts and addresses in the kernel's list come and go with use."""
    devices = _read(f"{root}/proc/bus/pci/devices")
    listed = [(*line.split("\t", 2)[:2], line.rpartition("\t")[2]) for line in devices.splitlines()]
    return f"{_names(root + _PCI)} {listed or list(_pci_by_device(root + _PCI))}"


def _pci_by_device(folder: str) -> "Iterator[str]":
    for name in _names(folder):
        ids = [_read(f"{folder}/{name}/{part}") for part in ("class", "vendor", "device")]
        yield f"{ids} {_link(f'{folder}/{name}/driver')}"


def _nvidia(root: str) -> str:
    versions = [_read(root + path) for path in ("/sys/module/nvidia/version", "/proc/driver/nvidia/version")]
    return f"{versions} {_names(f'{root}/proc/driver/nvidia/gpus')} {_names(f'{root}/dev/nvidia-caps')}"


def _nvidia_library(root: str) -> str:
    """Where an update without a reboot shows; the loader's cache is made anew with every library."""
    own = [entry for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry.startswith("/")]
    files = [f"{root}{folder}/{_LIBRARY}" for folder in (*own, *_LIBRARIES)]
    return " ".join(stamp(file) for file in (f"{root}/etc/ld.so.cache", *files))


def _amd(root: str) -> str:
    """The kernel counts the changes of its compute topology (Linux, kfd_topology.c)."""
    return f"{_read(f'{root}{_KFD}/generation_id')} {_names(f'{root}{_KFD}/nodes')}"


def _renderers(root: str) -> str:
    return str([name for name in _names(f"{root}/sys/class/drm") if name.startswith("renderD")])


def _device_files(root: str) -> str:
    """Which are there, and whether this user may open them; their times change with use."""
    paths = [f"{root}/dev/{name}" for name in _names(f"{root}/dev") if name.startswith(_NODES)]
    paths += [f"{root}/dev/dri/{name}" for name in _names(f"{root}/dev/dri")]
    return " ".join(f"{path} {_node(path)}" for path in paths)


def _node(path: str) -> str:
    try:
        found = os.stat(path)  # noqa: PTH116 - pathlib is slow to import
    except OSError as error:
        return f"-{error.errno}"
    allowed = os.access(path, os.R_OK | os.W_OK)
    return f"{found.st_rdev} {found.st_mode} {found.st_uid} {found.st_gid} {allowed}"


def _programs(root: str) -> str:
    return " ".join(stamp(f"{root}{folder}/{name}") for folder in _PROGRAM_FOLDERS for name in _PROGRAMS)


READINGS: "dict[str, Callable[[str], str]]" = {
    "kernel and processor": _kernel,
    "C library": _c_library,
    "boot": lambda root: _read(f"{root}/proc/sys/kernel/random/boot_id"),
    "user and groups": _user,
    "mount namespace": lambda root: _link(f"{root}/proc/self/ns/mnt"),  # another container has another one
    "control group": _group,
    "PCI devices and drivers": _pci,
    "adapters that Windows passes to WSL": lambda root: str(_names(f"{root}/sys/bus/vmbus/devices")),
    "NVIDIA driver and GPUs": _nvidia,
    "NVIDIA library": _nvidia_library,
    "AMD compute topology": _amd,
    "render nodes": _renderers,
    "device files": _device_files,
    "vendors' programs": _programs,
    "marks of containers and systems": lambda root: " ".join(stamp(root + path) for path in _MARKS),
}
"""Each part of the machine that a selection looks at, and where it shows."""


def _read(path: str) -> str:
    try:
        # nobody may ever write to what lies there as a FIFO
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        content = b""
        while len(content) < LARGEST and (part := os.read(descriptor, _PART)):
            content += part
        return os.fsdecode(content)
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 - pathlib is slow to import
    except OSError:
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - pathlib is slow to import
    except OSError:
        return ""
