"""Which devices are tried, and how a child is shown one alone."""

from __future__ import annotations

from collections.abc import Mapping

from torchsel.verify.run import Task

_LISTS = {"cuda": ("CUDA_VISIBLE_DEVICES",), "rocm": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")}
"""The variables that list the GPUs a program may see; HIP takes CUDA's where its own is not set."""

_SPARING = {"CUBLAS_WORKSPACE_CONFIG": ":16:8"}
"""cuBLAS's workspace, which torch takes of the GPU's memory: 128 kB in place of up to 32 MB."""


def device_tasks(family: str, count: int, environ: Mapping[str, str]) -> list[Task]:
    """One task a device; where torch sees none, one all the same, for the message that it gives."""
    return [_device_task(family, index, environ) for index in range(count)] or [
        Task(kind="device", family=family)
    ]


def _device_task(family: str, index: int, environ: Mapping[str, str]) -> Task:
    """Intel's GPUs go by torch's index: it passes over integrated ones, which oneAPI's selectors count."""
    if family not in _LISTS:
        return Task(kind="device", family=family, index=index)
    name, *others = _LISTS[family]
    listed = next((value for key in _LISTS[family] if (value := environ.get(key))), "")
    entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
    shown = entries[index] if index < len(entries) else str(index)
    variables: dict[str, str | None] = {name: shown, **dict.fromkeys(others)}
    if family == "cuda":
        variables |= {name: value for name, value in _SPARING.items() if name not in environ}
    if family == "cuda" and not entries:
        variables["CUDA_DEVICE_ORDER"] = environ.get("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return Task(kind="device", family=family, variables=variables)
