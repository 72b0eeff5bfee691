from __future__ import annotations

import pytest

from torchsel.catalog.catalog import load_catalog
from torchsel.config.config import Config
from torchsel.errors import ConfigError
from torchsel.hosts.words import parse_words
from torchsel.selection.fleet import Fleet, Member, one_backend_for
from torchsel.selection.values import Demand

CATALOG = load_catalog()


def fleet(*words: str, config: Config | None = None, demand: Demand | None = None) -> Fleet:
    members = [Member(name=text, host=parse_words(text, text), demand=demand or Demand()) for text in words]
    return one_backend_for(members, config or Config(), CATALOG)


@pytest.mark.parametrize(
    ("words", "tag", "torch"),
    [
        (["H100,driver=580"], "cu132", "2.15.0"),
        (["H100,driver=580", "V100,driver=580"], "cu126", "2.14.1"),
        (["V100,driver=580", "RTX 5090,driver=580"], "cu129", "2.10.0"),
        (["V100,driver=570.124", "H100,driver=550.54.15", "cpu"], "cu126", "2.14.1"),
        (["K80", "RTX 3090,driver=470.82.01"], "cu118", "2.7.1"),
        (["mi300x", "mi210", "7900xtx"], "rocm7.2", "2.14.1"),
        (["mi50", "mi300x"], "rocm6.3", "2.9.1"),
        (["B580", "8086:4680"], "xpu", "2.15.0"),
        (["H100,driver=580", "8086:4680"], "cu132", "2.15.0"),
        (["GH200,driver=580", "H100,driver=580"], "cu132", "2.15.0"),
        (["cpu", "cpu,machine=aarch64"], "cpu", "2.15.0"),
        (["cpu", "8086:4680"], "cpu", "2.15.0"),
    ],
)
def test_the_one_build(words: list[str], tag: str, torch: str) -> None:
    found = fleet(*words)
    assert found.backend
    assert (found.backend.tag, found.torch, found.unserved) == (tag, torch, ())


@pytest.mark.parametrize(
    ("words", "alone"),
    [
        (["H100,driver=580", "mi300x"], ["cu132", "rocm7.2"]),
        (["H100,driver=580", "B580"], ["cu132", "xpu"]),
        (["H100,driver=580", "cpu,system=macos"], ["cu132", "cpu"]),
        (["K80", "B200,driver=580"], ["cu118", "cu132"]),
    ],
)
def test_no_build_serves_all(words: list[str], alone: list[str]) -> None:
    found = fleet(*words)
    assert found.backend is None
    assert found.unserved == ()
    assert [own.backend.tag for _, own in found.alone] == alone


def test_a_gpu_is_not_served_by_the_cpu_build() -> None:
    later = Demand(specifiers=(">=2.15",))
    found = fleet("V100,driver=580", "H100,driver=580", "cpu", demand=later)
    assert (found.backend, found.unserved) == (None, ("V100,driver=580",))
    assert fleet("V100,driver=580", demand=later, config=Config(fallback="error")).unserved


def test_a_gpu_that_no_build_ever_ran_on_counts_as_none() -> None:
    found = fleet("gfx803", "H100,driver=580")
    assert found.backend
    assert (found.backend.tag, found.unserved) == ("cu132", ())


def test_the_project_has_its_say() -> None:
    found = fleet("H100,driver=580", "T4,driver=580", config=Config(backends=("cu126", "cpu")))
    assert found.backend
    assert found.backend.tag == "cu126"
    found = fleet("H100,driver=580", "T4,driver=580", demand=Demand(locked=("2.13.0",)))
    assert found.torch == "2.13.0"
    with pytest.raises(ConfigError):
        fleet("H100", demand=Demand(specifiers=("<1.0",)))


def test_every_gpu_of_a_machine_counts() -> None:
    """A build for one of two cards would leave the other idle."""
    found = fleet("gpu=V100,gpu=RTX 5090,driver=580", "H100,driver=580")
    assert found.backend
    assert (found.backend.tag, found.torch) == ("cu129", "2.10.0")
