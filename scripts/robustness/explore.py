"""Look for new examples with the tests' own properties, which have the same ones in every run of the tests.

    python3 scripts/robustness/explore.py                        ten times as many as the tests have
    python3 scripts/robustness/explore.py --times 100 --seed 7
    python3 scripts/robustness/explore.py tests/toml             these tests only; what follows is pytest's

Exits with pytest's code; a failing example is printed as small as it could be made. Needs only Python 3.11 or
newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from random import SystemRandom

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import enter_environment, run


def main(argv: list[str]) -> int:
    """Run the tests that have properties."""
    arguments, others = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    from tests.support.exploring import VARIABLE  # noqa: PLC0415 - found only in the project's environment

    os.environ[VARIABLE] = str(arguments.times)
    seed = arguments.seed if arguments.seed is not None else SystemRandom().randrange(1 << 32)
    pytest = (sys.executable, "-m", "pytest", "-q", "-m", "hypothesis", f"--hypothesis-seed={seed}")
    return run(*pytest, *others, check=False)


def _arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=10, metavar="N", help="N times the tests' examples")
    parser.add_argument("--seed", type=int, metavar="S", help="default: another one each time; it is printed")
    return parser.parse_known_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
