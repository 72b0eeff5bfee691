"""What holds for every legal file, whatever its style: see `support.toml_writer` for the files tried."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import toml_writer
from tests.support.exploring import explored
from tests.support.toml_writer import MARK, PACKAGES, is_owned
from torchsel.toml.document import Document
from torchsel.toml.edit import edit_text
from torchsel.toml.edits import Append, Delete, Edit, SetValue, apply_to_data, same
from torchsel.toml.scan import scan

MARKER = "sys_platform == 'linux'"


@dataclass(frozen=True)
class Wanted:
    """A routing to aim for, None where there is to be none."""

    backend: str | None
    marker: bool = True
    packages: tuple[str, ...] = PACKAGES
    group: tuple[str, ...] | None = None
    conflicts: tuple[str, ...] | None = None


A = Wanted(
    backend="cu130",
    group=("torch; sys_platform == 'linux'", "triton"),
    conflicts=("torch-cpu", "torch-cu130"),
)
B = Wanted(
    backend="cu126", marker=False, group=("torch",), conflicts=("torch-cpu", "torch-cu126", "torch-xpu")
)
BARE = Wanted(backend="cpu", marker=False, packages=("torch",))
NOTHING = Wanted(backend=None, packages=())
ROUTINGS = (A, B, BARE, NOTHING)

documents = st.builds(toml_writer.document, st.randoms(use_true_random=False), owned=st.booleans())
fresh_documents = st.builds(toml_writer.document, st.randoms(use_true_random=False), owned=st.just(False))
many = settings(
    max_examples=explored(100), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text.removeprefix("\ufeff"))


def edits_toward(data: dict[str, Any], wanted: Wanted) -> list[Edit]:
    uv = data.get("tool", {}).get("uv", {})
    return [
        *source_edits(uv.get("sources", {}), wanted),
        *index_edits(uv.get("index", []), wanted),
        *group_edits(data.get("dependency-groups", {}), wanted),
        *conflict_edits(uv.get("conflicts", []), wanted),
    ]


def source_edits(sources: dict[str, Any], wanted: Wanted) -> Iterator[Edit]:
    source = {"index": f"pytorch-{wanted.backend}", **({"marker": MARKER} if wanted.marker else {})}
    for package in PACKAGES:
        path = ("tool", "uv", "sources", package)
        old = sources.get(package)
        if package in wanted.packages:
            yield SetValue(path=path, value=source if isinstance(old, dict) else [source])
        elif old is not None:
            yield Delete(path=path)


def index_edits(indexes: list[dict[str, Any]], wanted: Wanted) -> Iterator[Edit]:
    path = ("tool", "uv", "index")
    owned = [i for i, index in enumerate(indexes) if is_owned(index.get("name"))]
    if wanted.backend is None:
        if owned and len(owned) == len(indexes):
            yield Delete(path=path)
        else:
            yield from (Delete(path=(*path, i)) for i in reversed(owned))
    elif owned:
        yield SetValue(path=(*path, owned[0]), value=toml_writer.index(wanted.backend))
    else:
        yield Append(path=path, value=toml_writer.index(wanted.backend))


def group_edits(groups: dict[str, Any], wanted: Wanted) -> Iterator[Edit]:
    path = ("dependency-groups", "torchsel")
    if wanted.group is not None:
        yield SetValue(path=path, value=list(wanted.group))
    elif "torchsel" in groups:
        yield Delete(path=path)


def conflict_edits(conflicts: list[Any], wanted: Wanted) -> Iterator[Edit]:
    path = ("tool", "uv", "conflicts")
    owned = [i for i, items in enumerate(conflicts) if any("group" in item for item in items)]
    value = [{"group": name} for name in wanted.conflicts or ()]
    if not value and owned:
        yield Delete(path=(*path, owned[0]) if len(conflicts) > 1 else path)
    elif owned:
        yield SetValue(path=(*path, owned[0]), value=value)
    elif value:
        yield Append(path=path, value=value)


def routed(text: str, wanted: Wanted) -> str:
    return edit_text(text, edits_toward(parse(text), wanted))


def kept_lines(text: str) -> list[str]:
    """The lines that no edit may lose, without the byte order mark before and the line end behind them."""
    return [line.strip("\ufeff\r") for line in text.split("\n") if MARK in line]


def same_quotes(text: str) -> str:
    return text.replace("'''", '"').replace('"""', '"').replace("'", '"')


@many
@given(text=documents)
def test_the_scanner_loses_nothing(text: str) -> None:
    body = text.removeprefix("\ufeff")
    assert "".join(segment.text for segment in scan(body)) == body


@many
@given(text=documents)
def test_the_scanner_finds_what_tomllib_finds(text: str) -> None:
    document = Document(text.removeprefix("\ufeff"))
    data = parse(text)
    for path, segment in zip(document.paths, document.segments, strict=True):
        if path is None:
            continue
        found: Any = data
        for key in path:
            found = found[key]
        if segment.kind == "pair":
            start, end = segment.value
            assert same(tomllib.loads(f"value = {segment.text[start:end]}")["value"], found)
        else:
            assert isinstance(found, dict)


@many
@given(text=documents, wanted=st.sampled_from(ROUTINGS))
def test_the_result_means_what_the_edits_say_and_keeps_every_line(text: str, wanted: Wanted) -> None:
    edits = edits_toward(parse(text), wanted)
    result = edit_text(text, edits)
    assert same(parse(result), apply_to_data(parse(text), edits))
    assert kept_lines(result) == kept_lines(text)
    assert result.startswith("\ufeff") == text.startswith("\ufeff")


@many
@given(text=documents, wanted=st.sampled_from(ROUTINGS))
def test_twice_is_once(text: str, wanted: Wanted) -> None:
    once = routed(text, wanted)
    assert routed(once, wanted) == once


@many
@given(text=fresh_documents, there=st.sampled_from([(A, B), (B, A)]))
def test_there_and_back_gives_the_first_text(text: str, there: tuple[Wanted, Wanted]) -> None:
    first = routed(text, there[0])
    assert routed(routed(first, there[1]), there[0]) == first


@many
@given(text=documents, there=st.sampled_from([(A, B), (B, A)]))
def test_there_and_back_over_old_entries_changes_quotes_at_most(
    text: str, there: tuple[Wanted, Wanted]
) -> None:
    """A literal string can't hold a marker's quotes, and what it was before is not known on the way back."""
    first = routed(text, there[0])
    third = routed(routed(first, there[1]), there[0])
    assert same_quotes(third) == same_quotes(first)


@many
@given(text=documents, edits=st.lists(st.sampled_from(ROUTINGS), min_size=2, max_size=5))
def test_any_row_of_changes_keeps_every_line(text: str, edits: list[Wanted]) -> None:
    result = text
    for wanted in edits:
        result = routed(result, wanted)
    assert kept_lines(result) == kept_lines(text)


@many
@given(text=documents.filter(lambda text: "\r" not in text), wanted=st.sampled_from(ROUTINGS))
def test_line_ends_make_no_other_difference(text: str, wanted: Wanted) -> None:
    assert routed(text.replace("\n", "\r\n"), wanted) == routed(text, wanted).replace("\n", "\r\n")


def test_the_writer_marks_lines_and_uses_every_shape() -> None:
    texts = [toml_writer.document(Random(seed), owned=True) for seed in range(300)]  # noqa: S311
    assert sum(MARK in text for text in texts) > 250
    bare = "".join(texts).translate(str.maketrans("", "", " \t\"'"))
    shapes = (
        "[[tool.uv.index]]",
        "[tool.uv.sources.torch]",
        "\ntool={",
        "\r\n",
        "\ufeff",
        "\nsources.torch={",
    )
    assert [shape for shape in shapes if shape not in bare] == []
