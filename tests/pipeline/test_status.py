"""``torchsel status``: the page on recorded machines, every state of a project, and the same as JSON."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import HOSTS, ROOT, Project, host_files
from torchsel.pipeline.status_page import WIDTH, host_lines

PAGES = ROOT / "tests" / "cases" / "status"
"""Golden pages: ``{host}.txt`` for a project with an empty table, routed and never locked."""

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch", "torchvision"]

"""
PIN = f"{HEAD}[tool.torchsel]\n"
OFFER = 'backends = ["cpu", "cu126", "cu132"]\n'
FOREIGN = f"""{PIN}
[tool.uv.sources]
torch = {{ index = "mine" }}

[[tool.uv.index]]
name = "mine"
url = "https://mirror.example/torch"
explicit = true
"""
DETAILS = re.compile(r"^(project|routing|uv\.lock|\.venv|warning:) ", re.MULTILINE)


def page(project: Project, host: str = "gtx1080ti", *args: str) -> str:
    """The page, after checking that it is narrow, says nothing else and comes from nowhere but the host."""
    told = project.torchsel_inprocess("--host", str(HOSTS / f"{host}.json"), "status", *args)
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= WIDTH
    return told.out


def sections(text: str) -> dict[str, str]:
    """What stands beside each word at the left, unwrapped; warnings joined by newlines."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", text):
        word, _, rest = block.partition(" ")
        line = " ".join(rest.split())
        found[word] = f"{found[word]}\n{line}" if word in found else line
    return found


def record(project: Project, host: str = "gtx1080ti", *args: str) -> dict[str, Any]:
    told = project.torchsel_inprocess("--host", str(HOSTS / f"{host}.json"), "status", "--json", *args)
    assert (told.code, told.err) == (0, "")
    found: dict[str, Any] = json.loads(told.out)
    return found


def ready(project: MakeProject, pyproject: str, host: str = "gtx1080ti", **more: Any) -> Project:
    """A project routed, locked and synced for a host."""
    demo = project(pyproject, env={"TORCHSEL_HOST": str(HOSTS / f"{host}.json")}, **more)
    demo.torchsel("sync")
    return demo


@pytest.mark.parametrize("golden", sorted(PAGES.iterdir()), ids=lambda path: path.stem)
def test_golden_pages(golden: Path, project: MakeProject) -> None:
    demo = project(PIN)
    demo.torchsel_inprocess("--host", str(HOSTS / f"{golden.stem}.json"), "apply")
    text = re.sub(r"(?m)^project  .*(\n {9}\S.*)*", "project  DEMO", page(demo, golden.stem))
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("host", host_files())
@pytest.mark.parametrize("strategy", ["pin", "groups", "extras"])
def test_every_host_and_strategy(project: MakeProject, host: str, strategy: str) -> None:
    demo = project(f'{PIN}strategy = "{strategy}"\n')
    before, found = page(demo, host), record(demo, host)
    assert f"backend  {found['backend']}" in before
    assert (found["in_sync"], found["routed"], found["locked"], found["installed"]) == (False, None) + (
        None,
    ) * 2
    assert "run 'torchsel'" in found["warnings"][-1]
    assert sum(item["reason"].startswith("chosen") for item in found["candidates"]) <= 1
    assert sections(before)["warning:"].count("\n") + 1 == len(found["warnings"])


def test_pin(project: MakeProject) -> None:
    demo = ready(project, PIN)
    found, text = record(demo), sections(page(demo))
    assert {key: found[key] for key in ("backend", "routed", "in_sync", "choice", "warnings")} == {
        "backend": "cu126",
        "routed": "cu126",
        "in_sync": True,
        "choice": None,
        "warnings": [],
    }
    assert (found["locked"], found["installed"]) == ("2.14.1+cu126", "2.14.1+cu126")
    assert text["routing"] == "cu126, in sync: torch, torchvision"
    assert (text["uv.lock"], text[".venv"]) == ("torch 2.14.1+cu126", "torch 2.14.1+cu126")
    assert "warning:" not in text


def test_pin_for_another_machine(project: MakeProject) -> None:
    demo = ready(project, PIN, "h200")
    found, text = record(demo), sections(page(demo))
    assert (found["backend"], found["routed"], found["in_sync"]) == ("cu126", "cu132", False)
    assert text["routing"] == "cu132, not in sync: torch, torchvision"
    assert "torch is routed to cu132, but this machine needs cu126; run 'torchsel'" in found["warnings"]
    asked = record(demo, "h200", "--backend", "cpu")
    assert asked["warnings"] == ["torch is routed to cu132, but --backend asks for cpu; run 'torchsel'"]


def test_what_a_warning_says_to_run_helps(project: MakeProject) -> None:
    demo = ready(project, PIN, "h200")
    demo.env["TORCHSEL_HOST"] = str(HOSTS / "gtx1080ti.json")
    demo.torchsel("--no-lock")
    said = "uv.lock has torch 2.15.0+cu132, which is not from the cu126 index; run 'uv lock'"
    assert said in record(demo)["warnings"]
    demo.uv("lock", "-P", "torch<2.15")
    assert record(demo)["warnings"] == [".venv has torch 2.15.0+cu132, uv.lock 2.14.1+cu126; run 'uv sync'"]
    demo.uv("sync")
    assert record(demo)["warnings"] == []


def test_an_environment_without_a_lock(project: MakeProject) -> None:
    demo = ready(project, PIN, "h200")
    (demo.root / "uv.lock").unlink()
    found = record(demo)
    assert ".venv has torch 2.15.0+cu132, this machine needs cu126; run 'uv sync'" in found["warnings"]
    assert sections(page(demo))["uv.lock"] == "none yet; uv makes it"
    assert record(demo, "h200")["warnings"] == []


def test_a_machine_that_the_routing_leaves_to_the_default_index(project: MakeProject) -> None:
    demo = ready(project, f'{PIN}backend = "rocm7.2"\n', "rx7900")
    found = record(demo, "windows-rtx4090")
    assert (found["routed"], found["in_sync"], found["locked"]) == ("rocm7.2", True, "2.15.0")
    assert not any("index; run 'uv lock'" in text for text in found["warnings"])


@pytest.mark.parametrize(
    ("strategy", "scope", "names"),
    [
        ("groups", "group", ("torch-cpu", "torch-cu126", "torch-cu132")),
        ("extras", "extra", ("cpu", "cu126", "cu132")),
    ],
)
def test_groups_and_extras(project: MakeProject, strategy: str, scope: str, names: tuple[str, ...]) -> None:
    demo = ready(project, f'{PIN}strategy = "{strategy}"\n{OFFER}')
    cpu, mine, other = names
    found, text = record(demo), sections(page(demo))
    assert (found["routed"], found["choice"], found["in_sync"]) == ("cu126", mine, True)
    assert (found["locked"], found["installed"], found["warnings"]) == ("2.14.1+cu126",) * 2 + ([],)
    assert text["routing"] == (
        f"{scope} {mine}, in sync: torch, torchvision others of the {scope}s: {cpu}, {other}"
    )
    elsewhere = record(demo, "h200")
    assert (elsewhere["routed"], elsewhere["choice"], elsewhere["in_sync"]) == ("cu132", other, True)
    assert elsewhere["locked"] == "2.15.0+cu132"
    assert elsewhere["warnings"] == [
        ".venv has torch 2.14.1+cu126, uv.lock 2.15.0+cu132; run 'torchsel sync'"
    ]


def test_names_that_do_not_tell_their_backend(project: MakeProject) -> None:
    demo = project(f'{PIN}strategy = "extras"\nbackends = {{ cpu = "cpu", gpu = "cu126" }}\n')
    assert sections(page(demo))["routing"].startswith("extra gpu (cu126), not in sync: torch, torchvision")


def test_a_lock_without_the_chosen_group(project: MakeProject) -> None:
    demo = ready(project, f'{PIN}strategy = "groups"\n{OFFER}')
    lock = demo.root / "uv.lock"
    lock.write_text(lock.read_text().replace("/whl/cu126", "/whl/cu128"))
    found = record(demo)
    assert found["locked"] is None
    assert "uv.lock has no torch for cu126; run 'torchsel lock'" in found["warnings"]
    assert sections(page(demo))["uv.lock"] == "no torch for cu126"


def test_none_of_the_groups(project: MakeProject) -> None:
    demo = project(f'{PIN}strategy = "groups"\nbackends = ["cu130", "cu132"]\n')
    found = record(demo)
    assert (found["backend"], found["choice"], found["routed"]) == ("cpu", None, None)
    line = 'backends = ["cu130", "cu132", "cpu"]'
    assert f"none of the groups is for cpu; add 'cpu' to tool.torchsel.backends ({line})" in found["warnings"]
    assert sections(page(demo))["routing"] == "none of the groups, which are torch-cu130, torch-cu132"
    demo.torchsel("--host", str(HOSTS / "h200.json"), "lock")
    assert not any("uv.lock has no torch" in text for text in record(demo)["warnings"])


def test_a_source_of_the_users_own(project: MakeProject) -> None:
    demo = project(FOREIGN)
    found = record(demo)
    assert (found["routed"], found["in_sync"]) == (None, True)
    assert [text for text in found["warnings"] if "tool.uv.sources.torch" in text] == [
        "tool.uv.sources.torch: routed to index 'mine', which is not torchsel's; left alone;"
        " remove it to have torchsel route it"
    ]
    assert sections(page(demo))["routing"] == "torch is not routed by torchsel"


def test_adopted(project: MakeProject) -> None:
    demo = project(HEAD)
    shutil.copy(ROOT / "tests" / "cases" / "adopted" / "guide-extras" / "pyproject.toml", demo.pyproject)
    found, text = record(demo, "h200"), sections(page(demo, "h200"))
    assert (found["strategy"], found["choice"], found["routed"], found["in_sync"]) == (
        *("adopted", "cu128", "cu128"),
        True,
    )
    assert text["routing"] == "extra cu128, in sync: torch others of this project's own extras: cpu"


def test_without_the_table(project: MakeProject) -> None:
    demo = project(HEAD)
    found = record(demo)
    assert (found["in_sync"], found["routed"]) == (False, None)
    assert found["warnings"] == [
        "pyproject.toml has no [tool.torchsel]; run 'torchsel init' to have torch routed"
    ]


def test_what_cannot_be_generated_is_a_warning(project: MakeProject) -> None:
    demo = project(f'{PIN}\n[dependency-groups]\ntorchsel = ["numpy"]\n'.replace('"torch", ', ""))
    found = record(demo)
    assert not found["in_sync"]
    assert any("dependency-groups.torchsel" in text for text in found["warnings"])


def test_a_long_path_stays_in_the_page(project: MakeProject) -> None:
    name = "a-very-long-name-of-a-folder-" * 6
    demo = project(PIN, name=name)
    text = page(demo)
    assert "".join(sections(text)["project"].split()) == str(demo.root)


def test_colours_are_only_paint(project: MakeProject) -> None:
    demo = project(PIN)
    plain = page(demo)
    colored = demo.torchsel_inprocess(
        "--color", "always", "--host", str(HOSTS / "gtx1080ti.json"), "status"
    ).out
    assert "\x1b[32mcu126\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9]+m", "", colored) == plain


def test_every_documented_field(project: MakeProject) -> None:
    found = record(project(PIN))
    documented = (
        "project strategy requested requested_by backend torch in_sync routed candidates warnings host"
    )
    assert set(documented.split()) <= set(found)
    assert {tuple(item) for item in found["candidates"]} == {("backend", "torch", "accepted", "reason")}
    assert found["host"] == json.loads((HOSTS / "gtx1080ti.json").read_text())


def test_equal_accelerators_are_counted() -> None:
    from torchsel.host import Accelerator, Host

    card = Accelerator(vendor="nvidia", name="Tesla P40", compute_capability="6.1")
    lines = host_lines(Host(system="linux", machine="x86_64", accelerators=(card, card)))
    assert lines == ["Linux x86_64", "2x NVIDIA Tesla P40 (compute capability 6.1)"]


def alone(project: MakeProject) -> Project:
    """A folder without a project, here or above."""
    demo = project("")
    demo.pyproject.unlink()
    return demo


@pytest.mark.parametrize("host", host_files())
def test_without_a_project_it_says_what_the_machine_would_take(project: MakeProject, host: str) -> None:
    demo, within = alone(project), project(PIN.replace('"torch", "torchvision"', '"torch"'), name="within")
    shown, expected = page(demo, host), page(within, host)
    assert shown.partition("\nproject  ")[0] == expected.partition("\nproject  ")[0]
    adopt = shown.partition("\nproject  ")[2].splitlines()[1:4]
    assert [line.strip() for line in adopt] == ["uv init", "torchsel init", "torchsel add torch"]
    found = record(demo, host)
    assert found["project"] is None
    assert (found["routed"], found["locked"], found["installed"]) == (None, None, None)
    assert found["backend"] == record(within, host)["backend"]
    told = demo.torchsel_inprocess("--host", str(HOSTS / f"{host}.json"), "backend")
    assert (told.code, told.out) == (0, f"{found['backend']}\n")
    assert list(demo.root.iterdir()) == []


def test_without_a_project_the_three_lines_work(project: MakeProject) -> None:
    demo = alone(project)
    demo.env["TORCHSEL_HOST"] = str(HOSTS / "gtx1080ti.json")
    for line in page(demo).partition("\nproject  ")[2].splitlines()[1:4]:
        demo.run("bash", "-c", line)
    assert demo.installed("torch") == "2.14.1+cu126"


def test_without_a_project_one_build_for_several_machines(project: MakeProject) -> None:
    told = alone(project).torchsel_inprocess("backend", "--host", "sm_61,driver=580", "sm_75,driver=580")
    assert (told.code, told.out) == (0, "cu126\n")


def test_without_a_project_nothing_is_kept(project: MakeProject) -> None:
    demo = alone(project)
    assert demo.torchsel("--host", "cpu", "backend").out == "cpu\n"
    demo.env["TORCHSEL_HOST"] = "cpu"
    assert demo.torchsel("backend").out == "cpu\n"
    demo.pyproject.write_text(f'{PIN}backend = "cu126"\n')
    assert demo.torchsel("backend").out == "cu126\n"


@pytest.mark.parametrize("command", ["status", "backend"])
def test_a_folder_that_is_not_there_is_an_error(project: MakeProject, command: str) -> None:
    told = project(PIN).torchsel_inprocess("--project", "nowhere", command)
    assert (told.code, told.out) == (2, "")
    assert "no such folder" in told.err
