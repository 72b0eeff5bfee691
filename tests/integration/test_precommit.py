"""The hooks of ``.pre-commit-hooks.yaml``, installed and run by the real pre-commit and prek."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.pages import blocks_in, guide
from tests.support.toolbox import ROOT, SYSTEM_CERTIFICATES, Project, Result

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
"""
GUIDE = guide("pre-commit")
CONFIG = re.sub(r" +#.*", "", blocks_in(GUIDE, "yaml")[0])
CONFIG = re.sub(r"(repo|rev): .*", r"\1: {\1}", CONFIG)
"""The guide's, without its comments, for any repository and revision."""
IN_MONOREPO = CONFIG.replace(
    "id: torchsel-check\n", "id: torchsel-check\n        args: [--project, services/train]\n"
).replace("      - id: torchsel\n", "")
GIT = {
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.org",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Runner:
    """pre-commit or prek with the hooks installed once, in ``home``, from ``repository``."""

    program: str
    home: Path
    repository: Path
    revision: str

    def config(self, text: str = CONFIG) -> str:
        return text.format(repo=self.repository, rev=self.revision)

    def env(self) -> dict[str, str]:
        return {"PRE_COMMIT_HOME": str(self.home), "PREK_HOME": str(self.home), **GIT}

    def run(self, project: Project, *args: str, code: int = 0) -> Result:
        return project.run(self.program, *args, code=code)


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository of these files, for the programs to clone."""
    folder = tmp_path_factory.mktemp("torchsel")
    for name in ("pyproject.toml", "README.md", ".pre-commit-hooks.yaml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "hook", folder / "hook", ignore=shutil.ignore_patterns("__pycache__"))
    for command in ("init -q -b main", "add .", "commit -q -m hooks"):
        subprocess.run(["git", *command.split()], cwd=folder, env=os.environ | GIT, check=True)
    return folder


@pytest.fixture(scope="session", params=["pre-commit", "prek"])
def runner(
    request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Runner:
    program = Path(sys.executable).with_name(request.param)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    )
    made = Runner(
        program=str(program),
        home=tmp_path_factory.mktemp(request.param),
        repository=repository,
        revision=head.stdout.strip(),
    )
    folder = tmp_path_factory.mktemp("installing")
    (folder / ".pre-commit-config.yaml").write_text(made.config())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    # with this process' environment: an index of packages may be known only there
    subprocess.run(
        [program, "install-hooks"], cwd=folder, env=os.environ | made.env() | SYSTEM_CERTIFICATES, check=True
    )
    return made


def committed(project: Project, runner: Runner, config: str = CONFIG) -> None:
    project.env.update(runner.env())
    (project.root / ".pre-commit-config.yaml").write_text(runner.config(config))
    (project.root / ".gitignore").write_text(".venv/\n")
    if not (project.root / ".git").exists():
        project.run("git", "init", "-q", "-b", "main")
    project.run("git", "add", ".")
    project.run("git", "commit", "-q", "-m", "all")


def committed_for_h200(project: MakeProject, hosts: dict[str, Path], runner: Runner) -> Project:
    demo = project(PYPROJECT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    committed(demo, runner)
    return demo


def test_check_passes_in_sync_on_any_machine(
    project: MakeProject, hosts: dict[str, Path], runner: Runner
) -> None:
    demo = committed_for_h200(project, hosts, runner)
    # as on a service without network: no index, no uv, no machine to look at
    demo.env.update(UV_OFFLINE="1", TORCHSEL_HOST="/nonexistent", PATH="/usr/bin:/bin")
    assert "Passed" in runner.run(demo, "run", "--all-files").out
    demo.pyproject.write_text(demo.text() + "\n# a comment\n")
    demo.run("git", "add", "pyproject.toml")
    assert "Passed" in runner.run(demo, "run").out
    (demo.root / "notes.txt").write_text("nothing of ours")
    demo.run("git", "commit", "-q", "-am", "comment")
    demo.run("git", "add", "notes.txt")
    assert "Skipped" in runner.run(demo, "run").out


def test_check_fails_on_drift_and_says_what_to_do(
    project: MakeProject, hosts: dict[str, Path], runner: Runner
) -> None:
    demo = project(PYPROJECT)
    demo.torchsel("--host", str(hosts["h200"]))
    routed = demo.text()
    demo.pyproject.write_text(routed.replace("explicit = true", "explicit = false"))
    committed(demo, runner)
    failed = runner.run(demo, "run", "--all-files", code=1)
    assert "tool.uv.index[0].explicit" in failed.out
    assert "run 'torchsel' to bring it in sync" in failed.out
    assert demo.run("git", "status", "--porcelain").out == "", "a check writes nothing"


def test_check_in_a_monorepo(project: MakeProject, hosts: dict[str, Path], runner: Runner) -> None:
    whole = project("", name="mono")
    whole.pyproject.unlink()
    part = project(PYPROJECT, name="mono/services/train")
    part.torchsel("--host", str(hosts["gtx1080ti"]))
    committed(whole, runner, IN_MONOREPO)
    assert "Passed" in runner.run(whole, "run", "--all-files").out
    part.pyproject.write_text(PYPROJECT)
    whole.run("git", "add", ".")
    assert "torch is not routed yet" in runner.run(whole, "run", code=1).out


def test_a_run_that_edits_is_a_failure(project: MakeProject, hosts: dict[str, Path], runner: Runner) -> None:
    demo = project(PYPROJECT)
    demo.torchsel("--host", str(hosts["h200"]))
    committed(demo, runner)
    stage = ("run", "torchsel", "--hook-stage", "manual", "--all-files")
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    assert "Passed" in runner.run(demo, *stage).out
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    edited = runner.run(demo, *stage, code=1)
    assert "files were modified by this hook" in edited.out
    assert "→ cu126 (" in edited.out
    assert "pytorch-cu126" in demo.text()


def test_a_checkout_routes_for_this_machine(
    project: MakeProject, hosts: dict[str, Path], runner: Runner
) -> None:
    demo = committed_for_h200(project, hosts, runner)
    demo.run("git", "branch", "colleague")
    runner.run(demo, "install")
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    demo.run("git", "checkout", "-q", "colleague", code=1)  # git hands on that the hook edited files
    assert demo.run("git", "branch", "--show-current").out.strip() == "colleague"
    assert "pytorch-cu126" in demo.text()
    assert demo.run("git", "status", "--porcelain").out == " M pyproject.toml\n", "uv.lock is not touched"
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu126"


def test_a_checkout_runs_no_code_of_the_branch(
    project: MakeProject, hosts: dict[str, Path], runner: Runner
) -> None:
    demo = committed_for_h200(project, hosts, runner)
    demo.run("git", "branch", "ordinary")
    hostile = 'from pathlib import Path\nPath("../it-ran").touch()\nraise SystemExit(1)\n'
    (demo.root / "backend.py").write_text(hostile)
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    text = demo.text().replace('version = "0.1.0"', 'dynamic = ["version"]')
    demo.pyproject.write_text(f"{text}\n{build}")
    demo.run("git", "checkout", "-q", "-b", "hostile")
    demo.run("git", "add", ".")
    demo.run("git", "commit", "-q", "-m", "hostile")
    demo.run("git", "checkout", "-q", "ordinary")
    runner.run(demo, "install", "--hook-type", "post-checkout")
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    said = demo.run("git", "checkout", "-q", "hostile", code=1)
    assert "run 'torchsel sync' to bring it along" in said.out + said.err
    assert "pytorch-cu126" in demo.text()
    ran = demo.root.parent / "it-ran"
    assert not ran.exists()
    demo.torchsel(code=None)
    assert ran.exists(), "which is what locking does"


def test_the_guides_plain_git_hook(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(PYPROJECT, env=GIT)
    demo.torchsel("--host", str(hosts["h200"]))
    demo.uv("lock")
    demo.run("git", "init", "-q", "-b", "main")
    demo.run("git", "add", ".")
    demo.run("git", "commit", "-q", "-m", "all")
    hook = demo.root / ".git" / "hooks" / "post-checkout"
    hook.write_text(blocks_in(GUIDE, "sh")[0])
    hook.chmod(0o755)
    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    lock = (demo.root / "uv.lock").read_bytes()
    demo.run("git", "checkout", "-q", "-b", "other")
    assert "whl/cu126" in demo.text()
    assert (demo.root / "uv.lock").read_bytes() == lock
