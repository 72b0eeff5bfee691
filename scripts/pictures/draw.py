"""The README's pictures: real uv and torchsel on a sample project and a recorded machine, drawn as SVG.

    python3 scripts/pictures/draw.py              writes scripts/pictures/*.svg

The sample project is locked and synced against a PyTorch-like index on loopback; times and the folder's
name, which differ from run to run, are left out.
Needs only Python 3.11 or newer and a package index.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from scripts.bootstrap import ROOT, enter_environment

FOLDER = ROOT / "scripts" / "pictures"
PYPROJECT = """\
[project]
name = "sample"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [
    "torch",
    "torchvision",
]

[tool.torchsel]
"""
SHOW = "uv run python -c 'import torch; print(torch.__version__)'"
SESSIONS = {
    "before": ("The build that uv takes by itself has no code for this GPU",
               ["uv sync", SHOW, "torchsel status"]),
    "after": ("The build that torchsel has uv take", ["torchsel", "uv sync", SHOW, "torchsel check -v"]),
    "status": ("One machine, in sync", ["torchsel status"]),
}  # fmt: skip
"""Title and commands of each picture, one after the other on the same project."""

COLORS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#76e3ea", "2": "#8b949e"}
COLUMNS = 96
SIZE = (14, 8.43, 19)
"""Font size, width of a character and height of a line, in pixels."""


def main(argv: list[str]) -> int:
    """Make the environment, then the pictures in it."""
    if (code := enter_environment(__file__, argv)) is not None:
        return code
    FOLDER.mkdir(exist_ok=True)
    for name, lines in record().items():
        (FOLDER / f"{name}.svg").write_text(draw(SESSIONS[name][0], lines), encoding="utf-8")
        print(FOLDER / f"{name}.svg")
    return 0


def record() -> dict[str, list[str]]:
    """What each session prints, with its ANSI colours."""
    from tests.support.index import Index  # noqa: PLC0415 - found only now
    from tests.support.toolbox import HOSTS, World, uv_binary  # noqa: PLC0415 - found only now

    folder = Path(tempfile.mkdtemp(prefix="torchsel-pictures-"))
    try:
        with Index() as index:
            world = World(index=index, folder=folder)
            environ = world.environment(uv_binary()) | {
                "TORCHSEL_HOST": str(HOSTS / "gtx1080ti.json"),
                "FORCE_COLOR": "1",
                "CLICOLOR_FORCE": "1",
            }
            sample = folder / "sample"
            sample.mkdir()
            (sample / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
            return {name: _session(steps, sample, environ) for name, (_, steps) in SESSIONS.items()}
    finally:
        shutil.rmtree(folder)


def _session(steps: list[str], folder: Path, environ: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for step in steps:
        done = subprocess.run(
            ["/bin/sh", "-c", step],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        lines += ["", f"\x1b[36m$\x1b[0m {step}", *_settled(done.stdout, folder)]
    return lines[1:]


def _settled(output: str, folder: Path) -> list[str]:
    """The lines of an output without what differs from run to run."""
    text = output.replace(str(folder), "~/sample").replace(os.path.realpath(sys.executable), "python3")
    text = re.sub(r" ?((?:\x1b\[[0-9;]*m)*) ?in [0-9.]+m?s", r"\1", text)
    lines = [
        line for line in text.splitlines() if not re.search("Using CPython|Creating virtual|Prepared", line)
    ]
    return [part for line in lines for part in _folded(line)]


def _folded(line: str) -> list[str]:
    """A line as a terminal of `COLUMNS` columns shows it."""
    parts, seen = [""], 0
    for piece in re.findall(r"\x1b\[[0-9;]*m|.", line):
        seen += len(plain(piece))
        if seen > COLUMNS:
            parts.append("")
            seen = 1
        parts[-1] += piece
    return parts


def draw(title: str, lines: list[str]) -> str:
    """A terminal window as SVG."""
    size, advance, height = SIZE
    wide, high = round((COLUMNS + 4) * advance), (len(lines) + 4) * height
    font = f'{size}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace'
    rows = "\n".join(
        f'<text y="{(at + 3) * height}">{_spans(line)}</text>' for at, line in enumerate(lines) if line
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" role="img">
<title>{html.escape(title)}</title>
<style>text {{ font: {font}; fill: #e6edf3 }}</style>
<rect width="{wide}" height="{high}" rx="8" fill="#0d1117"/>
<text x="{wide // 2}" y="{height + 4}" text-anchor="middle" style="fill: #8b949e">{html.escape(title)}</text>
{rows}
</svg>
"""


def plain(line: str) -> str:
    """A line without its colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


def _spans(line: str) -> str:
    """A coloured line as tspans, each word at its column: viewers differ in what they do with spaces."""
    parts = re.split(r"\x1b\[([0-9;]*)m", line)
    codes: set[str] = set()
    spans, column = [], 0
    for change, text in zip(["0", *parts[1::2]], parts[::2], strict=True):
        codes = set() if change in ("", "0") else codes - {"39", "22"} | set(change.split(";"))
        style = "".join(f"fill: {COLORS[code]};" for code in COLORS if code in codes)
        style += "font-weight: bold;" if "1" in codes else ""
        for word in re.finditer(r"\S+", text):
            place = f'x="{(2 + column + word.start()) * SIZE[1]:.1f}"'
            spans.append(f'<tspan {place} style="{style}">{html.escape(word[0])}</tspan>')
        column += len(text)
    return "".join(spans).replace(' style=""', "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
