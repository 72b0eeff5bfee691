"""The release of Python that a project is for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torchsel.errors import TorchselError
from torchsel.project.toml_file import read_text


def project_python(folder: Path, environments: Iterable[str] = ()) -> str | None:
    """``X.Y`` of the project's interpreter, as uv has it: by .python-version, else by an environment."""
    places = ((folder / place / "pyvenv.cfg", _venv_version) for place in environments)
    for path, reader in ((folder / ".python-version", _first_line), *places):
        try:
            text = read_text(path)
        except TorchselError:
            continue
        parts = reader(text).strip().removeprefix("cpython").lstrip("@-").split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].rstrip("t").isdigit():
            return f"{parts[0]}.{parts[1].rstrip('t')}"
    return None


def _first_line(text: str) -> str:
    """The first request of a .python-version file, which may have comments and further requests."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return next(filter(None, lines), "")


def _venv_version(text: str) -> str:
    """The interpreter's version in a pyvenv.cfg: venv writes ``version``, uv ``version_info``."""
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("version", "version_info"):
            return value
    return ""
