"""Projects that route torch by extras or groups of their own: a corpus of shapes, the choice by machine."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.toolbox import ROOT, Project, host_files
from torchsel.pipeline.inputs import read_inputs
from torchsel.project import present
from torchsel.project.workspace import load_project
from torchsel.strategies.offers import offers
from torchsel.strategies.protocol import Options
from torchsel.uv.call import read_uv_call

CORPUS = ROOT / "tests" / "cases" / "adopted"
CASES = {
    f"{case.name}-{host}": (case, host, name)
    for case in sorted(CORPUS.iterdir())
    for host, name in tomllib.loads((case / "expected.toml").read_text())["hosts"].items()
}


@pytest.mark.parametrize(("case", "host", "name"), CASES.values(), ids=CASES)
def test_the_choice(case: Path, host: str, name: str, tmp_path: Path) -> None:
    folder = shutil.copytree(case, tmp_path / "project")
    found = read_inputs(Options(folder=folder, host=str(host_files()[host]), environ={}))
    assert (found.decision.chosen or "-") == name, found.decision


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
    "workspace-forwarded": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
    "workspace-groups-at-root": {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"},
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


def offers_for(case: str, *arguments: str, inside: str = "") -> list[str]:
    """Names still open with these arguments of uv, in the folder ``inside`` the case."""
    folder = CORPUS / case / inside
    call = read_uv_call(arguments, folder)
    return [offer.name for offer in offers(load_project(folder), folder, call)]


@pytest.mark.parametrize(
    ("case", "arguments", "names"),
    [
        ("pairs", "sync", ["cpu", "gpu", "tpu"]),
        ("pairs", "sync --extra vllm", ["gpu", "tpu"]),
        ("pairs", "sync --extra tpu", []),
        ("pairs", "sync --extra=GPU", []),
        ("pairs", "sync --no-extra cpu", ["gpu", "tpu"]),
        ("default-group", "sync --group cuda126", []),
        ("default-group", "run --group dev python --group cpu", ["cpu", "cuda126", "cpu-intel"]),
        ("workspace-member", "sync --package train", ["cpu", "gpu"]),
        ("workspace-member", "sync --all-packages", ["cpu", "gpu"]),
        ("workspace-member", "sync --package other", []),
        ("guide-markers", "sync", []),
        ("nothing-understood", "sync", ["one", "two"]),
    ],
)
def test_what_the_command_line_leaves_open(case: str, arguments: str, names: list[str]) -> None:
    assert offers_for(case, *arguments.split()) == names


def test_a_member_offers_its_own_extras_in_its_folder() -> None:
    assert offers_for("workspace-member", "sync", inside="packages/train") == ["cpu", "gpu"]


@pytest.mark.parametrize(
    ("url", "tag"),
    [
        ("https://download.pytorch.org/whl/cu128", "cu128"),
        ("https://download.pytorch.org/whl/nightly/rocm7.2/", "rocm7.2"),
        ("https://mirror.example/api/pypi/pytorch-xpu/simple", "xpu"),
        ("https://user:secret@mirror.example/whl/cpu?x=1", "cpu"),
        ("https://packages.example/simple", None),
        ("https://download.pytorch.org/whl", None),
        ("https://download.pytorch.org/whl/torch_stable.html", None),
        ("https://rocm.example/rocm/manylinux/rocm-rel-7.1/", None),
        ("https://[broken", None),
    ],
)
def test_the_backend_of_an_index(url: str, tag: str | None) -> None:
    assert present.Index(at=0, entry={"url": url}).tag == (tag or "")


def test_what_the_user_asks_for_is_obeyed_among_what_is_offered(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("guide-extras", project, index)
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel("--backend", "cpu", "sync")
    assert demo.installed("torch") == "2.15.0+cpu"
    demo.torchsel("sync", "--extra", "cu128")
    assert demo.installed("torch") == "2.11.0+cu128"
    demo.env["UV_TORCH_BACKEND"] = "cpu"
    assert demo.torchsel("backend").out == "cpu\n"
    demo.env["UV_TORCH_BACKEND"] = "rocm7.2"
    refused = demo.torchsel("sync", code=2)
    assert refused.err == (
        "error: UV_TORCH_BACKEND asks for rocm7.2, and this project has no build of that:"
        " it has extra cpu (cpu), extra cu128 (cu128)\n"
    )
    demo.torchsel("sync", "--extra", "cpu")


def test_a_better_build_than_those_offered_is_named(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("guide-extras", project, index)
    told = demo.torchsel("--host", str(hosts["rx7900"]), "sync")
    assert told.err.splitlines()[0] == (
        "warning: Radeon RX 7900 XTX could run rocm7.2 with torch 2.11.0; this project has no extra for that,"
        " but extra cpu (cpu), extra cu128 (cu128)"
    )


def test_what_is_not_understood_is_said_once_and_left_to_uv(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("gpu-only", project, index)
    told = demo.torchsel("--host", str(hosts["cpu"]), "sync")
    assert told.err.count("warning") == 1
    assert "extra cu126 (cu126), extra cu128 (cu128): none of them is for this machine" in told.err
    assert demo.installed("torch") is None


def test_add_and_remove_keep_the_choice(project: MakeProject, index: Index, hosts: dict[str, Path]) -> None:
    demo = copied("pinned-in-extras", project, index)
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    demo.torchsel("uv", "add", "webkit9")
    assert (demo.installed("torch"), demo.installed("webkit9")) == ("2.7.1+cu126", "9.1")
    demo.torchsel("uv", "remove", "webkit9")
    assert (demo.installed("torch"), demo.installed("webkit9")) == ("2.7.1+cu126", None)
    assert "torchsel" not in demo.text()


def test_other_commands_of_uv(project: MakeProject, index: Index, hosts: dict[str, Path]) -> None:
    demo = copied("guide-extras", project, index)
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel("lock")
    assert "torch==2.11.0+cu128" in demo.torchsel("uv", "export", "--no-hashes").out
    assert "torch v2.11.0+cu128" in demo.torchsel("uv", "tree").out
    status = json.loads(demo.torchsel("status", "--json").out)
    wanted = {
        "strategy": "adopted",
        "choice": "cu128",
        "backend": "cu128",
        "torch": "2.11.0",
        "in_sync": True,
    }
    assert {key: status[key] for key in wanted} == wanted
    assert "others of this project's own extras: cpu" in demo.torchsel("status").out


@pytest.mark.parametrize(
    ("arguments", "chosen", "flags"),
    [
        ("sync", "gpu", ("--extra", "gpu")),
        ("sync", "cpu", ("--extra", "cpu", "--no-group", "checks")),
        ("sync --group checks", "cpu", ("--extra", "cpu")),
        ("sync --all-extras", "gpu", ("--no-extra", "cpu", "--no-extra", "diary")),
        ("sync --all-extras", "cpu", ("--no-extra", "gpu", "--no-group", "checks")),
        ("sync --extra cpu", "gpu", ("--no-group", "checks")),
    ],
)
def test_what_conflicts_with_the_choice_is_left_out(
    arguments: str, chosen: str, flags: tuple[str, ...]
) -> None:
    folder = CORPUS / "sets-that-share-an-extra"
    call = read_uv_call(arguments.split(), folder)
    alternatives = read_inputs(
        Options(folder=folder, host=str(host_files()["cpu"]), environ={})
    ).decision.alternatives
    assert alternatives
    assert alternatives.flags(chosen, call) == flags


def test_default_groups_that_conflict_with_the_choice(
    project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied("sets-that-share-an-extra", project, index)
    demo.uv("lock")
    for host, version in {"h200": "2.8.0+cu128", "cpu": "2.8.0+cpu"}.items():
        demo.torchsel("--host", str(hosts[host]), "sync", "--locked")
        assert demo.installed("torch") == version
        demo.torchsel("--host", str(hosts[host]), "sync", "--locked", "--all-extras")
        assert demo.installed("torch") == version


@pytest.mark.parametrize(
    ("case", "host", "sentence"),
    [
        (
            "old-releases-beside-the-newest",
            "rx7900",
            "could run rocm6.4 with torch 2.8.0; this project has no group for that",
        ),
        ("local-versions-alone", "mac", "cpu pins a local version of torch, which no wheel for macOS has"),
        ("indexes-that-say-little", "gtx1080ti", "odd: its index or source names no backend"),
    ],
)
def test_sentences_are_about_what_the_project_offers(case: str, host: str, sentence: str) -> None:
    found = read_inputs(Options(folder=CORPUS / case, host=str(host_files()[host]), environ={}))
    told = "; ".join([*found.decision.notes, *found.selection.warnings])
    assert sentence in told
    assert "PyTorch has no" not in told


def test_members_of_a_workspace(project: MakeProject, index: Index, hosts: dict[str, Path]) -> None:
    demo = copied("workspace-member", project, index)
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    top = '[project]\nname = "top"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = []\n\n'
    demo.pyproject.write_text(top + demo.text())
    member = demo.root / "packages" / "train"
    demo.torchsel("sync")
    assert demo.installed("torch") is None
    for words, folder in ((["sync"], member), (["sync", "--package", "train"], demo.root),
                          (["sync", "--all-packages"], demo.root)):  # fmt: skip
        demo.torchsel("--backend", "cpu", *words, cwd=folder)
        assert demo.installed("torch") == "2.8.0+cpu"
        demo.torchsel(*words, cwd=folder)
        assert demo.installed("torch") == "2.8.0+cu128"


@pytest.mark.parametrize("case", ["workspace-forwarded", "workspace-groups-at-root"])
def test_a_roots_choices_from_everywhere(
    case: str, project: MakeProject, index: Index, hosts: dict[str, Path]
) -> None:
    demo = copied(case, project, index)
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    for folder in (demo.root, demo.root / "packages" / "train"):
        for words in (["sync"], ["sync", "--all-packages"], ["sync", "--package", "train"]):
            demo.torchsel("--backend", "cpu", *words, cwd=folder)
            assert demo.installed("torch") == "2.8.0+cpu"
            demo.torchsel(*words, cwd=folder)
            assert demo.installed("torch") == "2.8.0+cu128"


def test_a_project_without_a_choice_looks_at_no_machine(project: MakeProject, index: Index) -> None:
    demo = copied("guide-cpu-index", project, index)
    demo.torchsel("--host", "/nonexistent", "sync")
    assert demo.installed("torch") == "2.15.0+cpu"
