from __future__ import annotations

import json
from typing import get_args

import pytest

from tests.support.machines import FakeSystem, load_machine, machine_names
from torchsel.host import Host, parse_host
from torchsel.probes.findings import Finding
from torchsel.probes.run import PROBES, probe
from torchsel.probes.scene import read_machine
from torchsel.probes.seam import Platform
from torchsel.vendors import VENDORS, Vendor


def _probe(name: str) -> tuple[FakeSystem, Host, tuple[Finding, ...]]:
    record = load_machine(name)
    system = FakeSystem(record)
    return system, *probe(system, record.get("environ", {}))


@pytest.mark.parametrize("name", machine_names())
def test_recorded_machine(name: str) -> None:
    expect = load_machine(name)["expect"]
    system, host, findings = _probe(name)
    record = host.to_record()
    notes = record.pop("notes")
    assert record == expect["host"]
    assert len(notes) == len(expect["notes"]), notes
    for note, words in zip(notes, expect["notes"], strict=True):
        assert [word for word in words if word not in note] == [], note
    assert system.asked == expect["asked"]
    outcomes = {finding.probe: finding.outcome for finding in findings}
    wanted = {"platform": "found", **expect.get("findings", {})}
    assert {probe: outcomes.get(probe) for probe in wanted} == wanted, findings


@pytest.mark.parametrize("name", machine_names())
def test_host_can_be_recorded_and_read_back(name: str) -> None:
    _, host, _ = _probe(name)
    assert parse_host(host.to_json(), where="host.json") == host
    assert json.loads(host.to_json())["system"] in ("linux", "win32", "darwin")


@pytest.mark.parametrize("name", machine_names())
def test_driver_only_beside_an_nvidia_accelerator(name: str) -> None:
    """A driver without a GPU would be read as a machine that uv's variables describe."""
    _, host, _ = _probe(name)
    assert not host.nvidia_driver or any(item.vendor == "nvidia" for item in host.accelerators)


@pytest.mark.parametrize("name", machine_names())
def test_every_finding_and_note_is_a_sentence(name: str) -> None:
    _, host, findings = _probe(name)
    assert all(finding.why.strip() for finding in findings)
    assert all(note[0].isupper() or note.startswith("/") or "=" in note.split()[0] for note in host.notes)
    assert all(note.endswith(".") and "\n" not in note for note in host.notes)


def test_machine_without_gpu_costs_a_handful_of_reads() -> None:
    system, host, _ = _probe("cloud-vm-cpu")
    assert not host.accelerators
    assert system.asked == []
    assert len(system.reads) <= 8, system.reads


def test_platform_alone_reads_no_device() -> None:
    system = FakeSystem(load_machine("h200-driver-580"))
    host, _ = read_machine(system)
    assert (host.system, host.machine, host.libc) == ("linux", "x86_64", "glibc 2.39")
    assert host.accelerators == ()
    assert system.reads == []
    assert system.asked == []


def test_every_vendor_has_a_row() -> None:
    assert list(VENDORS) == list(PROBES) == list(get_args(Vendor))


def test_a_probe_that_breaks_is_a_finding_and_the_others_go_on() -> None:
    class Broken(FakeSystem):
        def list_dir(self, path: str) -> tuple[str, ...]:
            if "kfd" in path:
                raise RuntimeError("bad topology")
            return super().list_dir(path)

    host, findings = probe(Broken(load_machine("nvidia-and-amd-cards")), {})
    assert [item.vendor for item in host.accelerators] == ["nvidia"]
    assert Finding(probe="AMD", outcome="failed", why="RuntimeError: bad topology") in findings
    assert any("AMD probe failed" in note and "RuntimeError" in note for note in host.notes)


def test_a_platform_that_breaks_still_gives_a_host() -> None:
    class Broken(FakeSystem):
        def platform(self) -> Platform:
            raise OSError("no uname")

    host, findings = probe(Broken(load_machine("cloud-vm-cpu")), {})
    assert (host.system, host.machine) == ("linux", "unknown")
    assert Finding(probe="platform", outcome="failed", why="OSError: no uname") in findings
    assert "found" not in {finding.outcome for finding in findings}
