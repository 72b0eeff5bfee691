from __future__ import annotations

import pytest

from tests.support.machines import FakeNvml, FakeSystem
from torchsel.host import Accelerator
from torchsel.probes.amd import gfx_target, override, parse_enumerator, parse_rocminfo
from torchsel.probes.nvidia.driver import driver_version, find_driver
from torchsel.probes.nvidia.tools import ask_nvml, parse_rows
from torchsel.probes.scene import Scene, display_devices

LINUX = {"name": "linux", "machine": "x86_64", "kernel": "6.8.0"}


@pytest.mark.parametrize(
    ("version", "target"),
    [
        (0, None),
        (80003, "gfx803"),
        (90000, "gfx900"),
        (90006, "gfx906"),
        (90008, "gfx908"),
        (90010, "gfx90a"),
        (90012, "gfx90c"),
        (90402, "gfx942"),
        (90500, "gfx950"),
        (100100, "gfx1010"),
        (100306, "gfx1036"),
        (110000, "gfx1100"),
        (110501, "gfx1151"),
        (120001, "gfx1201"),
        (10**9, None),
    ],
)
def test_gfx_target(version: int, target: str | None) -> None:
    assert gfx_target(version) == target


@pytest.mark.parametrize(
    ("environ", "forced"),
    [
        ({}, None),
        ({"HSA_OVERRIDE_GFX_VERSION": ""}, None),
        ({"HSA_OVERRIDE_GFX_VERSION": "10.3"}, ("HSA_OVERRIDE_GFX_VERSION=10.3", None)),
        ({"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, ("HSA_OVERRIDE_GFX_VERSION=10.3.0", "gfx1030")),
        ({"HSA_OVERRIDE_GFX_VERSION": "9.0.10"}, ("HSA_OVERRIDE_GFX_VERSION=9.0.10", "gfx90a")),
        ({"HSA_OVERRIDE_GFX_VERSION_2": "10.3.0"}, None),
        (
            {"HSA_OVERRIDE_GFX_VERSION": "11.0.0", "HSA_OVERRIDE_GFX_VERSION_1": "10.3.0"},
            ("HSA_OVERRIDE_GFX_VERSION_1=10.3.0", "gfx1030"),
        ),
    ],
)
def test_override(environ: dict[str, str], forced: tuple[str, str | None] | None) -> None:
    assert override(environ, 1) == forced


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022",
            "390.157",
        ),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.144.03  Mon Dec 30 17:44:08 UTC 2024",
            "550.144.03",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (dvs)",
            "580.65.06",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (buildbrain)",
            "540.4.0",
        ),
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  next-gen", None),
        ("GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)", None),
    ],
)
def test_driver_from_proc(line: str, version: str | None) -> None:
    system = FakeSystem({"system": LINUX, "files": {"/proc/driver/nvidia/version": [line]}})
    driver = find_driver(system)
    assert (driver.version if driver else None) == version


@pytest.mark.parametrize("text", [None, "", "[N/A]", "580", "580.65.06-beta", "٥٨٠.65", "1.2.3.4.5"])
def test_not_a_driver_version(text: str | None) -> None:
    assert driver_version(text) is None


@pytest.mark.parametrize(
    ("line", "accelerator"),
    [
        (
            "580.65.06, 9.0, NVIDIA H200, 0x233510DE",
            Accelerator(vendor="nvidia", name="NVIDIA H200", compute_capability="9.0", pci_id="10de:2335"),
        ),
        (
            "580.65.06, 12.1, NVIDIA GB10, Founders, Edition, 0x2E1210DE",
            Accelerator(
                vendor="nvidia",
                name="NVIDIA GB10, Founders, Edition",
                compute_capability="12.1",
                pci_id="10de:2e12",
            ),
        ),
        (
            "580.65.06,8.6,A10,0x223610DE",
            Accelerator(vendor="nvidia", name="A10", compute_capability="8.6", pci_id="10de:2236"),
        ),
        ("580.65.06, [N/A], [Unknown Error], [N/A]", Accelerator(vendor="nvidia")),
        ("580.65.06, [Not Supported], T4, [GPU is lost]", Accelerator(vendor="nvidia", name="T4")),
    ],
)
def test_nvidia_smi_row(line: str, accelerator: Accelerator) -> None:
    assert [row.accelerator for row in parse_rows(line + "\n")] == [accelerator]


@pytest.mark.parametrize(
    "output",
    [
        "",
        "No devices were found\n",
        "580.65.06, 9.0, NVIDIA H200\n",
        "[N/A], 9.0, NVIDIA H200, 0x233510DE\n",
        "| NVIDIA-SMI 580.65.06    Driver Version: 580.65.06    CUDA Version: 13.0 |\n",
    ],
)
def test_not_an_nvidia_smi_row(output: str) -> None:
    assert parse_rows(output) == ()


@pytest.mark.parametrize(
    ("value", "hides"),
    [
        ("", True),
        (" ", True),
        ("-1", True),
        ("-1,0", True),
        ("NoDevFiles", True),
        ("0", False),
        ("0,-1", False),
        ("1,0", False),
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", False),
        ("MIG-GPU-1/2/0", False),
    ],
)
def test_hiding_variable(value: str, hides: bool) -> None:
    system = FakeSystem({"system": LINUX})
    scene = Scene(system=system, environ={"V": value}, cards=())
    assert (scene.hiding_variable("U", "V") == f'V="{value}"') is hides
    assert Scene(system=system, environ={}, cards=()).hiding_variable("V") is None


def test_enumerator_passes_over_processors_and_chatter() -> None:
    output = "WARNING: something\ngfx000\ngfx1100\ngfx90a\n"
    assert [item.gfx_target for item in parse_enumerator(output)] == ["gfx1100", "gfx90a"]


def test_rocminfo_without_agents() -> None:
    assert parse_rocminfo("ROCk module is NOT loaded, possibly no GPU devices\n") == ()


def test_pci_keeps_display_devices_of_three_makers() -> None:
    pci = {
        "0000:01:00.0": {"class": "0x030000", "id": "10de:2684", "driver": "nvidia"},
        "0000:01:00.1": {"class": "0x040300", "id": "10de:22ba"},
        "0000:02:00.0": {"class": "0x120000", "id": "1002:74a1"},
        "0000:03:00.0": {"class": "0x120000", "id": "8086:7d1d"},
        "0000:04:00.0": {"class": "0x030000", "id": "1a03:2000"},
    }
    devices = display_devices(FakeSystem({"system": LINUX, "pci": pci}))
    assert [(item.vendor, item.pci_id, item.driver) for item in devices] == [
        ("nvidia", "10de:2684", "nvidia"),
        ("amd", "1002:74a1", None),
    ]


def test_nvml_is_shut_down_also_after_an_error() -> None:
    class CannotCount(FakeNvml):
        def nvmlDeviceGetCount(self) -> int:  # noqa: N802
            raise self.NVMLError(999)

    nvml = CannotCount({"driver": "580.65.06"})
    with pytest.raises(CannotCount.NVMLError, match="Unknown Error"):
        ask_nvml(nvml)
    assert nvml.started == 0


def test_nvml_in_bytes_as_older_bindings_answer() -> None:
    class Bytes(FakeNvml):
        def nvmlDeviceGetName(self, handle: object) -> bytes:  # type: ignore[override]  # noqa: ARG002, N802
            return b"Tesla T4"

    answer = ask_nvml(Bytes({"driver": "580.65.06", "devices": [{"capability": "7.5", "pci": "10de:1eb8"}]}))
    assert [item.name for item in answer.accelerators] == ["Tesla T4"]
