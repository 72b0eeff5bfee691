"""The host: a machine as torchsel sees it, read from a probe or from a recorded host file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from torchsel.errors import ConfigError
from torchsel.vendors import VENDORS, Vendor

System = Literal["linux", "win32", "darwin"]

# as Windows and macOS spell them
_MACHINES = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64"}
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
        for field in ("name", "gfx_target"):
            object.__setattr__(self, field, _printable(getattr(self, field)))

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
        for field in ("libc", "kernel"):
            object.__setattr__(self, field, _printable(getattr(self, field)))
        object.__setattr__(self, "notes", tuple(str(_printable(note)) for note in self.notes))

    @property
    def words(self) -> str:
        """System and machine in words, ``Linux aarch64``."""
        return f"{_SYSTEM_NAMES[self.system]} {self.machine}"

    @property
    def driver_system(self) -> str:
        """The system by which NVIDIA numbers its driver."""
        # on WSL the driver is that of Windows
        return "win32" if "microsoft" in (self.kernel or "").lower() else self.system

    @property
    def platform(self) -> str:
        """The catalog's platform name, such as ``linux_x86_64``, ``win_amd64`` or ``macos_arm64``."""
        if self.system == "linux":
            return f"linux_{self.machine}"
        # as the wheels are tagged
        spelling = {"x86_64": "amd64" if self.system == "win32" else "x86_64", "aarch64": "arm64"}
        return f"{_PLATFORM_SYSTEMS[self.system]}_{spelling.get(self.machine, self.machine)}"

    def to_json(self) -> str:
        """The recorded host format, as ``torchsel detect --json`` prints it and ``--host`` takes it."""
        return json.dumps(self.to_record(), indent=2, ensure_ascii=False)

    def to_record(self) -> dict[str, Any]:
        """The recorded host as plain data, without what is unknown of an accelerator."""
        records = (asdict(item) for item in self.accelerators)
        known = [{key: value for key, value in row.items() if value is not None} for row in records]
        return {**asdict(self), "accelerators": known, "notes": list(self.notes)}


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
        problem = "" if isinstance(record, dict) else "expected a JSON object"
    except (ValueError, RecursionError) as error:
        problem = f"not JSON ({error})"
    if problem:
        msg = f"{where}: {problem}; record a host with 'torchsel detect --json'"
        raise ConfigError(msg)
    fields = _Fields(record, f"{where}: ", [])
    host = Host(
        system=cast("System", fields.text("system") or "linux"),
        machine=normalize_machine(fields.text("machine") or ""),
        libc=fields.text("libc"),
        kernel=fields.text("kernel"),
        nvidia_driver=fields.text("nvidia_driver"),
        accelerators=tuple(_accelerators(fields)),
        notes=tuple(_notes(fields)),
    )
    if fields.problems:
        raise ConfigError(*fields.problems)
    return host


_REQUIRED = ("system", "machine", "vendor")
_CHOICES = {"system": get_args(System), "vendor": tuple(VENDORS)}
_LOOKS = {
    "nvidia_driver": (r"\d+(\.\d+){0,3}", "a driver version such as '580.65.06'"),
    "compute_capability": (r"\d+\.\d+", "a compute capability such as '9.0'"),
}
"""A pattern for a field and what it stands for."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """One object of a recorded host; ``problems`` are collected, each beginning with ``place``."""

    record: Mapping[str, object]
    place: str
    problems: list[str]

    def text(self, key: str) -> str | None:
        """A field that is text, None where it is absent or wrong."""
        value = self.record.get(key)
        if value is None and key not in _REQUIRED:
            return None
        pattern, meant = _LOOKS.get(key, ("", ""))
        if value is None:
            self.fault(f"{key}: is missing")
        elif not isinstance(value, str):
            self.fault(f"{key}: expected a string, found {type(value).__name__}")
        elif key in _CHOICES and value not in _CHOICES[key]:
            self.fault(f"{key}: expected {_either(_CHOICES[key])}")
        elif pattern and not re.fullmatch(pattern, value, re.ASCII):
            self.fault(f"{key}: {value!r} is not {meant}")
        else:
            return value
        return None

    def fault(self, problem: str) -> None:
        self.problems.append(f"{self.place}{problem}")


def _accelerators(fields: _Fields) -> Iterable[Accelerator]:
    items = fields.record.get("accelerators")
    if items is None and fields.record.get("nvidia_driver"):
        # not looked at: the driver stands for one GPU of unknown kind
        yield Accelerator(vendor="nvidia")
    elif not isinstance(items, list | None):
        fields.fault("accelerators: expected a list of objects")
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict):
            fields.fault(f"accelerators[{at}]: expected an object")
            continue
        inner = _Fields(item, f"{fields.place}accelerators[{at}].", fields.problems)
        yield Accelerator(
            vendor=cast("Vendor", inner.text("vendor") or "nvidia"),
            name=inner.text("name"),
            compute_capability=inner.text("compute_capability"),
            gfx_target=inner.text("gfx_target"),
            pci_id=pci_id.lower() if (pci_id := inner.text("pci_id")) else pci_id,
        )


def _notes(fields: _Fields) -> list[str]:
    items = fields.record.get("notes")
    if isinstance(items, list) and all(isinstance(item, str) for item in items):
        return items
    if items is not None:
        fields.fault("notes: expected a list of strings")
    return []


def _printable(text: str | None) -> str | None:
    # what a firmware or a file says is shown on terminals: nothing that steers one is kept
    if text is None or text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text)


def _either(words: Iterable[str]) -> str:
    """``'nvidia', 'amd' or 'intel'``."""
    *first, last = map(repr, words)
    return f"{', '.join(first)} or {last}"


PLATFORMS = (
    Host(system="linux", machine="x86_64"),
    Host(system="linux", machine="aarch64"),
    Host(system="win32", machine="x86_64"),
    Host(system="darwin", machine="aarch64"),
)
"""A machine of each platform that torch is built for."""
