"""``torchsel hook`` in real bash, zsh and fish; PowerShell's by a parser, or itself where there is one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.pages import blocks_in, guide, recipe, section
from tests.support.shells import SHELLS, Shell
from tests.support.toolbox import Project
from torchsel.commands.hook import hook
from torchsel.uv.call import HOOKED_COMMANDS

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
"""
PLAIN = PYPROJECT.partition("\n[tool")[0]

STRAIGHT = ("", "--version", "init", "pip install sync", "tool run sync", "python list",
            "--cache-dir sync pip", "--color never", "SYNC", "sync/", "venv lock", "--color=never pip sync",
            "--preview-features sync pip", "-q --offline --trusted-host sync tree-")  # fmt: skip
"""uv's command lines that are uv's own inside a project too."""

ELSEWHERE = ("--project {} sync", "sync --project {}", "--directory={} run x", "run --directory {} x")
"""uv's command lines for a project in another folder."""

every_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.name)


def fakes(project: Project) -> None:
    """Stand-ins for uv and torchsel that print their name and arguments, and exit with 5 and 6."""
    folder = project.root.parent / "bin"
    folder.mkdir(exist_ok=True)
    for name, code in (("uv", 5), ("torchsel", 6)):
        hooks = '[ "$1" = hook ] && exec python -m torchsel "$@"\n' if name == "torchsel" else ""
        (folder / name).write_text(f'#!/bin/sh\n{hooks}printf "%s\\n" "{name} <$*>"\nexit {code}\n')
        (folder / name).chmod(0o755)
    project.env["PATH"] = f"{folder}{os.pathsep}{project.env['PATH']}"


def routes(shell: Shell, project: Project, *lines: str, cwd: Path | None = None) -> list[str]:
    """What was started by each of ``lines`` after the hook; its text is the code's, which is quicker."""
    text = project.root.parent / f"hook.{shell.name}"
    text.write_text(hook(shell.name), encoding="utf-8")
    ran = shell.run(project, "\n".join([f"source '{text}'", *lines, "true"]), cwd=cwd)
    assert ran.err == ""
    return ran.out.splitlines()


@every_shell
def test_uv_sync_takes_the_torch_for_this_machine(
    project: MakeProject, hosts: dict[str, Path], shell: Shell
) -> None:
    demo = project(PYPROJECT, env={"TORCHSEL_HOST": str(hosts["gtx1080ti"])})
    failing = 'uv run python -c "import sys; print(sys.argv[1:]); sys.exit(7)" --x "a  b" "*"\n'
    status = "echo code=$status" if shell.name == "fish" else "echo code=$?"
    ran = shell.run(demo, f"{shell.hook}uv sync\n{failing}{status}\n")
    assert demo.installed("torch") == "2.14.1+cu126"
    assert "torchsel: torch 2.14.1 → cu126 (" in ran.err
    assert ran.out.splitlines() == ["['--x', 'a  b', '*']", "code=7"]


@every_shell
def test_which_commands_go_through(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    through = [
        *HOOKED_COMMANDS,
        "--offline sync",
        "--color never run x",
        "-q --project . lock",
        "run x --help",
        "version --bump patch",
        "--preview-features pylock sync",
        "--color=never --trusted-host=localhost sync",
        "--not-yet-known value sync",
        "-qq sync",
    ]
    assert routes(shell, demo, *(f"uv {words}" for words in through)) == [
        f"torchsel <--hooked uv {words}>" for words in through
    ]
    assert routes(shell, demo, *(f"uv {words}" for words in STRAIGHT)) == [
        f"uv <{words}>" for words in STRAIGHT
    ]
    deep = demo.root / "src" / "deep"
    deep.mkdir(parents=True)
    assert routes(shell, demo, "uv sync", cwd=deep) == ["torchsel <--hooked uv sync>"]


@every_shell
def test_outside_a_project_it_is_plain_uv(project: MakeProject, tmp_path: Path, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    plain = project(PLAIN, name="plain")
    (plain.root / "folder" / "pyproject.toml").mkdir(parents=True)
    (plain.root / "pipe").mkdir()
    os.mkfifo(plain.root / "pipe" / "pyproject.toml")
    for folder in (tmp_path, plain.root, plain.root / "folder", plain.root / "pipe"):
        assert routes(shell, demo, "uv sync", cwd=folder) == ["uv <sync>"]
    for words in ELSEWHERE:
        line = words.format(demo.root)
        assert routes(shell, demo, f"uv {line}", cwd=tmp_path) == [f"torchsel <--hooked uv {line}>"]
    for variable in ("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY"):
        demo.env[variable] = str(demo.root)
        assert routes(shell, demo, "uv sync", cwd=tmp_path) == ["torchsel <--hooked uv sync>"]
        del demo.env[variable]


@every_shell
def test_it_can_be_turned_off(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    for value, expected in (("1", "uv <sync>"), ("yes", "uv <sync>"), ("0", "torchsel <--hooked uv sync>")):
        demo.env["TORCHSEL_DISABLE"] = value
        assert routes(shell, demo, "uv sync") == [expected]


@every_shell
def test_twice_is_once_and_the_exit_code_stays(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    status = "echo $status" if shell.name == "fish" else "echo $?"
    lines = ("uv sync", status, "uv pip", status)
    assert routes(shell, demo, shell.hook, *lines) == ["torchsel <--hooked uv sync>", "6", "uv <pip>", "5"]


@pytest.mark.parametrize("shell", SHELLS[:2], ids=lambda shell: shell.name)
@pytest.mark.parametrize("first", ["alias", "hook"])
def test_an_alias_of_the_users_keeps_its_meaning(project: MakeProject, shell: Shell, first: str) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    expand = "shopt -s expand_aliases\n" if shell.name == "bash" else ""
    for alias, expected in (
        ("uv --offline", "torchsel <--hooked uv --offline sync>"),
        (f"{demo.root.parent}/bin/uv", "uv <sync>"),
    ):
        steps = [f"alias uv='{alias}'\n", shell.hook]
        ran = shell.run(
            demo, expand + "".join(steps if first == "alias" else steps[::-1]) + "uv sync\ntrue\n"
        )
        assert (ran.out, ran.err) == (f"{expected}\n", "")


@every_shell
def test_a_function_of_the_users_is_left_alone(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    mine = "alias uv='echo mine'\n" if shell.name == "fish" else "function uv {\n echo mine $@\n}\n"
    ran = shell.run(demo, f"{mine}{shell.hook}{shell.hook}uv sync\n")
    assert ran.out == "mine sync\n"
    said = "your own function 'uv' is left as it is, so the hook is not in place; take yours out to have it"
    assert ran.err.count(f"torchsel: {said}\n") == 2


@every_shell
def test_without_torchsel_it_says_so_and_is_plain_uv(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    gone = f"/bin/rm {demo.root.parent}/bin/torchsel\n"
    path = f"{demo.root.parent}/bin"
    narrow = f"set PATH {path}\n" if shell.name == "fish" else f"PATH={path}\n"
    ran = shell.run(demo, f"{shell.hook}{gone}{narrow}uv sync\n", code=5)
    assert ran.out == "uv <sync>\n"
    assert (
        ran.err
        == "torchsel: not on PATH any more, so this is plain uv; install it again, or take the hook out\n"
    )


CHILDREN = {
    # minor faults of children waited for: any process or subshell ever started adds to them
    "bash": 'children() { read -r line </proc/$$/stat; set -- $line; echo "${11}"; }\n',
    "zsh": 'children() { read -r line </proc/$$/stat; set -- ${=line}; echo "${11}"; }\n',
    "fish": 'function children; read -l line </proc/$fish_pid/stat; string split " " $line | read -L -l a;'
    ' set -l words (string split " " $line); echo $words[11]; end\n',
}


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="counts processes in Linux's /proc")  # noqa: PTH110
@every_shell
def test_deciding_starts_no_process(project: MakeProject, tmp_path: Path, shell: Shell) -> None:
    demo = project(PYPROJECT)
    plain = project(PLAIN + "# much text\n" * 2000, name="plain/deep/er")
    ask = "__torchsel_wanted sync"
    script = (
        f"{shell.hook}{CHILDREN[shell.name]}children\n{ask}\n{ask} --offline\n__torchsel_wanted pip\n"
        f"children\n/bin/true\nchildren\n"
    )
    for folder in (demo.root, plain.root, tmp_path):
        before, after, control = map(int, shell.run(demo, script, cwd=folder).out.split())
        assert before == after
        assert control > after, "a process is seen"


@pytest.mark.parametrize(
    "name", ["a b", "$(touch pwned)", "`touch pwned`", "a'b\"c", "*[x]?", "-n", "new\nline", "ü"]
)
@every_shell
def test_strange_folders(project: MakeProject, shell: Shell, name: str) -> None:
    demo = project(PYPROJECT, name=name)
    fakes(demo)
    assert routes(shell, demo, "uv sync") == ["torchsel <--hooked uv sync>"]
    assert not list(demo.root.parent.rglob("pwned"))


@pytest.mark.parametrize(
    ("shell", "settings"),
    [
        (SHELLS[0], "set -euo pipefail"),
        (SHELLS[0], "set -o posix; set -u; IFS=; set -f"),
        (SHELLS[1], "setopt err_exit no_unset ksh_arrays sh_word_split extended_glob nomatch"),
    ],
    ids=["bash strict", "bash posix", "zsh odd"],
)
def test_strict_settings(project: MakeProject, tmp_path: Path, shell: Shell, settings: str) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    line = f"{settings}\n{shell.hook}uv sync || echo failed\nuv pip || echo failed\n"
    ran = shell.run(demo, line)
    assert (ran.out, ran.err) == ("torchsel <--hooked uv sync>\nfailed\nuv <pip>\nfailed\n", "")
    assert shell.run(demo, line, cwd=tmp_path).out.startswith("uv <sync>")


@every_shell
def test_no_folder_keeps_it_busy(project: MakeProject, tmp_path: Path, shell: Shell) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    gone = tmp_path / "gone" / "deep"
    gone.mkdir(parents=True)
    own = {"bash": "PWD=a/b\n", "zsh": "PWD=.\n", "fish": ""}[shell.name]
    text = hook(shell.name)
    ran = shell.run(demo, f"{text}\n/bin/rm -r '{gone}'\n{own}uv sync\ntrue\n", cwd=gone)
    assert ran.out in ("torchsel <--hooked uv sync>\n", "uv <sync>\n")
    assert not own or ran.out.startswith("torchsel"), "it is torchsel's to say what is wrong"
    lines = tmp_path / "a\nb" / "sub\n"
    lines.mkdir(parents=True)
    assert routes(shell, demo, "uv sync", cwd=lines) == ["uv <sync>"]
    (lines.parent / "pyproject.toml").write_text(PYPROJECT)
    assert routes(shell, demo, "uv sync", cwd=lines) == ["torchsel <--hooked uv sync>"]


def test_a_bash_without_a_folder(project: MakeProject) -> None:
    demo = project(PYPROJECT)
    fakes(demo)
    ran = SHELLS[0].run(demo, f"{SHELLS[0].hook}unset PWD\nset -u\nuv sync || true\n")
    assert (ran.out, ran.err) == ("torchsel <--hooked uv sync>\n", "")


def test_exported_it_works_in_a_child(project: MakeProject, tmp_path: Path) -> None:
    demo, shell = project(PYPROJECT), SHELLS[0]
    fakes(demo)
    child = "bash -c 'set -u; uv sync; uv pip; eval \"$(torchsel hook bash)\"; uv sync; uv pip; true'\n"
    for names, first in (("uv", "torchsel <--hooked uv pip>"), ("uv __torchsel_wanted", "uv <pip>")):
        ran = shell.run(demo, f"{shell.hook}export -f {names}\n{child}")
        assert ran.err == ""
        through = "torchsel <--hooked uv sync>"
        assert ran.out.splitlines() == [through, first, through, "uv <pip>"]


COMPLETE = {
    "bash": "COMP_WORDS=(uv syn); COMP_CWORD=1; _uv uv syn uv; echo ${COMPREPLY[@]}; complete -p uv",
    "zsh": "echo sync; echo $_comps[uv]",
    "fish": "complete -C 'uv syn'",
}


@every_shell
def test_uvs_completion_stays(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    start = "autoload -Uz compinit\ncompinit -u -D\n" if shell.name == "zsh" else ""
    completion = shell.eval(f"uv generate-shell-completion {shell.name}")
    ran = shell.run(demo, f"{start}{completion}{shell.hook}{COMPLETE[shell.name]}\n")
    assert ran.out.startswith("sync")
    assert shell.name == "fish" or "_uv" in ran.out


@every_shell
def test_completion_of_torchsel(project: MakeProject, shell: Shell) -> None:
    demo = project(PYPROJECT)
    asked = {
        "bash": "for w in sta '--backend cu13'; do COMP_WORDS=(torchsel $w);"
        " COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _shtab_torchsel; echo ${COMPREPLY[@]}; done",
        "zsh": "echo status cu130; echo $_comps[torchsel]",
        "fish": "complete -C 'torchsel sta'; complete -C 'torchsel --backend cu13'",
    }
    start = "autoload -Uz compinit\ncompinit -u -D\n" if shell.name == "zsh" else ""
    ran = shell.run(demo, f"{start}{shell.eval(f'torchsel completion {shell.name}')}{asked[shell.name]}\n")
    assert "status" in ran.out
    assert "cu130" in ran.out
    assert shell.name != "zsh" or "_shtab_torchsel" in ran.out


def test_without_shtab_completion_says_what_to_install(project: MakeProject) -> None:
    demo = project(PYPROJECT)
    (demo.root / "shtab.py").write_text("raise ModuleNotFoundError(name='shtab')")
    demo.env["PYTHONPATH"] = str(demo.root)
    said = demo.torchsel("completion", "bash", code=3)
    assert "uv tool install 'torchsel[completion]'" in said.err


def test_completion_for_a_shell_that_shtab_does_not_know(project: MakeProject) -> None:
    demo = project(PYPROJECT)
    (demo.root / "shtab.py").write_text("SUPPORTED_SHELLS = ('bash', 'zsh')")
    demo.env["PYTHONPATH"] = str(demo.root)
    said = demo.torchsel("completion", "fish", code=3)
    assert "shtab has no completion for fish, only for bash, zsh" in said.err


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "powershell"])
def test_the_text_is_the_same_everywhere(project: MakeProject, name: str) -> None:
    demo = project(PYPROJECT, name="$(touch pwned)", env={"UV_PROJECT": "'; touch pwned", "X": "@COMMANDS@"})
    assert demo.torchsel("hook", name, cwd=demo.root.parent).out == hook(name)
    assert "@" not in hook(name).replace("$@", "").replace("@words", "").replace("@(", "").replace(
        "@args", ""
    )


def test_powershell_can_read_its_function() -> None:
    import tree_sitter
    import tree_sitter_powershell

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    assert not parser.parse(hook("powershell").encode()).root_node.has_error
    assert parser.parse(hook("powershell").replace("else {", "else (").encode()).root_node.has_error


def test_the_guide_has_the_lines_that_are_tried_here() -> None:
    hooks, completion = blocks_in(section(guide("shells"), "The function"), "sh")
    lines = [line.partition("#")[0].strip() for line in hooks.splitlines()]
    assert lines == [shell.hook.strip() for shell in SHELLS]
    assert completion == SHELLS[0].eval("torchsel completion bash")
    assert recipe("shells", "The variable", "sh") == SHELLS[0].eval("torchsel env")


def test_completion_by_the_line_of_the_guide(project: MakeProject) -> None:
    line = blocks_in(section(guide("shells"), "The function"), "sh")[1]
    assert "_shtab_torchsel" in SHELLS[0].run(project(PYPROJECT), f"{line}complete -p torchsel\n").out


def test_powershell_itself(project: MakeProject) -> None:
    program = shutil.which("pwsh")
    if program is None:
        pytest.skip("pwsh is not installed")
    demo = project(PYPROJECT)
    fakes(demo)
    line = recipe("shells", "The function", "powershell").partition("#")[0]
    script = f"{line}; uv sync; uv pip; exit $LASTEXITCODE"
    ran = demo.run(program, "-NoProfile", "-Command", script, code=5)
    assert ran.out.splitlines() == ["torchsel <--hooked uv sync>", "uv <pip>"]
