"""Every check of this project: ruff, mypy, and pytest last. Arguments go to pytest.

    python3 scripts/test.py
    python3 scripts/test.py -k index
    python3 scripts/test.py -n 0 -x tests/toml      without processes beside

Tests run in one process more than there are processors, four at most. What was skipped is said at the end.
Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.bootstrap import BootstrapError, ensure_environment, run

MOST_PROCESSES = 4
"""Each has an index and a cache of its own, which costs more than further processes gain."""
CHECKS = ("ruff check .", "ruff format --check .", "mypy")


def main(argv: list[str]) -> int:
    """Run all checks, whatever the earlier ones say; 0 only if every one passed."""
    try:
        python = ensure_environment()
    except BootstrapError as error:
        print(f"scripts/test.py: {error}", file=sys.stderr)
        return 3
    failed = [check for check in CHECKS if run(python, "-m", *check.split(), check=False)]
    code = run(python, "-m", "pytest", *_processes(argv), *argv, check=False)
    if failed:
        print(f"scripts/test.py: failed before pytest: {', '.join(failed)}", flush=True)
    return code or int(bool(failed))


def _processes(argv: list[str]) -> tuple[str, ...]:
    """Options for pytest-xdist, where the tests may run beside each other."""
    count = min((os.cpu_count() or 1) + 1, MOST_PROCESSES)  # each waits for programs now and then
    return () if "--pdb" in argv else ("-n", str(count), "--dist", "worksteal")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
