"""Recorded machines: a JSON file in ``tests/machines`` becomes a System that the probes read.

A machine holds ``system`` (the fields of Platform), ``files`` (path to text, or to a list of lines),
``links`` (path to target), ``nodes`` (device files and other paths that merely exist), ``denied`` (paths
this user may not open), ``pci`` (address to class, id, driver and render node: written out as sysfs lays
them out), ``nvml``, ``commands`` (program to arguments to its end), ``windows_display_ids``, ``environ`` and
``expect``: the host, one list of key words a note, the tools that were ``asked`` and some findings' outcomes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from torchsel.probes.seam import Completed, Platform

MACHINES = Path(__file__).parent.parent / "cases" / "machines"

_PCI = "/sys/bus/pci/devices"
_NOT_SUPPORTED = 3


def machine_names() -> list[str]:
    """Every recorded machine."""
    return sorted(path.stem for path in MACHINES.glob("*.json"))


def load_machine(name: str) -> dict[str, Any]:
    """One recorded machine as plain data."""
    record: dict[str, Any] = json.loads((MACHINES / f"{name}.json").read_text(encoding="utf-8"))
    return record


class FakeSystem:
    """A recorded machine; ``asked`` lists NVML and every program that the probes turned to."""

    timeout = 0.05

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.files: dict[str, str] = {}
        for path, text in record.get("files", {}).items():
            self.files[path] = text if isinstance(text, str) else "\n".join(text) + "\n"
        self.links: dict[str, str] = dict(record.get("links", {}))
        self.nodes: set[str] = set(record.get("nodes", ()))
        self.asked: list[str] = []
        self.reads: list[str] = []
        for address, device in record.get("pci", {}).items():
            self._plug(f"{_PCI}/{address}", device)

    def _plug(self, folder: str, device: Mapping[str, str]) -> None:
        vendor, product = device["id"].split(":")
        self.files[f"{folder}/class"] = device["class"] + "\n"
        self.files[f"{folder}/vendor"] = f"0x{vendor}\n"
        self.files[f"{folder}/device"] = f"0x{product}\n"
        if "driver" in device:
            self.links[f"{folder}/driver"] = f"../../../../bus/pci/drivers/{device['driver']}"
        if "physfn" in device:
            self.links[f"{folder}/physfn"] = f"../{device['physfn']}"
        if "render" in device:
            self.nodes.add(f"{folder}/drm/{device['render']}")

    def platform(self) -> Platform:
        return Platform(**self.record["system"])

    def read_text(self, path: str) -> str | None:
        self.reads.append(path)
        return None if path in self.record.get("denied", ()) else self.files.get(path)

    def list_dir(self, path: str) -> tuple[str, ...]:
        below = (known.removeprefix(f"{path}/") for known in self._paths() if known.startswith(f"{path}/"))
        return tuple(sorted({name.split("/")[0] for name in below}))

    def exists(self, path: str) -> bool:
        return any(known == path or known.startswith(f"{path}/") for known in self._paths())

    def accessible(self, path: str) -> bool:
        return self.exists(path) and path not in self.record.get("denied", ())

    def read_link(self, path: str) -> str | None:
        return self.links.get(path)

    def find_program(self, name: str) -> str | None:
        programs = self.record.get("commands", {})
        return next((path for path in programs if Path(path.replace("\\", "/")).stem == name), None)

    def run(self, program: str, arguments: Sequence[str]) -> Completed:
        self.asked.append(Path(program.replace("\\", "/")).stem)
        return Completed(**self.record["commands"][program][" ".join(arguments)])

    def nvml(self) -> Any:
        self.asked.append("NVML")
        nvml = self.record["nvml"]
        if "missing" in nvml:
            raise OSError(nvml["missing"])
        return FakeNvml(nvml)

    def windows_display_ids(self) -> tuple[str, ...] | None:
        ids = self.record.get("windows_display_ids")
        return None if ids is None else tuple(ids)

    def _paths(self) -> set[str]:
        return self.files.keys() | self.links.keys() | self.nodes


class NVMLError(Exception):
    """As pynvml's: the return code in ``value``."""

    TEXTS: ClassVar = {
        3: "Not Supported",
        9: "Driver Not Loaded",
        15: "GPU is lost",
        17: "The operating system has blocked the request.",
        18: "RM has detected an NVML/RM version mismatch.",
        999: "Unknown Error",
    }

    def __init__(self, value: int) -> None:
        super().__init__(self.TEXTS[value])
        self.value = value


class FakeNvml:
    """The functions of pynvml that the probe uses, over a recorded answer."""

    NVMLError = NVMLError
    NVML_INIT_FLAG_NO_GPUS = 1

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.started = 0

    def nvmlInitWithFlags(self, flags: int) -> None:  # noqa: N802
        assert flags == self.NVML_INIT_FLAG_NO_GPUS
        if self.record.get("hangs"):
            threading.Event().wait(60)
        if "error" in self.record:
            raise NVMLError(self.record["error"])
        self.started += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.started -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return str(self._of(self.record, "driver"))

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.record.get("devices", ()))

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Mapping[str, Any]:  # noqa: N802
        device: Mapping[str, Any] = self.record["devices"][index]
        if "error" in device:
            raise NVMLError(device["error"])
        return device

    def nvmlDeviceGetName(self, handle: Mapping[str, Any]) -> str:  # noqa: N802
        return str(self._of(handle, "name"))

    def nvmlDeviceGetCudaComputeCapability(self, handle: Mapping[str, Any]) -> tuple[int, int]:  # noqa: N802
        major, minor = str(self._of(handle, "capability")).split(".")
        return int(major), int(minor)

    def nvmlDeviceGetPciInfo(self, handle: Mapping[str, Any]) -> SimpleNamespace:  # noqa: N802
        vendor, device = (int(part, 16) for part in str(self._of(handle, "pci")).split(":"))
        return SimpleNamespace(pciDeviceId=device << 16 | vendor)

    def nvmlDeviceGetMigMode(self, handle: Mapping[str, Any]) -> list[int]:  # noqa: N802
        return [int(self._of(handle, "mig"))] * 2

    @staticmethod
    def _of(record: Mapping[str, Any], key: str) -> Any:
        if record.get(key) is None:
            raise NVMLError(_NOT_SUPPORTED)
        return record[key]
