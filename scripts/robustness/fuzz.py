"""Route random legal projects for one machine, another and back, and look for anything lost.

    python3 scripts/robustness/fuzz.py                          20,000 examples
    python3 scripts/robustness/fuzz.py --examples 500 --seed 7

Prints the seed, what was tried, how many legal projects torchsel refuses (exit code 2), and the first failing
example as small as it could be made. Exits with 1 when something was lost or more than 1 % are refused. Needs
only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import enter_environment

REFUSED_AT_MOST = 0.01


def main(argv: list[str]) -> int:
    """Try the examples in as many processes as there are processors."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    return _report(_all(arguments.seed, arguments.examples), arguments.seed)


@dataclass(slots=True)
class Count:
    """What became of some examples; ``failed`` are their numbers."""

    tried: int = 0
    fresh: int = 0
    changed_lines: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    seconds: float = 0.0


def _all(seed: int, examples: int) -> Count:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - only in the project's environment

    start, total, step = time.monotonic(), Count(), 250
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        ranges = [range(at, min(at + step, examples)) for at in range(0, examples, step)]
        for part in pool.map(_some, [seed] * len(ranges), ranges):
            total.tried += part.tried
            total.fresh += part.fresh
            total.refused += part.refused
            total.failed += part.failed
    total.seconds = time.monotonic() - start
    return total


def _some(seed: int, numbers: range) -> Count:
    from tests.support import fidelity  # noqa: PLC0415 - found only in the project's environment
    from torchsel.errors import ConfigError  # noqa: PLC0415 - as above

    count = Count()
    for number in numbers:
        given = fidelity.example(_random(seed, number))
        found = fidelity.failure(given)
        count.tried += 1
        count.fresh += given.is_fresh
        if isinstance(found, ConfigError):
            count.refused[str(found)] += 1
        elif found is not None:
            count.failed.append(number)
    return count


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}-{number}")  # noqa: S311 - to be repeatable


def _report(count: Count, seed: int) -> int:
    refused = sum(count.refused.values())
    print(f"seed {seed}: {count.tried} projects ({count.fresh} never routed before), {count.seconds:.0f} s")
    print(f"lost or not repeatable: {len(count.failed)}")
    print(f"refused with exit code 2: {refused} ({refused / count.tried:.2%})")
    for reason, times in count.refused.most_common(5):
        print(f"  {times} x {reason}")
    if count.failed:
        _show(seed, count.failed[0])
    return int(bool(count.failed) or refused > REFUSED_AT_MOST * count.tried)


def _show(seed: int, number: int) -> None:
    """The example and the steps, as small as they can be made."""
    from difflib import unified_diff  # noqa: PLC0415 - only for a failure
    from itertools import pairwise  # noqa: PLC0415 - as above

    from tests.support import fidelity  # noqa: PLC0415 - found only in the project's environment

    small = fidelity.shrunk(fidelity.example(_random(seed, number)))
    found = fidelity.failure(small)
    print(f"\nexample {number}, machines {small.machines}, locked {small.locked}")
    print(f"{type(found).__name__}: {found}")
    texts: tuple[str, ...] = found.texts if isinstance(found, fidelity.LossError) else (small.text,)
    print(texts[0])
    for before, after in pairwise(texts):
        print("".join(unified_diff(before.splitlines(True), after.splitlines(True), "before", "after")))
    if len(texts) > 2:
        print("from first to last:")
        print("".join(unified_diff(texts[1].splitlines(True), texts[-1].splitlines(True), "first", "last")))


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=20_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
