"""Where uv's ``--torch-backend=auto`` and torchsel choose differently, and why, over the whole catalog.

    python3 scripts/catalog/compare_uv.py                  counts, and the table of scripts/catalog/README.md
    python3 scripts/catalog/compare_uv.py --all            every machine with a difference, one line each
    python3 scripts/catalog/compare_uv.py --write          put the table into scripts/catalog/README.md
    python3 scripts/catalog/compare_uv.py --check          exit 1 where it has another table

A machine is a compute capability, an NVIDIA driver that supports it and a platform, or a gfx target. uv is
asked for real, offline: the indexes it would try, in its order, are in its log. Intel GPUs are left out: uv
takes them from the machine only. Needs Python 3.11 or newer and a package index.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import ROOT, enter_environment

README = ROOT / "scripts" / "catalog" / "README.md"
START, END = "<!-- compare_uv: start -->", "<!-- compare_uv: end -->"


def main(argv: list[str]) -> int:
    """Make the environment, then compare in it."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    return _compare(arguments)


def _compare(arguments: argparse.Namespace) -> int:
    from scripts.catalog.comparison import compare_all, markdown  # noqa: PLC0415 - needs the environment

    found = compare_all()
    counts = Counter(item.verdict for item in found)
    listed = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    print(f"{len(found)} machines: {listed}", file=sys.stderr)
    if arguments.all:
        for item in found:
            if item.verdict != "same":
                print(f"{item.machine.name}: {item.uv}, not {item.ours}: {item.verdict}: {item.why}")
    elif arguments.write or arguments.check:
        return _readme(markdown(found), write=arguments.write)
    else:
        print(markdown(found))
    return int("unexplained" in counts)


def _readme(table: str, *, write: bool) -> int:
    text = README.read_text(encoding="utf-8")
    wanted = spliced(text, table)
    if write:
        README.write_text(wanted, encoding="utf-8")
    elif text != wanted:
        print(
            "scripts/catalog/README.md has another table; run scripts/catalog/compare_uv.py --write",
            file=sys.stderr,
        )
        return 1
    return 0


def spliced(text: str, table: str) -> str:
    """``text`` with ``table`` between the two markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        msg = f"scripts/catalog/README.md needs the lines {START} and {END}"
        raise ValueError(msg)
    return f"{before}{START}\n\n{table}\n\n{END}{after}"


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="every machine with a difference")
    what.add_argument("--write", action="store_true", help="put the table into scripts/catalog/README.md")
    what.add_argument("--check", action="store_true", help="is the table there current?")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
