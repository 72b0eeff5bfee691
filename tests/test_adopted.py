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

    from conftest import MakeProject
    from support.index import Index
    from support.toolbox import Project

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


INSTALLED = {
    "guide-extras": {"h200": "2.11.0+cu128", "gtx1080ti": "2.15.0+cpu", "cpu": "2.15.0+cpu"},
    "pinned-in-extras": {"gtx1080ti": "2.7.1+cu126", "rtx5090-570": "2.7.1+cpu", "cpu": "2.7.1+cpu"},
    "four-families": {
        "h200": "2.15.0+cu130",
        "gtx1080ti": "2.15.0+cpu",
        "rx7900": "2.14.1+rocm7.2",
        "b580": "2.15.0+xpu",
        "cpu": "2.15.0+cpu",
    },
    "default-group": {"gtx1080ti": "2.8.0+cu126", "cpu": "2.8.0+cpu"},
    "pairs": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
    "beside-a-dependency": {"v100": "2.14.1+cu126", "cpu": "2.15.0"},
    "local-versions": {"rtx5090-570": "2.7.1+cu128", "h200": "2.8.0+cu126", "cpu": "2.7.1+cpu"},
    "default-index-for-one": {"h200": "2.8.0", "gtx1080ti": "2.8.0+cpu"},
    "workspace-member": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
    "workspace-sources-at-root": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
    "included-groups": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
    "index-not-explicit": {"gtx1080ti": "2.8.0+cu126", "cpu": "2.8.0+cpu"},
    "guide-markers": {"h200": "2.11.0+cu128", "cpu": "2.11.0+cu128"},
}
"""What a recorded machine gets of the loopback index, by case."""


@pytest.mark.parametrize("case", INSTALLED)
def test_sync_of_one_lock_on_every_machine(
    case: str, project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied(case, project, index)
    demo.uv("lock")
    before = contents(demo)
    for host, version in INSTALLED[case].items():
        demo.torchsel("--host", str(hosts[host]), "sync", "--locked")
        assert demo.installed("torch") == version, host
        demo.torchsel("--host", str(hosts[host]), "run", "--locked", "python", "-c", "pass")
        assert demo.installed("torch") == version, host
    assert contents(demo) == before


def copied(case: str, project: MakeProject, index: Index) -> Project:
    """A case of the corpus with the indexes on loopback."""
    demo = project("")
    for file in (CORPUS / case).rglob("pyproject.toml"):
        text = file.read_text().replace("https://download.pytorch.org/whl", index.whl)
        text = text.replace("https://packages.example/simple", index.default_index)
        target = demo.root / file.relative_to(CORPUS / case)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return demo


def contents(demo: Project) -> dict[str, bytes]:
    """Every file of the project outside its environment."""
    files = (path for path in demo.root.rglob("*") if path.is_file() and ".venv" not in path.parts)
    return {str(path.relative_to(demo.root)): path.read_bytes() for path in files}
