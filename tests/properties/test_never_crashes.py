"""Whatever a project requires, has locked and offers: a selection, or an error that says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from torchsel.catalog.catalog import Catalog, load_catalog
from torchsel.config.config import Config
from torchsel.errors import TorchselError
from torchsel.host import Host, parse_host
from torchsel.selection.releases import best_release
from torchsel.selection.select import select
from torchsel.selection.values import Demand

T = TypeVar("T")

CATALOG = load_catalog()
HOST_FILES = sorted((Path(__file__).parents[1] / "cases" / "hosts").glob("*.json"))
HOSTS = [parse_host(path.read_text(encoding="utf-8"), where=path.name) for path in HOST_FILES]
TAGS = sorted({build.backend for build in CATALOG.all_builds})

releases = st.sampled_from([*CATALOG.releases, "1.13.1", "2.16.0", "2.9.7", "2.16.0.dev20261101"])
specifiers = st.one_of(
    st.builds(str.__add__, st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "~="]), releases),
    st.sampled_from(["", "==2.9.*", "===2.15.0", "===foo", ">=two", "==2.15.0+cu132", "!=2.14.*"]),
)
pythons = st.sampled_from([None, "3.8", "3.9", "3.12", "3.15", "3.16"])
demands = st.builds(
    Demand,
    specifiers=st.lists(specifiers, max_size=3).map(tuple),
    requires_python=st.sampled_from([None, ">=3.9", ">=3.12", ">=3.10,<3.11", "<3.7", "three", ">=3.16"]),
    python=pythons,
    locked=st.lists(st.one_of(releases, st.just("no version")), max_size=3).map(tuple),
    upgrade=st.booleans(),
)
backend_lists = st.one_of(st.none(), st.lists(st.sampled_from(TAGS), min_size=1, max_size=4).map(tuple))
configs = st.builds(
    Config,
    backends=backend_lists,
    channel=st.sampled_from(["stable", "nightly"]),
    cuda_compat=st.sampled_from(["minor", "strict"]),
    gpus=st.sampled_from(["all", "best"]),
    vendors=st.sampled_from([("nvidia", "amd", "intel"), ("amd",), ("intel", "nvidia")]),
    fallback=st.sampled_from(["cpu", "error"]),
    max_cuda=st.sampled_from([None, (12,), (12, 6), (13, 0)]),
)


Rows = dict[str, set[str]]


def offered(rows: Rows, *, alone: bool = False) -> Catalog:
    """The catalog with these releases of some backends, as a project that has locked them offers it.

    ``alone`` leaves out all other backends, so that there may be nothing at all.
    """
    rest = set() if alone else set(CATALOG.releases)
    kept = [build for build in CATALOG.all_builds if build.torch in rows.get(build.backend, rest)]
    return replace(CATALOG, all_builds=tuple(kept), is_narrowed=True)


def result_of(work: Callable[[], T]) -> T | str:
    """What comes out, or what the error says; anything but an error of torchsel's own is raised."""
    try:
        return work()
    except TorchselError as error:
        return str(error)


offers = st.dictionaries(
    st.sampled_from(TAGS), st.sets(st.sampled_from(CATALOG.releases), min_size=1, max_size=2), max_size=6
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    host=st.sampled_from(HOSTS),
    requested=st.sampled_from(["auto", "auto", "auto", *TAGS]),
    demand=demands,
    config=configs,
    rows=offers,
    alone=st.booleans(),
)
def test_a_selection_or_an_error_that_says_what_is_wrong(*, rows: Rows, alone: bool, **made: Any) -> None:
    found = result_of(lambda: select(catalog=offered(rows, alone=alone), **made))
    assert found.strip() if isinstance(found, str) else found.reasons or found.warnings


@settings(max_examples=200, deadline=None, derandomize=True)
@given(demand=demands, config=configs, rows=offers, alone=st.booleans(), tag=st.sampled_from(TAGS))
def test_a_release_for_a_backend_or_an_error_that_says_why_not(
    *, demand: Demand, config: Config, rows: Rows, alone: bool, tag: str
) -> None:
    catalog = offered(rows, alone=alone)
    release = result_of(lambda: best_release(demand, tag, config, catalog))
    assert release is None or release.strip()


def test_a_bound_below_every_locked_release() -> None:
    """The newest release has none after it, so that no bound can keep a project below that."""
    catalog = offered({"cpu": {"2.15.0"}, "cu132": {"2.15.0"}})
    demand, host = Demand(specifiers=("<2.9",)), Host(system="linux", machine="x86_64")
    selection = select(host=host, requested="auto", demand=demand, config=Config(), catalog=catalog)
    assert (selection.backend.tag, selection.torch) == ("cpu", None)
    assert selection.warnings == (
        "the torch that the project allows has no wheel for Linux x86_64; allow torch 2.15.0 (cpu)",
    )
