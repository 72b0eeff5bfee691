"""Many torchsel processes on one project at once, beside uv in a loop.

    python3 scripts/robustness/crowd.py
    python3 scripts/robustness/crowd.py --processes 20 --rounds 3

One project; a workspace, from its root and its members; two paths to one project; alongside ``uv add`` and
``uv lock``; programs of three machines, in an environment for each build. Prints who was done, who was told
to wait or try again, and what was lost; exits with 1 where something was, or something else went wrong.
Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import enter_environment
from tests.support.crowd import Outcome
from tests.support.toolbox import World


def main(argv: list[str]) -> int:
    """Try every crowd."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    return max(_round(number, arguments.processes) for number in range(1, arguments.rounds + 1))


def _round(number: int, processes: int) -> int:
    from tests.support.crowd import WHEELS  # noqa: PLC0415 - found only in the project's environment
    from tests.support.index import Index  # noqa: PLC0415 - as above
    from tests.support.toolbox import World  # noqa: PLC0415 - as above

    odd = 0
    with Index(extra=WHEELS) as index, tempfile.TemporaryDirectory() as folder:
        world = World(index=index, folder=Path(folder))
        for name, outcome in _crowds(world, processes):
            odd += len(outcome.odd)
            added = f", uv added {len(outcome.added)} (failed {outcome.uv_failed})" if outcome.added else ""
            print(
                f"round {number}: {name}: {processes} processes: {outcome.done} done,"
                f" {outcome.refused} told to wait or try again{added}, {len(outcome.odd)} wrong,"
                f" {outcome.seconds:.0f} s",
                flush=True,
            )
            for line in outcome.odd:
                print(f"  WRONG: {line}")
    return int(bool(odd))


def _crowds(world: World, processes: int) -> list[tuple[str, Outcome]]:
    from tests.support import crowd  # noqa: PLC0415 - found only in the project's environment

    one = world.project(world.folder / "one", crowd.TEXT)
    one.uv("lock")
    several = world.project(world.folder / "several", crowd.WORKSPACE)
    members = crowd.workspace(several)
    several.uv("lock")
    two = world.project(world.folder / "two", crowd.TEXT)
    two.uv("lock")
    other = world.folder / "other"
    other.symlink_to(two.root)
    beside = world.project(world.folder / "beside", crowd.TEXT)
    beside.uv("lock")
    builds = world.project(world.folder / "builds", crowd.SEVERAL_BUILDS)
    builds.torchsel("--host", "cpu")
    builds.uv("lock")
    return [
        ("one project", crowd.rush(one, [one.root], processes)),
        ("a workspace", crowd.rush(several, [several.root, *members], processes)),
        ("two paths", crowd.rush(two, [two.root, other], processes)),
        ("beside uv add and uv lock", crowd.rush(beside, [beside.root], processes, adding=20)),
        ("an environment for each build", crowd.race(builds, processes)),
    ]


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--processes", type=int, default=50, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
