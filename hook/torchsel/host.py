"""The host: a machine as torchsel sees it, read from a probe or from a recorded host file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, cast, get_args

from torchsel.errors import ConfigError

System = Literal["linux", "win32", "darwin"]
Vendor = Literal["nvidia", "amd", "intel"]


class Maker(NamedTuple):
    """A vendor's name in sentences, and its id on the PCI bus."""

    name: str
    pci: int


VENDORS: Mapping[Vendor, Maker] = MappingProxyType(
    {
        "nvidia": Maker("NVIDIA", 0x10DE),
        "amd": Maker("AMD", 0x1002),
        "intel": Maker("Intel", 0x8086),
    }
)
"""In the order in which a host lists them."""

_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
_SYSTEM_NAMES = {"linux": "Linux", "win32": "Windows", "darwin": "macOS"}
_PLATFORM_SYSTEMS = {"linux": "linux", "win32": "win", "darwin": "macos"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Accelerator:
    """One GPU or other accelerator.

    ``compute_capability`` is NVIDIA's ``X.Y`` (``"9.0"``), ``gfx_target`` AMD's (``"gfx942"``), ``pci_id``
    is ``vendor:device`` in lower-case hexadecimal (``"10de:2335"``). What a probe could not read is None.
    """

    vendor: Vendor
    name: str | None = None
    compute_capability: str | None = None
    gfx_target: str | None = None
    pci_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _printable(self.name))
        object.__setattr__(self, "gfx_target", _printable(self.gfx_target))

    @property
    def label(self) -> str:
        """The name for a sentence, falling back to the ids that are known."""
        return self.name or self.gfx_target or self.pci_id or f"{self.vendor} GPU"


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """A machine: platform, NVIDIA driver version (kept raw, as ``550.144.03``) and accelerators.

    ``system`` is Python's ``sys.platform``; ``machine`` is normalised to ``x86_64`` or ``aarch64`` where it
    is one of their spellings. ``notes`` are the probes' findings, one sentence each.
    """

    system: System
    machine: str
    libc: str | None = None
    kernel: str | None = None
    nvidia_driver: str | None = None
    accelerators: tuple[Accelerator, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "libc", _printable(self.libc))
        object.__setattr__(self, "kernel", _printable(self.kernel))
        object.__setattr__(self, "notes", tuple(str(_printable(note)) for note in self.notes))

    @property
    def words(self) -> str:
        """System and machine in words, ``Linux aarch64``."""
        return f"{_SYSTEM_NAMES[self.system]} {self.machine}"

    @property
    def platform(self) -> str:
        """The catalog's platform name, such as ``linux_x86_64``, ``win_amd64`` or ``macos_arm64``."""
        if self.system == "linux":
            return f"linux_{self.machine}"
        spelling = {"x86_64": "amd64" if self.system == "win32" else "x86_64", "aarch64": "arm64"}
        return f"{_PLATFORM_SYSTEMS[self.system]}_{spelling.get(self.machine, self.machine)}"

    def to_json(self) -> str:
        """The recorded host format, as ``torchsel detect --json`` prints it and ``--host`` takes it."""
        record = {
            "system": self.system,
            "machine": self.machine,
            "libc": self.libc,
            "kernel": self.kernel,
            "nvidia_driver": self.nvidia_driver,
            "accelerators": [_accelerator_record(item) for item in self.accelerators],
            "notes": list(self.notes),
        }
        return json.dumps(record, indent=2, ensure_ascii=False)

    def to_record(self) -> dict[str, Any]:
        """The recorded host as plain data."""
        return cast("dict[str, Any]", json.loads(self.to_json()))


def normalize_machine(machine: str) -> str:
    """``platform_machine`` in one spelling: ``AMD64`` is ``x86_64``, ``arm64`` is ``aarch64``."""
    return _MACHINES.get(machine.lower(), machine.lower())


def parse_host(text: str, *, where: str) -> Host:
    """Read a recorded host.

    ``where`` names the file or variable in errors.

    Raises:
        ConfigError: it is not JSON, or a field has the wrong type; all faults at once.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"{where}: not JSON ({error}); record a host with 'torchsel detect --json'"
        raise ConfigError(msg) from None
    if not isinstance(record, dict):
        msg = f"{where}: expected a JSON object; record a host with 'torchsel detect --json'"
        raise ConfigError(msg)
    reader = _Reader(where)
    host = reader.host(record)
    if reader.problems:
        raise ConfigError(*reader.problems)
    return host


class _Reader:
    """Reads typed fields and collects every fault with its place."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.problems: list[str] = []

    def host(self, record: Mapping[str, object]) -> Host:
        system = self.text(record, "system", required=True)
        if system is not None and system not in get_args(System):
            self.fault("system", "expected 'linux', 'win32' or 'darwin'")
        return Host(
            system=cast("System", system or "linux"),
            machine=normalize_machine(self.text(record, "machine", required=True) or ""),
            libc=self.text(record, "libc"),
            kernel=self.text(record, "kernel"),
            nvidia_driver=self.text(record, "nvidia_driver", pattern="driver"),
            accelerators=tuple(self.accelerators(record)),
            notes=tuple(self.notes(record.get("notes"))),
        )

    def accelerators(self, record: Mapping[str, object]) -> list[Accelerator]:
        """Those recorded; where they were not looked at, a driver stands for one GPU of unknown kind."""
        items = record.get("accelerators")
        if items is None:
            return [Accelerator(vendor="nvidia")] if record.get("nvidia_driver") else []
        if not isinstance(items, list):
            self.fault("accelerators", "expected a list of objects")
            return []
        return [found for at, item in enumerate(items) if (found := self.accelerator(at, item)) is not None]

    def accelerator(self, at: int, item: object) -> Accelerator | None:
        key = f"accelerators[{at}]"
        if not isinstance(item, dict):
            self.fault(key, "expected an object")
            return None
        vendor = self.text(item, "vendor", under=key, required=True)
        if vendor is not None and vendor not in VENDORS:
            self.fault(f"{key}.vendor", f"expected {_either(VENDORS)}")
        return Accelerator(
            vendor=cast("Vendor", vendor or "nvidia"),
            name=self.text(item, "name", under=key),
            compute_capability=self.text(item, "compute_capability", under=key, pattern="capability"),
            gfx_target=self.text(item, "gfx_target", under=key),
            pci_id=_lower(self.text(item, "pci_id", under=key)),
        )

    def notes(self, items: object) -> list[str]:
        if items is None:
            return []
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.fault("notes", "expected a list of strings")
            return []
        return items

    def text(
        self,
        record: Mapping[str, object],
        key: str,
        *,
        under: str = "",
        required: bool = False,
        pattern: Literal["driver", "capability"] | None = None,
    ) -> str | None:
        value = record.get(key)
        dotted = f"{under}.{key}" if under else key
        if value is None:
            if required:
                self.fault(dotted, "is missing")
            return None
        if not isinstance(value, str):
            self.fault(dotted, f"expected a string, found {type(value).__name__}")
            return None
        if pattern and not _matches(value, pattern):
            self.fault(dotted, f"{value!r} is not {_EXPECTED[pattern]}")
            return None
        return value

    def fault(self, dotted: str, problem: str) -> None:
        self.problems.append(f"{self.where}: {dotted}: {problem}")


_EXPECTED = {
    "driver": "a driver version such as '580.65.06'",
    "capability": "a compute capability such as '9.0'",
}


def _matches(value: str, pattern: Literal["driver", "capability"]) -> bool:
    parts = value.split(".")
    numeric = all(part.isascii() and part.isdigit() for part in parts)
    return numeric and (len(parts) == 2 if pattern == "capability" else len(parts) <= 4)


def _printable(text: str | None) -> str | None:
    """What a firmware or a file says is shown on terminals: nothing that steers one is kept."""
    if text is None or text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def _either(words: Iterable[str]) -> str:
    """``'nvidia', 'amd' or 'intel'``."""
    *first, last = map(repr, words)
    return f"{', '.join(first)} or {last}"


def _lower(value: str | None) -> str | None:
    return value.lower() if value is not None else None


def _accelerator_record(item: Accelerator) -> dict[str, str]:
    fields = ("vendor", "name", "compute_capability", "gfx_target", "pci_id")
    return {field: value for field in fields if (value := getattr(item, field)) is not None}


PLATFORMS = (
    Host(system="linux", machine="x86_64"),
    Host(system="linux", machine="aarch64"),
    Host(system="win32", machine="x86_64"),
    Host(system="darwin", machine="aarch64"),
)
"""A machine of each platform that torch is built for."""
