"""What is remembered of an index: for a while, by its address, and only from a file that is ours."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from torchsel.files.missing import LIFETIME, Memory

BUILDS = (("2.15.0", "cu132"), ("2.15.0", "cu130"))


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(
        base="https://x.example/whl stable",
        environ={"TORCHSEL_CACHE_DIR": str(tmp_path / "state")},
        project=tmp_path / "project",
    )


def builds(memory: Memory) -> list[tuple[str, str]]:
    return [item.build for item in memory.read()]


def file_of(memory: Memory, tmp_path: Path) -> Path:
    (found,) = (tmp_path / "state").glob("missing-*.json")
    return found


def test_added_and_forgotten(memory: Memory) -> None:
    assert builds(memory) == []
    memory.add(BUILDS[:1])
    memory.add(BUILDS)
    assert builds(memory) == list(BUILDS)
    memory.forget(BUILDS[:1])
    assert builds(memory) == [BUILDS[1]]
    memory.forget()
    assert builds(memory) == []


def test_another_index_is_another_matter(memory: Memory) -> None:
    memory.add(BUILDS)
    assert builds(replace(memory, base="https://y.example/whl stable")) == []


@pytest.mark.parametrize(("age", "is_kept"), [(LIFETIME - 60, True), (LIFETIME + 60, False), (-3600, False)])
def test_for_a_while(memory: Memory, tmp_path: Path, age: float, is_kept: bool) -> None:
    memory.add(BUILDS[:1])
    file_of(memory, tmp_path).write_text(json.dumps([[*BUILDS[0], time.time() - age]]))
    assert builds(memory) == [BUILDS[0]] * is_kept


@pytest.mark.parametrize("text", ["", "{", "null", "[1]", '[["2.15.0", "cu132"]]', "[[1, 2, 3]]", "\0"])
def test_what_is_not_understood_is_nothing(memory: Memory, tmp_path: Path, text: str) -> None:
    memory.add(BUILDS)
    file_of(memory, tmp_path).write_text(text)
    assert builds(memory) == []


@pytest.mark.skipif(sys.platform == "win32", reason="rights are POSIX's")
def test_where_others_can_write_nothing_is_believed(memory: Memory, tmp_path: Path) -> None:
    memory.add(BUILDS)
    (tmp_path / "state").chmod(0o777)
    assert builds(memory) == []
