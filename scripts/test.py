"""Every check of this project: ruff, mypy, and pytest last. Arguments go to pytest.

    python3 scripts/test.py
    python3 scripts/test.py -k index

Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.bootstrap import BootstrapError, ensure_environment, run

CHECKS = ("ruff check .", "ruff format --check .", "mypy")


def main(argv: list[str]) -> int:
    """Run all checks, whatever the earlier ones say; 0 only if every one passed."""
    try:
        python = ensure_environment()
    except BootstrapError as error:
        print(f"scripts/test.py: {error}", file=sys.stderr)
        return 3
    failed = [check for check in CHECKS if run(python, "-m", *check.split(), check=False)]
    if failed:
        print(f"scripts/test.py: failed before pytest: {', '.join(failed)}", flush=True)
    code = run(python, "-m", "pytest", *argv, check=False)
    return code or int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
