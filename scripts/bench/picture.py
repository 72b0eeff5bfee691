"""The figures as text, as a Markdown table and as a picture."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from scripts.bench.timing import Row

BARS = {
    "no-op, ordinary project": (
        "python -I -c pass",
        "uv sync",
        "torchsel",
        "torchsel uv sync",
        "torchsel --no-cache",
    ),
    "change": ("an ordinary file", "a file of 10,000 lines"),
    "others": (
        "uv pip install --dry-run --torch-backend=auto",
        "torchruntime info",
        "light-the-torch, detection",
    ),
}
"""What is drawn, by part."""

LEFT, WIDTH, LINE = 330, 860, 24


def text(rows: Sequence[Row]) -> str:
    """Aligned columns."""
    lines = [(row.part, row.name, _ms(row), row.ratio, _verdict(row), row.note) for row in rows]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(5)]
    out = []
    for part, name, ms, ratio, verdict, note in lines:
        columns = (
            f"{name:{widths[1]}}",
            f"{ms:>{widths[2]}}",
            f"{ratio:{widths[3]}}",
            f"{verdict:{widths[4]}}",
        )
        out.append("  ".join((f"{part:{widths[0]}}", *columns, note)).rstrip())
    return "\n".join([*out, ""])


def markdown(rows: Sequence[Row], machine: str) -> str:
    """One table, a goal that was missed in bold."""
    out = ["| | | time | | goal |", "|---|---|---|---|---|"]
    part = ""
    for row in rows:
        shown, part = row.part if row.part != part else "", row.part
        note = f"{row.ratio}; {row.note}" if row.ratio and row.note else row.ratio or row.note
        out.append(f"| {shown} | {_code(row.name)} | {_ms(row)} | {note} | {_verdict(row, strong=True)} |")
    return "\n".join([*out, "", f"Measured on: {machine}."])


def picture(rows: Sequence[Row], machine: str) -> str:
    """Bars on a logarithmic scale, torchsel's in colour."""
    drawn = [row for row in rows if row.name in BARS.get(row.part, ()) and row.ms]
    top, height = 40, 40 + LINE * len(drawn) + 30
    scale = (WIDTH - LEFT - 90) / math.log10(max((row.ms or 1 for row in drawn), default=10) / 5)
    body = [
        f'<text x="12" y="24" class="title">{html.escape("Milliseconds, whole process, logarithmic")}</text>',
        *(line for at, row in enumerate(drawn) for line in _bar(row, top + at * LINE, scale)),
        f'<text x="12" y="{height - 10}" class="small">{html.escape(machine)}</text>',
    ]
    style = (
        "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#24292f}.title{font-weight:600}"
        ".small{font-size:11px;fill:#57606a}.own{fill:#2da44e}.other{fill:#8c959f}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="How long torchsel and others take"><style>{style}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _bar(row: Row, y: int, scale: float) -> Iterable[str]:
    ms = row.ms or 0.0
    length = max(2.0, math.log10(max(ms, 5.01) / 5) * scale)
    is_own = row.name.startswith("torchsel") or row.part == "change"
    name = f"torchsel changes {row.name}" if row.part == "change" else row.name
    yield f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>'
    kind = "own" if is_own else "other"
    yield f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{LINE - 8}" class="{kind}"/>'
    yield f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{_ms(row)}</text>'


def _ms(row: Row) -> str:
    if row.ms is None:
        return ""
    return f"{row.ms:,.1f} ms" if row.ms < 100 else f"{row.ms:,.0f} ms"


def _verdict(row: Row, *, strong: bool = False) -> str:
    if row.is_met is None:
        return row.goal
    if row.is_met:
        return f"{row.goal}: met"
    return f"**{row.goal}: missed**" if strong else f"{row.goal}: MISSED"


def _code(name: str) -> str:
    is_command = name.startswith(("torchsel", "uv ", "python", "uv-"))
    return f"`{name}`" if is_command and "," not in name else name
