"""The README: its commands are run, its pictures and answers are real, and it is read in a minute."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts import bootstrap, guides
from scripts.pictures import draw as pictures
from tests.conftest import MakeProject
from tests.support.pages import TOPICS, blocks_in, column, console, guide, readme, section
from tests.support.stage import ENGINES, PROJECT, TABLE, Scene, set_stage
from tests.support.toolbox import ROOT, SYSTEM_CERTIFICATES, Project
from torchsel.commands.parser import parse_arguments
from torchsel.config.keys import parse_config

README = readme()
IDENTITY = "-c user.name=Test -c user.email=test@example.org"
SECTIONS = ["One machine", "A team", "A cluster", "Verify", "Undo", "For developers"]
"""Those with commands, below the first screen."""


def first_screen() -> str:
    return README.partition("\n## ")[0]


def shell(project: Project, *commands: str) -> str:
    """Run commands as typed, each with success; what the last one printed."""
    out = ""
    for command in commands:
        out = project.run("bash", "-c", command).out
    return out


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "uv", "build", "-q", "--out-dir", str(folder), str(ROOT)]
    # with this process' environment: an index of packages may be known only there
    subprocess.run(build, env=os.environ | SYSTEM_CERTIFICATES, check=True, capture_output=True)
    return folder


def test_it_is_read_in_a_minute() -> None:
    assert len(README.splitlines()) <= 220
    assert len(README.split()) <= 1700
    assert len(first_screen().splitlines()) <= 50


def test_every_command_is_run_by_a_test() -> None:
    assert [
        name for name in re.findall(r"^## (.*)$", README, re.MULTILINE) if console(section(README, name))
    ] == (SECTIONS)
    assert len(console(README)) == len(console(first_screen())) + sum(
        len(console(section(README, name))) for name in SECTIONS
    )


def test_trying_it_without_installing(tmp_path: Path, hosts: dict[str, Path]) -> None:
    """``uvx`` of this clone prints in an empty folder what the README shows, and leaves it empty."""
    command = console(first_screen())[0]
    assert command == "uvx torchsel status"
    [from_clone] = re.findall(r"From a clone, `(uvx --from \. .*?)`", README)
    assert from_clone == command.replace("uvx", "uvx --from .")
    folder = tmp_path / "empty"
    folder.mkdir()
    env = os.environ | SYSTEM_CERTIFICATES | {"TORCHSEL_HOST": str(hosts["gtx1080ti"])}
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"

    def printed(line: str, cwd: Path) -> str:
        done = subprocess.run(
            ["bash", "-c", line], cwd=cwd, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    [shown] = blocks_in(first_screen(), "text")
    assert printed(from_clone.replace("--from .", f"--from {ROOT}"), folder) == shown
    assert list(folder.iterdir()) == []
    assert "\nbackend  cu126, torch 2.14.1\n" in printed(from_clone, ROOT)


def test_adopting_it(project: MakeProject, hosts: dict[str, Path]) -> None:
    _, install, *adopt = console(first_screen())
    assert install == "uv tool install torchsel", "test_installing runs it from a clone"
    demo = project("", env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    demo.pyproject.unlink()
    shell(demo, "uv init", *adopt)
    assert demo.installed("torch") == "2.14.1+cu126"
    *_, last = blocks_in(first_screen(), "text")[0].partition("in a new one:\n")
    assert last.split("\n")[:-1] == [f"         {command}" for command in ("uv init", *adopt)]


def test_installing(tmp_path: Path) -> None:
    [command] = re.findall(r"from a clone, `(uv tool install [^`]*)`", README)
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    env = os.environ | SYSTEM_CERTIFICATES | places
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    # with completion, which is the same command with an extra
    line = command.replace(" .", ' ".[completion]"')
    subprocess.run(["bash", "-c", line], cwd=ROOT, env=env, check=True, capture_output=True)
    for words, part in (
        ("completion bash", "_shtab_torchsel"),
        ("schema", '"same-torch"'),
        ("hook fish", "function uv"),
        ("help slurm", "# Slurm"),
        ("--version", "torchsel "),
    ):
        started = [str(tmp_path / "bin" / "torchsel"), *words.split()]
        assert part in subprocess.run(started, capture_output=True, text=True, check=True).stdout
    uninstall, *_ = blocks_in(guide("undoing"), "sh")[1].splitlines()
    subprocess.run(["bash", "-c", uninstall], env=env, check=True, capture_output=True)
    assert list((tmp_path / "bin").iterdir()) == []


def test_one_machine(project: MakeProject, hosts: dict[str, Path]) -> None:
    sync, run, script = console(section(README, "One machine"))
    demo = project(PROJECT, env={"TORCHSEL_HOST": str(hosts["h200"])})
    (demo.root / "script.py").write_text(
        '# /// script\n# dependencies = ["torch"]\n# ///\nimport torch\nprint(torch.__version__)\n'
    )
    shell(demo, "torchsel init", "uv sync")
    assert shell(demo, "uv run python -c 'import torch; print(torch.__version__)'") == "2.15.0+cu132\n"
    demo.torchsel("check")
    demo.env["TORCHSEL_HOST"] = str(hosts["b580"])
    shell(demo, sync)
    assert demo.installed("torch") == "2.15.0+xpu"
    demo.env["TORCHSEL_HOST"] = str(hosts["cpu"])
    assert shell(demo, run).strip() == demo.installed("torch") == "2.15.0+cpu"
    assert shell(demo, script) == "2.15.0+cpu\n"


def test_a_team(project: MakeProject, hosts: dict[str, Path]) -> None:
    [table] = blocks_in(section(README, "A team"), "toml")
    *lock, add, sync, detect, check = console(section(README, "A team"))
    demo = project(PROJECT + table, env={"TORCHSEL_HOST": str(hosts["h200"])})
    (demo.root / ".gitignore").write_text(".venv/\n")
    shell(demo, "git init -q", *lock, add, "git add .gitignore", f"git {IDENTITY} commit -q -m team")
    for host, local in {"gtx1080ti": "cu126", "rx7900": "rocm7.2", "cpu": "cpu", "h200": "cu130"}.items():
        demo.env["TORCHSEL_HOST"] = str(hosts[host])
        shell(demo, sync)
        assert (demo.installed("torch") or "").endswith(f"+{local}")
        assert shell(demo, "git status --porcelain") == ""
    shell(demo, detect)
    assert [line[:4] for line in shell(demo, check).splitlines()] == ["ok  "] * 2


def test_a_cluster(project: MakeProject, hosts: dict[str, Path]) -> None:
    commands = console(section(README, "A cluster"))
    assert len(commands) == 4
    assert {command.split()[0] for command in commands} - {"torchsel", "uv"} <= ENGINES.keys()
    demo = project(PROJECT, env={"TORCHSEL_HOST": str(hosts["h200"])})
    set_stage(demo, Scene(ready=("rm -r hosts",)))
    assert shell(demo, *commands) == "2.14.1+cu126\n"
    [check] = re.findall(r"`(torchsel check --host [^`]*)`", section(README, "A cluster"))
    assert [line[:4] for line in shell(demo, check).splitlines()] == ["ok  "] * 3


IN_THE_WAY = {
    "no kernel image is available for execution on the device": ("gtx1080ti", "cu132", "2.14.1+cu126"),
    "does not include kernels for this GPU": ("v100", "cu132", "2.14.1+cu126"),
    "is not compatible with the current PyTorch installation": ("v100", "cu130", "2.14.1+cu126"),
    "The NVIDIA driver on your system is too old": ("rtx5090-570", "cu130", "2.13.0+cu129"),
    "Torch not compiled with CUDA enabled": ("h200", "cpu", "2.15.0+cu132"),
}
"""Each message: a machine that has it, the build that it has then, and the one that works."""


@pytest.mark.parametrize("message", IN_THE_WAY)
def test_the_command_beside_a_message_mends_it(
    project: MakeProject, hosts: dict[str, Path], message: str
) -> None:
    table = section(README, "The message you searched for")
    rows = dict(zip(column(table, 0), column(table, 2), strict=True))
    assert [row.strip("`") for row in rows] == list(IN_THE_WAY)
    host, backend, mended = IN_THE_WAY[message]
    demo = project(TABLE, env={"TORCHSEL_HOST": str(hosts[host])})
    shell(demo, f"torchsel -q --backend {backend}", "uv sync")
    assert (demo.installed("torch") or "").endswith(f"+{backend}")
    shell(demo, rows[f"`{message}`"].strip("`"))
    assert demo.installed("torch") == mended


def test_without_torchsel_init_comes_first(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(PROJECT, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    shell(demo, "uv sync")
    assert demo.installed("torch") == "2.15.0"
    shell(demo, "torchsel init", "torchsel sync")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_verify_and_undo(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TABLE, env={"TORCHSEL_HOST": str(hosts["cpu"])})
    shell(demo, "torchsel sync", *console(section(README, "Verify")))
    [undo] = console(section(README, "Undo"))
    shell(demo, f"{undo} --dry-run", undo)
    assert demo.text().rstrip() == PROJECT.rstrip()


def test_the_commands_for_developers() -> None:
    see_it, test_it = console(section(README, "For developers"))
    assert test_it == "python3 scripts/test.py", "it is what runs this test"
    if bootstrap._stamp() != bootstrap._wanted():
        pytest.skip("the environment in .work is not the one for this pyproject.toml; run scripts/test.py")
    done = subprocess.run(
        [sys.executable, *see_it.split()[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "torch 2.14.1, torchvision 0.29.1 → cu126 (GTX 1080 Ti" in done.stdout + done.stderr
    assert "torch 2.14.1+cu126" in done.stdout


def test_toml_is_legal() -> None:
    for block in blocks_in(README, "toml"):
        parse_config(tomllib.loads(block)["tool"]["torchsel"], where="README.md")


@pytest.mark.parametrize("page", ["README.md", "scripts/bench/README.md", "scripts/catalog/README.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert ((ROOT / page).parent / target).is_file()


def test_every_guide_is_linked() -> None:
    linked = set(re.findall(r"\(hook/torchsel/data/guide/([a-z-]+)\.md\)", section(README, "Guides")))
    assert linked == set(TOPICS)


def test_figures_are_those_of_the_tables() -> None:
    compared = (ROOT / "scripts/catalog/README.md").read_text(encoding="utf-8")
    [(total, right)] = re.findall(
        r"Of (\d+) kinds of machine.*?tries the best index first for (\d+)", compared
    )
    assert f"Of {total} kinds of machine, uv's own `auto` tries the best index first for {right} " in README
    bench = (ROOT / "scripts/bench/README.md").read_text(encoding="utf-8")
    ratios = re.findall(r"\| torchsel, beside Python itself \|[^|]*\| ([\d.]+) x bare Python", bench)
    assert len(ratios) == 2
    assert all(float(ratio) < 1.25 for ratio in ratios), "about as long as a bare Python interpreter"


def test_the_pictures_are_what_torchsel_prints() -> None:
    drawn = re.findall(r"\(scripts/pictures/(\w+)\.svg\)", README)
    assert drawn == ["status", "before", "after"]
    for name, lines in pictures.record().items():
        there = (ROOT / "scripts" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
        assert there == pictures.draw(pictures.SESSIONS[name][0], lines), "run scripts/pictures/draw.py"


def test_examples_in_help_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    examples = re.findall(r"^  (torchsel.*?)(?:  .*)?$", capsys.readouterr().out, re.MULTILINE)
    assert len(examples) >= 5
    for example in examples:
        assert parse_arguments(example.partition(" > ")[0].split()[1:]).command


def test_the_made_parts() -> None:
    assert guides.made()[ROOT / "README.md"] == README, "run scripts/guides.py"


def test_what_a_package_index_shows(dist: Path) -> None:
    """No picture and no link into the repository, which would be broken; licence and guides within."""
    [wheel], [source] = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    head, _, text = metadata.partition("\n\n")
    assert "License-File: hook/LICENSE" in head
    assert "License-Expression: MIT" in head
    assert any(name.endswith("licenses/hook/LICENSE") for name in names)
    assert {f"torchsel/data/guide/{topic}.md" for topic in TOPICS} <= set(names)
    assert "![" not in text
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]+)\)", text))
    assert "`torchsel help strategy`" in text
    assert "torchsel status on a GTX 1080 Ti" in text, "a picture is told in words"
    listed = subprocess.run(["tar", "tzf", source], capture_output=True, text=True, check=True).stdout
    assert "/hook/LICENSE\n" in listed
    assert "/README.md\n" in listed
