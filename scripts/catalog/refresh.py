"""Compare the catalog's builds with an index, and take over what the index has.

    python3 scripts/catalog/refresh.py                     what differs; exit 1 where something does
    python3 scripts/catalog/refresh.py --write             rewrite hook/torchsel/data/builds.csv
    python3 scripts/catalog/refresh.py --archs --write     read arch lists out of new and uncertain wheels too
    python3 scripts/catalog/refresh.py --backend cu132     one backend; --since 2.14.0: newer releases only
    python3 scripts/catalog/refresh.py --companions        companion_indexes.csv and its index; writes nothing

Exit 0: as on the index (or rewritten); 1: something differs; 2: wrong options; 3: not all could be read.
Needs Python 3.11 or newer and a package index.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from collections.abc import Iterable, Sequence

from scripts.bootstrap import ROOT, enter_environment
from scripts.catalog.archs import Archs
from scripts.catalog.fetch import Fetcher
from scripts.catalog.pages import Found, Key
from scripts.catalog.rows import Difference
from torchsel.catalog.rows import Build

DATA = ROOT / "hook" / "torchsel" / "data" / "builds.csv"


def main(argv: list[str]) -> int:
    """Make the environment, then compare in it."""
    arguments = _arguments(argv)
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    return refresh(arguments)


def refresh(arguments: argparse.Namespace) -> int:
    """Compare, print, and write where asked; the exit code."""
    from scripts.catalog.fetch import Fetcher  # noqa: PLC0415 - needs the environment
    from scripts.catalog.rows import merged, to_csv  # noqa: PLC0415 - needs the environment
    from torchsel.catalog.rows import Build, read_rows  # noqa: PLC0415 - needs the environment
    from torchsel.config.values import check_index_url  # noqa: PLC0415 - needs the environment

    option = "--companions" if arguments.companions else "--index-url"
    try:
        base = check_index_url(arguments.companions or arguments.index_url)
    except ValueError as error:
        return _say(f"{option}: {error}", 2)
    if arguments.companions:
        return _companions(Fetcher(timeout=arguments.timeout), base, arguments.backend)
    rows = read_rows(arguments.data, Build)
    reader = _Reader(Fetcher(timeout=arguments.timeout), base)
    pages = reader.read_pages(arguments.backend or sorted(reader.named() | {row.backend for row in rows}))
    differences = _compare(reader, rows, pages, arguments)
    for item in differences:
        print(item.line)
    for trouble in reader.troubles:
        _say(trouble, 3)
    _say(
        f"{base}: read the pages of {', '.join(sorted(pages)) or 'nothing'}; differences: {len(differences)}",
        0,
    )
    left = differences
    if arguments.write:
        arguments.data.write_text(to_csv(merged(rows, differences)), encoding="utf-8", newline="\n")
        left = [item for item in differences if not item.is_usable]
    return 3 if reader.troubles else int(bool(left))


def _companions(fetcher: Fetcher, base: str, tags: Sequence[str] | None) -> int:
    """Print what the companions' index and the catalog do not have in common; the exit code."""
    from scripts.catalog.companions import differences, read_roots  # noqa: PLC0415 - needs the environment
    from torchsel.catalog.catalog import load_catalog  # noqa: PLC0415 - needs the environment

    catalog = load_catalog()
    known = {tag for row in catalog.companion_indexes for tag in row.backends}
    found = read_roots(fetcher, base, tags or sorted(catalog.tags | known))
    lines = list(differences(catalog.companion_indexes, found))
    for line in lines:
        print(line)
    for trouble in found.troubles:
        _say(trouble, 3)
    read = ", ".join(sorted(found.packages)) or "nothing"
    _say(f"{base}: read the pages of {read}; differences: {len(lines)}", 0)
    return 3 if found.troubles or not found.packages else int(bool(lines))


def _compare(
    reader: _Reader, rows: Sequence[Build], pages: set[str], arguments: argparse.Namespace
) -> list[Difference]:
    """The differences, with arch lists where those were asked for."""
    from scripts.catalog.rows import compare, doubtful  # noqa: PLC0415 - needs the environment

    since = arguments.since or rows[-1].torch
    differences = compare(rows, reader.found, {}, pages=pages, since=since)
    if not arguments.archs:
        return differences
    keys = doubtful(rows, differences, every=arguments.archs == "all")
    archs = reader.read_archs(key for key in keys if key[1] in pages and key in reader.found)
    return compare(rows, reader.found, archs, pages=pages, since=since)


class _Reader:
    """What was read from an index, and in ``troubles`` what could not be."""

    def __init__(self, fetcher: Fetcher, base: str) -> None:
        self.fetcher = fetcher
        self.base = base
        self.found: dict[Key, Found] = {}
        self.troubles: list[str] = []

    def named(self) -> set[str]:
        """Every backend that torch's page for all of them names; none where the index has no such page."""
        from scripts.catalog.fetch import FetchError  # noqa: PLC0415 - needs the environment
        from scripts.catalog.pages import backends, links  # noqa: PLC0415 - needs the environment

        try:
            return backends(links(self.fetcher.page(f"{self.base}/torch/")))
        except FetchError as error:
            _say(f"new backends can't be looked for: {error}", 0)
            return set()

    def read_pages(self, tags: Iterable[str]) -> set[str]:
        """Read torch's page of each backend and return the backends whose page there was."""
        from scripts.catalog.fetch import FetchError  # noqa: PLC0415 - needs the environment
        from scripts.catalog.pages import builds, links  # noqa: PLC0415 - needs the environment

        read = set()
        for tag in tags:
            try:
                self.found |= builds(links(self.fetcher.page(f"{self.base}/{tag}/torch/")), tag)
            except FetchError as error:
                self.troubles.append(f"{tag}: left as it is: {error}")
            else:
                read.add(tag)
        return read

    def read_archs(self, keys: Iterable[Key]) -> dict[Key, Archs]:
        """The arch lists of builds, one wheel of each."""
        from scripts.catalog.archs import read_archs  # noqa: PLC0415 - needs the environment
        from scripts.catalog.fetch import FetchError  # noqa: PLC0415 - needs the environment

        archs: dict[Key, Archs] = {}
        for key in keys:
            build = self.found[key]
            try:
                archs[key] = read_archs(self.fetcher, build.wheels[build.python[0]])
            except FetchError as error:
                self.troubles.append(f"{' '.join(key)}: {error}")
        return archs


def _say(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--index-url", default="https://download.pytorch.org/whl", metavar="URL")
    parser.add_argument("--backend", action="append", metavar="TAG", help="only this one (may be repeated)")
    parser.add_argument("--since", metavar="RELEASE", help="the oldest torch to look at; all, by default")
    parser.add_argument(
        "--archs",
        nargs="?",
        const="doubtful",
        choices=["doubtful", "all"],
        help="read arch lists out of wheels: of new and inferred builds, or of all",
    )
    parser.add_argument(
        "--companions",
        nargs="?",
        const="https://wheels.astral.sh/simple",
        metavar="URL",
        help="compare packages built elsewhere with the index that has them",
    )
    parser.add_argument("--write", action="store_true", help="rewrite the table")
    parser.add_argument("--data", type=Path, default=DATA, metavar="FILE", help="the table")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
