"""Reader of ``catalog``: builds that a project adds to torchsel's, or has in place of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from re import ASCII, fullmatch

from torchsel.backend import Backend
from torchsel.catalog.rows import Build, field_names, values
from torchsel.config.values import InsideError, kind
from torchsel.errors import ConfigError


def read_catalog(value: object) -> tuple[Build, ...]:
    """Builds as tables: a list of them, or a table that has the list as ``builds``.

    Raises:
        InsideError: with every fault of every row.
    """
    place, rows = "", value
    if isinstance(value, dict):
        if unknown := [f".{key}: unknown key; there is only 'builds'" for key in value if key != "builds"]:
            raise InsideError(*unknown)
        place, rows = ".builds", value.get("builds", [])
    if not isinstance(rows, list):
        raise InsideError(f"{place}: expected a list of tables, found {kind(rows)}")
    builds: list[Build] = []
    faults: list[str] = []
    for at, row in enumerate(rows):
        try:
            builds.append(_build(row, f"{place}[{at}]"))
        except ConfigError as error:
            faults += error.problems
    if faults:
        raise InsideError(*faults)
    return tuple(builds)


def _build(row: object, where: str) -> Build:
    if not isinstance(row, dict):
        msg = f"{where}: expected a table, found {kind(row)}"
        raise ConfigError(msg)
    return build_from_row(row, where=where)


def build_from_row(row: Mapping[str, object], *, where: str) -> Build:
    """A build from a row with the fields of ``builds.csv``; a list may also be text with spaces.

    ``where`` names the row in errors.

    Raises:
        ConfigError: a field is missing, unknown, of the wrong kind or malformed; all faults at once.
    """
    legal = field_names(Build)
    known = ", ".join(legal)
    problems = [f"{where}.{key}: unknown field; the fields are {known}" for key in row if key not in legal]
    problems += [f"{where}.{key}: is missing" for key in ("torch", "backend", "platform") if not row.get(key)]
    problems += [f"{where}.{key}: expected text" for key, value in row.items() if not _is_text(value)]
    text = {key: value if isinstance(value, str) else " ".join(_texts(value)) for key, value in row.items()}
    if not problems:
        problems = [f"{where}.{problem}" for problem in _malformed(text)]
    if problems:
        raise ConfigError(*problems)
    return Build(**values(text, text.values()))


def _malformed(row: Mapping[str, str]) -> Iterator[str]:
    """Every field of a row that does not look like what it names, as ``field: what is wrong``."""
    if not fullmatch(r"\d+\.\d+\.\d+", row["torch"], ASCII):
        yield f"torch: {row['torch']!r} is not a release such as '2.16.0'"
    if not fullmatch(r"(linux|macos|win)_[a-z0-9_]+", row["platform"], ASCII):
        yield f"platform: {row['platform']!r} is not a platform such as 'linux_x86_64' or 'win_amd64'"
    for python in row.get("python", "").split():
        if not fullmatch(r"3\.\d+t?", python, ASCII):
            yield f"python: {python!r} is not a Python release such as '3.13' or '3.13t'"
    try:
        family = Backend.parse(row["backend"]).family
    except ConfigError as error:
        yield f"backend: {error}"
        return
    pattern, example = (r"gfx[0-9a-f]+", "gfx942") if family == "rocm" else (r"\d+\.\d+", "9.0")
    for key in ("kernels", "ptx"):
        for kernel in row.get(key, "").split():
            if not fullmatch(pattern, kernel, ASCII):
                yield f"{key}: {kernel!r} is not what {row['backend']} builds have, such as {example!r}"


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and len(_texts(value)) == len(value))


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
