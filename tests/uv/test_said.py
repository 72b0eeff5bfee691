"""What is repeated of uv's words when it fails."""

from __future__ import annotations

import pytest

from torchsel.uv.program import cause

CROSS = "\u00d7"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("error: No solution", "No solution"),
        (
            "Using CPython 3.11.7 interpreter at: /usr/bin/python3\nwarning: `x` is deprecated\n"
            "Resolved 7 packages in 1ms\nerror: No solution\n  cause: Because a\n         And b\n\n"
            "hint: `a` was found\nwarning: another\n",
            "No solution\n  cause: Because a\n         And b\n\nhint: `a` was found",
        ),
        (
            f"Using CPython 3.11.7\n  {CROSS} No solution found\n  ╰─▶ Because a",
            f"  {CROSS} No solution found\n  ╰─▶ Because a".strip(),
        ),
        ("warning: only this\n", "warning: only this"),
        ("something else\n", "something else"),
        ("", ""),
    ],
)
def test_cause(said: str, kept: str) -> None:
    assert cause(said) == kept
