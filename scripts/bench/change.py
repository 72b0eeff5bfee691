"""A real change of backend under pin, without uv's own time: read, select, edit, verify, write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scripts.bench.projects import FOLDER, HEAD, Stage
from scripts.bench.timing import Command, Row, paired, within

TABLE = """\
[tool.other.section{0}]
name = "value{0}"  # a comment
items = ["a", "b", {{ x = {0} }}]

"""
PACKAGE = """\
[[package]]
name = "package-{0}"
version = "1.{0}.0"
source = {{ registry = "https://index.example/simple" }}
dependencies = [
    {{ name = "package-{1}", marker = "sys_platform == 'linux'" }},
]
wheels = [
{2}]

"""
WHEEL = (
    '    {{ url = "https://files.example/packages/aa/bb/{0:064x}/package-1.0-cp311-cp311-linux_x86_64'
    '.whl", hash = "sha256:{0:064x}", size = {0} }},\n'
)


def change(here: Stage) -> Iterator[Row]:
    """Files of growing length, a large lock, and a large workspace."""
    places = {
        "an ordinary file": (_single("change", ""), 250.0, ""),
        "an ordinary file with a uv.lock of 1 MB": (_with_lock("change-lock"), None, "uv stubbed out"),
        "a file of 1,000 lines": (_single("change-1000", _lines(1000)), None, ""),
        "a file of 10,000 lines": (_single("change-10000", _lines(10_000)), 3000.0, ""),
        "a workspace of 300 members": (_workspace("change-300", 300), 2000.0, ""),
    }
    env = {**here.project("change-env").env, "PATH": f"{_stub()}:/usr/bin:/bin"}
    rounds = max(here.rounds // 4, 4)
    commands: dict[str, Command] = {}
    for name, (folder, _, _) in places.items():
        for tag in ("cpu", "cu126"):
            words = (here.torchsel, "-q", "--backend", tag)
            commands[f"{name} to {tag}"] = Command(words=words, cwd=folder, env=env)
    times = paired(commands, rounds)
    for name, (_, limit, note) in places.items():
        took = times[f"{name} to cu126"]
        memory = f"{took.memory >> 20} MB"
        said = ", ".join(filter(None, (took.work, memory, note)))
        if limit is None:
            yield Row(part="change", name=name, ms=took.median, note=said)
        else:
            yield within("change", name, took, limit, note=said)
        if "10,000" in name:
            yield Row(
                part="change",
                name=f"memory for {name}",
                ratio=memory,
                goal="at most 150 MB",
                is_met=took.memory <= 150 << 20,
            )


def _single(name: str, more: str) -> Path:
    folder = FOLDER / name
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        HEAD.format('"torch", "torchvision"') + "\n" + more, encoding="utf-8"
    )
    return folder


def _lines(count: int) -> str:
    return "".join(TABLE.format(number) for number in range(count // 4))


def _with_lock(name: str) -> Path:
    folder = _single(name, "")
    wheels = "".join(WHEEL.format(number + 1000) for number in range(20))
    packages = (PACKAGE.format(number, number + 1, wheels) for number in range(190))
    text = 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n\n' + "".join(packages)
    (folder / "uv.lock").write_text(text, encoding="utf-8")
    return folder


def _workspace(name: str, members: int) -> Path:
    folder = _single(name, '[tool.uv.workspace]\nmembers = ["packages/*"]\n')
    for number in range(members):
        member = folder / "packages" / f"member{number}"
        member.mkdir(parents=True)
        (member / "pyproject.toml").write_text(
            f'[project]\nname = "member{number}"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
            f'dependencies = ["numpy>=1.26", "torch>=2.{number % 9}", "requests>=2.{number}"]\n',
            encoding="utf-8",
        )
    return folder


def _stub() -> Path:
    """A uv that does nothing, at once."""
    folder = FOLDER / "stub"
    folder.mkdir()
    (folder / "uv").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (folder / "uv").chmod(0o755)
    return folder
