"""Remedies are values; each has one sentence."""

from __future__ import annotations

from string import Formatter

import pytest

from torchsel.selection.remedy import Cure, Remedy, told, told_ways

DRIVER = Remedy(kind=Cure.DRIVER, value="570.26", torch="2.13.0", backend="cu129")
NEWER = Remedy(kind=Cure.DRIVER, value="580", torch="2.15.0", backend="cu132")
CAP = Remedy(kind=Cure.MAX_CUDA, value="13.2", torch="2.15.0", backend="cu132")


def test_every_kind_has_a_sentence_of_what_a_remedy_holds() -> None:
    assert len({kind.value for kind in Cure}) == len(Cure.__members__)
    for text in (kind.value for kind in Cure):
        assert {name for _, name, _, _ in Formatter().parse(text) if name} <= {"value", "torch", "backend"}


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (DRIVER, "update the NVIDIA driver to >= 570.26 for 2.13.0 with cu129"),
        (
            Remedy(kind=Cure.REQUIRE, value="<2.15", torch="2.14.1", backend="cu126"),
            "require torch<2.15 (for 2.14.1 with cu126)",
        ),
        (Remedy(kind=Cure.BACKENDS, value="cu126"), "add 'cu126' to tool.torchsel.backends"),
        (
            Remedy(kind=Cure.BACKENDS, value="cu126", line='backends = ["cpu", "cu126"]'),
            'add \'cu126\' to tool.torchsel.backends (backends = ["cpu", "cu126"])',
        ),
        (
            Remedy(kind=Cure.COMPANION, value="x", torch="1", backend="cpu", commands=("do x", "do y")),
            "do without x (for 1 with cpu): do x && do y",
        ),
        (
            Remedy(kind=Cure.INSTALL_DRIVER, value="580", torch="2.15.0", backend="cu132"),
            "install NVIDIA's driver, >= 580 for 2.15.0 with cu132; if this is a container, start it with the"
            " GPU passed in",
        ),
        (
            Remedy(kind=Cure.ANY_DRIVER),
            "install NVIDIA's driver; if this is a container, start it with the GPU passed in",
        ),
    ],
)
def test_told(remedy: Remedy, text: str) -> None:
    assert told(remedy) == text


@pytest.mark.parametrize(
    ("ways", "text"),
    [
        ([], ""),
        ([(CAP,)], "raise tool.torchsel.max-cuda to 13.2"),
        ([(NEWER, CAP)], f"{told(NEWER)} and {told(CAP)}"),
        ([(DRIVER,), (NEWER,)], f"{told(DRIVER)}, or to >= 580 for 2.15.0 with cu132"),
        ([(DRIVER,), (NEWER, CAP)], f"{told(DRIVER)}, or {told(NEWER)} and {told(CAP)}"),
    ],
)
def test_told_ways(ways: list[tuple[Remedy, ...]], text: str) -> None:
    assert told_ways(ways) == text
