"""Whatever stands in the files, a host comes back: nothing raises and everything can be recorded."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.exploring import explored
from tests.support.machines import FakeSystem, load_machine, machine_names
from torchsel.host import parse_host
from torchsel.probes.amd import parse_enumerator, parse_rocminfo
from torchsel.probes.nvidia.tools import parse_rows
from torchsel.probes.run import probe

NUMBERS = st.integers(-(10**30), 10**30).map(str)
TEXT = st.text(max_size=80) | NUMBERS | st.sampled_from(["0x030000", "0x10de", "\0", "٣", "-1", "[N/A]"])
LINUX = {"name": "linux", "machine": "x86_64", "kernel": "6.8.0"}


def _assert_sound(record: dict[str, Any], environ: dict[str, str]) -> None:
    host, findings = probe(FakeSystem(record), environ)
    assert [finding for finding in findings if finding.why.startswith(("KeyError", "ValueError"))] == []
    assert not [note for note in host.notes if "please report" in note], host.notes
    assert parse_host(host.to_json(), where="host") == host


@settings(max_examples=explored(150))
@given(data=st.data(), name=st.sampled_from([name for name in machine_names() if "hangs" not in name]))
def test_any_file_of_a_machine_may_hold_anything(data: st.DataObject, name: str) -> None:
    record = load_machine(name)
    system = FakeSystem(record)
    spoilt = data.draw(st.sets(st.sampled_from(sorted(system.files) or ["/none"]), max_size=4))
    record["files"] = {**system.files, **{path: data.draw(TEXT) for path in sorted(spoilt)}}
    record["pci"] = {}
    record["links"] = system.links
    record["nodes"] = sorted(system.nodes)
    record.setdefault("nvml", {"missing": "not recorded"})
    record["commands"] = {}
    _assert_sound(record, record.get("environ", {}))


@given(properties=st.lists(st.tuples(TEXT, TEXT), max_size=6), version=NUMBERS, device=NUMBERS)
def test_any_kfd_node(properties: list[tuple[str, str]], version: str, device: str) -> None:
    known = [("vendor_id", "4098"), ("gfx_target_version", version), ("device_id", device)]
    text = "\n".join(f"{key} {value}" for key, value in [*known, *properties])
    files = {"/sys/class/kfd/kfd/topology/nodes/1/properties": text}
    _assert_sound({"system": LINUX, "files": files, "nodes": ["/dev/kfd"]}, {})


@given(
    environ=st.dictionaries(
        st.sampled_from(
            [
                "CUDA_VISIBLE_DEVICES",
                "HIP_VISIBLE_DEVICES",
                "ROCR_VISIBLE_DEVICES",
                "HSA_OVERRIDE_GFX_VERSION",
                "HSA_OVERRIDE_GFX_VERSION_1",
                "container",
            ]
        ),
        st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20),
    )
)
def test_any_environment(environ: dict[str, str]) -> None:
    _assert_sound(load_machine("nvidia-and-amd-cards"), environ)


@given(output=st.text(max_size=300) | st.lists(TEXT, max_size=12).map(", ".join))
def test_any_tool_output(output: str) -> None:
    for row in parse_rows(output):
        assert row.accelerator.vendor == "nvidia"
    parse_rocminfo(output)
    parse_enumerator(output)


@given(ids=st.lists(st.text(max_size=60) | st.just("PCI\\VEN_10DE&DEV_2684&SUBSYS_0"), max_size=5))
def test_any_windows_ids(ids: list[str]) -> None:
    _assert_sound({"system": {"name": "win32", "machine": "AMD64"}, "windows_display_ids": ids}, {})
