"""Which options of a uv command go on to what is run beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.uv.call import UvCall, read_uv_call
from torchsel.uv.halves import first_half, for_lock, for_script, second_half


def read(line: str, **environ: str) -> UvCall:
    return read_uv_call(line.split(), Path("/here"), environ=environ)


@pytest.mark.parametrize(
    ("line", "first", "second"),
    [
        ("add x", "add --no-sync x", "--inexact"),
        ("-q add x --reinstall", "-q add --no-sync x --reinstall", "-q --reinstall --inexact"),
        (
            "add x --group g --package p --extra of-x",
            "add --no-sync x --group g --package p --extra of-x",
            "--package p --inexact --group g",
        ),
        ("add --optional e x", "add --no-sync --optional e x", "--inexact --extra e"),
        ("add --dev x", "add --no-sync --dev x", "--inexact --group dev"),
        (
            "add --no-install-project --no-install-package=y x",
            "add --no-sync x",
            "--no-install-project --no-install-package y --inexact",
        ),
        ("add -f dir -U -P y x", "add --no-sync -f dir -U -P y x", "-f dir --inexact"),
        (
            "add --resolution lowest --editable ./x",
            "add --no-sync --resolution lowest --editable ./x",
            "--resolution lowest --inexact",
        ),
        ("remove --group g -qp 3.12 x", "remove --no-sync --group g -qp 3.12 x", "-q -p 3.12"),
        ("version --bump patch --active", "version --no-sync --bump patch --active", "--active --inexact"),
    ],
)
def test_halves(line: str, first: str, second: str) -> None:
    assert first_half(read(line)) == tuple(first.split())
    assert second_half(read(line)) == tuple(second.split())


def test_what_a_variable_says_goes_on_by_itself() -> None:
    call = read("add x", UV_PROJECT="p", UV_WORKING_DIR="w", UV_NO_SOURCES="1")
    assert (second_half(call), for_lock(call)) == (("--inexact",), ())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("sync --group g --frozen --inexact", ""),
        ("sync --project p --offline -U --resolution lowest", "--offline --resolution lowest"),
        ("run --with x -p 3.12 script.py --offline", "-p 3.12"),
        ("add -f dir --no-index --upgrade-package x x --package p", "-f dir --no-index"),
        ("sync --locked --check", ""),
    ],
)
def test_for_lock(line: str, told: str) -> None:
    assert for_lock(read(line)) == tuple(told.split())


def test_for_a_script() -> None:
    call = read("run --package p --isolated --no-dev --extra e -qp 3.12 --offline s.py --active")
    assert for_script(call) == ("-q", "-p", "3.12", "--offline")
