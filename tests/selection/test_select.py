from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from torchsel.catalog.catalog import Catalog, load_catalog
from torchsel.catalog.rows import Broken, Build
from torchsel.config.config import Config
from torchsel.errors import ConfigError, MachineError
from torchsel.host import Accelerator, Host
from torchsel.selection.releases import best_release
from torchsel.selection.remedy import Cure, Remedy
from torchsel.selection.select import select
from torchsel.selection.values import Demand, Selection

CATALOG = load_catalog()


def nvidia(name: str, capability: str | None, pci_id: str | None = None) -> Accelerator:
    return Accelerator(vendor="nvidia", name=name, compute_capability=capability, pci_id=pci_id)


def amd(name: str, target: str | None, pci_id: str | None = None) -> Accelerator:
    return Accelerator(vendor="amd", name=name, gfx_target=target, pci_id=pci_id)


def intel(name: str | None, pci_id: str | None = None) -> Accelerator:
    return Accelerator(vendor="intel", name=name, pci_id=pci_id)


def linux(*accelerators: Accelerator, driver: str | None = None, **fields: Any) -> Host:
    fields = {"system": "linux", "machine": "x86_64"} | fields
    return Host(accelerators=accelerators, nvidia_driver=driver, **fields)


def pick(
    host: Host,
    requested: str = "auto",
    *,
    config: Config | None = None,
    catalog: Catalog = CATALOG,
    **demand: Any,
) -> Selection:
    wanted = Demand(**demand)
    return select(host=host, requested=requested, demand=wanted, config=config or Config(), catalog=catalog)


def told(selection: Selection) -> str:
    return "\n".join([*selection.reasons, *selection.warnings])


H200 = nvidia("NVIDIA H200", "9.0", "10de:2335")
GTX1080TI = nvidia("NVIDIA GeForce GTX 1080 Ti", "6.1", "10de:1b06")
RTX5090 = nvidia("NVIDIA GeForce RTX 5090", "12.0", "10de:2b85")
RTX3090 = nvidia("NVIDIA GeForce RTX 3090", "8.6", "10de:2204")
P40 = nvidia("Tesla P40", "6.1", "10de:1b38")
V100 = nvidia("Tesla V100-SXM2-16GB", "7.0", "10de:1db1")
K80 = nvidia("Tesla K80", "3.7", "10de:102d")
RX7900 = amd("Radeon RX 7900 XTX", "gfx1100", "1002:744c")
RAPHAEL = amd("Raphael", "gfx1036", "1002:164e")
B580 = intel("Arc B580", "8086:e20b")
UHD770 = intel("UHD Graphics 770", "8086:4680")

WINDOWS = {"system": "win32"}
ARM = {"machine": "aarch64"}
MAC = Host(system="darwin", machine="aarch64")

CHOICES = {
    "h200-580": (linux(H200, driver="580.65.06"), "cu132", "2.15.0"),
    "h200-550": (linux(H200, driver="550.54.15"), "cu126", "2.14.1"),
    "h200-470": (linux(H200, driver="470.82.01"), "cpu", "2.15.0"),
    "gtx1080ti-580": (linux(GTX1080TI, driver="580.65.06"), "cu126", "2.14.1"),
    "gtx1080ti-525": (linux(GTX1080TI, driver="525.60.13"), "cu126", "2.14.1"),
    "gtx1080ti-525-older": (linux(GTX1080TI, driver="525.60.11"), "cu118", "2.7.1"),
    "gtx1080ti-windows": (linux(GTX1080TI, driver="581.80", **WINDOWS), "cu126", "2.14.1"),
    "v100": (linux(V100, driver="580.65.06"), "cu126", "2.14.1"),
    "k80-470": (linux(K80, driver="470.82.01"), "cu118", "2.7.1"),
    "gtx780": (linux(nvidia("GTX 780", "3.5"), driver="470.82.01"), "cpu", "2.15.0"),
    "gtx780-windows-ptx": (linux(nvidia("GTX 780", "3.5"), driver="473.04", **WINDOWS), "cpu", "2.15.0"),
    "rtx5090-570": (linux(RTX5090, driver="570.124.06"), "cu129", "2.13.0"),
    "rtx5090-570-windows": (linux(RTX5090, driver="572.83", **WINDOWS), "cu128", "2.11.0"),
    "rtx5090-560": (linux(RTX5090, driver="560.35.03"), "cpu", "2.15.0"),
    "b200": (linux(nvidia("B200", "10.0"), driver="580.65.06"), "cu132", "2.15.0"),
    "b300": (linux(nvidia("B300", "10.3"), driver="580.95.05"), "cu132", "2.15.0"),
    "gb10": (linux(nvidia("GB10", "12.1"), driver="580.95.05", **ARM), "cu132", "2.15.0"),
    "thor": (linux(nvidia("Thor", "11.0"), driver="580.00", kernel="6.8.12-tegra", **ARM), "cu132", "2.15.0"),
    "orin-jetpack-7": (
        linux(nvidia("Orin", "8.7"), driver="595.45.04", kernel="6.8.12-tegra", **ARM),
        "cu132",
        "2.15.0",
    ),
    "orin-jetpack-6": (
        linux(nvidia("Orin", "8.7"), driver="540.4.0", kernel="5.15.148-tegra", **ARM),
        "cpu",
        "2.15.0",
    ),
    "gh200-560": (linux(nvidia("GH200", "9.0"), driver="560.35.05", **ARM), "cu126", "2.14.1"),
    "t4g": (linux(nvidia("T4G", "7.5"), driver="580.95.05", **ARM), "cpu", "2.15.0"),
    "p40x3-3090": (linux(P40, P40, P40, RTX3090, driver="580.65.06"), "cu126", "2.14.1"),
    "v100-5090": (linux(V100, RTX5090, driver="580.65.06"), "cu129", "2.10.0"),
    "k80-3090": (linux(K80, RTX3090, driver="470.82.01"), "cu118", "2.7.1"),
    "rx7900-raphael": (linux(RX7900, RAPHAEL), "rocm7.2", "2.14.1"),
    "raphael": (linux(RAPHAEL), "cpu", "2.15.0"),
    "mi300x": (linux(amd("MI300X", "gfx942:sramecc+:xnack-")), "rocm7.2", "2.14.1"),
    "mi50": (linux(amd("MI50", "gfx906")), "rocm6.3", "2.9.1"),
    "vega64": (linux(amd("Vega 64", "gfx900")), "rocm6.3", "2.9.1"),
    "780m": (linux(amd("Radeon 780M", "gfx1103")), "rocm7.14", "2.15.0"),
    "van-gogh": (linux(amd("Van Gogh", "gfx1033")), "cpu", "2.15.0"),
    "rx5700xt": (linux(amd("RX 5700 XT", "gfx1010")), "cpu", "2.15.0"),
    "arc-b70-by-pci-id": (linux(intel(None, "8086:e223")), "xpu", "2.15.0"),
    "intel-in-no-list": (linux(intel(None, "8086:ffff")), "cpu", "2.15.0"),
    "rx580": (linux(amd("RX 580", "gfx803")), "cpu", "2.15.0"),
    "rx6700xt": (linux(amd("RX 6700 XT", "gfx1031")), "cpu", "2.15.0"),
    "amd-by-pci-id": (linux(amd("Radeon VII", None, "1002:66af")), "rocm6.3", "2.9.1"),
    "amd-unknown": (linux(amd("Radeon", None)), "cpu", "2.15.0"),
    "rx7900-windows": (linux(RX7900, **WINDOWS), "cpu", "2.15.0"),
    "b580": (linux(B580), "xpu", "2.15.0"),
    "b580-windows": (linux(B580, **WINDOWS), "xpu", "2.15.0"),
    "b580-uhd770": (linux(UHD770, B580), "xpu", "2.15.0"),
    "arc-by-name": (linux(intel("Intel(R) Arc(TM) A770 Graphics")), "xpu", "2.15.0"),
    "iris-by-name": (linux(intel("Intel(R) Iris(R) Xe Graphics")), "cpu", "2.15.0"),
    "archive-is-not-arc": (linux(intel("Archer Graphics")), "cpu", "2.15.0"),
    "uhd770": (linux(UHD770), "cpu", "2.15.0"),
    "meteor-lake-u": (linux(intel(None, "8086:7d45")), "cpu", "2.15.0"),
    "nvidia-and-amd": (linux(RX7900, RTX3090, driver="580.65.06"), "cu132", "2.15.0"),
    "useless-nvidia-and-amd": (
        linux(RX7900, nvidia("GTX 780", "3.5"), driver="470.82.01"),
        "rocm7.2",
        "2.14.1",
    ),
    "780m-and-arc": (linux(amd("Radeon 780M", "gfx1103"), B580), "xpu", "2.15.0"),
    "no-gpu": (linux(), "cpu", "2.15.0"),
    "no-gpu-arm": (linux(**ARM), "cpu", "2.15.0"),
    "no-driver": (linux(H200), "cpu", "2.15.0"),
    "capability-unknown": (linux(nvidia("GRID A100D", None), driver="550.144.03"), "cu126", "2.14.1"),
    "capability-by-pci-id": (
        linux(nvidia("GTX", None, "10de:1b06"), driver="580.65.06"),
        "cu126",
        "2.14.1",
    ),
    "musl": (linux(H200, driver="580.65.06", libc="musl"), "cpu", "2.15.0"),
    "mac": (MAC, "cpu", "2.15.0"),
    "intel-mac": (Host(system="darwin", machine="x86_64"), "cpu", "2.2.2"),
    "windows": (linux(**WINDOWS), "cpu", "2.15.0"),
    "windows-on-arm": (linux(**WINDOWS, **ARM), "cpu", None),
    "raspberry": (linux(machine="armv7l"), "cpu", None),
}


@pytest.mark.parametrize(("host", "backend", "torch"), CHOICES.values(), ids=CHOICES)
def test_choice(host: Host, backend: str, torch: str | None) -> None:
    selection = pick(host)
    assert (selection.backend.tag, selection.torch) == (backend, torch)
    assert selection.moved_from is None
    accepted = {(item.backend, item.torch) for item in selection.candidates if item.accepted}
    if selection.usable:
        assert (backend, torch) in accepted
    else:
        assert {tag for tag, _ in accepted} <= {"cpu"}


SENTENCES = {
    "gtx1080ti-580": (
        "torch 2.15.0 has no build with kernels for 6.1 (GTX 1080 Ti); 2.14.1 with cu126 is the last"
    ),
    "gtx1080ti-525-older": (
        "2.14.1 with cu126 is the last and needs driver >= 525.60.13; "
        "with 525.60.11 the newest is 2.7.1 with cu118"
    ),
    "h200-550": "torch 2.15.0 needs driver >= 580 (cu132); with 550.54.15 the newest is 2.14.1 with cu126",
    "p40x3-3090": (
        "torch 2.15.0 has no build with kernels for 6.1 (3x Tesla P40); 2.14.1 with cu126 is the last"
    ),
    "rtx5090-560": (
        "driver 560.35.03 is too old for every build with kernels for 12.0 (RTX 5090): "
        "update the NVIDIA driver to >= 570.26 for 2.13.0 with cu129, or to >= 580 for 2.15.0 with cu132"
    ),
    "gtx780": "no build for Linux x86_64 since torch 2.0 has kernels for 3.5 (GTX 780)",
    "t4g": "no build for Linux aarch64 since torch 2.0 has kernels for 7.5 (T4G)",
    "orin-jetpack-6": "use the wheels that NVIDIA and Jetson AI Lab build for JetPack, or update to Jet",
    "rx7900-raphael": "gfx1036 (Raphael) does not decide: integrated graphics beside another AMD GPU",
    "vega64": "2.9.1 with rocm6.3 is the last",
    "van-gogh": "take torch[device-gfx1033] from AMD's own index (repo.amd.com/rocm/whl-multi-arch/)",
    "rx5700xt": "take torch[device-gfx1010] from AMD's own index (repo.amd.com/rocm/whl-multi-arch/)",
    "intel-in-no-list": "the Intel device 8086:ffff is in no list of torchsel's: if it is of the Arc",
    "rx580": "no build for Linux x86_64 since torch 2.0 has kernels for gfx803 (RX 580)",
    "rx6700xt": "set HSA_OVERRIDE_GFX_VERSION=10.3.0",
    "amd-unknown": "the gfx target of Radeon is unknown",
    "rx7900-windows": "PyTorch has no ROCm builds for Windows x86_64 (Radeon RX 7900 XTX): use Linux",
    "uhd770": "UHD Graphics 770 is not among the devices that PyTorch's XPU build supports",
    "meteor-lake-u": "Meteor Lake 'Intel Graphics' is not named among the devices",
    "useless-nvidia-and-amd": "no build for Linux x86_64 since torch 2.0 has kernels for 3.5 (GTX 780)",
    "no-gpu": "no GPU found",
    "no-driver": (
        "H200 found, but no NVIDIA driver is loaded: install NVIDIA's driver, >= 580 for 2.15.0 with cu132"
    ),
    "capability-unknown": "the compute capability of GRID A100D is unknown: judged by the driver alone",
    "musl": "PyTorch has no wheels for musl libc",
    "mac": "macOS builds use MPS; uv's default index has them",
    "intel-mac": "torch 2.15.0 has no wheel for macOS x86_64; 2.2.2 is the last: require torch<2.3",
    "windows-on-arm": "PyTorch has no stable wheels for Windows on Arm",
    "raspberry": "PyTorch has no wheels for Linux armv7l",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentence(name: str) -> None:
    assert SENTENCES[name] in told(pick(CHOICES[name][0]))


QUIET = ["h200-580", "gtx1080ti-580", "h200-550", "no-gpu", "uhd770", "raphael", "b580", "b580-uhd770", "mac"]


@pytest.mark.parametrize("name", QUIET)
def test_an_ordinary_machine_has_no_warnings(name: str) -> None:
    assert pick(CHOICES[name][0]).warnings == ()


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("no-gpu", True),
        ("h200-580", True),
        ("mac", True),
        ("uhd770", False),
        ("musl", False),
        ("gtx780", False),
    ],
)
def test_usable(name: str, *, usable: bool) -> None:
    assert pick(CHOICES[name][0]).usable is usable


class TestCandidates:
    def test_down_to_the_chosen_release(self) -> None:
        found = [
            (item.torch, item.backend, item.accepted, item.reason)
            for item in pick(linux(GTX1080TI, driver="580.65.06")).candidates
        ]
        lacks = "no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0"
        cpu = "only where no other build runs"
        assert found == [
            ("2.15.0", "cu132", False, lacks),
            ("2.15.0", "cu130", False, lacks),
            ("2.15.0", "cpu", False, cpu),
            ("2.14.1", "cu132", False, lacks),
            ("2.14.1", "cu130", False, lacks),
            ("2.14.1", "cu126", True, "chosen"),
            ("2.14.1", "cpu", False, cpu),
        ]

    def test_driver_and_broken_pairs(self) -> None:
        h200 = pick(linux(H200, driver="560.35.03")).candidates
        assert h200[0].reason == "driver 560.35.03 < 580 (CUDA 13)"
        mi50 = {(item.torch, item.backend): item for item in pick(linux(amd("MI50", "gfx906"))).candidates}
        assert mi50["2.9.1", "rocm6.4"].reason == "gfx906: rocBLAS has no kernels from rocm6.4 on"
        assert mi50["2.15.0", "rocm7.14"].reason.endswith("; no kernels for gfx906 (MI50)")

    def test_the_whole_catalog_where_nothing_runs(self) -> None:
        found = pick(linux(nvidia("GTX 780", "3.5"), driver="470.82.01")).candidates
        assert {item.torch for item in found} == set(CATALOG.releases)
        assert [item.backend for item in found if item.accepted] == ["cpu"]

    def test_every_family_where_there_is_no_gpu(self) -> None:
        reasons = {item.backend: item.reason.split("; ")[-1] for item in pick(linux()).candidates}
        assert reasons == {
            "cu132": "no NVIDIA GPU found",
            "cu130": "no NVIDIA GPU found",
            "rocm7.14": "no AMD GPU found",
            "xpu": "no Intel GPU found",
            "cpu": "chosen",
        }


class TestTorch:
    @pytest.mark.parametrize(
        ("demand", "backend", "torch"),
        [
            ({"specifiers": (">=2.4", "<2.12")}, "cu130", "2.11.0"),
            ({"specifiers": ("==2.9.*",)}, "cu130", "2.9.1"),
            ({"specifiers": ("==2.8.0+cu126",)}, "cu129", "2.8.0"),
            ({"python": "3.9"}, "cu129", "2.8.0"),
            ({"python": "3.10"}, "cu132", "2.14.1"),
            ({"requires_python": ">=3.9"}, "cu126", "2.14.1"),
            ({"requires_python": ">=3.9,<3.10"}, "cu129", "2.8.0"),
            ({"requires_python": ">=3.10.5,<3.11"}, "cu132", "2.14.1"),
            ({"python": "3.12", "requires_python": ">=3.10"}, "cu132", "2.15.0"),
            ({"locked": ("2.9.1",)}, "cu130", "2.9.1"),
            ({"locked": ("2.9.1",), "upgrade": True}, "cu132", "2.15.0"),
            ({"locked": ("2.9.1",), "specifiers": (">=2.10",)}, "cu132", "2.15.0"),
            ({"locked": ("not a version", "2.9.1")}, "cu130", "2.9.1"),
        ],
    )
    def test_what_the_project_allows(self, demand: dict[str, Any], backend: str, torch: str) -> None:
        selection = pick(linux(H200, driver="580.65.06"), **demand)
        assert (selection.backend.tag, selection.torch) == (backend, torch)
        assert selection.moved_from is None
        assert not selection.warnings

    def test_locked_candidates_are_the_locked_ones(self) -> None:
        selection = pick(linux(H200, driver="580.65.06"), locked=("2.9.1",))
        assert {item.torch for item in selection.candidates} == {"2.9.1"}
        assert "uv.lock has torch 2.9.1, which stays" in selection.reasons

    def test_a_locked_release_that_does_not_run_is_left(self) -> None:
        selection = pick(linux(GTX1080TI, driver="580.65.06"), locked=("2.15.0",))
        assert (selection.backend.tag, selection.torch) == ("cu126", "2.14.1")
        assert selection.moved_from == "2.15.0"
        assert "torch moves to 2.14.1" in told(selection)

    def test_a_machine_without_gpu_keeps_the_locked_release(self) -> None:
        selection = pick(linux(), locked=("2.9.1",))
        assert (selection.backend.tag, selection.torch, selection.moved_from) == ("cpu", "2.9.1", None)

    def test_a_backend_of_every_locked_release_is_preferred(self) -> None:
        selection = pick(linux(H200, driver="580.65.06"), locked=("2.14.1", "2.9.1"))
        assert (selection.backend.tag, selection.torch) == ("cu130", "2.14.1")

    def test_the_other_vendor_keeps_the_locked_release(self) -> None:
        host = linux(GTX1080TI, B580, driver="580.65.06")
        assert pick(host).backend.tag == "cu126"
        selection = pick(host, locked=("2.15.0",))
        assert (selection.backend.tag, selection.torch, selection.moved_from) == ("xpu", "2.15.0", None)
        assert "GTX 1080 Ti not used" in told(selection)

    @pytest.mark.parametrize(
        ("demand", "torch"),
        [
            ({"locked": ("2.16.0",)}, "2.16.0"),
            ({"locked": ("2.16.0",), "specifiers": ("==2.16.0",)}, "2.16.0"),
            ({"locked": ("2.16.0.dev20261101",)}, "2.16.0.dev20261101"),
            ({"specifiers": (">=2.16",)}, None),
            ({"specifiers": ("==2.16.*",)}, None),
            ({"specifiers": ("==2.15.7",)}, None),
            ({"specifiers": (">2.15.0",)}, None),
        ],
    )
    def test_newer_than_the_catalog(self, demand: dict[str, Any], torch: str | None) -> None:
        selection = pick(linux(H200, driver="580.65.06"), **demand)
        assert (selection.backend.tag, selection.torch) == ("cu132", torch)
        assert "judged by the builds of torch 2.15.0" in told(selection)

    def test_a_locked_release_between_known_ones(self) -> None:
        selection = pick(linux(H200, driver="580.65.06"), locked=("2.9.7",), specifiers=("==2.9.7",))
        assert (selection.backend.tag, selection.torch) == ("cu130", "2.9.7")
        assert "torch 2.9.7 is not in torchsel's catalog: judged by the builds of torch 2.9.1" in told(
            selection
        )

    def test_a_locked_release_before_the_catalog_is_left(self) -> None:
        selection = pick(linux(H200, driver="580.65.06"), locked=("1.13.1",))
        assert (selection.torch, selection.moved_from) == ("2.15.0", "1.13.1")
        assert "torch 1.13.1 in uv.lock is older than any release that torchsel knows" in told(selection)

    @pytest.mark.parametrize(
        "specifiers", [("<1.13",), ("==2.9.7",), (">=2.5", "<2.4"), ("==1.13.1",), ("===foo",)]
    )
    def test_no_release_is_an_error(self, specifiers: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError) as caught:
            pick(linux(), specifiers=specifiers)
        assert str(caught.value) == (
            f"no PyTorch release from 2.0 on satisfies torch{','.join(specifiers)}; "
            "torchsel knows 2.0.0 to 2.15.0"
        )

    def test_malformed_specifiers_are_named(self) -> None:
        with pytest.raises(ConfigError, match="torch's requirement '>=two' is not a version specifier"):
            pick(linux(), specifiers=(">=two",))
        with pytest.raises(ConfigError, match=r"project\.requires-python: 'three'"):
            pick(linux(), requires_python="three")

    def test_a_python_without_wheels(self) -> None:
        selection = pick(linux(H200, driver="580.65.06"), python="3.16")
        assert (selection.backend.tag, selection.torch, selection.usable) == ("cpu", None, False)
        assert "no torch that the project allows has a wheel for Python 3.16 on Linux x86_64" in told(
            selection
        )
        assert "use Python 3.11 to 3.15" in told(selection)

    def test_the_way_back_to_an_older_torch(self) -> None:
        selection = pick(linux(GTX1080TI, driver="580.65.06"), specifiers=(">=2.15",))
        assert (selection.backend.tag, selection.usable) == ("cpu", False)
        assert selection.warnings == (
            "torch>=2.15 has no build with kernels for 6.1 (GTX 1080 Ti); the last is 2.14.1 with cu126: "
            "require torch<2.15 (for 2.14.1 with cu126)",
        )

    def test_the_way_on_to_a_newer_torch(self) -> None:
        panther = pick(linux(intel(None, "8086:b080")), specifiers=("<2.10",))
        assert panther.backend.tag == "cpu"
        assert "allow torch 2.15.0 (xpu)" in told(panther)


class TestConfig:
    @pytest.mark.parametrize(
        ("config", "backend", "torch"),
        [
            ({"max_cuda": (12, 9)}, "cu126", "2.14.1"),
            ({"max_cuda": (12,)}, "cu126", "2.14.1"),
            ({"max_cuda": (13, 0)}, "cu130", "2.15.0"),
            ({"max_cuda": (13,)}, "cu132", "2.15.0"),
            ({"backends": ("cpu", "cu128")}, "cu128", "2.11.0"),
            ({"cuda_compat": "strict"}, "cu130", "2.15.0"),
            ({"channel": "nightly"}, "cu132", None),
        ],
    )
    def test_keys(self, config: dict[str, Any], backend: str, torch: str | None) -> None:
        selection = pick(linux(H200, driver="580.65.06"), config=Config(**config))
        assert (selection.backend.tag, selection.torch) == (backend, torch)

    def test_strict_wants_the_driver_of_the_release(self) -> None:
        strict = Config(cuda_compat="strict")
        assert pick(linux(H200, driver="595.45.04"), config=strict).backend.tag == "cu132"
        old = pick(linux(H200, driver="550.54.14"), config=strict, specifiers=("<2.7",))
        assert (old.backend.tag, old.torch) == ("cu124", "2.6.0")
        assert old.reasons[0].endswith("driver 550.54.14 meets the minimum of CUDA 12.4, 550.54.14")

    def test_channel_is_said(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), config=Config(channel="test"))
        note = "channel 'test' is newer than torchsel's catalog: judged by the builds of torch 2.15.0"
        assert note in found.reasons
        assert found.warnings == ()
        pinned = pick(linux(H200, driver="580.65.06"), config=Config(channel="test"), specifiers=("<2.10",))
        assert (pinned.torch, pinned.warnings) == ("2.9.1", ())

    def test_gpus_all_names_what_no_build_serves(self) -> None:
        found = pick(linux(P40, P40, RTX5090, driver="580.65.06"))
        assert (found.backend.tag, found.torch) == ("cu132", "2.15.0")
        assert found.accelerators == (RTX5090,)
        assert found.warnings == (
            "no build serves every GPU; cu132 leaves out 2x Tesla P40: "
            "no kernels for 6.1 (2x Tesla P40); has 7.5-12.0;"
            " if that is meant, write gpus = 'best' below [tool.torchsel]",
        )
        chosen = next(item for item in found.candidates if item.backend == "cu132")
        assert chosen.reason == "chosen; no kernels for 6.1 (2x Tesla P40); has 7.5-12.0"

    def test_what_was_asked_for_though_another_serves_every_gpu(self) -> None:
        found = pick(linux(P40, RTX3090, driver="580.95.05"), requested="cu132")
        leaves = "cu132 leaves out Tesla P40: no kernels for 6.1 (Tesla P40); has 7.5-12.0"
        assert found.warnings == (f"{leaves}; 2.14.1 with cu126 serves every GPU",)
        config = Config(backends=("cpu", "cu132"))
        found = pick(linux(P40, RTX3090, driver="580.95.05"), config=config)
        assert found.warnings == (
            f"none of tool.torchsel.backends serves every GPU; {leaves}; 2.14.1 with cu126 serves every GPU:"
            ' add \'cu126\' to tool.torchsel.backends (backends = ["cpu", "cu132", "cu126"])',
        )

    def test_gpus_all_gives_up_the_least_capable_first(self) -> None:
        found = pick(linux(P40, V100, RTX5090, driver="580.65.06"))
        assert (found.backend.tag, found.torch) == ("cu129", "2.10.0")
        assert found.accelerators == (RTX5090, V100)

    def test_gpus_best(self) -> None:
        found = pick(linux(P40, RTX3090, driver="580.65.06"), config=Config(gpus="best"))
        assert (found.backend.tag, found.torch, found.warnings) == ("cu132", "2.15.0", ())
        assert "cu132 leaves out Tesla P40" in told(found)
        both = pick(linux(RTX3090, H200, driver="580.65.06"), config=Config(gpus="best"))
        assert both.accelerators == (H200, RTX3090)

    def test_vendors(self) -> None:
        host = linux(RTX3090, RX7900, B580, driver="580.65.06")
        assert pick(host).backend.tag == "cu132"
        assert pick(host, config=Config(vendors=("amd", "nvidia"))).backend.tag == "rocm7.2"
        only = pick(host, config=Config(vendors=("intel",)))
        assert only.backend.tag == "xpu"
        assert "RTX 3090 ignored: 'nvidia' is not in tool.torchsel.vendors" in only.reasons

    def test_an_order_of_vendors_holds_for_integrated_graphics_too(self) -> None:
        host = linux(amd("Radeon 8060S", "gfx1151"), B580)
        assert pick(host, config=Config(vendors=("amd", "intel"))).backend.tag == "rocm7.2"

    @pytest.mark.parametrize("name", ["no-gpu", "uhd770", "gtx780", "no-driver", "musl", "rx7900-windows"])
    def test_fallback_error(self, name: str) -> None:
        host = CHOICES[name][0]
        with pytest.raises(MachineError) as caught:
            pick(host, config=Config(fallback="error"))
        assert "tool.torchsel.fallback is 'error'" in str(caught.value)
        assert SENTENCES[name] in str(caught.value)

    def test_fallback_error_leaves_macs_alone(self) -> None:
        assert pick(MAC, config=Config(fallback="error")).backend.tag == "cpu"

    def test_the_way_out_through_the_configuration(self) -> None:
        host = linux(GTX1080TI, driver="580.65.06")
        backends = pick(host, config=Config(backends=("cpu", "cu132")))
        assert "add 'cu126' to tool.torchsel.backends" in told(backends)
        cap = pick(linux(RTX5090, driver="580.65.06"), config=Config(max_cuda=(12, 6)))
        assert "raise tool.torchsel.max-cuda to 13.2" in told(cap)

    def test_cpu_outside_of_backends_is_said(self) -> None:
        found = pick(linux(), config=Config(backends=("cu132",)))
        assert found.backend.tag == "cpu"
        assert (
            "'cpu' is not in tool.torchsel.backends, but no other build runs here: add it" in found.warnings
        )


class TestRequest:
    def test_a_backend_that_runs(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cu128")
        assert (found.backend.tag, found.torch, found.warnings) == ("cu128", "2.11.0", ())
        assert found.accelerators == (H200,)
        assert [(item.backend, item.torch) for item in found.candidates] == [("cu128", "2.11.0")]

    @pytest.mark.parametrize(
        ("host", "backend", "warning"),
        [
            (
                "gtx1080ti-580",
                "cu132",
                "this machine can't run cu132: no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0",
            ),
            ("h200-470", "cu130", "this machine can't run cu130: driver 470.82.01 < 580 (CUDA 13)"),
            ("no-gpu", "rocm7.2", "this machine can't run rocm7.2: no AMD GPU found"),
            ("uhd770", "xpu", "this machine can't run xpu: UHD Graphics 770 is not among the devices"),
            ("mac", "cu130", "there is no cu130 build for macOS aarch64: uv's default index is used here"),
            ("rx7900-windows", "rocm7.2", "there is no rocm7.2 build for Windows x86_64"),
        ],
    )
    def test_a_backend_that_does_not_run_is_obeyed(self, host: str, backend: str, warning: str) -> None:
        found = pick(CHOICES[host][0], backend)
        assert (found.backend.tag, found.usable) == (backend, False)
        assert found.warnings[0].startswith(warning)

    @pytest.mark.parametrize(
        ("host", "backend", "instead"),
        [
            ("gtx1080ti-580", "cu132", "'auto' would take cu126 with torch 2.14.1"),
            ("h200-470", "cu130", "'auto' would take cpu with torch 2.15.0"),
            ("mac", "cu130", "'auto' would take cpu with torch 2.15.0"),
            ("rx7900-windows", "rocm7.2", "'auto' would take cpu with torch 2.15.0"),
        ],
    )
    def test_what_auto_would_take_is_said(self, host: str, backend: str, instead: str) -> None:
        assert pick(CHOICES[host][0], backend).warnings[0].endswith(f"; {instead}")

    def test_where_auto_would_fail_that_is_said(self) -> None:
        found = pick(linux(H200, driver="470.82.01"), "cu130", config=Config(fallback="error"))
        assert found.warnings[0].endswith("; 'auto' would find nothing usable either")

    def test_cpu_on_a_gpu_machine(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cpu")
        assert (found.backend.tag, found.torch, found.usable, found.warnings) == ("cpu", "2.15.0", True, ())

    def test_an_unknown_backend_is_taken_verbatim(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cu134")
        assert (found.backend.tag, found.torch, found.usable) == ("cu134", None, True)
        assert "cu134 is not in torchsel's catalog" in found.warnings[0]

    def test_a_malformed_backend(self) -> None:
        with pytest.raises(ConfigError, match="not a torch backend"):
            pick(linux(), "CUDA 13")

    def test_a_backend_that_no_allowed_torch_has(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cu118", specifiers=(">=2.10",))
        assert (found.backend.tag, found.torch, found.usable) == ("cu118", None, False)
        assert "no torch that the project allows has a cu118 build; 2.7.1 is the newest" in told(found)

    def test_a_locked_release_without_the_backend_is_left(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cu132", locked=("2.9.1",))
        assert (found.torch, found.moved_from) == ("2.15.0", "2.9.1")
        assert "torch 2.9.1 in uv.lock has no cu132 build for Linux x86_64; torch moves to 2.15.0" in told(
            found
        )

    def test_a_backend_outside_of_backends(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), "cu132", config=Config(backends=("cu126", "cpu")))
        assert (found.backend.tag, found.usable) == ("cu132", True)
        assert found.warnings == (
            "cu132 is not in tool.torchsel.backends (cu126, cpu); add it there, or 'torchsel check' fails",
        )

    def test_vendors_and_max_cuda_do_not_stand_against_a_request(self) -> None:
        config = Config(vendors=("amd",), max_cuda=(12,))
        found = pick(linux(H200, driver="580.65.06"), "cu132", config=config)
        assert (found.usable, found.warnings) == (True, ())


class TestWaysOut:
    """Every warning says what to do."""

    def test_several_things_at_once(self) -> None:
        found = pick(linux(RTX5090, driver="560.35.03"), config=Config(max_cuda=(11,)))
        (warning,) = found.warnings
        assert warning.endswith(
            "): update the NVIDIA driver to >= 580 for 2.15.0 with cu132"
            " and raise tool.torchsel.max-cuda to 13.2"
        )

    def test_no_wheel_at_all(self) -> None:
        card = nvidia("NVIDIA GeForce GTX 780", "3.5")
        (warning,) = pick(linux(card, driver="470.82.01")).warnings
        assert warning == (
            "no build for Linux x86_64 since torch 2.0 has kernels for 3.5 (GTX 780):"
            " build torch from source, or set tool.torchsel.backend to 'cpu'"
        )

    def test_an_unknown_gfx_target(self) -> None:
        (warning,) = pick(linux(amd("Radeon", None))).warnings
        assert warning == "the gfx target of Radeon is unknown: set UV_AMD_GPU_ARCHITECTURE to it"

    def test_no_kernels_of_another_target_where_they_compute_wrong_results(self) -> None:
        assert "HSA_OVERRIDE" not in told(pick(linux(amd("Van Gogh", "gfx1033"))))
        (warning,) = pick(linux(amd("RX 6700 XT", "gfx1031"))).warnings
        assert "; " not in warning
        assert warning.endswith("to run gfx1030's kernels on gfx1031")

    def test_an_intel_device_in_no_list_is_named(self) -> None:
        found = pick(linux(intel(None, "8086:ffff")))
        assert found.warnings[0].startswith("the Intel device 8086:ffff is in no list")
        assert [way[0].kind for way in found.ways_out] == [Cure.ASK_XPU]
        beside = pick(linux(intel(None, "8086:ffff"), B580))
        assert (beside.backend.tag, beside.warnings) == ("xpu", ())

    def test_ways_out_are_values(self) -> None:
        found = pick(linux(RTX5090, driver="560.35.03"))
        assert [[(way.kind, way.value, way.backend) for way in ways] for ways in found.ways_out] == [
            [(Cure.DRIVER, "570.26", "cu129")],
            [(Cure.DRIVER, "580", "cu132")],
        ]
        found = pick(linux(GTX1080TI, driver="580.65.06"), specifiers=(">=2.15",))
        assert found.ways_out == (
            (
                Remedy(
                    kind=Cure.REQUIRE,
                    value="<2.15",
                    torch="2.14.1",
                    backend="cu126",
                    requirements=("torch<2.15",),
                ),
            ),
        )

    def test_a_held_build_is_no_reason_where_there_are_no_kernels(self) -> None:
        (warning,) = pick(linux(amd("RX 580", "gfx803"))).warnings
        assert "SDK" not in warning

    def test_a_locked_release_that_leaves_a_gpu_out(self) -> None:
        found = pick(linux(P40, RTX3090, driver="580.95.05"), locked=("2.15.0",))
        assert (found.backend.tag, found.torch) == ("cu132", "2.15.0")
        assert found.warnings == (
            "no build of torch 2.15.0 in uv.lock serves every GPU; cu132 leaves out Tesla P40:"
            " no kernels for 6.1 (Tesla P40); has 7.5-12.0; 'torchsel --upgrade' looks among other releases",
        )
        found = pick(linux(P40, RTX3090, driver="580.95.05"), locked=("2.15.0",), upgrade=True)
        assert (found.backend.tag, found.torch) == ("cu126", "2.14.1")


class TestMatching:
    def test_ptx_wants_a_driver_as_new_as_its_cuda(self) -> None:
        row = Build(torch="2.20.0", backend="cu129", platform="linux_x86_64", kernels=("9.0",), ptx=("9.0",))
        catalog = CATALOG.with_builds([row])
        b200 = nvidia("B200", "10.0")
        newer = pick(linux(b200, driver="575.51.03"), catalog=catalog)
        assert (newer.torch, newer.backend.tag) == ("2.20.0", "cu129")
        older = pick(linux(b200, driver="575.51.02"), catalog=catalog)
        assert older.torch == "2.13.0"
        reasons = {(item.torch, item.backend): item.reason for item in older.candidates}
        assert reasons["2.20.0", "cu129"] == (
            "driver 575.51.02 < 575.51.03 (PTX of CUDA 12.9 for 10.0 (B200))"
        )

    @pytest.mark.parametrize(("capability", "runs"), [("10.0", False), ("12.0", True), ("12.1", True)])
    def test_ptx_reaches_its_own_capability_and_newer_ones(self, capability: str, *, runs: bool) -> None:
        row = Build(torch="2.20.0", backend="cu130", platform="linux_x86_64", kernels=("9.0",), ptx=("12.0",))
        host = linux(nvidia("B", capability), driver="580.65.06")
        assert (pick(host, catalog=CATALOG.with_builds([row])).torch == "2.20.0") is runs

    def test_a_row_without_kernels_is_judged_by_the_driver(self) -> None:
        row = Build(torch="2.16.0", backend="cu134", platform="linux_x86_64")
        catalog = CATALOG.with_builds([row])
        assert pick(linux(GTX1080TI, driver="580.65.06"), catalog=catalog).backend.tag == "cu134"

    def test_wsl_has_the_driver_of_windows(self) -> None:
        kernel = "6.6.87.2-microsoft-standard-WSL2"
        card = linux(RTX3090, driver="551.23")
        inside = linux(RTX3090, driver="551.23", kernel=kernel)
        strict = Config(cuda_compat="strict")
        assert pick(card, config=strict, specifiers=("==2.5.1",)).backend.tag == "cu124"
        assert pick(inside, config=strict, specifiers=("==2.5.1",)).backend.tag == "cu121"

    def test_undisputed_builds_come_first(self) -> None:
        strix = amd("Strix Halo", "gfx1151")
        found = pick(linux(strix), specifiers=("==2.11.0",))
        assert (found.backend.tag, found.warnings) == ("rocm7.2", ())
        only = pick(linux(strix), specifiers=("==2.10.0",))
        assert only.backend.tag == "rocm7.1"
        assert "disputed" in only.warnings[0]
        undisputed = pick(linux(amd("Vega 64", "gfx900")), specifiers=("==2.9.1",))
        assert (undisputed.backend.tag, undisputed.warnings) == ("rocm6.3", ())

    def test_an_older_undisputed_build_comes_before_a_newer_disputed_one(self) -> None:
        row = Broken(
            gfx="gfx1100",
            rocm_from="7.1",
            rocm_until="",
            verdict="disputed",
            reason="reports differ",
        )
        catalog = replace(CATALOG, broken=(row,))
        found = pick(linux(RX7900), catalog=catalog, specifiers=("<2.14",))
        assert (found.torch, found.backend.tag, found.warnings) == ("2.10.0", "rocm7.0", ())
        doubt = "gfx1100 (Radeon RX 7900 XTX) with rocm7.2 is disputed: reports differ"
        assert f"torch 2.13.0 may fail here ({doubt}); the newest is 2.10.0 with rocm7.0" in told(found)

    def test_held_builds_wait_until_nothing_else_runs_or_they_are_wanted(self) -> None:
        found = pick(linux(RX7900))
        assert (found.backend.tag, found.torch, found.warnings) == ("rocm7.2", "2.14.1", ())
        assert found.candidates[0].reason.startswith("only where nothing else runs: needs some 30 packages")
        needed = pick(linux(RX7900), specifiers=(">=2.15",))
        assert (needed.backend.tag, needed.usable) == ("rocm7.14", True)
        listed = pick(linux(RX7900), config=Config(backends=("cpu", "rocm7.14")))
        assert listed.backend.tag == "rocm7.14"
        locked = pick(linux(RX7900), locked=("2.15.0",))
        assert (locked.backend.tag, locked.torch, locked.moved_from) == ("rocm7.2", "2.14.1", "2.15.0")
        asked = pick(linux(RX7900), "rocm7.14")
        assert (asked.torch, asked.usable, asked.warnings) == ("2.15.0", True, ())

    def test_no_driver_update_that_does_not_exist(self) -> None:
        found = pick(linux(V100, driver="470.82.01"), specifiers=(">=2.8",))
        assert "update the NVIDIA driver to >= 525.60.13 for 2.14.1 with cu126" in told(found)
        old = pick(linux(K80, driver="390.157"), specifiers=("<2.8",))
        assert "update the NVIDIA driver to >= 450.80.02 for 2.7.1 with cu118" in told(old)


class TestReleasesByBackend:
    @pytest.mark.parametrize(
        ("demand", "tag", "torch"),
        [
            ({}, "cu132", "2.15.0"),
            ({}, "cu126", "2.14.1"),
            ({}, "cu118", "2.7.1"),
            ({"specifiers": (">=2.8",)}, "cu118", None),
            ({}, "cu134", None),
            ({"locked": ("2.9.1",)}, "cu130", "2.9.1"),
            ({"locked": ("2.9.1",)}, "cu132", "2.15.0"),
            ({"locked": ("2.16.0",)}, "cu132", "2.16.0"),
            ({"specifiers": (">=2.16",)}, "cu132", None),
            ({"requires_python": "==3.9.*"}, "cu128", "2.8.0"),
        ],
    )
    def test_best_release(self, demand: dict[str, Any], tag: str, torch: str | None) -> None:
        config = Config(backends=("cpu",))
        assert best_release(Demand(**demand), tag, config, CATALOG) == torch


class TestRequiresPython:
    def test_an_index_needs_a_wheel_for_every_python_of_the_project(self) -> None:
        found = pick(linux(H200, driver="580.65.06"), requires_python=">=3.9")
        assert (found.backend.tag, found.torch) == ("cu126", "2.14.1")
        reasons = {(item.torch, item.backend): item.reason for item in found.candidates}
        assert reasons["2.15.0", "cu132"] == (
            "no cu132 wheel of any release for Python 3.9, which requires-python allows"
        )

    def test_one_that_no_backend_has_a_wheel_for_decides_nothing(self) -> None:
        assert (
            pick(linux(H200, driver="580.65.06"), requires_python=">=3.7").backend.tag
            == pick(linux(H200, driver="580.65.06")).backend.tag
        )

    def test_two_releases_of_one_index_serve_two_pythons(self) -> None:
        assert pick(linux(H200, driver="580.65.06"), requires_python=">=3.10").torch == "2.15.0"
