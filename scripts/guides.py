"""The parts of README and guides that are made from the code.

    python3 scripts/guides.py            writes them
    python3 scripts/guides.py --check    exit 1 where one is another

They are the table of keys, the links to the guides, and what torchsel answers on a GTX 1080 Ti.
Needs only Python 3.11 or newer and a package index.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from scripts.bootstrap import ROOT, enter_environment

GUIDES = ROOT / "hook" / "torchsel" / "data" / "guide"


def main(argv: list[str]) -> int:
    """Make the environment, then the texts in it."""
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    stale = {path: text for path, text in made().items() if path.read_text(encoding="utf-8") != text}
    for path, text in stale.items():
        print(path)
        if "--check" not in argv:
            path.write_text(text, encoding="utf-8")
    return int("--check" in argv and bool(stale))


def made() -> dict[Path, str]:
    """Each file with such a part, as it should be."""
    readme, configuration = ROOT / "README.md", GUIDES / "configuration.md"
    text = readme.read_text(encoding="utf-8")
    text = spliced(text, "status", f"```text\n{answer()}```")
    return {
        readme: spliced(text, "guides", guides()),
        configuration: spliced(configuration.read_text(encoding="utf-8"), "keys", keys()),
    }


def spliced(text: str, name: str, part: str) -> str:
    """``text`` with ``part`` between the two markers of that name.

    Raises:
        ValueError: the markers are not there.
    """
    start, end = f"<!-- {name}: start -->\n", f"<!-- {name}: end -->"
    before, found, rest = text.partition(start)
    _, ends, after = rest.partition(end)
    if not found or not ends:
        msg = f"the lines {start.strip()} and {end} are needed"
        raise ValueError(msg)
    return f"{before}{start}{part.rstrip()}\n{end}{after}"


def keys() -> str:
    """The table of the keys of ``[tool.torchsel]``."""
    from torchsel.config.keys import KEYS  # noqa: PLC0415 - found only now

    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, key in KEYS.items():
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        shown = "none" if default is None else f"`{json.dumps(default)}`"
        rows.append(f"| `{name}` | {shown} | {key.doc} |")
    return "\n".join(rows)


def guides() -> str:
    """A link to each guide."""
    from torchsel.commands.help import topics  # noqa: PLC0415 - found only now

    folder = GUIDES.relative_to(ROOT).as_posix()
    links = [f"[{name}]({folder}/{name}.md)" for name in topics()]
    return ",\n".join(", ".join(links[at : at + 6]) for at in range(0, len(links), 6))


def answer() -> str:
    """What ``torchsel status`` prints in an empty folder on a GTX 1080 Ti."""
    with tempfile.TemporaryDirectory(prefix="torchsel-guides-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "torchsel", "status"],
            cwd=folder,
            env={
                "HOME": folder,
                "PATH": os.defpath,
                "PYTHONUTF8": "1",
                "TORCHSEL_HOST": str(ROOT / "tests" / "cases" / "hosts" / "gtx1080ti.json"),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
