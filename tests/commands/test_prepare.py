"""``--for`` in a command line of uv's: what are hosts, and what is left for uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.commands.uv.prepare import split_call
from torchsel.uv.call import read_uv_call


@pytest.mark.parametrize(
    ("words", "hosts", "rest"),
    [
        ("sync --for a.json", "a.json", "sync --locked"),
        (
            "sync --for a.json gpu=V100*4,driver=570 --no-dev",
            "a.json gpu=V100*4,driver=570",
            "sync --locked --no-dev",
        ),
        ("sync --no-dev --for a b", "a b", "sync --locked --no-dev"),
        ("sync --for=a --for b --frozen", "a b", "sync --frozen"),
        ("--project x sync --for a --locked", "a", "--project x sync --locked"),
        ("sync --for --no-dev", "", "sync --locked --no-dev"),
        ("sync --for a -p 3.12", "a", "sync --locked -p 3.12"),
    ],
)
def test_hosts_are_told_from_uvs_words(words: str, hosts: str, rest: str) -> None:
    named, call = split_call(read_uv_call(words.split(), Path()))
    assert (" ".join(named), " ".join(call.arguments)) == (hosts, rest)
    assert "--for" not in call.options
