"""uv's own commands and options, as people give them, through torchsel and real uv."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.toolbox import OLDEST_UV, Project, World
from tests.support.wheels import Wheel
from torchsel.pipeline.locking import unseen

HEAD = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[dependency-groups]
dev = ["testkit"]
train = ["torch"]

[tool.torchsel]
"""
PIN = HEAD.format(dependencies='"torch"')
BY = 'strategy = "{}"\nbackends = ["cpu", "cu126"]\n'
GROUPS, EXTRAS = (PIN + BY.format(strategy) for strategy in ("groups", "extras"))
NO_TORCH = HEAD.format(dependencies='"numberkit"') + BY.format("groups")
CU126 = "2.14.1+cu126"
SHOW = "import torch; print(torch.__version__)"


@pytest.fixture
def make(project: MakeProject, hosts: dict[str, Path]) -> MakeProject:
    """Projects on a GTX 1080 Ti, whose uv writes down how it was called."""

    def make(text: str, **settings: str | None) -> Project:
        demo = project(text, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])}, **settings)  # type: ignore[arg-type]
        folder = demo.root.parent / "bin"
        folder.mkdir(exist_ok=True)
        log = demo.root.parent / "calls"
        (folder / "uv").write_text(f'#!/bin/sh\necho "$@" >>"{log}"\nexec "{demo.binary}" "$@"\n')
        (folder / "uv").chmod(0o755)
        demo.env["PATH"] = f"{folder}{os.pathsep}{demo.env['PATH']}"
        return demo

    return make  # type: ignore[return-value]


def calls(demo: Project) -> list[str]:
    """How uv was called since the last time, without being asked for its release."""
    log = demo.root.parent / "calls"
    lines = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line for line in lines if line != "--version"]


def files(demo: Project) -> tuple[str, bytes]:
    return demo.text(), (demo.root / "uv.lock").read_bytes()


def test_pin_leaves_add_and_remove_to_uv(make: MakeProject) -> None:
    demo = make(PIN)
    demo.torchsel("sync")
    calls(demo)
    demo.torchsel("uv", "add", "--group", "docs", "webkit9")
    assert calls(demo) == ["add --group docs webkit9"]
    assert demo.installed("webkit9")
    demo.torchsel("uv", "add", "--no-install-project", "numberkit")
    demo.torchsel("uv", "remove", "--group", "docs", "webkit9")
    assert calls(demo) == ["add --no-install-project numberkit", "remove --group docs webkit9"]
    demo.torchsel("uv", "add", "--optional", "vision", "torchvision")
    assert calls(demo)[-1] == "sync --inexact --extra vision"
    assert demo.installed("torchvision") == "0.29.1+cu126"
    before = files(demo)
    demo.torchsel("uv", "add", "no-such-package", code=1)
    assert files(demo) == before


def test_pins_locks_are_resolved_as_the_call_says(make: MakeProject) -> None:
    demo = make(PIN)
    demo.torchsel("uv", "add", "--resolution", "lowest-direct", "torchvision", "numberkit")
    locking = [line for line in calls(demo) if line.startswith(("lock", "sync"))]
    assert locking
    assert all("--resolution lowest-direct" in line for line in locking)
    assert demo.locked("numberkit") == ["1.0"]


@pytest.mark.parametrize("text", [GROUPS, EXTRAS], ids=["groups", "extras"])
def test_two_halves_do_what_one_did(make: MakeProject, text: str) -> None:
    demo = make(text)
    demo.torchsel("sync", "--no-dev")
    calls(demo)
    demo.torchsel("uv", "add", "-q", "--no-install-package", "numberkit", "--group", "docs", "webkit9")
    first, second = calls(demo)
    assert first == "add --no-sync -q --group docs webkit9"
    assert second.startswith("sync -q --no-install-package numberkit --inexact --group docs ")
    assert (demo.installed("webkit9"), demo.installed("torch")) == ("9.1", CU126)
    assert demo.installed("testkit") is None, "as with uv, an addition brings no default group"
    demo.torchsel("uv", "add", "--optional", "more", "numberkit<2")
    assert demo.installed("numberkit") == "1.0"


def test_what_can_not_be_installed_is_not_added(
    make: MakeProject, world: World, hosts: dict[str, Path], tmp_path: Path
) -> None:
    with Index(extra={"pypi": [Wheel(name="winonly", version="1.0", tag="py3-none-win_amd64")]}) as index:
        demo = make(GROUPS)
        demo.env.update(UV_DEFAULT_INDEX=index.default_index, TORCHSEL_INDEX_URL=index.whl)
        demo.torchsel("lock")
        before = files(demo)
        said = demo.torchsel("uv", "add", "winonly", code=2).err
        assert "winonly" in said
        assert files(demo) == before


def test_groups_that_have_torch_alone(make: MakeProject) -> None:
    demo = make(GROUPS)
    demo.torchsel("sync", "--only-group", "train")
    assert demo.installed("torch") == CU126
    demo.torchsel("sync", "--only-group", "dev")
    assert demo.installed("torch") is None
    assert "--group" not in calls(demo)[-1].partition("--only-group dev")[2]
    both = make(EXTRAS, name="extras")
    both.torchsel("sync", "--only-group", "dev")
    assert both.installed("testkit")


@pytest.mark.parametrize(
    "line", ["--preview-features pylock sync", "--not-yet-known=1 sync", "run -s show", "run -qp {} show.py"]
)
def test_forms_of_the_command_line(make: MakeProject, line: str) -> None:
    demo = make(GROUPS)
    for name in ("show", "show.py"):
        (demo.root / name).write_text(SHOW)
    is_known = "known" not in line
    said = demo.torchsel("uv", *line.format(demo.env["UV_PYTHON"]).split(), code=0 if is_known else 2).err
    assert ("--not-yet-known: an option of uv's that is not known here" in said) == (not is_known)
    assert "--group torch-cu126" in calls(demo)[-1]
    assert demo.installed("torch") == (CU126 if is_known else None)


def test_check_and_version_take_the_choice(make: MakeProject) -> None:
    demo = make(GROUPS)
    demo.torchsel("lock")
    demo.torchsel("uv", "check", "--no-sync", code=None)
    assert calls(demo)[-1] == "check --no-group torch-cpu --group torch-cu126 --no-sync"
    demo.torchsel("uv", "version", "--bump", "patch")
    assert demo.installed("torch") == CU126
    calls(demo)
    assert "0.1.1" in demo.torchsel("uv", "version", "--short", "--color", "never", "--project", ".").out
    assert len(calls(demo)) == 1


@pytest.mark.parametrize("strategy", ["pin", "groups", "extras"])
def test_what_is_removed_is_gone(make: MakeProject, strategy: str) -> None:
    text = HEAD.format(dependencies='"torch", "torchvision"') + f'strategy = "{strategy}"\n'
    demo = make(text + ("" if strategy == "pin" else 'backends = ["cpu", "cu126"]\n'))
    demo.torchsel("sync")
    assert demo.installed("torchvision") == "0.29.1+cu126"
    demo.torchsel("uv", "remove", "torchvision")
    assert "torchvision" not in demo.text()
    assert (demo.locked("torchvision"), demo.installed("torchvision")) == ([], None)
    demo.torchsel("check")


def test_torch_comes_only_where_it_is_required(make: MakeProject) -> None:
    demo = make(NO_TORCH.replace('"numberkit"', '"webkit9"'))
    demo.torchsel("sync")
    assert (demo.installed("webkit9"), demo.installed("torch")) == ("9.1", None)
    demo.torchsel("sync", "--group", "train")
    assert demo.installed("torch") == CU126
    demo.torchsel("sync", "--group", "torch-cpu")
    assert demo.installed("torch") == "2.15.0+cpu"


@pytest.mark.parametrize("text", [GROUPS, EXTRAS], ids=["groups", "extras"])
def test_a_uv_that_is_too_old_is_named(make: MakeProject, text: str) -> None:
    demo = make(text, uv_version=OLDEST_UV)
    strategy = "groups" if text == GROUPS else "extras"
    said = demo.torchsel("sync", code=3).err
    assert (
        f"uv {OLDEST_UV} is too old for {strategy}, 0.5.8 or newer is needed; update it: uv self update"
        in said
    )
    assert not (demo.root / ".venv").exists()


def test_a_uv_without_named_indexes(make: MakeProject) -> None:
    demo = make(PIN)
    (demo.root.parent / "bin" / "uv").write_text("#!/bin/sh\necho uv 0.4.30\n")
    for words in (("sync",), ("lock",), ("run", "true")):
        said = demo.torchsel(*words, code=3).err
        assert "uv 0.4.30 is too old for pin, 0.5.3 or newer is needed; update it: uv self update" in said


@pytest.mark.parametrize("text", [GROUPS, EXTRAS], ids=["groups", "extras"])
def test_an_override_of_torch_is_refused(make: MakeProject, text: str) -> None:
    demo = make(f'{text}\n[tool.uv]\noverride-dependencies = ["torch==2.13.0"]\n')
    for words in (("sync",), (), ("check",)):
        said = demo.torchsel(*words, code=2).err
        assert "tool.uv.override-dependencies" in said
        assert "tool.uv.constraint-dependencies" in said


def test_what_would_bring_another_build_is_refused(make: MakeProject) -> None:
    demo = make(GROUPS)
    demo.torchsel("lock")
    lock = (demo.root / "uv.lock").read_text()
    demo.env["UV_INDEX"] = f"pytorch-cu126={demo.env['TORCHSEL_INDEX_URL']}/cpu"
    said = demo.torchsel("sync", code=3).err
    assert "UV_INDEX has pytorch-cu126 lead to cpu, so uv would install that build and not cu126" in said
    del demo.env["UV_INDEX"]
    (demo.root / "uv.lock").write_text(lock.replace("/whl/cu126", "/whl/cu118"))
    assert "uv.lock has no torch for cu126" in demo.torchsel("sync", "--frozen", code=3).err
    demo.torchsel("sync", "--frozen", "--group", "torch-cpu")


@pytest.mark.parametrize("text", [PIN, GROUPS], ids=["pin", "groups"])
def test_a_lock_that_a_variable_leads_elsewhere(make: MakeProject, text: str) -> None:
    demo = make(text.replace('["testkit"]', "[]"))
    demo.uv("lock")
    demo.env["UV_INDEX"] = f"pytorch-cu126={demo.env['TORCHSEL_INDEX_URL']}/cpu"
    said = demo.torchsel(code=3).err.splitlines()[-1]
    assert said.startswith("error: uv.lock has ")
    assert said.endswith(", though it was just made: a variable such as UV_INDEX, or uv.toml, leads uv there")
    del demo.env["UV_INDEX"]
    demo.torchsel()
    assert CU126 in demo.locked("torch")


def test_what_may_bring_another_build_is_said(make: MakeProject) -> None:
    demo = make(PIN)
    layered = "uv resolves it apart from the project, with a torch of the default index, not of cu126"
    for name, is_said in (
        ("trainkit", False),
        ("torchvision", True),
        ("torch", False),
        ("torch==2.13.0", True),
    ):
        said = demo.torchsel("run", "--with", name, "true").err
        assert (f"--with {name}: {layered}" in said) == is_said
    demo.torchsel("uv", "add", "trainkit")
    assert layered in demo.torchsel("run", "--with", "trainkit", "true").err, "uv.lock says what it needs"
    assert "it from its default index" in demo.torchsel("sync", "--no-sources-package", "torch").err


@pytest.mark.parametrize("strategy", ["pin", "groups", "extras"])
def test_sources_that_are_switched_off_for_a_call(make: MakeProject, strategy: str) -> None:
    demo = make(PIN + ("" if strategy == "pin" else BY.format(strategy)))
    demo.torchsel("sync")
    said = (
        "warning: --no-sources (or UV_NO_SOURCES): uv takes torch from its default index, not as it is routed"
    )
    assert demo.torchsel("uv", "lock", "--no-sources").err.startswith(said)
    assert demo.locked("torch") == ["2.15.0"] or strategy == "pin"
    demo.env["UV_NO_SOURCES"] = "1"
    assert said in demo.torchsel("sync").err
    assert "+" not in str(demo.installed("torch"))
    demo.torchsel()
    assert CU126 in demo.locked("torch"), "torchsel's own lock reads them"
    del demo.env["UV_NO_SOURCES"]
    demo.torchsel("sync")
    assert demo.installed("torch") == CU126
    demo.env["UV_NO_SOURCES_PACKAGE"] = "numberkit torch"
    assert (
        "--no-sources-package torch: uv takes it from its default index" in demo.torchsel("run", "true").err
    )


@pytest.mark.parametrize("line", ["no-sources = true", 'no-sources-package = ["Torch"]'])
@pytest.mark.parametrize("text", [PIN, GROUPS], ids=["pin", "groups"])
def test_sources_that_are_switched_off_in_the_project(make: MakeProject, line: str, text: str) -> None:
    demo = make(f"{text}\n[tool.uv]\n{line}\n")
    before = demo.text()
    for words in ((), ("check",), ("sync",)):
        said = demo.torchsel(*words, code=2).err
        assert (
            f"pyproject.toml: tool.uv.{line.partition(' ')[0]}: uv passes over the sources of torch" in said
        )
    assert demo.text() == before
    assert "passes over the sources of torch" in demo.torchsel("status").out.replace("\n         ", " ")


def test_a_lock_that_somebody_made_without_sources(make: MakeProject) -> None:
    demo = make(PIN)
    demo.torchsel("sync")
    demo.uv("lock", "--no-sources")
    for words in (("sync", "--frozen"), ("run", "--frozen", "true")):
        said = demo.torchsel(*words, code=3).err
        assert "uv would install another build: uv.lock has torch 2.1" in said
        assert "which is not from the cu126 index; run 'uv lock'" in said
    assert demo.installed("torch") == CU126


def test_what_takes_no_extras(make: MakeProject) -> None:
    demo = make(EXTRAS + '\n[tool.uv.workspace]\nmembers = ["part"]\n')
    member = demo.root / "part" / "pyproject.toml"
    member.parent.mkdir()
    member.write_text(
        '[project]\nname = "part"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["torch"]\n'
    )
    demo.torchsel("sync")
    end = (
        'so that it would install another build than cu126; strategy = "groups" in [tool.torchsel] reaches it'
    )
    for words, why in {
        ("sync", "--only-group", "train"): "with --only-group uv takes no extra",
        ("run", "--only-group", "train", "true"): "with --only-group uv takes no extra",
        ("sync", "--package", "part"): "part has no extra cu126",
    }.items():
        assert f"error: {why}, {end}" in demo.torchsel(*words, code=3).err
    assert "part has no extra cu126" in demo.torchsel("sync", cwd=member.parent, code=3).err
    assert demo.installed("torch") == CU126
    demo.torchsel("sync", "--only-group", "dev")
    demo.pyproject.write_text(demo.text().replace('strategy = "extras"', 'strategy = "groups"'))
    for words in (("--only-group", "train"), ("--package", "part")):
        demo.torchsel("sync", *words)
        assert demo.installed("torch") == CU126


DATED = """
[tool.uv]
{0}
exclude-newer-package = {{ numberkit = false, triton = false{1} }}
"""


@pytest.mark.parametrize("where", ["tool.uv.exclude-newer", "UV_EXCLUDE_NEWER"])
def test_a_cutoff_where_an_index_gives_no_dates(make: MakeProject, where: str) -> None:
    demo = make(PIN.replace('["testkit"]', "[]"))
    demo.uv("lock")
    line = 'exclude-newer = "2026-01-01"' if where.startswith("tool") else ""
    if not line:
        demo.env[where] = "2026-01-01"
    plain = demo.text()
    demo.pyproject.write_text(plain + DATED.format(line, ""))
    said = demo.torchsel(code=3).err.splitlines()[-1]
    cut = f"error: {where} leaves out what an index gives no upload date for;"
    assert said == f"{cut} add torch = false to tool.uv.exclude-newer-package"
    [first] = unseen({"exclude-newer": "2026-01-01"}, {}, ["torch"])
    assert first.endswith("; write exclude-newer-package = { torch = false } in [tool.uv]")
    demo.pyproject.write_text(plain + DATED.format(line, ", torch = false"))
    demo.torchsel()
    assert CU126 in demo.locked("torch")


def test_no_index_at_all(make: MakeProject) -> None:
    text = PIN.replace('["testkit"]', "[]") + '\n[tool.uv]\nno-index = true\nfind-links = ["wheels"]\n'
    demo = make(text.replace("[tool.torchsel]\n", ""))
    (demo.root / "wheels").mkdir()
    wheel = Wheel(name="torch", version="2.13.0")
    (demo.root / "wheels" / wheel.filename).write_bytes(wheel.data())
    demo.uv("lock")
    demo.pyproject.write_text(text)
    for words in ((), ("sync",), ("lock",)):
        said = demo.torchsel(*words, code=None).err
        assert "tool.uv.no-index keeps uv from every index, the routed one too; take it out, or" in said
    (demo.root / "uv.lock").unlink()
    said = demo.torchsel("lock", code=1).err
    way = next(line for line in said.splitlines() if "no-index" in line).partition(": torchsel ")[2]
    demo.torchsel(*way.split())
    demo.uv("sync")
    assert demo.installed("torch") == "2.13.0"


def test_a_lock_that_is_younger_than_what_it_lacks(make: MakeProject) -> None:
    demo = make(PIN)
    demo.torchsel("sync")
    demo.pyproject.write_text(demo.text().replace('["torch"]', '["torch", "torchvision"]', 1))
    os.utime(demo.root / "uv.lock")
    demo.torchsel("sync")
    assert (demo.installed("torch"), demo.installed("torchvision")) == (CU126, "0.29.1+cu126")


@pytest.mark.parametrize("variable", ["UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"])
def test_uvs_variables_for_the_project(make: MakeProject, tmp_path: Path, variable: str) -> None:
    demo = make(PIN)
    demo.env[variable] = str(demo.root)
    for words in ((), ("check",), ("backend",), ("status",), ("uv", "lock")):
        demo.torchsel(*words, cwd=tmp_path)
    assert demo.torchsel("backend", cwd=tmp_path).out == "cu126\n"
    assert "cu126" in demo.text()
    assert CU126 in demo.locked("torch")


SCRIPT = '# /// script\n# dependencies = ["torch"]\n# ///\n' + SHOW


def test_scripts(make: MakeProject) -> None:
    demo = make(PIN)
    (demo.root / "s.py").write_text(SCRIPT)
    ran = demo.torchsel("run", "--package", "demo", "--isolated", "-qp", demo.env["UV_PYTHON"], "s.py")
    assert ran.out == f"{CU126}\n"
    said = demo.torchsel("run", "--locked", "s.py", code=2).err
    assert "with --locked torchsel can't choose a torch for a script" in said


def test_a_scripts_own_lock_keeps_its_torch(make: MakeProject) -> None:
    demo = make(PIN)
    script, lock = demo.root / "s.py", demo.root / "s.py.lock"
    script.write_text(SCRIPT.replace('"torch"', '"torch<2.14"'))
    demo.uv("lock", "--script", "s.py")
    script.write_text(SCRIPT)
    assert demo.torchsel("run", "s.py").out == "2.13.0+cu126\n"
    said = demo.torchsel("apply", "--script", "s.py").err.splitlines()[-1]
    command = said.rpartition("renew it: ")[2]
    assert command == "uv sync --script s.py -P torch==2.13.0"
    demo.run(*command.split())
    assert 'version = "2.13.0+cu126"' in lock.read_text()
    assert demo.uv("run", "s.py").out == "2.13.0+cu126\n"


def test_a_script_that_uv_can_not_run_has_uvs_exit_code(make: MakeProject) -> None:
    demo = make(PIN)
    (demo.root / "s.py").write_text(SCRIPT.replace('"torch"', '"torch", "no-such-package"'))
    code = demo.uv("run", "s.py", code=None).code
    assert code == 1
    assert "no-such-package was not found" in demo.torchsel("run", "s.py", code=code).err
    uv = demo.root.parent / "bin" / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$1" != --version ] || exec "{demo.binary}" --version\nkill -TERM $$\n')
    demo.torchsel("run", "s.py", code=143)


def test_scripts_from_elsewhere_are_uvs(make: MakeProject) -> None:
    demo = make(PIN)
    words = (sys.executable, "-m", "torchsel", "run", "-")
    ran = demo.run(*words, stdin=SCRIPT)
    assert ran.out == "2.15.0+cu132\n"
    assert "a script from standard input is run by plain uv" in ran.err
    ran = demo.run(*words, stdin=SHOW)
    assert ran.out == f"{CU126}\n"
    assert "standard input" not in ran.err
    said = demo.torchsel("run", "http://127.0.0.1:1/s.py", code=None).err
    assert "http://127.0.0.1:1/s.py: a script at an address is run by plain uv" in said


def test_scripts_take_the_projects_mirror(make: MakeProject) -> None:
    demo = make(PIN)
    url = demo.env.pop("TORCHSEL_INDEX_URL")
    demo.pyproject.write_text(f'{demo.text()}index-url = "{url}"\n')
    (demo.root / "s.py").write_text(SCRIPT)
    assert demo.torchsel("run", "s.py").out == f"{CU126}\n"


def test_a_uv_that_makes_no_environments_for_scripts(make: MakeProject) -> None:
    demo = make(PIN, uv_version=OLDEST_UV)
    (demo.root / "s.py").write_text(SCRIPT)
    ran = demo.torchsel("run", "s.py")
    assert ran.out == "2.15.0+cu132\n"
    assert f"uv {OLDEST_UV} can't make a script's environment, which 0.6.10 can ('uv self update')" in ran.err
