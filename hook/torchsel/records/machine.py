"""What a Linux machine shows of its accelerators in a few of the kernel's files, as one text.

Whatever makes the probes find something else changes this text; no driver, library or program is asked, so
that it costs half a millisecond. `READINGS` is the list: a record holds while all of it stays the same.
"""

import os

TYPE_CHECKING = False  # typing takes as long to import as all of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def _namespace(root: str) -> str:
    """Another container has another one."""
    return _link(f"{root}/proc/self/ns/mnt")


def _group(root: str) -> str:
    """The control groups that could restrict devices; below user.slice each terminal has its own."""
    lines = _read(f"{root}/proc/self/cgroup").splitlines()
    kept = [line for line in lines if line.startswith("0::") or ":devices:" in line]
    return " ".join("/".join(line.split("/")[:3]) if ":/user.slice/" in line else line for line in kept)


def _pci(root: str) -> str:
    """Every device with its driver; interrupts and addresses in the kernel's list come and go with use."""
    devices = _read(f"{root}/proc/bus/pci/devices", 1 << 20)
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
    "mount namespace": _namespace,
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


def _read(path: str, most: int = 4096) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        parts = []
        while part := os.read(descriptor, most):
            parts.append(part)
        return b"".join(parts).decode("utf-8", "replace")
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
