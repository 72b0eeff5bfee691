"""The recorded host: written and read back the same, and every malformed shape told by its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.toolbox import host_files
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host, normalize_machine, parse_host

FULL = Host(
    system="linux",
    machine="x86_64",
    libc="glibc 2.36",
    kernel="6.8.0-45-generic",
    nvidia_driver="550.144.03",
    accelerators=(
        Accelerator(vendor="nvidia", name="NVIDIA H200", compute_capability="9.0", pci_id="10de:2335"),
        Accelerator(vendor="amd", name="Radeon™ RX 7900 XTX", gfx_target="gfx1100"),
        Accelerator(vendor="intel"),
    ),
    notes=("found «three»",),
)


def test_round_trip() -> None:
    assert parse_host(FULL.to_json(), where="x") == FULL
    assert FULL.to_record() == json.loads(FULL.to_json())
    assert FULL.to_record()["accelerators"][2] == {"vendor": "intel"}


@pytest.mark.parametrize("path", host_files().values(), ids=lambda path: path.stem)
def test_recorded_hosts_round_trip(path: Path) -> None:
    host = parse_host(path.read_text(encoding="utf-8"), where=path.name)
    assert parse_host(host.to_json(), where="again") == host


def test_only_system_and_machine_are_needed() -> None:
    assert parse_host('{"system": "darwin", "machine": "arm64"}', where="x") == Host(
        system="darwin", machine="aarch64"
    )
    nulls = dict.fromkeys(("libc", "kernel", "nvidia_driver", "accelerators", "notes", "later"))
    record = {"system": "win32", "machine": "AMD64", **nulls}
    assert parse_host(json.dumps(record), where="x") == Host(system="win32", machine="x86_64")


@pytest.mark.parametrize(
    ("system", "machine", "platform"),
    [
        ("linux", "x86_64", "linux_x86_64"),
        ("linux", "arm64", "linux_aarch64"),
        ("linux", "RISCV64", "linux_riscv64"),
        ("win32", "AMD64", "win_amd64"),
        ("win32", "ARM64", "win_arm64"),
        ("darwin", "arm64", "macos_arm64"),
        ("darwin", "x86_64", "macos_x86_64"),
    ],
)
def test_platform(system: Any, machine: str, platform: str) -> None:
    assert Host(system=system, machine=normalize_machine(machine)).platform == platform


BASE = {"system": "linux", "machine": "x86_64"}


@pytest.mark.parametrize(
    ("record", "problems"),
    [
        ({}, ["system: is missing", "machine: is missing"]),
        (
            {"system": "beos", "machine": 64},
            ["system: expected 'linux', 'win32' or 'darwin'", "machine: expected a string, found int"],
        ),
        ({**BASE, "libc": []}, ["libc: expected a string, found list"]),
        (
            {**BASE, "nvidia_driver": "banana"},
            ["nvidia_driver: 'banana' is not a driver version such as '580.65.06'"],
        ),
        ({**BASE, "nvidia_driver": ""}, ["nvidia_driver: '' is not a driver version such as '580.65.06'"]),
        ({**BASE, "nvidia_driver": 580.65}, ["nvidia_driver: expected a string, found float"]),
        ({**BASE, "accelerators": {}}, ["accelerators: expected a list of objects"]),
        ({**BASE, "notes": "none"}, ["notes: expected a list of strings"]),
        ({**BASE, "notes": ["a", 1]}, ["notes: expected a list of strings"]),
        (
            {**BASE, "accelerators": [{"vendor": "nvidia"}, "H200", {}, {"vendor": "matrox", "name": 1}]},
            [
                "accelerators[1]: expected an object",
                "accelerators[2].vendor: is missing",
                "accelerators[3].vendor: expected 'nvidia', 'amd' or 'intel'",
                "accelerators[3].name: expected a string, found int",
            ],
        ),
        *(
            (
                {**BASE, "accelerators": [{"vendor": "nvidia", "compute_capability": text}]},
                [f"accelerators[0].compute_capability: {text!r} is not a compute capability such as '9.0'"],
            )
            for text in ("9", "9.0a", "9.0.0", "sm_90", ".", "9.")
        ),
    ],
)
def test_malformed_records(record: dict[str, object], problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_host(json.dumps(record), where="--host box.json")
    assert list(caught.value.problems) == [f"--host box.json: {problem}" for problem in problems]


@pytest.mark.parametrize(
    "text", ["", "{", "system = 'linux'", "[" * 100_000, '{"system": 1' + "1" * 5000 + "}"]
)
def test_not_json(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--host x: not JSON .*torchsel detect --json"):
        parse_host(text, where="--host x")


@pytest.mark.parametrize("text", ["[]", "null", '"linux"', "5"])
def test_not_an_object(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--host x: expected a JSON object; .*torchsel detect --json"):
        parse_host(text, where="--host x")


@pytest.mark.parametrize(
    ("item", "label"),
    [
        (Accelerator(vendor="amd", name="RX 7900", gfx_target="gfx1100"), "RX 7900"),
        (Accelerator(vendor="amd", gfx_target="gfx1100", pci_id="1002:744c"), "gfx1100"),
        (Accelerator(vendor="amd", pci_id="1002:744c"), "1002:744c"),
        (Accelerator(vendor="amd"), "amd GPU"),
    ],
)
def test_label(item: Accelerator, label: str) -> None:
    assert item.label == label


def test_a_driver_alone_stands_for_a_gpu_of_unknown_kind() -> None:
    driver = '"nvidia_driver": "580.65.06"'
    alone = parse_host(f'{{"system": "linux", "machine": "x86_64", {driver}}}', where="x")
    assert [item.vendor for item in alone.accelerators] == ["nvidia"]
    none = parse_host(f'{{"system": "linux", "machine": "x86_64", {driver}, "accelerators": []}}', where="x")
    assert none.accelerators == ()


def test_nothing_that_steers_a_terminal_is_kept() -> None:
    item = Accelerator(vendor="nvidia", name="RTX\x1b[31m 4090")
    host = Host(system="linux", machine="x86_64", accelerators=(item,), notes=("a\x07b",))
    assert (item.name, host.notes) == ("RTX?[31m 4090", ("a?b",))
    assert parse_host(host.to_json(), where="x") == host
