"""Kubernetes nodes: what ``kubectl get nodes -o json`` prints, read by the vendors' labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from torchsel.catalog.catalog import accelerator_of, load_catalog
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host, System, normalize_machine
from torchsel.hosts.names import find_gpu
from torchsel.hosts.words import complete, is_driver, number_of_gpus, shown, unknown_gpu
from torchsel.project.places import table

_PRODUCT = "nvidia.com/gpu.product"
_COUNT = "nvidia.com/gpu.count"
_CAPABILITY = ("nvidia.com/gpu.compute.major", "nvidia.com/gpu.compute.minor")
# the whole driver version, and its parts by their newer and older names
_DRIVERS = (
    ("nvidia.com/cuda.driver-version.full",),
    tuple(f"nvidia.com/cuda.driver-version.{part}" for part in ("major", "minor", "revision")),
    tuple(f"nvidia.com/cuda.driver.{part}" for part in ("major", "minor", "rev")),
)
_NVIDIA = {_PRODUCT, _COUNT, *_CAPABILITY, *(key for keys in _DRIVERS for key in keys)}
"""Labels of NVIDIA GPU Feature Discovery (NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery)."""
_AMD = re.compile(r"(?:beta\.)?amd\.com/gpu\.device-id(?:\.([0-9a-f]{4}))?", re.ASCII)
"""Labels of AMD's node labeller (ROCm/k8s-device-plugin, cmd/k8s-node-labeller): an id, or a count by id."""
_INTEL = re.compile(r"gpu\.intel\.com/device-id\.[0-9a-f]{4}-([0-9a-f]{4})\.(present|count)", re.ASCII)
"""Labels by Intel's rules for Node Feature Discovery (intel/intel-device-plugins-for-kubernetes)."""
# the beta. names are those of clusters before 1.14
_ARCHITECTURES = ("kubernetes.io/arch", "beta.kubernetes.io/arch")
_SYSTEMS = ("kubernetes.io/os", "beta.kubernetes.io/os")
_DEVICES = re.compile(r"(nvidia|amd)\.com/gpu(\.shared)?|nvidia\.com/mig-.{1,40}|gpu\.intel\.com/(i915|xe)")


class Facts(NamedTuple):
    """What of a node tells its machine: labels and devices that can be asked for, as (name, value)."""

    labels: tuple[tuple[str, str], ...]
    devices: tuple[tuple[str, str], ...]
    architecture: str
    system: str

    def host(self) -> Host:
        """The machine.

        Raises:
            ConfigError: which GPU it is, or how many, can't be told.
        """
        labels, devices = dict(self.labels), dict(self.devices)
        gpus = (*_nvidia(labels, devices), *_amd(labels, devices), *_intel(labels))
        if devices and not gpus:
            name, count = self.devices[0]
            why = "no label of its vendor's feature discovery says which GPU"
            msg = f"has {count} of {shown(name)}, but {why}"
            raise ConfigError(msg)
        is_known = self.system in ("linux", "windows")
        if not is_known or not re.fullmatch(r"\w{1,20}", self.architecture, re.ASCII):
            msg = f"{shown(self.system)} on {shown(self.architecture)} is not a system that torchsel knows"
            raise ConfigError(msg)
        system: System = "win32" if self.system == "windows" else "linux"
        machine = normalize_machine(self.architecture)
        return complete(gpus, driver=_driver(labels), machine=machine, system=system)


def read_node(node: object) -> tuple[str, Facts] | None:
    """A node's name and facts; None where it isn't one."""
    metadata, status = table(node, "metadata"), table(node, "status")
    name = metadata.get("name")
    if not isinstance(name, str):
        return None
    labels, info = table(metadata, "labels"), table(status, "nodeInfo")
    kept = {key: value for key, value in labels.items() if isinstance(value, str) and _matters(key)}
    devices = {key: value for key, value in table(status, "capacity").items() if _DEVICES.fullmatch(key)}
    architectures = (*(labels.get(key) for key in _ARCHITECTURES), info.get("architecture"), "amd64")
    systems = (*(labels.get(key) for key in _SYSTEMS), info.get("operatingSystem"), "linux")
    return name, Facts(
        labels=tuple(sorted(kept.items())),
        # a node whose device plugin is gone keeps the resource, with a count of 0
        devices=tuple(sorted((key, str(value)[:20]) for key, value in devices.items() if value != "0")),
        architecture=next(text for text in architectures if isinstance(text, str)),
        system=next(text for text in systems if isinstance(text, str)),
    )


def _nvidia(labels: Mapping[str, str], devices: Mapping[str, str]) -> tuple[Accelerator, ...]:
    product = labels.get(_PRODUCT)
    if product is None:
        return ()
    row = find_gpu(product)
    pair = [labels.get(key, "") for key in _CAPABILITY]
    capability = ".".join(pair) if all(re.fullmatch(r"\d{1,2}", part, re.ASCII) for part in pair) else None
    if row is None and capability is None:
        raise ConfigError(unknown_gpu(product))
    if row and row.vendor == "nvidia" and capability in (None, row.target):
        gpu = accelerator_of(row)
    else:
        # time slicing and MIG put words behind the product's name
        name = re.sub(r"-SHARED$|-MIG-.*", "", product[:64]).replace("-", " ")
        gpu = Accelerator(vendor="nvidia", name=name, compute_capability=capability)
    return (gpu,) * number_of_gpus(labels.get(_COUNT) or devices.get("nvidia.com/gpu") or "1")


def _driver(labels: Mapping[str, str]) -> str | None:
    """NVIDIA's driver version by the first labels that say one.

    Raises:
        ConfigError: it is none.
    """
    for keys in _DRIVERS:
        version = ".".join(part for key in keys if (part := labels.get(key)))
        if version and not is_driver(version):
            msg = f"the label {shown(keys[0])} says {shown(version)}, which is not a driver version"
            raise ConfigError(msg)
        if version:
            return version
    return None


def _amd(labels: Mapping[str, str], devices: Mapping[str, str]) -> Iterator[Accelerator]:
    """By id with a count each where there are such labels, else by the one id and the devices there."""
    said = [(match[1], value) for key, value in labels.items() if (match := _AMD.fullmatch(key))]
    counted = {device: count for device, count in said if device}
    single = {device.lower(): devices.get("amd.com/gpu", "1") for key, device in said if not key}
    for device, count in (counted or single).items():
        row = load_catalog().gpu(f"1002:{device}")
        if row is None:
            msg = f"the AMD GPU with the device id {shown(device)} is not known"
            raise ConfigError(msg)
        yield from (replace(accelerator_of(row), pci_id=row.pci_id),) * number_of_gpus(count)


def _intel(labels: Mapping[str, str]) -> Iterator[Accelerator]:
    """By PCI id; one that the catalog lacks is not among those that PyTorch supports."""
    counts: dict[str, str] = {}
    for key, value in labels.items():
        if match := _INTEL.fullmatch(key):
            counts[match[1]] = value if match[2] == "count" else counts.get(match[1], "1")
    for device, count in counts.items():
        row = load_catalog().gpu(f"8086:{device}")
        gpu = accelerator_of(row) if row else Accelerator(vendor="intel", pci_id=f"8086:{device}")
        yield from (gpu,) * number_of_gpus(count)


def _matters(key: str) -> bool:
    return key in _NVIDIA or bool(_AMD.fullmatch(key) or _INTEL.fullmatch(key))
