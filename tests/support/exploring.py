"""How Hypothesis looks for examples: the same ones in every run of the tests, new ones where it explores."""

from __future__ import annotations

import os

from hypothesis import settings

VARIABLE = "TORCHSEL_TESTS_EXPLORE"
"""How many times as many examples as the tests have, all new; set by ``scripts/robustness/explore.py``."""

_TIMES = int(os.environ.get(VARIABLE, "0"))


def load_profile() -> None:
    """Choose for this session; a test that finds something in one run of the tests finds it in every run."""
    settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
    settings.register_profile(
        "exploring", max_examples=explored(100), database=None, deadline=None, print_blob=True
    )
    settings.load_profile("exploring" if _TIMES else "fixed")


def explored(count: int) -> int:
    """How many examples a test takes that takes ``count`` among the others."""
    return count * max(_TIMES, 1)
