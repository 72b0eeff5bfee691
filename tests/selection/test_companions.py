"""Packages that decide with torch: what breaks beside a build is not chosen, or it is said."""

from __future__ import annotations

from typing import Any

import pytest

from tests.selection.test_select import B580, GTX1080TI, H200, RX7900, linux, pick, told
from torchsel.catalog.catalog import load_catalog
from torchsel.config.config import Config
from torchsel.host import Host
from torchsel.selection.remedy import Cure

CATALOG = load_catalog()
LINUX = linux(H200, driver="580.65.06")


def having(*packages: str, **versions: str) -> dict[str, Any]:
    return {"packages": frozenset({*packages, *versions}), "versions": tuple(versions.items())}


@pytest.mark.parametrize(
    ("packages", "backend", "torch"),
    [
        (having("torch", "torchvision"), "cu132", "2.15.0"),
        (having("torch", "torchaudio"), "cu130", "2.15.0"),
        (having(torchaudio="2.11.0"), "cu130", "2.15.0"),
        (having("xformers"), "cu130", "2.15.0"),
        (having("vllm", "torchcodec", "flash-attn"), "cu132", "2.15.0"),
        (having("torchaudio", "xformers") | {"locked": ("2.12.1",)}, "cu130", "2.12.1"),
    ],
)
def test_cu130_where_a_companion_has_no_cu132_build(
    packages: dict[str, Any], backend: str, torch: str
) -> None:
    found = pick(LINUX, **packages)
    assert (found.backend.tag, found.torch, found.warnings) == (backend, torch, ())


def test_the_reason_is_told_and_stands_in_the_candidates() -> None:
    found = pick(LINUX, **having("torchaudio"))
    text = "torchaudio has no cu132 build, and that of another backend raises on import"
    assert text in found.reasons
    assert next((item.backend, item.reason) for item in found.candidates) == ("cu132", text)


def test_rocm_7_14_is_out_with_torchaudio() -> None:
    assert pick(linux(RX7900), specifiers=(">=2.15",)).backend.tag == "rocm7.14"
    found = pick(linux(RX7900), specifiers=(">=2.15",), **having("torchaudio"))
    assert (found.backend.tag, found.usable) == ("cpu", False)
    assert "torchaudio has no rocm7.14 build" in told(found)
    assert found.ways_out[0][0].kind is Cure.REQUIRE


def test_a_backend_that_is_asked_for_is_obeyed_and_warned_of() -> None:
    found = pick(LINUX, "cu132", **having("torchaudio"))
    assert (found.backend.tag, found.usable) == ("cu132", True)
    assert found.warnings == ("torchaudio has no cu132 build, and that of another backend raises on import",)


def test_where_the_list_has_no_other_the_way_out_names_one() -> None:
    found = pick(LINUX, config=Config(backends=("cpu", "cu132")), **having("torchaudio"))
    assert found.backend.tag == "cpu"
    assert [(way[0].kind, way[0].value) for way in found.ways_out] == [
        (Cure.BACKENDS, "cu130"),
        (Cure.COMPANION, "torchaudio"),
    ]
    line = 'backends = ["cpu", "cu132", "cu130"]'
    assert f"add 'cu130' to tool.torchsel.backends ({line}), or do without torchaudio (for" in told(found)


@pytest.mark.parametrize(
    ("packages", "warned"),
    [
        (having("vllm"), True),
        (having(vllm="0.33.0"), True),
        (having(vllm="0.21.0"), False),
        (having(sglang="0.5.23"), True),
        (having(sglang="0.4.0"), False),
        (having("torch"), False),
    ],
)
def test_a_package_that_is_built_for_another_cuda_is_warned_of(
    packages: dict[str, Any], *, warned: bool
) -> None:
    found = pick(linux(GTX1080TI, driver="580.65.06"), **packages)
    assert found.backend.tag == "cu126"
    assert any("is built for CUDA 13 and may not work" in text for text in found.warnings) is warned
    assert pick(linux(), **packages).warnings == ()


def test_xformers_has_no_veto_where_no_build_would_be_left() -> None:
    for host in (linux(RX7900), linux(B580)):
        found = pick(host, **having("xformers"))
        assert found.backend.tag in ("rocm7.2", "xpu")
        assert found.warnings == (
            f"xformers has no {found.backend.tag} build, and that of another backend can't load its C++"
            " extension",
        )


@pytest.mark.parametrize(
    ("package", "backend", "index"),
    [
        ("torchcodec", "cu130", "cu130"),
        ("torchcodec", "rocm7.2", "cpu"),
        ("torchcodec", "xpu", "cpu"),
        ("torchcodec", "cpu", "cpu"),
        ("torchaudio", "cu130", "cu130"),
        ("torchaudio", "cu132", None),
        ("numpy", "cu130", None),
    ],
)
def test_the_index_that_a_package_comes_from(package: str, backend: str, index: str | None) -> None:
    assert CATALOG.index_of(package, backend) == index


def test_a_bound_names_the_companions_too() -> None:
    host = linux(GTX1080TI, driver="580.65.06")
    found = pick(host, specifiers=(">=2.15",), **having("torch", "torchvision", "torchaudio"))
    assert found.ways_out[0][0].requirements == ("torch<2.15", "torchvision<0.29.2")
    assert CATALOG.bounds_before("2.10.0", {"torchaudio"}) == ("torch<2.10", "torchaudio<2.10.0")
    assert CATALOG.bounds_before("2.0.0", {"torchvision"}) == ("torch<2.0",)


@pytest.mark.parametrize(
    ("built_for", "specifiers", "backend", "torch"),
    [
        ((("flash-attn", "12.8"),), (), "cu128", "2.11.0"),
        ((("flash-attn", "12"),), ("==2.8.0",), "cu129", "2.8.0"),
        ((("torch-scatter", "13.0"),), (), "cu130", "2.15.0"),
        ((("vllm", "12.9"), ("flashinfer-jit-cache", "12.8")), ("==2.11.0",), "cu129", "2.11.0"),
        ((("vllm", "12.9"), ("flash-attn", "13.0")), (), "cu132", "2.15.0"),
        ((("flash-attn", "11.8"),), ("==2.15.0",), "cu132", "2.15.0"),
    ],
)
def test_the_cuda_that_a_package_is_built_for_is_kept(
    built_for: tuple[tuple[str, str], ...], specifiers: tuple[str, ...], backend: str, torch: str
) -> None:
    found = pick(LINUX, built_for=built_for, specifiers=specifiers)
    assert (found.backend.tag, found.torch) == (backend, torch)
    is_kept = all(found.backend.release[0] == int(cuda.partition(".")[0]) for _, cuda in built_for)
    assert ("comes from an address for CUDA" in " ".join(found.warnings)) != is_kept


def test_what_keeps_an_older_cuda_is_said() -> None:
    found = pick(LINUX, built_for=(("flash-attn", "12.8"),))
    assert "flash-attn comes from an address for CUDA 12.8" in told(found)
    beside = pick(linux(RX7900), built_for=(("flash-attn", "12"),))
    assert "may not work beside torch for rocm" in told(beside)


@pytest.mark.parametrize(
    ("host", "companions", "backend"),
    [
        (LINUX, ("flash-attn",), "cu132"),
        (LINUX, ("mamba-ssm",), "cu130"),
        (LINUX, ("flash-attn", "vllm"), "cu130"),
        (LINUX, ("deep-ep",), "cu129"),
        (linux(GTX1080TI, driver="580.65.06"), ("deep-gemm",), "cu126"),
        (linux(RX7900), ("flash-attn", "vllm"), "rocm7.2"),
        (linux(B580), ("torch-scatter",), "xpu"),
        (linux(), ("flash-attn",), "cpu"),
    ],
)
def test_a_backend_that_has_the_named_companions_is_taken_where_one_runs(
    host: Host, companions: tuple[str, ...], backend: str
) -> None:
    found = pick(host, config=Config(companions=companions))
    assert (found.backend.tag, found.warnings) == (backend, ())


def test_a_missing_companion_is_the_reason_of_its_candidate() -> None:
    found = pick(LINUX, config=Config(companions=("vllm",)))
    reasons = {item.backend: item.reason for item in found.candidates}
    assert reasons["cu132"] == "only where nothing else runs: vllm has no cu132 build"
