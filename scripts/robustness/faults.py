"""Break a change of machine at every step, and look whether anything is lost.

    python3 scripts/robustness/faults.py
    python3 scripts/robustness/faults.py --every 10 --moments 20 --seed 7

Signals at every line of the transaction, errors from every system call, other people's edits before every
call, uv's ways to fail, users without rights, full disks, and kills at random moments with real uv. After
each both files have to be whole and of one generation, at the latest after the next run, nothing else left.
Prints how many faults of each kind were survived; exits with 1 where one was not. Needs only Python 3.11 or
newer and a package index; all else goes into ``.work`` in the project's folder. Some faults need root.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from collections.abc import Callable, Iterator

from scripts.bootstrap import enter_environment
from tests.support.faults import Bench


def main(argv: list[str]) -> int:
    """Try every fault."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    survived, lost, start = Counter[str](), list[str](), time.monotonic()
    with ExitStack() as stack:
        for name, attempt in _attempts(_bench(stack), arguments):
            trouble = _trouble(attempt)
            survived[name] += not trouble
            if trouble:
                lost.append(f"{name}: {trouble}")
                print(f"LOST {lost[-1]}", flush=True)
    for name, count in survived.items():
        print(f"{count:6} survived: {name}")
    print(f"{sum(survived.values())} faults survived, {len(lost)} not, {time.monotonic() - start:.0f} s")
    return int(bool(lost))


def _bench(stack: ExitStack) -> Bench:
    from tests.support.faults import Bench  # noqa: PLC0415 - found only in the project's environment
    from tests.support.index import Index  # noqa: PLC0415 - as above
    from tests.support.toolbox import World  # noqa: PLC0415 - as above

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    folder.chmod(0o755)
    world = World(index=stack.enter_context(Index()), folder=folder)
    return stack.enter_context(Bench(world, folder / "bench"))


def _attempts(bench: Bench, arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each fault's family and what tries it."""
    from tests.support.fault_scenes import SCENES, families  # noqa: PLC0415 - found only now
    from tests.support.faults import FAMILIES, random_moments  # noqa: PLC0415 - as above

    bench.use_uv()
    for family in FAMILIES:
        for point in list(family(bench))[:: arguments.every]:
            yield point.family, partial(point.run, bench)
    for scenes in SCENES:
        yield from families(scenes, bench, arguments.every)
    moments = random_moments(bench, arguments.moments, arguments.seed)
    for _ in range(arguments.moments):
        yield "a signal at a random moment, real uv", partial(next, moments)


def _trouble(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:  # a fault in the harness counts as well
        return f"{type(error).__name__}: {error}"
    return ""


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="only each N-th step (default: all)"
    )
    parser.add_argument("--moments", type=int, default=300, metavar="N", help="random moments to kill at")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
