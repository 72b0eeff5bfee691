"""What torchsel costs: beside plain uv, a bare interpreter and other tools, on this machine.

    python3 scripts/bench/run.py                 every figure; takes about ten minutes
    python3 scripts/bench/run.py --quick         fewer rounds, a minute or two
    python3 scripts/bench/run.py --only no-op    one part: no-op, shell, change, lock, others
    python3 scripts/bench/run.py --write         put the table beside this, and the picture with the others

Commands run in turn, one of each a round, so that whatever else the machine does befalls them alike; a time
is the median of the rounds, a ratio the median of the ratios within a round. Projects are synced from a
PyTorch-like index on loopback, so no download is measured. Linux only.
Needs only Python 3.11 or newer and a package index; all else goes into ``.work`` in the project's folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from collections.abc import Callable, Iterator

from scripts.bench.projects import Stage
from scripts.bench.timing import Row
from scripts.bootstrap import ROOT, enter_environment

PICTURE = ROOT / "scripts" / "pictures" / "bench.svg"
README = ROOT / "scripts" / "bench" / "README.md"
START, END = "<!-- bench: start -->", "<!-- bench: end -->"
PARTS = ("no-op", "shell", "change", "lock", "others")


def main(argv: list[str]) -> int:
    """Make the environment, then measure in it."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    return _measure(arguments)


def _measure(arguments: argparse.Namespace) -> int:
    from scripts.bench.picture import markdown, picture, text  # noqa: PLC0415 - needs the environment
    from scripts.bench.projects import stage  # noqa: PLC0415 - needs the environment

    rows: list[Row] = []
    with stage(rounds=7 if arguments.quick else 41) as here:
        print(f"{here.machine}\n", flush=True)
        for name, part in _parts().items():
            if name in (arguments.only or PARTS):
                found = list(part(here))
                print(text(found), flush=True)
                rows += found
        if arguments.write:
            PICTURE.write_text(picture(rows, here.machine), encoding="utf-8")
            _write_readme(markdown(rows, here.machine))
    missed = [row for row in rows if row.is_met is False]
    print(f"{len(missed)} of {sum(row.is_met is not None for row in rows)} goals missed")
    for row in missed:
        print(f"missed: {row.part}: {row.name}: {row.goal}")
    return int(bool(missed))


def _parts() -> dict[str, Callable[[Stage], Iterator[Row]]]:
    from scripts.bench import change, lock, noop, others  # noqa: PLC0415 - needs the environment

    functions = (noop.no_op, noop.shell, change.change, lock.lock, others.others)
    return dict(zip(PARTS, functions, strict=True))


def _write_readme(table: str) -> None:
    before, start, rest = README.read_text(encoding="utf-8").partition(START)
    _, end, after = rest.partition(END)
    if start and end:
        README.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part; may be repeated")
    parser.add_argument("--write", action="store_true", help="renew the table and the picture")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
