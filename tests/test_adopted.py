"""Projects that route torch by extras or groups of their own: a corpus of shapes, the choice for each machine."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest

from support.toolbox import ROOT, host_files
from torchsel.survey import Options, survey

if TYPE_CHECKING:
    from pathlib import Path

CORPUS = ROOT / "tests" / "corpus" / "adopted"
CASES = {
    f"{case.name}-{host}": (case, host, name)
    for case in sorted(CORPUS.iterdir())
    for host, name in tomllib.loads((case / "expected.toml").read_text())["hosts"].items()
}


@pytest.mark.parametrize(("case", "host", "name"), CASES.values(), ids=CASES)
def test_the_choice(case: Path, host: str, name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(case, tmp_path / "project")
    found = survey(Options(folder=folder, host=str(host_files()[host])), {})
    chosen = found.adopted.name if found.adopted else None
    assert (chosen or "-") == name, found.adopted
