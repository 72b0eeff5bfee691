"""Take projects through random sequences of strategies and machines and back, and compare the texts.

    python3 scripts/robustness/sequences.py                          5,000 sequences
    python3 scripts/robustness/sequences.py --examples 500 --seed 7

Pin, groups, extras and tables of names, over the tests' real files and projects written at random. Prints how
many came back to the same text, what went wrong with the others, and the first of each kind with as few
steps as it takes. Exits with 1 where one did not come back, but for two kinds: torchsel refuses it (a list
of backends without a build of the torch that the project requires, or without the backend that it asks for),
or entries of an earlier routing came back to the same values in torchsel's own layout. What a strategy takes
out can't be put back in a layout that only the file knew. Needs only Python 3.11 or newer and a package
index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from difflib import unified_diff
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import enter_environment

REFUSED = "refused with exit code 2"
LAID_OUT_ANEW = "came back to the same values, laid out anew where an earlier routing had its own layout"


def main(argv: list[str]) -> int:
    """Try the sequences in as many processes as there are processors."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - only in the project's environment

    start, step, found = time.monotonic(), 100, dict[int, str]()
    ranges = [range(at, min(at + step, arguments.examples)) for at in range(0, arguments.examples, step)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(_tried, [arguments.seed] * len(ranges), ranges):
            found |= part
    seconds = time.monotonic() - start
    print(f"seed {arguments.seed}: {arguments.examples} sequences, {seconds:.0f} s")
    return _report(found, arguments)


def _tried(seed: int, numbers: range) -> dict[int, str]:
    """What is wrong with the sequences that did not come back, by number; a refusal says so."""
    from tests.support.sequences import LayoutError, failure, sequence  # noqa: PLC0415 - as below
    from torchsel.errors import ConfigError  # noqa: PLC0415 - found only in the environment

    wrong = {}
    for number in numbers:
        error = failure(sequence(_random(seed, number)))
        if isinstance(error, ConfigError):
            wrong[number] = REFUSED
        elif isinstance(error, LayoutError):
            wrong[number] = LAID_OUT_ANEW
        elif isinstance(error, AssertionError):
            wrong[number] = str(error).partition(":")[0]
        elif error is not None:
            wrong[number] = f"a bug: {type(error).__name__}"
    return wrong


def _random(seed: int, number: int) -> Random:
    return Random(f"{seed}-{number}")  # noqa: S311 - to be repeatable


def _report(found: dict[int, str], arguments: argparse.Namespace) -> int:
    print(f"{arguments.examples - len(found):6} came back to the same text")
    kinds = Counter(found.values())
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    for kind in kinds:
        _show(arguments.seed, min(number for number in found if found[number] == kind))
    return int(bool(kinds.keys() - {REFUSED, LAID_OUT_ANEW}))


def _show(seed: int, number: int) -> None:
    """A failing sequence and its first and last text."""
    from tests.support.sequences import failure, sequence, shrunk  # noqa: PLC0415 - as above

    small = shrunk(sequence(_random(seed, number)))
    error = failure(small)
    print(f"\nexample {number}, {small.name}: {type(error).__name__}: {error}")
    print("  " + " -> ".join(f"{step.settings} on {step.machine}" for step in small.steps))
    texts: tuple[str, ...] = getattr(error, "texts", ())
    if len(texts) > 2:
        first, last = (text.splitlines(keepends=True) for text in (texts[1], texts[-1]))
        print("".join(unified_diff(first, last, "first", "last")))


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=5_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
