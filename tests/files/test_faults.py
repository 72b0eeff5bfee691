"""Every kind of fault in the middle of a change, a few of each; all in ``scripts/robustness/faults.py``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fault_scenes import SCENES, can_mount, families
from tests.support.faults import FAMILIES, THERE, Bench, BrokenError, Point, State, random_moments
from tests.support.faulty import Ended, Fault
from tests.support.toolbox import World

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, modes and forks as POSIX has them")

EVERY = {"signal_points": 83, "error_points": 23, "limit_points": 1, "swap_points": 1}


@pytest.fixture(scope="module")
def bench(world: World) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(
            0o755
        )  # so that a user without rights finds the project; pytest's are for us alone
        with Bench(world, Path(folder) / "bench") as made:
            made.use_uv()
            yield made


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_faults_on_the_way(bench: Bench, family: Callable[[Bench], Iterator[Point]]) -> None:
    points = list(family(bench))
    for point in points[:: EVERY[family.__name__]]:
        point.run(bench)


@pytest.mark.parametrize("name", SCENES)
def test_scenes(bench: Bench, name: str) -> None:
    tried = 0
    for _, scene in families(name, bench, 17):
        scene()
        tried += 1
    assert tried > 2 or not can_mount()


def test_signals_with_real_uv(bench: Bench) -> None:
    try:
        assert len(list(random_moments(bench, 4, seed=1))) == 4
    finally:
        bench.use_uv()


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda bench: (bench.folder / "uv.lock").write_text(bench.there.lock), "one generation"),
        (lambda bench: (bench.folder / "uv.lock").write_text(bench.there.lock[:-9]), "not whole"),
        (lambda bench: (bench.folder / "pyproject.toml").write_text(""), "not whole"),
    ],
)
def test_a_loss_is_found(bench: Bench, spoil: Callable[[Bench], object], found: str) -> None:
    bench.reset()
    bench.check_whole("before")
    spoil(bench)
    with pytest.raises(BrokenError, match=found):
        bench.check_whole("after")


def test_what_is_left_behind_is_found(bench: Bench) -> None:
    bench.reset()
    (bench.folder / ".pyproject.toml.tmp").touch()
    with pytest.raises(BrokenError, match=r"left behind: \['\.pyproject\.toml\.tmp'\]"):
        bench.check_clean("after")


def test_a_wrong_exit_code_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "torchsel", lambda *_, **__: Ended(code=123, err="a bug", steps=0))
    with pytest.raises(BrokenError, match="exit code 123"):
        bench.survive(Fault(), (0, 3), "here")


def test_an_undisturbed_change_is_the_other_state(bench: Bench) -> None:
    bench.reset()
    assert bench.torchsel(THERE).code == 0
    assert bench.now() == bench.there != bench.here
    assert State(pyproject="", lock="") not in (bench.here, bench.there)
