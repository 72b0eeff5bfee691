"""What must hold for every build of the catalog and every GPU in its list.

The rules are written down here a second time, from the tables as text, so that a slip in either shows.
"""

from __future__ import annotations

import csv
from functools import cache
from itertools import combinations, permutations
from typing import Literal

import pytest

from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import DATA
from torchsel.config.config import Config
from torchsel.host import Accelerator, Host, System
from torchsel.selection.select import select
from torchsel.selection.values import Demand, Selection

Mode = Literal["minor", "strict"]
Row = dict[str, str]

CATALOG = load_catalog()
PLATFORMS: dict[str, tuple[System, str]] = {
    "linux_x86_64": ("linux", "x86_64"),
    "linux_aarch64": ("linux", "aarch64"),
    "win_amd64": ("win32", "x86_64"),
}
DRIVERS = ("470.82.01", "535.104.05", "570.65", "580.65.06")
COLUMN = {"linux": "linux", "win32": "windows"}


@cache
def table(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def cuda_release(backend: str) -> tuple[int, int]:
    return int(backend[2:-1]), int(backend[-1])


@cache
def capabilities() -> list[str]:
    found = {row["target"] for row in table("gpus") if row["vendor"] == "nvidia"}
    return sorted(found | {row["compute_capability"] for row in table("architectures")}, key=numbers)


@cache
def thresholds(system: str) -> list[str]:
    """Every driver at which anything changes, one below the lowest, and one far ahead."""
    column = COLUMN[system]
    built = {cuda_release(row["backend"]) for row in table("builds") if row["backend"].startswith("cu")}
    releases = {f"{major}.{minor}" for major, minor in built} | {str(major) for major, _ in built}
    rows = [row for row in table("drivers") if row["cuda"] in releases] + table("architectures")
    return sorted({row[column] for row in rows if row[column]} | {"390.157", "999.0"}, key=numbers)


@cache
def driver_for(backend: str, system: str, mode: Mode) -> str:
    """The lowest driver for a CUDA backend, by the tables."""
    major, minor = cuda_release(backend)
    rows = {row["cuda"]: row[COLUMN[system]] for row in table("drivers") if row[COLUMN[system]]}
    if mode == "strict":
        for earlier in range(minor, -1, -1):
            if f"{major}.{earlier}" in rows:
                return rows[f"{major}.{earlier}"]
    return rows[str(major)]


def runs(build: Row, capability: str, driver: str, system: str, mode: Mode) -> bool:
    """Whether a CUDA build runs on a card, in the plainest words."""
    have, x, y = numbers(driver), *numbers(capability)
    if have < numbers(driver_for(build["backend"], system, mode)):
        return False
    for row in table("architectures"):
        first = row[COLUMN[system]]
        if row["compute_capability"] == capability and first and have < numbers(first):
            return False
    for cubin in build["kernels"].split():
        major, minor = numbers(cubin)
        if major == x and minor <= y:
            return True
    jit = any(numbers(ptx) <= (x, y) for ptx in build["ptx"].split())
    return jit and have >= numbers(driver_for(build["backend"], system, "strict"))


@cache
def best(platform: str, capability: str, driver: str, mode: Mode) -> tuple[str, str] | None:
    """The newest torch, then the newest CUDA, of all builds that run on one card."""
    system = PLATFORMS[platform][0]
    found = [
        (numbers(build["torch"]), cuda_release(build["backend"]), build)
        for build in table("builds")
        if build["platform"] == platform
        and build["backend"].startswith("cu")
        and runs(build, capability, driver, system, mode)
    ]
    if not found:
        return None
    build = max(found, key=lambda item: item[:2])[2]
    return build["torch"], build["backend"]


def card(capability: str, name: str | None = None) -> Accelerator:
    return Accelerator(vendor="nvidia", name=name or f"card-{capability}", compute_capability=capability)


@cache
def chosen(
    platform: str, cards: tuple[Accelerator, ...], driver: str | None, mode: Mode = "minor"
) -> Selection:
    system, machine = PLATFORMS[platform]
    host = Host(system=system, machine=machine, nvidia_driver=driver, accelerators=cards)
    config = Config(cuda_compat=mode)
    return select(host=host, requested="auto", demand=Demand(), config=config, catalog=CATALOG)


def both(platform: str, one: str, other: str, driver: str) -> Selection:
    """The choice for two cards, in an order that does not depend on how they are named."""
    return chosen(platform, tuple(map(card, sorted((one, other), key=numbers))), driver)


@pytest.mark.parametrize("mode", ["minor", "strict"])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_one_card_gets_the_best_build_there_is(platform: str, mode: Mode) -> None:
    for capability in capabilities():
        for driver in thresholds(PLATFORMS[platform][0]):
            selection = chosen(platform, (card(capability),), driver, mode)
            found = (selection.torch, selection.backend.tag) if selection.family == "cuda" else None
            assert found == best(platform, capability, driver, mode), (capability, driver)
            assert selection.usable == (found is not None)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_newer_driver_never_yields_an_older_torch(platform: str) -> None:
    for mode in ("minor", "strict"):
        for capability in capabilities():
            before: tuple[int, ...] = ()
            for driver in thresholds(PLATFORMS[platform][0]):
                selection = chosen(platform, (card(capability),), driver, mode)
                torch = numbers(selection.torch or "0") if selection.family == "cuda" else ()
                assert torch >= before, (capability, driver, mode)
                before = torch


@pytest.mark.parametrize("platform", PLATFORMS)
def test_with_two_cards_it_does_so_only_to_serve_more_or_the_better_one(platform: str) -> None:
    for pair in combinations(capabilities(), 2):
        torch_before: tuple[int, ...] = ()
        served_before: list[tuple[int, ...]] = []
        for driver in DRIVERS:
            selection = both(platform, *pair, driver)
            torch = numbers(selection.torch or "0") if selection.family == "cuda" else ()
            cards = [numbers(item.compute_capability or "") for item in selection.accelerators]
            served = sorted(cards, reverse=True)
            assert served >= served_before, (pair, driver)
            assert torch >= torch_before or served > served_before, (pair, driver)
            torch_before, served_before = torch, served


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_build_runs_on_every_card_it_claims(platform: str) -> None:
    system = PLATFORMS[platform][0]
    builds = {(row["torch"], row["backend"]): row for row in table("builds") if row["platform"] == platform}
    for pair in combinations(capabilities(), 2):
        for driver in DRIVERS:
            selection = both(platform, *pair, driver)
            if selection.family != "cuda":
                assert selection.accelerators == ()
                continue
            build = builds[selection.torch or "", selection.backend.tag]
            assert selection.accelerators
            for accelerator in selection.accelerators:
                capability = accelerator.compute_capability or ""
                assert runs(build, capability, driver, system, "minor"), (pair, driver)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_card_is_served_where_any_build_serves_all(platform: str) -> None:
    system = PLATFORMS[platform][0]
    builds = [row for row in table("builds") if row["platform"] == platform and row["backend"][:2] == "cu"]
    for driver in DRIVERS:
        able = {
            capability: {
                (row["torch"], row["backend"])
                for row in builds
                if runs(row, capability, driver, system, "minor")
            }
            for capability in capabilities()
        }
        for pair in combinations(capabilities(), 2):
            together = able[pair[0]] & able[pair[1]]
            selection = both(platform, *pair, driver)
            assert (len(selection.accelerators) == 2) == bool(together), (pair, driver)
            one_only = not together and (able[pair[0]] or able[pair[1]])
            assert bool(one_only) == any("no build serves every GPU" in text for text in selection.warnings)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_adding_a_card_never_removes_a_reason(platform: str) -> None:
    for one, other in permutations(capabilities(), 2):
        for driver in DRIVERS:
            alone = chosen(platform, (card(one),), driver)
            pair = both(platform, one, other, driver)
            reasons = {(item.torch, item.backend): item.reason for item in pair.candidates}
            for item in alone.candidates:
                reason = reasons.get((item.torch, item.backend))
                if reason is not None and not item.accepted and item.backend != "cpu":
                    assert set(item.reason.split("; ")) <= set(reason.split("; ")), (one, other, driver)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_listed_nvidia_gpu_by_its_pci_id_alone(platform: str) -> None:
    for row in table("gpus"):
        if row["vendor"] == "nvidia" and row["pci_id"]:
            known = Accelerator(vendor="nvidia", pci_id=row["pci_id"])
            selection = chosen(platform, (known,), "580.65.06")
            found = (selection.torch, selection.backend.tag) if selection.family == "cuda" else None
            assert found == best(platform, row["target"], "580.65.06", "minor"), row


def works(build: Row, target: str, verdicts: set[str]) -> bool:
    """Whether a ROCm build lists a target without one of the verdicts against it."""
    release = numbers(build["backend"].removeprefix("rocm"))
    against = any(
        row["gfx"] == target
        and row["verdict"] in verdicts
        and numbers(row["rocm_from"]) <= release < numbers(row["rocm_until"] or "99")
        for row in table("broken")
    )
    return target in build["kernels"].split() and not against


def held_back(build: Row) -> bool:
    """Whether a build is only for where nothing else runs."""
    return any(
        build["backend"] == row["backends"]
        and numbers(row["torch_from"]) <= numbers(build["torch"]) < numbers(row["torch_until"] or "99")
        for row in table("held")
    )


def test_every_amd_target_gets_the_best_build_there_is() -> None:
    listed = {row["target"] for row in table("gpus") if row["vendor"] == "amd"}
    compiled = {item for row in table("builds") for item in row["kernels"].split() if item.startswith("gfx")}
    builds = [row for row in table("builds") if row["backend"].startswith("rocm")]
    for target in sorted(listed | compiled):
        able = [row for row in builds if works(row, target, {"broken"})]
        order = {
            (row["torch"], row["backend"]): (
                not held_back(row),
                works(row, target, {"broken", "disputed"}),
                numbers(row["torch"]),
                numbers(row["backend"].removeprefix("rocm")),
            )
            for row in able
        }
        wanted = max(order, key=lambda key: order[key], default=None)
        selection = chosen("linux_x86_64", (Accelerator(vendor="amd", gfx_target=target),), None)
        found = (selection.torch, selection.backend.tag) if selection.family == "rocm" else None
        assert found == wanted, target
        assert target in " ".join((*selection.reasons, *selection.warnings)), target
        disputed = wanted is not None and not order[wanted][1]
        assert any("disputed" in text for text in selection.warnings) == disputed


@pytest.mark.parametrize("platform", ["linux_x86_64", "win_amd64"])
def test_every_intel_gpu_is_xpu_exactly_where_it_is_supported(platform: str) -> None:
    for row in table("gpus"):
        if row["vendor"] == "intel":
            selection = chosen(platform, (Accelerator(vendor="intel", pci_id=row["pci_id"]),), None)
            assert (selection.family == "xpu") == (row["target"] == "yes"), row
            assert row["name"] in " ".join((*selection.reasons, *selection.warnings))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_same_input_gives_the_same_output_in_any_order_of_cards(platform: str) -> None:
    system, machine = PLATFORMS[platform]
    for pair in combinations(capabilities(), 2):
        cards = tuple(map(card, pair))
        there, back = chosen(platform, cards, "580.65.06"), chosen(platform, cards[::-1], "580.65.06")
        assert (there.backend, there.torch) == (back.backend, back.torch)
        host = Host(system=system, machine=machine, nvidia_driver="580.65.06", accelerators=cards)
        again = select(host=host, requested="auto", demand=Demand(), config=Config(), catalog=CATALOG)
        assert again == there


def test_every_request_of_every_known_backend_is_obeyed_everywhere() -> None:
    tags = sorted({row["backend"] for row in table("builds")})
    for system, machine in PLATFORMS.values():
        host = Host(system=system, machine=machine)
        for tag in tags:
            selection = select(host=host, requested=tag, demand=Demand(), config=Config(), catalog=CATALOG)
            assert selection.backend.tag == tag
            assert selection.torch is not None
            assert selection.usable == (tag == "cpu")
            assert bool(selection.warnings) == (tag != "cpu")


def test_every_release_can_be_kept() -> None:
    accelerator = card("8.0")
    host = Host(system="linux", machine="x86_64", nvidia_driver="999.0", accelerators=(accelerator,))
    for release in CATALOG.releases:
        demand = Demand(locked=(release,))
        selection = select(host=host, requested="auto", demand=demand, config=Config(), catalog=CATALOG)
        assert (selection.torch, selection.family, selection.moved_from) == (release, "cuda", None)
        assert {item.torch for item in selection.candidates} == {release}
