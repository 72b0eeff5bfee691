"""Answers from the record: the same as without it, and none once anything that was decided on has changed."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.machines import FakeSystem, load_machine, machine_names
from tests.support.toolbox import HOSTS
from torchsel import cli
from torchsel.answer import Speaker
from torchsel.files.journal import Journal
from torchsel.files.state import state_path
from torchsel.pipeline.inputs import Inputs, read_inputs
from torchsel.records import keep, replay
from torchsel.records import machine as now
from torchsel.strategies.protocol import Options

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no answers from the record on Windows")

PYPROJECT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch"]

[tool.torchsel]
"""
GROUPS = PYPROJECT + 'strategy = "groups"\nbackends = ["cpu", "cu132"]\n'
BY_VARIABLES = GROUPS + 'default-backend = "none"\nenvironment = ".venv-{backend}"\n'
LOCK = "version = 1\nrevision = 3\n"
WITH_TORCH = f"""{LOCK}
[[package]]
name = "demo"
version = "0.1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "torch" }}]

[[package]]
name = "torch"
version = "2.14.1+cpu"
source = {{ registry = "https://download.pytorch.org/whl/cpu" }}
"""
WORKSPACE = PYPROJECT + '\n[tool.uv.workspace]\nmembers = ["packages/*"]\n'
UV = "#!/bin/sh\necho uv 0.13.9\n"


class Became(BaseException):
    """What the process would have become."""

    def __init__(self, program: str, words: Sequence[str], environ: Mapping[str, str]) -> None:
        super().__init__(words)
        self.end = (program, list(words), dict(environ))


def _become(program: str, words: Sequence[str], environ: Mapping[str, str]) -> None:
    raise Became(program, words, environ)


class Place:
    """A project with a stand-in for uv, and torchsel run in it, by either way, in this process."""

    def __init__(self, folder: Path, pyproject: str = PYPROJECT) -> None:
        self.root = folder / "home" / "demo"
        self.root.mkdir(parents=True)
        self.cwd = self.root
        self.write("pyproject.toml", pyproject)
        self.uv = folder / "bin" / "uv"
        self.uv.parent.mkdir()
        self.uv.write_text(UV, encoding="utf-8")
        self.uv.chmod(0o755)
        self.env = {"HOME": str(folder / "home"), "PATH": f"{self.uv.parent}:/usr/bin:/bin"}

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def slow(self, *words: str) -> Any:
        """The long way, which keeps the outcome."""
        return self._call(lambda: cli.main(list(words)))

    def fast(self, *words: str) -> Any:
        """The answer from the record, None where there is none."""
        return self._call(lambda: replay.try_answer(list(words), os.environ))

    def records(self) -> list[Path]:
        folder = replay.place(self.env)
        assert folder is not None
        return sorted(Path(folder).iterdir()) if Path(folder).is_dir() else []

    def _call(self, work: Callable[[], int | None]) -> Any:
        out, err = io.StringIO(), io.StringIO()
        with (
            mock.patch.dict(os.environ, self.env, clear=True),
            mock.patch("os.execve", _become),
            mock.patch("_signal.signal"),
            contextlib.chdir(self.cwd),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                end: Any = work()
            except Became as became:
                end = became.end
        return None if end is None else (end, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def _any_file_is_settled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests make their files just before they use them; those of the rule itself are marked."""
    if "settling" not in request.fixturenames:
        monkeypatch.setattr(keep, "SETTLED", -(10**12))
        monkeypatch.setattr(keep, "TICK", -(10**12))


@pytest.fixture
def settling() -> None:
    """The rule about young files holds."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def in_sync(place: Place, *, lock: bool = True) -> Place:
    """Routed, and with a uv.lock younger than all else."""
    assert place.slow()[0] == 0
    if lock:
        place.write("uv.lock", LOCK)
    return place


COMMANDS = [
    [],
    ["apply"],
    ["-q"],
    ["check"],
    ["backend"],
    ["backend", "--backend", "cu132"],
    ["--backend", "cpu", "backend", "-q"],
    ["env", "--shell", "fish"],
    ["sync"],
    ["uv", "sync", "--frozen"],
    ["uv", "sync", "--extra", "gpu"],
    ["run", "--no-sync", "pytest", "-x"],
    ["run", "--with", "rich", "python", "-c", "pass"],
    ["run", "--", "python"],
    ["uv", "run", "--no-project", "python"],
]


@pytest.mark.parametrize(
    "pyproject", [PYPROJECT, GROUPS, BY_VARIABLES], ids=["pin", "groups", "groups by variables"]
)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_same_answer(tmp_path: Path, pyproject: str, words: list[str]) -> None:
    place = in_sync(Place(tmp_path, pyproject))
    assert place.fast(*words) is None
    kept = place.slow(*words)
    again = place.slow(*words)
    assert place.fast(*words) == kept == again
    assert place.fast(*words, "more") is None or words[:1] in (["run"], ["uv"])


def test_variables_are_repeated(tmp_path: Path) -> None:
    place = in_sync(Place(tmp_path, BY_VARIABLES))
    place.write("uv.lock", WITH_TORCH)
    place.slow("sync")
    (_, words, environ), *_ = place.fast("sync")
    assert words == [str(place.uv), "sync"]
    assert {**environ, **place.env} == environ
    assert {name: environ[name] for name in environ.keys() - place.env} == {
        "UV_NO_GROUP": "torch-cu132",
        "UV_PROJECT_ENVIRONMENT": ".venv-cpu",
        "TORCHSEL_SET_ENVIRONMENT": ".venv-cpu",
    }


def test_a_warning_is_repeated_in_its_colours(place: Place) -> None:
    in_sync(place)
    words = ["backend", "--backend", "cu126"]
    for variables in ({}, {"FORCE_COLOR": "1"}):
        place.env |= variables
        kept = place.slow(*words)
        assert "warning" in kept[2]
        assert place.fast(*words) == kept


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (["run", "pytest", "-x"], ["run", "pytest", "--lf", "tests"]),
        (["run", "--no-sync", "python", "a.py"], ["run", "--no-sync", "python", "b.py"]),
        (["uv", "run", "--", "python", "-V"], ["uv", "run", "--", "python", "-c", "0"]),
    ],
)
@pytest.mark.parametrize("pyproject", [PYPROJECT, GROUPS], ids=["pin", "groups"])
def test_arguments_of_what_uv_runs_may_differ(
    tmp_path: Path, pyproject: str, first: list[str], then: list[str]
) -> None:
    place = in_sync(Place(tmp_path, pyproject))
    place.slow(*first)
    assert place.fast(*then) == place.slow(*then)
    assert place.fast(*then)[0][1][-1] == then[-1]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (["run", "pytest"], ["run", "python"]),
        (["run", "--with", "rich", "pytest"], ["run", "--with", "black", "pytest"]),
        (["run", "--with", "rich", "pytest"], ["run", "--with", "rich", "python"]),
        (["sync"], ["sync", "--frozen"]),
        (["sync"], ["lock"]),
        (["backend"], ["backend", "--backend", "cpu"]),
        (["backend"], ["--project", ".", "backend"]),
    ],
)
def test_other_words_are_another_question(place: Place, first: list[str], then: list[str]) -> None:
    in_sync(place)
    place.slow(*first)
    assert place.fast(*first) is not None
    assert place.fast(*then) is None


@pytest.mark.parametrize(
    "words",
    [
        ["-v"], ["--no-cache"], ["--dry-run"], ["--diff"], ["--upgrade"], ["--no-lock"], ["status"],
        ["detect"], ["--color", "never"], ["--host", str(HOSTS / "h200.json"), "backend"],
        ["check", "--host", str(HOSTS / "h200.json")], ["uv", "lock"], ["uv", "add", "torch"],
        ["uv", "sync", "--index", "https://user:secret@mirror.example/simple"],
        ["backend", "--backend", "no tag"], ["uv", "--version"], ["uv", "pip", "list"],
        ["uv", "publish", "--token", "hunter2"], ["run"], ["run", "-p", "3.11"],
        ["run", "--extra", "a", "--no-group", "b", "--no-extra", "c", "--no-group", "d", "python", "hunter2"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_nothing_is_kept_of(place: Place, words: list[str]) -> None:
    in_sync(place)
    before = place.records()
    with contextlib.suppress(SystemExit):
        place.slow(*words)
    assert place.records() == before
    assert place.fast(*words) is None


@pytest.mark.parametrize("option", ["-p", "--extra", "--group", "--with"])
def test_no_answer_for_a_script_that_it_was_not_made_for(place: Place, option: str) -> None:
    in_sync(place)
    place.write("inline.py", "# /// script\n# dependencies = ['torch']\n# ///\n")
    place.slow("run", option, "3.11")
    assert place.fast("run", option, "3.11", "inline.py") is None


def test_nothing_is_kept_of_a_change_or_a_drift(place: Place) -> None:
    assert place.slow("check")[0] == 1
    assert place.fast("check") is None
    place.slow()
    assert place.fast() is None
    place.write("pyproject.toml", PYPROJECT)
    assert place.slow("check")[0] == 1
    assert place.fast("check") is None


def test_uv_lock_that_failed_is_tried_again(place: Place) -> None:
    in_sync(place, lock=False)
    place.uv.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert place.slow("sync")[0][1] == [str(place.uv), "sync"]
    assert place.fast("sync") is None


@pytest.mark.parametrize("name", ["TORCHSEL_NO_CACHE"])
def test_the_variable_turns_it_off(place: Place, name: str) -> None:
    in_sync(place)
    place.slow("backend")
    place.env[name] = "1"
    assert place.fast("backend") is None
    before = place.records()
    place.slow("backend")
    assert place.records() == before


# ---- what a decision depends on: files


def _edit(name: str, old: str, new: str) -> Callable[[Place], object]:
    """Another text of the same length, with the times put back as far as anybody can."""

    def change(place: Place) -> None:
        path = place.root / name
        before, text = path.stat(), path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        assert len(old) == len(new)
        path.write_text(text.replace(old, new), encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    return change


def _new(name: str, text: str = "") -> Callable[[Place], object]:
    return lambda place: place.write(name, text)


def _replaced_uv(place: Place) -> None:
    fresh = place.uv.with_name("fresh")
    fresh.write_text(UV, encoding="utf-8")
    fresh.chmod(0o755)
    fresh.replace(place.uv)


def _earlier_uv(place: Place) -> None:
    shutil.copy(place.uv, place.root.parent / "uv")


def _left_behind(place: Place) -> None:
    journal = Journal(place.root / "pyproject.toml", state_path(place.env)).path
    journal.write_text("{}", encoding="utf-8")


FILES: dict[str, Callable[[Place], object]] = {
    "pyproject.toml, same length and times": _edit("pyproject.toml", '"demo"', '"dome"'),
    "pyproject.toml is gone": lambda place: (place.root / "pyproject.toml").unlink(),
    "pyproject.toml may not be read": lambda place: (place.root / "pyproject.toml").chmod(0),
    "a member's pyproject.toml": _edit("packages/a/pyproject.toml", '"torch"', '"numpy"'),
    "a new member": _new("packages/b/pyproject.toml", PYPROJECT),
    "a folder becomes a member": _new("packages/empty/pyproject.toml", PYPROJECT),
    "a member is gone": lambda place: shutil.rmtree(place.root / "packages/a"),
    "a pyproject.toml above": _new("../pyproject.toml", WORKSPACE),
    "uv.lock, same length and times": _edit("uv.lock", "revision = 3", "revision = 2"),
    "uv.lock is gone": lambda place: (place.root / "uv.lock").unlink(),
    "uv.lock is older than pyproject.toml": lambda place: os.utime(place.root / "uv.lock", (1, 1)),
    "uv.toml": _new("uv.toml"),
    ".python-version": _new(".python-version", "3.11\n"),
    ".venv's Python": _edit(".venv/pyvenv.cfg", "3.12", "3.11"),
    "a change that was cut short": _left_behind,
    "a half written pyproject.toml": _new(".pyproject.toml.torchsel"),
    "a half written uv.lock": _new(".uv.lock.torchsel"),
    "TORCHSEL_HOST's file": _edit("host.json", "x86_64", "arm_64"),
    "another uv in its place": _replaced_uv,
    "a uv earlier on PATH": _earlier_uv,
    "the uv is gone": lambda place: place.uv.unlink(),
}
"""Every file that a decision depends on, and a change of it."""


@pytest.mark.parametrize("before", [(), (".venv",), (".venv-cpu", ".venv")], ids=str)
def test_an_environment_of_the_key_is_noticed(tmp_path: Path, before: tuple[str, ...]) -> None:
    place = Place(tmp_path, PYPROJECT + 'environment = ".venv-{backend}"\n')
    for name in before:
        place.write(f"{name}/pyvenv.cfg", "version_info = 3.12\n")
    in_sync(place)
    place.slow("backend")
    assert place.fast("backend") is not None
    place.write("an-output/of-a-run", "")
    assert (place.fast("backend") is not None) is (".venv-cpu" in before)
    place.slow("backend")
    place.write(".venv-cpu/pyvenv.cfg", "version_info = 3.13.1\n")
    assert place.fast("backend") is None


@pytest.mark.parametrize(
    "table",
    [
        '["tool".uv."work\\u0073pace"]\nmembers = ["packages/*"]\n',
        '[tool.uv.workspace]\nmembers = [" packages/* "]\n',
        '[tool.uv]\nworkspace.members = ["./packages/*"]\n',
        'tool.uv = { "wor\\u006bspace" = { members = ["packages/*/"] } }\n',
    ],
)
def test_members_are_those_that_the_project_has(tmp_path: Path, table: str) -> None:
    head, _, torchsel = PYPROJECT.partition("[tool.torchsel]")
    text = f"{table}{head}" if table.startswith("tool") else f"{head}[tool.torchsel]{torchsel}\n{table}"
    text = text.replace("tool.uv =", "tool.torchsel = {}\ntool.uv =")
    place = Place(tmp_path, text)
    place.write("packages/a/pyproject.toml", PYPROJECT.replace("demo", "a"))
    in_sync(place)
    place.slow("check")
    assert place.fast("check") is not None
    place.write("packages/b/pyproject.toml", PYPROJECT.replace("demo", "b"))
    assert place.fast("check") is None


def test_the_content_counts_where_times_tell_nothing(place: Place) -> None:
    with mock.patch("torchsel.records.machine.stamp", return_value="1700000000"):
        in_sync(place)
        place.slow("backend")
        assert place.fast("backend") is not None
        _edit("pyproject.toml", '"demo"', '"dome"')(place)
        assert place.fast("backend") is None


def test_what_is_exchanged_meanwhile_is_not_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    in_sync(place)
    current, pyproject = place.root / "current", place.root / "pyproject.toml"
    for name, end in (("old", ""), ("new", 'backend = "cu130"\n')):
        place.write(f"{name}/pyproject.toml", PYPROJECT + end)
    pyproject.unlink()
    pyproject.symlink_to("current/pyproject.toml")
    current.symlink_to("old")

    def exchanging(given: Options, speaker: Speaker) -> Inputs:
        found = read_inputs(given, speaker)
        current.unlink()
        current.symlink_to("new")
        return found

    monkeypatch.setattr("torchsel.commands.backend.read_inputs", exchanging)
    assert place.slow("backend")[1] == "cpu\n"
    assert place.fast("backend") is None


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform == "darwin", reason="rights")
@pytest.mark.parametrize("what", FILES)
def test_a_changed_file_is_noticed(tmp_path: Path, what: str) -> None:
    place = Place(tmp_path, WORKSPACE)
    place.write("packages/a/pyproject.toml", PYPROJECT.replace("demo", "a"))
    place.write("packages/empty/README", "")
    place.write(".venv/pyvenv.cfg", "version_info = 3.12\n")
    place.write("host.json", '{"system": "linux", "machine": "x86_64"}')
    place.env |= {"TORCHSEL_HOST": "host.json", "PATH": f"{place.root.parent}:{place.env['PATH']}"}
    in_sync(place)
    questions = [[], ["backend"], ["check"], ["sync"]]
    for words in questions:
        place.slow(*words)
        assert place.fast(*words) is not None
    FILES[what](place)
    assert [words for words in questions if place.fast(*words) is not None] == []


def test_a_script_that_uv_runs_is_noticed(place: Place) -> None:
    in_sync(place)
    place.write("train.py", "print(1)\n")
    place.slow("run", "train.py", "1")
    assert place.fast("run", "train.py", "2") is not None
    place.write("train.py", "# /// script\n# dependencies = []\n# ///\n")
    assert place.fast("run", "train.py", "2") is None
    place.slow("run", "train.py", "1")
    assert place.fast("run", "train.py", "1") is None


def test_another_folder_of_the_project_is_another_question(place: Place) -> None:
    in_sync(place)
    place.slow("backend")
    place.cwd = place.write("src/mod.py", "").parent
    assert place.fast("backend") is None
    place.slow("backend")
    assert place.fast("backend") is not None
    place.write("src/pyproject.toml", PYPROJECT)
    assert place.fast("backend") is None


def test_every_pattern_of_a_workspace_is_followed(tmp_path: Path) -> None:
    place = Place(
        tmp_path, PYPROJECT + '\n[tool.uv.workspace]\nmembers = ["libs/*/core", "tool", "**/deep"]\n'
    )
    for name in ("libs/a/core", "tool", "x/y/deep"):
        place.write(f"{name}/pyproject.toml", PYPROJECT)
    files = keep.files_behind(place.root, place.env) or []
    wanted = ["libs", "libs/a/core/pyproject.toml", "tool/pyproject.toml", "x/y/deep/pyproject.toml", "x/y"]
    assert {str(place.root / name) for name in wanted} <= set(files)
    place.write("libs/b/core/pyproject.toml", PYPROJECT)
    assert now.dependencies(files) != now.dependencies([*files, "one more"])


def test_too_large_a_workspace_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, PYPROJECT + '\n[tool.uv.workspace]\nmembers = ["**/deep"]\n')
    for number in range(30):
        place.write(f"tree/{number}/file", "")
    monkeypatch.setattr(keep, "MOST_FILES", 25)
    assert keep.files_behind(place.root, place.env) is None


# ---- what a decision depends on: the environment

CHANGES = {
    **dict.fromkeys(["UV_TORCH_BACKEND", "TORCHSEL_BACKEND"], "cu126"),
    **dict.fromkeys(["UV_CUDA_DRIVER_VERSION", "UV_FROZEN", "UV_LOCKED", "UV_NO_SYNC", "UV"], "1"),
    **dict.fromkeys(["UV_PROJECT", "UV_WORKING_DIR", "UV_NO_PROJECT", "UV_NO_SOURCES", "UV_NO_GROUP"], "x"),
    **dict.fromkeys(["TORCHSEL_HOST", "TORCHSEL_INDEX_URL", "TORCHSEL_CACHE_DIR", "XDG_CACHE_HOME"], "/x"),
    **dict.fromkeys(["CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES"], "0"),
    **dict.fromkeys(["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION_1"], "0"),
    **dict.fromkeys(["HSA_OVERRIDE_GFX_VERSION", "UV_AMD_GPU_ARCHITECTURE", "ZE_AFFINITY_MASK"], "1"),
    **dict.fromkeys(["KUBERNETES_SERVICE_HOST", "container", "SINGULARITY_NAME", "APPTAINER_NAME"], "x"),
    **dict.fromkeys(["CI", "PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SLURM_JOB_ID"], "/x"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_variable_is_noticed(place: Place, name: str) -> None:
    in_sync(place)
    place.slow("backend")
    assert place.fast("backend") is not None
    place.env[name] = CHANGES[name]
    assert place.fast("backend") is None


NEUTRAL = {"FORCE_COLOR", "NO_COLOR", "TERM", "COLUMNS", "LINES", "PYTHON_COLORS", "LANGUAGE", "LC_ALL"}
NEUTRAL |= {"LC_MESSAGES", "LANG", "TORCHSEL_NO_CACHE"}
"""Variables that are read for colours and words alone."""


class Spy(dict[str, str]):
    """An environment that notes what is looked up in it by name."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.seen: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.seen.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.seen.add(str(key))
        return super().__contains__(key)


@pytest.mark.parametrize(
    "pyproject", [PYPROJECT, GROUPS, BY_VARIABLES], ids=["pin", "groups", "groups by variables"]
)
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_variable_is_read_that_is_not_on_record(tmp_path: Path, pyproject: str, words: list[str]) -> None:
    place = in_sync(Place(tmp_path, pyproject))
    spies = []

    def spied() -> int:
        with mock.patch("os.environ", Spy(os.environ)) as spy:
            spies.append(spy)
            return cli.main(words)

    with contextlib.suppress(SystemExit):
        place._call(spied)
    unknown = {name for name in spies[0].seen - NEUTRAL if name not in replay.VARIABLES}
    assert "HOME" in spies[0].seen
    assert not {name for name in unknown if not name.startswith(replay.PREFIXES)}


AUDIT = """\
import sys
seen = set()
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
        seen.add(arguments[0])
sys.addaudithook(note)
from torchsel import cli
try:
    cli.main(sys.argv[1:])
finally:
    print("", *sorted(seen), sep="\\nread ")
"""
ANYWHERE = ("/proc/", "/sys/", "/dev/", "/lib", "/etc/nv_tegra_release")
"""Read by the probes, whose tests are below."""
QUESTIONS = [[], ["check"], ["backend"], ["env"], ["uv", "lock", "--check"]]


@pytest.mark.parametrize("pyproject", [WORKSPACE, GROUPS], ids=["pin", "groups"])
@pytest.mark.parametrize("words", QUESTIONS, ids=" ".join)
def test_no_file_is_read_that_is_not_on_record(tmp_path: Path, pyproject: str, words: list[str]) -> None:
    place = in_sync(Place(tmp_path, pyproject))
    place.write("packages/a/pyproject.toml", PYPROJECT)
    place.write(".venv/pyvenv.cfg", "version_info = 3.12\n")
    source = str(Path(cli.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-B", "-P", "-c", AUDIT, *words],
        cwd=place.root,
        env={**place.env, "PYTHONPATH": source, "TORCHSEL_NO_CACHE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line.partition("read ") for line in done.stdout.splitlines()]
    read = {str(place.root / path) for nothing, found, path in lines if found and not nothing}
    own = (*ANYWHERE, source, sys.prefix, sys.base_prefix, str(state_path(place.env)))
    known = keep.files_behind(place.root, place.env) or []
    assert str(place.root / "pyproject.toml") in read or words[:1] == ["uv"]
    assert not {path for path in read if not path.startswith(own)} - set(known)


# ---- what a decision depends on: the machine

MACHINE = {
    "proc/sys/kernel/random/boot_id": "4b6e\n",
    "proc/self/cgroup": "5:devices:/job1\n0::/system.slice/job.service\n",
    "proc/bus/pci/devices": "0100\t10de2335\t9a\t0\t0\tnvidia\n0200\t1002744c\t9b\t0\t0\tamdgpu\n",
    "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n",
    "sys/module/nvidia/version": "580.65.06\n",
    "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  x\n",
    "proc/driver/nvidia/gpus/0000:01:00.0/information": "",
    "sys/class/kfd/kfd/topology/generation_id": "2\n",
    "sys/class/kfd/kfd/topology/nodes/1/properties": "gfx_target_version 110000\n",
    "sys/class/drm/renderD128/dev": "226:128\n",
    "dev/nvidia0": "",
    "dev/nvidiactl": "",
    "dev/kfd": "",
    "dev/dri/renderD128": "",
    "etc/ld.so.cache": "",
    "usr/bin/nvidia-smi": "",
    "usr/lib64/libnvidia-ml.so.1": "",
    "lib/ld": "",
}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    for name, text in MACHINE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "proc/self/ns").mkdir()
    (tmp_path / "proc/self/ns/mnt").symlink_to("mnt:[1]")
    return tmp_path


def _text(name: str, text: str) -> Callable[[Path], object]:
    def write(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    return write


def _another_container(root: Path) -> None:
    (root / "proc/self/ns/mnt").unlink()
    (root / "proc/self/ns/mnt").symlink_to("mnt:[2]")


_PCI = MACHINE["proc/bus/pci/devices"]
HARDWARE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a reboot": ("boot", _text("proc/sys/kernel/random/boot_id", "5c7f\n")),
    "another container": ("mount namespace", _another_container),
    "another batch job": ("control group", _text("proc/self/cgroup", "5:devices:/job2\n")),
    "a GPU added": (
        "PCI devices and drivers",
        _text("proc/bus/pci/devices", f"{_PCI}0300\t8086e20b\t0\txe\n"),
    ),
    "a GPU removed": (
        "PCI devices and drivers",
        _text("proc/bus/pci/devices", _PCI.splitlines(keepends=True)[0]),
    ),
    "an eGPU in another slot": (
        "PCI devices and drivers",
        lambda root: (root / "sys/bus/pci/devices/0000:42:00.0").mkdir(),
    ),
    "another GPU in its place": (
        "PCI devices and drivers",
        _text("proc/bus/pci/devices", _PCI.replace("2335", "1b06")),
    ),
    "a GPU given to a virtual machine": (
        "PCI devices and drivers",
        _text("proc/bus/pci/devices", _PCI.replace("amdgpu", "vfio-pci")),
    ),
    "another driver": ("NVIDIA driver and GPUs", _text("sys/module/nvidia/version", "590.10\n")),
    "another driver in a container": (
        "NVIDIA driver and GPUs",
        _text("proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  590.10  x\n"),
    ),
    "the driver unloaded": (
        "NVIDIA driver and GPUs",
        lambda root: (root / "sys/module/nvidia/version").unlink(),
    ),
    "the driver takes a GPU": (
        "NVIDIA driver and GPUs",
        lambda root: (root / "proc/driver/nvidia/gpus/0000:02:00.0").mkdir(),
    ),
    "an eGPU under WSL": (
        "adapters that Windows passes to WSL",
        lambda root: (root / "sys/bus/vmbus/devices/6e382d18-3336-4f4b-acc4-2b7703d4df4a").mkdir(
            parents=True
        ),
    ),
    "MIG instances": ("NVIDIA driver and GPUs", _text("dev/nvidia-caps/nvidia-cap1", "")),
    "a library updated under a loaded driver": (
        "NVIDIA library",
        _text("usr/lib64/libnvidia-ml.so.1", "newer"),
    ),
    "any library installed": ("NVIDIA library", _text("etc/ld.so.cache", "newer")),
    "an AMD GPU comes or goes": (
        "AMD compute topology",
        _text("sys/class/kfd/kfd/topology/generation_id", "3\n"),
    ),
    "amdgpu unloaded": (
        "AMD compute topology",
        lambda root: shutil.rmtree(root / "sys/class/kfd/kfd/topology"),
    ),
    "a render node": ("render nodes", _text("sys/class/drm/renderD129/dev", "")),
    "no device file for a GPU": ("device files", lambda root: (root / "dev/nvidia0").unlink()),
    "a device file": ("device files", _text("dev/nvidia1", "")),
    "/dev/kfd passed in": ("device files", lambda root: (root / "dev/kfd").unlink()),
    "a render node passed in": ("device files", _text("dev/dri/renderD129", "")),
    "rights of /dev/kfd": ("device files", lambda root: (root / "dev/kfd").chmod(0o600)),
    "/dev/dxg": ("device files", _text("dev/dxg", "")),
    "rocminfo installed": ("vendors' programs", _text("opt/rocm/bin/rocminfo", "")),
    "nvidia-smi removed": ("vendors' programs", lambda root: (root / "usr/bin/nvidia-smi").unlink()),
    "Docker's mark": ("marks of containers and systems", _text(".dockerenv", "")),
    "Jetson's mark": ("marks of containers and systems", _text("etc/nv_tegra_release", "# R36")),
    "musl installed": ("marks of containers and systems", _text("lib/ld-musl-x86_64.so.1", "")),
}
"""Every change of the machine that is to be seen, and where it shows."""


@pytest.mark.parametrize("what", HARDWARE)
def test_a_changed_machine_is_noticed(machine: Path, what: str) -> None:
    part, change = HARDWARE[what]
    before = now.READINGS[part](str(machine))
    whole = now.signature(str(machine))
    assert now.signature(str(machine)) == whole
    change(machine)
    assert now.READINGS[part](str(machine)) != before
    assert now.signature(str(machine)) != whole


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("kernel and processor", "uname", os.uname_result(("Linux", "pc", "6.9", "#2", "x86_64"))),
        ("kernel and processor", "uname", os.uname_result(("Linux", "pc", "6.8", "#1", "aarch64"))),
        ("C library", "confstr", "glibc 2.99"),
        ("user and groups", "getuid", 4711),
        ("user and groups", "geteuid", 4711),
        ("user and groups", "getgroups", [4711]),
    ],
)
def test_another_user_or_system_is_noticed(part: str, name: str, value: object) -> None:
    before = now.signature()
    with mock.patch(f"os.{name}", return_value=value):
        assert now.READINGS[part]("") not in before
        assert now.signature() != before


def test_every_reading_has_a_test() -> None:
    tested = {part for part, _ in HARDWARE.values()} | {
        "kernel and processor",
        "C library",
        "user and groups",
    }
    assert tested == set(now.READINGS)


def test_what_comes_and_goes_with_use_changes_nothing(machine: Path) -> None:
    before = now.signature(str(machine))
    (machine / "proc/bus/pci/devices").write_text(_PCI.replace("\t9a\t", "\t0\t"), encoding="utf-8")
    (machine / "sys/class/drm/card0-HDMI-A-1").mkdir()
    (machine / "dev/tty63").touch()
    os.utime(machine / "dev/nvidia0")
    assert now.signature(str(machine)) == before


def test_terminals_of_one_login_are_the_same(machine: Path) -> None:
    group = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/{}.scope\n"
    seen = set()
    for name in ("vte-1", "vte-2"):
        (machine / "proc/self/cgroup").write_text(group.format(name), encoding="utf-8")
        seen.add(now.signature(str(machine)))
    assert len(seen) == 1


def test_without_the_kernels_list_each_device_is_read(machine: Path) -> None:
    (machine / "proc/bus/pci/devices").unlink()
    folder = machine / "sys/bus/pci/devices/0000:01:00.0"
    read = now.READINGS["PCI devices and drivers"]
    seen = [read(str(machine))]
    (folder / "vendor").write_text("0x10de\n", encoding="utf-8")
    seen.append(read(str(machine)))
    (folder / "driver").symlink_to("../../../../bus/pci/drivers/nvidia")
    seen.append(read(str(machine)))
    assert len(set(seen)) == 3


COVERED = (
    *("/sys/module/nvidia/version", "/proc/driver/nvidia/version", "/sys/bus/pci/devices", "/sys/class/kfd"),
    *("/dev/", "/sys/class/drm", "/lib", "/.dockerenv", "/run/.containerenv", "/run/systemd/container"),
    *("/etc/nv_tegra_release", "/usr/lib/wsl/lib/libnvidia-ml.so.1"),
)
UNTIL_THE_NEXT_BOOT = ("/proc/device-tree/", "/sys/firmware/devicetree/")


@pytest.mark.parametrize("name", machine_names())
def test_the_probes_look_nowhere_else(name: str) -> None:
    from torchsel.probes.run import probe

    record = load_machine(name)
    seen: set[str] = set()

    class Watched(FakeSystem):
        def _paths(self) -> set[str]:
            return super()._paths()

        def read_text(self, path: str) -> str | None:
            seen.add(path)
            return super().read_text(path)

        def list_dir(self, path: str) -> tuple[str, ...]:
            seen.add(path)
            return super().list_dir(path)

        def exists(self, path: str) -> bool:
            seen.add(path)
            return super().exists(path)

        def accessible(self, path: str) -> bool:
            seen.add(path)
            return super().accessible(path)

        def read_link(self, path: str) -> str | None:
            seen.add(path)
            return super().read_link(path)

    probe(Watched(record), record.get("environ", {}))
    known = (*COVERED, *UNTIL_THE_NEXT_BOOT)
    posix = {path for path in seen if path.startswith("/")}
    assert not {path for path in posix if not f"{path}/".startswith(known)}


# ---- what a decision depends on: torchsel itself


def test_another_version_or_catalog_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "torchsel"
    for name in ("cli.py", "data/builds.csv", "probes/amd/kfd.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("", encoding="utf-8")
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.setattr(now, "__file__", str(package / "records" / "machine.py"))
    monkeypatch.setattr(sys, "path", [str(site)])
    seen = [now.itself()]
    for name in ("cli.py", "data/builds.csv", "probes/amd/kfd.py"):
        (package / name).write_text("changed", encoding="utf-8")
        seen.append(now.itself())
    (site / "tomlkit-1.0.dist-info").mkdir()
    seen.append(now.itself())
    monkeypatch.setattr(sys, "version", "3.99")
    seen.append(now.itself())
    assert len(set(seen)) == len(seen) == 6


# ---- young files


def test_a_file_written_within_the_same_second_is_not_trusted(place: Place, settling: None) -> None:
    place.slow()
    assert place.slow("backend")[1] == "cpu\n"
    assert place.records() == []
    _edit("pyproject.toml", '"demo"', '"dome"')(place)
    assert place.fast("backend") is None


def test_settled(tmp_path: Path, settling: None) -> None:
    old, now = tmp_path / "old", time.time_ns()
    old.touch()
    paths = [str(old), str(tmp_path / "missing" / "deep")]
    assert keep.is_settled(paths, now + 3 * 10**9)
    assert not keep.is_settled(paths, now + 10**9)
    assert keep.is_settled(paths[1:], now + 10**9)
    assert not keep.is_settled(paths[1:], now)


def test_a_machine_that_changed_meanwhile_is_not_kept(place: Place) -> None:
    in_sync(place)
    with mock.patch("torchsel.records.keep.dependencies", side_effect=["before", "after"]):
        place.slow("backend")
    assert place.fast("backend") is None


@pytest.mark.parametrize("shift", [-3600.0, replay.LIFETIME + 60])
def test_a_record_of_another_day_is_not_used(place: Place, shift: float) -> None:
    in_sync(place)
    place.slow("backend")
    with mock.patch("torchsel.records.replay.time", return_value=time.time() + shift):
        assert place.fast("backend") is None


# ---- the record itself


def only_record(place: Place) -> Path:
    in_sync(place)
    before = place.records()
    place.slow("backend")
    (path,) = set(place.records()) - set(before)
    assert place.fast("backend") is not None
    return path


def test_a_record_is_for_its_owner_alone(place: Place) -> None:
    path = only_record(place)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.chmod(0o620),
        lambda path: path.parent.chmod(0o777),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(path.read_bytes().replace(replay.FORMAT.encode(), b"another")),
        lambda path: path.write_bytes(b"\0" * 40),
        lambda path: path.write_bytes(path.read_bytes() + b"\0" * (now.LARGEST + 1)),
        lambda path: (path.rename(path.with_name("moved")), path.symlink_to("moved")),
        _fifo,
        lambda path: (path.unlink(), path.mkdir()),
    ],
)  # fmt: skip
def test_a_record_that_somebody_changed_is_not_used(place: Place, damage: Callable[[Path], object]) -> None:
    path = only_record(place)
    damage(path)
    assert place.fast("backend") is None


def test_another_owner(place: Place) -> None:
    only_record(place)
    with mock.patch("os.geteuid", return_value=4711):
        assert place.fast("backend") is None


def test_bytes_and_back() -> None:
    record = replay.Record(
        files=["/a b", "/ü\udcff"],
        messages=[("warn", "x\ny")],
        output="cpu\n",
        program="/uv",
        words=["", "-x"],
        digest="d",
        created=1.5,
    )
    back = replay.from_bytes(record.to_bytes())
    assert back is not None
    assert {name: getattr(back, name) for name in record.__slots__} == {
        name: getattr(record, name) for name in record.__slots__
    }
    assert replay.Record(output="a\0b").to_bytes() == b""


def test_no_password_is_written(place: Place) -> None:
    place.env["UV_DEFAULT_INDEX"] = "https://user:hunter2@mirror.example/simple"
    in_sync(place)
    for words in (["backend"], ["check"], ["sync"]):
        place.slow(*words)
    assert len(place.records()) >= 2
    assert not [path for path in place.records() if b"hunter2" in path.read_bytes()]


@pytest.mark.parametrize(
    "variables",
    [{"HOME": "/h"}, {"HOME": "/h", "XDG_CACHE_HOME": "/c"}, {"XDG_CACHE_HOME": "rel", "HOME": "/h"},
     {"TORCHSEL_CACHE_DIR": "/t", "HOME": "/h"}],
)  # fmt: skip
def test_records_lie_in_the_state_folder(variables: dict[str, str]) -> None:
    with mock.patch("pathlib.Path.is_dir", return_value=True):
        assert replay.place(variables) == f"{state_path(variables)}/{replay.FOLDER}"


def test_old_records_make_room(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchsel.records.keep.MOST_RECORDS", 3)
    in_sync(place)
    for tag in ("cpu", "cu126", "cu132", "cu130", "xpu"):
        place.slow("backend", "--backend", tag)
    assert len(place.records()) <= 4
    assert place.fast("backend", "--backend", "xpu") is not None


def test_a_read_only_state_folder_is_no_hindrance(place: Place) -> None:
    in_sync(place)
    with mock.patch("torchsel.records.keep._write", side_effect=PermissionError):
        assert place.slow("backend")[0] == 0
    assert place.fast("backend") is None


# ---- as a process


@pytest.fixture
def settled(place: Place) -> Place:
    """A project in sync whose files have been left alone for long enough."""
    in_sync(place)
    time.sleep(2.3)
    return place


def test_real_processes(settled: Place) -> None:
    def run(*words: str, **variables: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "torchsel", *words],
            cwd=settled.root,
            env={**settled.env, "PYTHONPATH": str(Path(cli.__file__).parents[1]), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
        return done.returncode, done.stdout, "tomllib" if "tomllib" in done.stderr else "\n".join(said)

    for _ in range(50):  # shared folders above may be changing just now
        if run("backend")[2] != "tomllib":
            break
    assert run("backend") == (0, "cpu\n", "")
    assert run("backend", TORCHSEL_NO_CACHE="1") == (0, "cpu\n", "tomllib")
    assert run("backend", "--no-cache") == (0, "cpu\n", "tomllib")
    assert run("backend", "--backend", "cpu")[2] == "tomllib"
    settled.write("uv.lock", LOCK + "\n")
    assert run("backend")[2] == "tomllib"
