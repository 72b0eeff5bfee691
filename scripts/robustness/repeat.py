"""Run tests many times in a row, on a machine that has other work as well if that is asked for.

    python3 scripts/robustness/repeat.py                                          signals, 200 times
    python3 scripts/robustness/repeat.py --times 3 --together 1 --load 2 tests    all, beside busy processes

What follows the options is pytest's. Prints how many runs passed, and what the first that did not said. Exits
with 1 where one did not. Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in
the project's folder.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from collections.abc import Iterator

from scripts.bootstrap import ROOT, enter_environment

SIGNALS = ("tests/uv/test_signals.py", "tests/uv/test_program.py", "-k", "signal or interrupt")


def main(argv: list[str]) -> int:
    """Run them until one fails."""
    arguments, chosen = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    start, pytest = time.monotonic(), (sys.executable, "-m", "pytest", "-q", "-x", "--keep-duplicates")
    with _busy(arguments.load):
        for before in range(0, arguments.times, arguments.together):
            count = min(arguments.together, arguments.times - before)
            command = [*pytest, *(chosen or SIGNALS) * count]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{done.stdout}{done.stderr}exit code {done.returncode} after {before} that passed")
                return 1
            seconds, last = time.monotonic() - start, done.stdout.strip().splitlines()[-1]
            print(f"{before + count} runs passed, {seconds:.0f} s; the last {count}: {last}", flush=True)
    return 0


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but take time."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=200, metavar="N")
    parser.add_argument("--together", type=int, default=20, metavar="N", help="runs in one pytest")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="busy processes beside")
    return parser.parse_known_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
