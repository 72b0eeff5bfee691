from __future__ import annotations

import csv
import re

import pytest

from torchsel.backend import Backend
from torchsel.catalog import rows as tables
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import DATA, Build, release_key
from torchsel.config.builds import build_from_row
from torchsel.errors import ConfigError

CATALOG = load_catalog()
TABLES = {
    "builds": tables.Build,
    "releases": tables.Release,
    "drivers": tables.Driver,
    "architectures": tables.Architecture,
    "broken": tables.Broken,
    "amd_index": tables.AmdIndex,
    "index_only": tables.IndexOnly,
    "held": tables.Held,
    "packages": tables.Package,
    "companions": tables.Companion,
    "companion_indexes": tables.CompanionIndex,
    "caps": tables.Cap,
    "gpus": tables.Gpu,
}


FOR_PEOPLE = ("source", "torchvision_pins_torch", "torchaudio_pins_torch")
"""Columns that only people read."""


def test_every_table_is_read() -> None:
    assert {path.stem for path in DATA.glob("*.csv")} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_tables_read_the_same_by_any_csv_reader(name: str) -> None:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    known = list(tables.field_names(TABLES[name]))
    assert [column for column in header if column not in FOR_PEOPLE] == known
    assert rows
    assert all(len(row) == len(header) for row in rows)
    text = (DATA / f"{name}.csv").read_text(encoding="utf-8")
    assert '"' not in text
    assert text.endswith("\n")
    assert len(rows) == text.count("\n") - 1


def test_every_source_key_is_explained() -> None:
    text = (DATA / "SOURCES.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    used: set[str] = set()
    for name in TABLES.keys() - {"builds", "releases"}:
        for line in (DATA / f"{name}.csv").read_text(encoding="utf-8").splitlines()[1:]:
            sources = line.rpartition(",")[2].split()
            assert sources, line
            assert set(sources) <= explained | {"inferred"}, line
            used.update(sources)
    assert used - {"inferred"} == explained


def test_builds_are_unique_known_and_well_formed() -> None:
    keys = [(build.torch, build.backend, build.platform) for build in CATALOG.all_builds]
    assert len(keys) == len(set(keys))
    for build in CATALOG.all_builds:
        assert re.fullmatch(r"\d+\.\d+\.\d+", build.torch)
        assert Backend.parse(build.backend).tag == build.backend
        assert build.platform in CATALOG.platforms
        assert build.python
        assert all(re.fullmatch(r"3\.\d+t?", tag) for tag in build.python)
        assert build.exists in ("read", "inferred")


def test_kernels_are_given_where_there_are_any() -> None:
    patterns = {"cuda": r"\d+\.\d", "rocm": r"gfx[0-9a-f]+", "cpu": r"(?!)", "xpu": r"(?!)"}
    for build in CATALOG.all_builds:
        family = Backend.parse(build.backend).family
        assert bool(build.kernels) == (family in ("cuda", "rocm")), build
        assert all(re.fullmatch(patterns[family], item) for item in (*build.kernels, *build.ptx)), build
        assert not build.ptx or family == "cuda"


def test_builds_come_newest_first() -> None:
    assert CATALOG.with_builds([]).all_builds == CATALOG.all_builds
    releases = [release_key(build.torch) for build in CATALOG.all_builds]
    assert releases == sorted(releases, reverse=True)
    newest = [build.backend for build in CATALOG.builds("2.11.0", platform="linux_x86_64")]
    assert newest == ["cu130", "cu129", "cu128", "cu126", "rocm7.2", "rocm7.1", "xpu", "cpu"]


def test_releases_are_those_of_the_builds() -> None:
    assert CATALOG.releases == tuple(row.torch for row in CATALOG.release_table)
    assert CATALOG.releases[0] == "2.15.0"
    assert CATALOG.releases[-1] == "2.0.0"
    assert CATALOG.releases.index("2.10.0") < CATALOG.releases.index("2.9.1")


def test_the_default_index_has_a_build_that_exists() -> None:
    for row in CATALOG.release_table:
        for pair in row.default_index:
            platform, _, backend = pair.partition("=")
            assert CATALOG.builds(row.torch, backend, platform), (row.torch, pair)


@pytest.mark.parametrize(
    ("torch", "platform", "backend"),
    [
        ("2.15.0", "linux_x86_64", "cu132"),
        ("2.15.0", "linux_aarch64", "cu132"),
        ("2.14.1", "linux_x86_64", "cu130"),
        ("2.7.1", "linux_x86_64", "cu126"),
        ("2.7.1", "linux_aarch64", "cpu"),
        ("2.15.0", "win_amd64", "cpu"),
        ("2.15.0", "macos_x86_64", None),
    ],
)
def test_default_backend(torch: str, platform: str, backend: str | None) -> None:
    row = CATALOG.release(torch)
    assert row is not None
    assert row.default_backend(platform) == backend


def test_companions() -> None:
    newest, older, before = CATALOG.release("2.15.0"), CATALOG.release("2.9.1"), CATALOG.release("1.13.1")
    assert newest is not None
    assert (newest.torchvision, newest.torchaudio) == ("0.29.2", "2.11.0")
    assert older is not None
    assert (older.torchvision, older.torchaudio) == ("0.24.1", "2.9.1")
    assert before is None
    assert CATALOG.release("2.16.0") == newest


def test_known_holes() -> None:
    with_cu129 = {build.torch for build in CATALOG.builds(backend="cu129", platform="linux_x86_64")}
    assert with_cu129 == {"2.13.0", "2.12.1", "2.11.0", "2.10.0", "2.9.1", "2.9.0", "2.8.0"}
    assert {build.torch for build in CATALOG.builds(backend="cu129", platform="win_amd64")} == {
        "2.9.0",
        "2.8.0",
    }
    rocm = {build.platform for build in CATALOG.all_builds if build.backend.startswith("rocm")}
    assert rocm == {"linux_x86_64"}
    assert CATALOG.builds(platform="macos_x86_64")[0].torch == "2.2.2"
    assert not CATALOG.builds("2.15.0", "cu126")


@pytest.mark.parametrize(
    ("backend", "torch", "platforms"),
    [
        ("cu132", "2.15.0", {"linux_x86_64", "linux_aarch64", "win_amd64"}),
        ("cu129", "2.10.0", {"linux_x86_64", "linux_aarch64"}),
        ("cu132", "2.16.0", {"linux_x86_64", "linux_aarch64", "win_amd64"}),
        ("xpu", None, {"linux_x86_64", "win_amd64"}),
        ("rocm7.2", None, {"linux_x86_64"}),
        ("cu118", "2.9.1", set()),
        ("cu999", None, set()),
    ],
)
def test_platforms_of(backend: str, torch: str | None, platforms: set[str]) -> None:
    assert CATALOG.platforms_of(backend, torch) == platforms


@pytest.mark.parametrize(
    ("torch", "row"),
    [("2.9.1", "2.9.1"), ("2.9.9", "2.9.1"), ("2.16.0", "2.15.0"), (None, "2.15.0"), ("1.13.1", None)],
)
def test_standing_for(torch: str | None, row: str | None) -> None:
    assert CATALOG.standing_for(torch) == row


@pytest.mark.parametrize(
    ("cuda", "system", "mode", "driver"),
    [
        ((13, 2), "linux", "minor", "580"),
        ((13, 2), "linux", "strict", "595.45.04"),
        ((13, 2), "win32", "strict", "580"),
        ((12, 6), "linux", "minor", "525.60.13"),
        ((12, 6), "linux", "strict", "560.28.03"),
        ((12, 6), "win32", "minor", "528.33"),
        ((12, 8), "win32", "strict", "570.65"),
        ((11, 8), "linux", "minor", "450.80.02"),
        ((11, 8), "linux", "strict", "520.61.05"),
        ((13, 9), "linux", "strict", "615"),
        ((14, 0), "linux", "minor", None),
        ((14, 0), "linux", "strict", None),
    ],
)
def test_driver_minimum(cuda: tuple[int, int], system: str, mode: str, driver: str | None) -> None:
    assert CATALOG.driver_minimum(cuda, system, "strict" if mode == "strict" else "minor") == driver


def test_every_cuda_build_has_a_driver_minimum() -> None:
    for build in CATALOG.all_builds:
        backend = Backend.parse(build.backend)
        if backend.family == "cuda":
            for system in ("linux", "win32"):
                assert CATALOG.driver_minimum(backend.release, system)
                assert CATALOG.driver_minimum(backend.release, system, "strict")


@pytest.mark.parametrize(
    ("backend", "torch", "packages"),
    [
        ("rocm6.4", "2.9.1", {"pytorch-triton-rocm"}),
        ("rocm5.4.2", "2.0.0", {"pytorch-triton-rocm"}),
        ("rocm7.2", "2.10.0", {"triton-rocm"}),
        ("rocm7.2", None, {"triton-rocm"}),
        ("rocm7.2", "2.16.0", {"triton-rocm"}),
        ("xpu", "2.8.0", {"pytorch-triton-xpu"}),
        ("xpu", None, {"triton-xpu"}),
        ("cu132", None, set()),
        ("cpu", None, set()),
    ],
)
def test_index_only_packages(backend: str, torch: str | None, packages: set[str]) -> None:
    assert set(CATALOG.index_only_packages(backend, torch)) == packages


def test_rocm_7_14_brings_its_own_rocm() -> None:
    packages = CATALOG.index_only_packages("rocm7.14", "2.14.1")
    assert {"triton-rocm", "rocm", "rocm-sdk-core", "rocm-sdk-libraries"} <= set(packages)
    [build] = CATALOG.builds("2.14.1", "rocm7.14")
    assert {f"rocm-sdk-device-{target}" for target in build.kernels} <= set(packages)


def test_held_back() -> None:
    assert "ROCm SDK" in CATALOG.held_back("rocm7.14", "2.15.0")
    assert CATALOG.held_back("rocm7.2", "2.14.1") == ""
    for row in CATALOG.held:
        assert all(CATALOG.builds(backend=tag) for tag in row.backends)


@pytest.mark.parametrize(
    ("backend", "package", "there"),
    [
        ("cu132", "torch", True),
        ("cu132", "torchvision", True),
        ("cu132", "torchaudio", False),
        ("cu130", "torchaudio", True),
        ("cu128", "torchaudio", True),
        ("cpu", "torchaudio", True),
        ("rocm7.2", "torchaudio", True),
        ("rocm7.14", "torchaudio", False),
        ("cu134", "torch", True),
        ("cu134", "torchaudio", False),
        ("cu126", "torchcodec", True),
        ("rocm7.2", "torchcodec", False),
        ("cu132", "xformers", False),
        ("xpu", "torchao", True),
        ("rocm7.2", "triton-rocm", True),
        ("cu130", "triton-rocm", False),
        ("cu130", "torchmetrics", False),
        ("cu130", "torchrec", False),
    ],
)
def test_has_package(backend: str, package: str, *, there: bool) -> None:
    assert CATALOG.has_package(backend, package) is there


def test_package_sets() -> None:
    assert {"torch", "torchvision", "torchaudio"} <= CATALOG.routable_packages
    assert "triton-rocm" not in CATALOG.routable_packages
    assert CATALOG.routable_packages < CATALOG.family_packages
    assert {"triton-rocm", "pytorch-triton-xpu"} <= CATALOG.family_packages
    assert "triton" not in CATALOG.family_packages


def test_gpus() -> None:
    h200, arc, uhd = CATALOG.gpu("10DE:2335"), CATALOG.gpu("8086:e20b"), CATALOG.gpu("8086:4680")
    assert h200 is not None
    assert (h200.name, h200.target) == ("H200", "9.0")
    assert arc is not None
    assert (arc.target, arc.integrated) == ("yes", "no")
    assert uhd is not None
    assert (uhd.target, uhd.integrated) == ("no", "yes")
    assert CATALOG.gpu("10de:ffff") is None
    assert CATALOG.gpu(None) is None
    ids = [row.pci_id for row in CATALOG.gpus if row.pci_id]
    assert len(ids) == len(set(ids))
    assert {"gfx1036", "gfx1151", "gfx90c"} <= CATALOG.integrated_targets
    assert not {"gfx942", "gfx1100"} & CATALOG.integrated_targets


@pytest.mark.parametrize(
    ("pci_id", "name", "target"),
    [
        ("10de:102d", "Tesla K80", "3.7"),
        ("10de:1b38", "Tesla P40", "6.1"),
        ("10de:1db4", "Tesla V100", "7.0"),
        ("10de:1eb8", "Tesla T4", "7.5"),
        ("10de:20b2", "A100", "8.0"),
        ("10de:2204", "GeForce RTX 3090", "8.6"),
        ("10de:2684", "GeForce RTX 4090", "8.9"),
        ("10de:2330", "H100", "9.0"),
        ("10de:2901", "B200", "10.0"),
        ("10de:3182", "B300", "10.3"),
        ("10de:2b00", "Jetson AGX Thor", "11.0"),
        ("10de:2b85", "GeForce RTX 5090", "12.0"),
        ("10de:2e12", "GB10 (DGX Spark)", "12.1"),
        ("1002:74a1", "Instinct MI300X", "gfx942"),
        ("1002:744c", "Radeon RX 7900 XT/XTX/GRE", "gfx1100"),
        ("1002:7550", "Radeon RX 9070/XT", "gfx1201"),
        ("8086:0bda", "Data Center GPU Max 1100", "yes"),
        ("8086:9a49", "Iris Xe", "no"),
    ],
)
def test_a_gpu_of_each_generation(pci_id: str, name: str, target: str) -> None:
    row = CATALOG.gpu(pci_id)
    assert row is not None
    assert (row.name, row.target) == (name, target)


def test_known() -> None:
    assert "cu132" in CATALOG.tags
    assert "cu134" not in CATALOG.tags


def test_rows_are_added_and_replaced() -> None:
    new = Build(torch="2.16.0", backend="cu134", platform="linux_x86_64", kernels=("9.0",))
    changed = Build(torch="2.15.0", backend="cu132", platform="linux_x86_64", kernels=("9.0",))
    more = CATALOG.with_builds([changed, new])
    assert more.releases[0] == "2.16.0"
    assert more.all_builds[0] == new
    assert more.builds("2.15.0", "cu132", "linux_x86_64") == (changed,)
    assert len(more.all_builds) == len(CATALOG.all_builds) + 1
    assert "cu134" in more.tags
    assert "cu134" not in CATALOG.tags


def test_a_row_from_a_project() -> None:
    row = {"torch": "2.16.0", "backend": "cu134", "platform": "linux_x86_64", "kernels": ["9.0", "10.0"]}
    assert build_from_row(row, where="here") == Build(
        torch="2.16.0", backend="cu134", platform="linux_x86_64", kernels=("9.0", "10.0")
    )
    assert build_from_row({**row, "kernels": "9.0 10.0"}, where="here").kernels == ("9.0", "10.0")


def test_every_fault_of_a_row_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        build_from_row({"torch": "2.16.0", "kernel": "9.0", "ptx": 9.0, "backend": ""}, where="builds[0]")
    assert [text.partition(":")[0] for text in caught.value.problems] == [
        "builds[0].kernel",
        "builds[0].backend",
        "builds[0].platform",
        "builds[0].ptx",
    ]


@pytest.mark.parametrize(
    ("field", "value"), [("torch", "2.16.0rc1"), ("torch", "nightly"), ("backend", "CUDA 13")]
)
def test_a_row_with_a_strange_value_says_where(field: str, value: str) -> None:
    row = {"torch": "2.16.0", "backend": "cu134", "platform": "linux_x86_64", field: value}
    with pytest.raises(ConfigError, match=rf"here\.{field}: "):
        build_from_row(row, where="here")
