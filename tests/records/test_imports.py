"""What an answer from the record loads, name by name: start-up time creeps in by imports."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from torchsel.records import replay

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no answers from the record on Windows")

OWN = [
    "torchsel",
    "torchsel.__main__",
    "torchsel.records",
    "torchsel.records.machine",
    "torchsel.records.replay",
]
LOADED = [*OWN, "_blake2"]
"""All that a bare interpreter has not loaded by itself."""

DIGEST = """\
import sys
sys.path.insert(0, sys.argv[1])
from torchsel.records.machine import dependencies
print(dependencies([]))
"""
SNIPPET = """\
import os, sys
before = set(sys.modules)
def stop(*what):
    print(sorted(set(sys.modules) - before).__repr__().replace("'", '"'))
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
os._exit = os.execve = stop
sys.path.insert(0, {source!r})
sys.argv = ["torchsel", *{words!r}]
from torchsel.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("words", "record"),
    [
        ([], replay.Record()),
        (["backend"], replay.Record(output="cpu\n")),
        (["env"], replay.Record(messages=[("say", "nothing to set")])),
        (["--backend", "cu130"], replay.Record(messages=[("warn", "no GPU")])),
        (["sync"], replay.Record(program="/bin/true", words=["sync"])),
        (["run", "python", "-c", "0"], replay.Record(program="/bin/true", words=["run", "python"])),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_modules(tmp_path: Path, words: list[str], record: replay.Record) -> None:
    source = str(Path(replay.__file__).parents[2])
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    record.created = time.time()
    count = 2 if words[:1] == ["run"] else len(words)
    record.digest = _python(DIGEST, source, cwd=tmp_path, env=env).strip()
    folder = tmp_path / ".cache/torchsel" / replay.FOLDER
    folder.mkdir(parents=True, mode=0o700)
    name = replay.name_of(words[:count], str(tmp_path.resolve()), env)
    (folder / name).write_bytes(record.to_bytes())
    (folder / name).chmod(0o600)
    loaded = json.loads(
        _python(SNIPPET.format(source=source, words=words), cwd=tmp_path, env=env).splitlines()[-1]
    )
    assert loaded == sorted(LOADED)


def _python(code: str, *words: str, cwd: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-I", "-c", code, *words]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("words", [["--version"], ["help"], ["hook", "bash"]], ids=" ".join)
def test_what_needs_no_project_loads_nothing_of_the_choice(tmp_path: Path, words: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "torchsel", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()]
    rooms = {name.split(".")[1] for name in names if name.startswith("torchsel.")}
    assert {"cli", "commands"} <= rooms
    assert not rooms & {
        "backend",
        "catalog",
        "config",
        "pipeline",
        "probes",
        "selection",
        "strategies",
        "toml",
    }
    assert "torchsel.project.workspace" not in names
