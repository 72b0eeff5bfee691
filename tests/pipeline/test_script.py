"""Scripts with inline metadata (PEP 723), with real uv."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project

BODY = """\
import sys

import torch

print(torch.__version__, __file__, sys.argv[1:])
sys.exit(5)
"""
HEAD = """\
#!/usr/bin/env -S uv run
# /// script
# requires-python = ">=3.11"
# dependencies = ["%s"]
# ///
"""
PROJECT = '[project]\nname = "around"\nversion = "1"\nrequires-python = ">=3.11"\n'


def script(project: MakeProject, text: str) -> tuple[Project, Path]:
    around = project(PROJECT)
    path = around.root / "train.py"
    path.write_bytes(text.encode())
    return around, path


@pytest.mark.parametrize(
    ("dependency", "host", "torch"),
    [
        ("torch", "gtx1080ti", "2.14.1+cu126"),
        ("torch", "h200", "2.15.0+cu132"),
        ("torch", "rx7900", "2.14.1+rocm7.2"),
        ("torch<2.11", "v100", "2.10.0+cu129"),
        ("torch", "cpu", "2.15.0+cpu"),
    ],
)
def test_running_chooses_and_writes_nothing(
    project: MakeProject, hosts: dict[str, Path], dependency: str, host: str, torch: str
) -> None:
    text = HEAD % dependency + BODY
    around, path = script(project, text)
    around.env["TORCHSEL_HOST"] = str(hosts[host])
    ran = around.torchsel("run", "train.py", "--epochs", "3", code=5)
    assert ran.out.split(maxsplit=2)[:2] == [torch, "train.py"] or ran.out.startswith(f"{torch} {path}")
    assert ran.out.strip().endswith("['--epochs', '3']")
    assert path.read_bytes() == text.encode()
    assert {item.name for item in around.root.iterdir()} == {"pyproject.toml", "train.py"}


def test_another_machine_gets_another_environment(project: MakeProject, hosts: dict[str, Path]) -> None:
    around, _ = script(project, HEAD % "torch" + BODY)
    for host, torch in (("h200", "2.15.0+cu132"), ("cpu", "2.15.0+cpu"), ("h200", "2.15.0+cu132")):
        assert around.torchsel("--host", str(hosts[host]), "run", "train.py", code=5).out.startswith(torch)


def test_torch_through_another_package_needs_consent(project: MakeProject, hosts: dict[str, Path]) -> None:
    plain = HEAD % "trainkit" + BODY
    around, path = script(project, plain)
    around.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    assert around.torchsel("run", "train.py", code=5).out.startswith("2.15.0")
    path.write_text(plain.replace("# ///\n", "# [tool.torchsel]\n# ///\n"))
    assert around.torchsel("run", "train.py", code=5).out.startswith("2.14.1+cu126")


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("host", ["gtx1080ti", "rx7900"])
def test_applying_writes_the_block_and_nothing_else(
    project: MakeProject, hosts: dict[str, Path], host: str, newline: str
) -> None:
    text = (HEAD % "torch" + BODY).replace("\n", newline)
    around, path = script(project, text)
    around.torchsel("apply", "--script", "train.py", "--host", str(hosts[host]))
    routed = path.read_bytes().decode()
    assert routed.endswith(BODY.replace("\n", newline))
    assert routed.replace("\r\n", "\n").count("\n") == routed.count(newline)
    around.torchsel("apply", "--script", "train.py", "--host", str(hosts[host]))
    assert path.read_bytes().decode() == routed
    expected = {"gtx1080ti": "2.14.1+cu126", "rx7900": "2.14.1+rocm7.2"}[host]
    assert around.uv("run", "train.py", code=5).out.startswith(expected)
    around.torchsel("apply", "--script", "train.py", "--host", str(hosts["cpu"]))
    assert "triton-rocm" not in path.read_text()
    around.uv("sync", "--script", "train.py", "-P", "torch")
    assert around.uv("run", "train.py", code=5).out.startswith("2.15.0+cpu")


def test_a_script_with_its_own_routing_is_left_alone(project: MakeProject, hosts: dict[str, Path]) -> None:
    own = '# [tool.uv.sources]\n# torch = { index = "mine" }\n# [[tool.uv.index]]\n# name = "mine"\n'
    around, path = script(project, "")
    whl = around.env["TORCHSEL_INDEX_URL"]
    path.write_text((HEAD % "torch").replace("# ///\n", f'{own}# url = "{whl}/cu130"\n# ///\n', 1) + BODY)
    path.write_text(path.read_text().replace("# /// script", "# /// script", 1))
    around.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    before = path.read_text()
    said = around.torchsel("apply", "--script", "train.py")
    assert "tool.uv.sources.torch: routed to index 'mine'" in said.err
    assert path.read_text() == before


def test_bad_scripts_are_refused(project: MakeProject, hosts: dict[str, Path]) -> None:
    around, path = script(project, BODY)
    assert "no '# /// script' block" in around.torchsel("apply", "--script", "train.py", code=2).err
    path.write_text((HEAD % "torch").replace("dependencies = [", "dependencies = ") + BODY)
    assert "train.py: not valid TOML" in around.torchsel("run", "train.py", code=2).err
    assert "no-such.py: can't be read" in around.torchsel("apply", "--script", "no-such.py", code=3).err


def test_a_script_that_is_not_utf_8_is_plain_uvs(project: MakeProject, hosts: dict[str, Path]) -> None:
    around, path = script(project, "")
    path.write_bytes(b"# -*- coding: latin-1 -*-\nprint('\xe9')\n")
    around.env["TORCHSEL_HOST"] = str(hosts["cpu"])
    assert around.torchsel("run", "train.py").out.strip() == "é"


ATTENTION = """\
# /// script
# requires-python = ">=3.11"
# dependencies = ["torch", "flash-attn"]
# [tool.torchsel]
# companions = ["flash-attn"]
# ///
"""


def test_a_companion_of_the_users_stays_where_a_machine_has_no_build(
    project: MakeProject, hosts: dict[str, Path]
) -> None:
    around, path = script(project, ATTENTION)
    around.env["TORCHSEL_HOST"] = str(hosts["h200"])
    around.torchsel("apply", "--script", "train.py")
    written = path.read_text()
    assert '# flash-attn = [\n#     { index = "astral-cu132" },\n' in written
    around.env["TORCHSEL_HOST"] = str(hosts["rx7900"])
    told = around.torchsel("apply", "--script", "train.py")
    assert "flash-attn has no rocm7.2 build, and is left to uv" in told.err
    assert '# dependencies = ["torch", "flash-attn", "triton-rocm; ' in path.read_text()
    assert "astral" not in path.read_text()
    around.env["TORCHSEL_HOST"] = str(hosts["h200"])
    around.torchsel("apply", "--script", "train.py")
    assert path.read_text() == written


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'companions = ["flash-atn"]',
            "line 5: tool.torchsel.companions: torchsel knows no index for flash-atn",
        ),
        ('also.cuda = ["cupy"]', "line 5: tool.torchsel.also: needs strategy 'groups' or 'extras'"),
        ("backend = ", "not valid TOML: Invalid value (at line 5, column 11)"),
    ],
)
def test_an_error_names_the_line_of_the_script(project: MakeProject, line: str, said: str) -> None:
    around, _ = script(project, ATTENTION.replace('companions = ["flash-attn"]', line))
    for words in (["run", "train.py"], ["apply", "--script", "train.py"]):
        assert f"train.py: {said}" in around.torchsel(*words, code=2).err


def test_a_script_needs_no_project_around_it(project: MakeProject, hosts: dict[str, Path]) -> None:
    around, path = script(project, f"{HEAD % 'torch'}import torch\nprint(torch.__version__)\n")
    around.pyproject.unlink()
    around.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    assert around.torchsel("run", "train.py").out == "2.14.1+cu126\n"
    assert [item.name for item in around.root.iterdir()] == ["train.py"]
    around.torchsel("apply", "--script", "train.py")
    assert "whl/cu126" in path.read_text()
    assert around.uv("run", "train.py").out == "2.14.1+cu126\n"


def test_a_line_of_the_users_stays_on_every_machine(project: MakeProject, hosts: dict[str, Path]) -> None:
    around, path = script(project, HEAD.replace('"%s"', '"torch", "xformers"') + BODY)
    for host in ("h200", "cpu", "rx7900", "h200"):
        around.env["TORCHSEL_HOST"] = str(hosts[host])
        around.torchsel("apply", "--script", "train.py")
        assert '# dependencies = ["torch", "xformers"' in path.read_text()
    assert "triton" not in path.read_text()
