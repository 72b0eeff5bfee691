"""What is read once of a project: the Python that a decision is made for."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchsel.pipeline.inputs import read_strategy
from torchsel.strategies.protocol import Options

KEY = '[tool.torchsel]\nenvironment = ".venv-{backend}"\n'


@pytest.mark.parametrize(
    ("text", "environ", "python"),
    [
        (KEY, {}, "3.13"),
        (KEY, {"UV_PROJECT_ENVIRONMENT": "own"}, "3.14"),
        (KEY, {"UV_PROJECT_ENVIRONMENT": "nowhere"}, "3.13"),
        (KEY, {"TORCHSEL_ENVIRONMENT": "own"}, "3.14"),
        ("[tool.torchsel]\n", {}, "3.12"),
        ("", {"TORCHSEL_ENVIRONMENT": "{no such placeholder}"}, "3.12"),
    ],
)
def test_the_python_of_the_environment_in_use(
    tmp_path: Path, text: str, environ: dict[str, str], python: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "demo"\nversion = "1"\n{text}')
    for name, version in ((".venv", "3.12"), (".venv-cu126", "3.13"), ("own", "3.14")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pyvenv.cfg").write_text(f"version_info = {version}.1\n")
    assert read_strategy(Options(folder=tmp_path, environ=environ)).setting.python == python
