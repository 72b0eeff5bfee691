"""A cloned, untrusted repository gains nothing by torchsel running in it, and no secret gets out."""

from __future__ import annotations

import ast
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import MakeProject
from tests.support.exploring import explored
from tests.support.index import Index
from tests.support.toolbox import ROOT, Project, World, uv_binary
from tests.support.wheels import Wheel
from torchsel.config.values import check_index_url
from torchsel.console import presentable, redacted
from torchsel.errors import MachineError
from torchsel.files.journal import Journal
from torchsel.files.state import digest, exclusive
from torchsel.shells import SHELLS
from torchsel.uv.program import find_uv

posix = pytest.mark.skipif(os.name != "posix", reason="scripts, links and FIFOs as POSIX has them")

TEXT = """\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["torch", "testkit"]

[tool.torchsel]
"""
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("backend", "-v"),
    ("--diff",),
    ("--dry-run", "-v"),
    ("-v",),
    ("check", "-v"),
    ("detect",),
    ("env",),
)
PROGRAMS = ("uv", "nvidia-smi", "rocminfo", "rocm-smi", "amd-smi", "xpu-smi", "lspci", "sh", "git", "python")


# programs


@posix
def test_no_program_of_the_project_or_the_current_folder_is_run(project: MakeProject) -> None:
    demo = project(TEXT)
    for folder in (demo.root, demo.root / "bin", demo.root / ".venv" / "bin"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (
            PROGRAMS if folder.name != "bin" or folder.parent.name != ".venv" else PROGRAMS[:-1]
        ):  # uv asks .venv's python
            (folder / name).write_text(f'#!/bin/sh\necho "$0" >> "{demo.root}/ran"\n')
            (folder / name).chmod(0o755)
    for name in ("packaging", "tomlkit", "filelock", "sitecustomize", "pynvml"):
        (demo.root / f"{name}.py").write_text(f'open("{demo.root}/ran", "a").write("{name}")\n')
    uv = str(uv_binary().parent)
    search = [".", "", "bin", str(demo.root), str(demo.root / "bin"), str(demo.root / ".venv/bin"), uv]
    demo.env["PATH"] = os.pathsep.join(search)
    demo.env["UV"] = "./uv"
    for command in (*COMMANDS, ("lock",), ("uv", "--version")):
        demo.torchsel(*command)
    assert not (demo.root / "ran").exists(), (demo.root / "ran").read_text()


@posix
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_uv_is_found_by_an_absolute_trusted_path_alone(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchsel.uv.program.sys.platform", platform)
    monkeypatch.chdir(tmp_path)
    name = "uv.exe" if platform == "win32" else "uv"
    outside = tmp_path / "outside"
    for folder in (tmp_path / "project", tmp_path / "project/bin", outside, tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
    (outside / "link").symlink_to(tmp_path / "project" / "bin")
    inside = ["", ".", "project", str(tmp_path / "project"), str(outside / "link")]
    environ = {"UV": name, "PATH": os.pathsep.join([*inside, str(outside)])}
    assert find_uv(environ, outside=tmp_path / "project") == outside / name
    with pytest.raises(MachineError, match="uv was not found"):
        find_uv({"UV": name, "PATH": os.pathsep.join(inside)}, outside=tmp_path / "project")


def test_programs_are_started_in_few_places_and_never_through_a_shell() -> None:
    starters = set()
    for path in (ROOT / "hook" / "torchsel").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name.startswith(("subprocess.", "os.exec", "os.spawn", "os.posix_spawn")):
                starters.add(path.name)
            assert name not in ("os.system", "os.popen", "eval", "exec", "__import__", "pickle.loads")
            assert not (isinstance(node, ast.keyword) and node.arg == "shell"), path
    assert starters == {"program.py", "system.py", "replay.py", "run.py"}


# what shells evaluate

VALUES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.sampled_from(
    [
        "$(touch canary)",
        "`touch canary`",
        "'; touch canary; '",
        "\\'; touch canary #",
        '"; touch canary; "',
        "a\ntouch canary\n",
        "(touch canary)",
        "!!",
        "~",
        "*",
        "\u2019; touch canary; \u2018",
        "\\",
        "'\\''",
        "\r\n; touch canary",
        "${IFS}touch${IFS}canary",
        "%s %n \\0 \\x41",
        "-n",
    ]
)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@settings(max_examples=explored(4), suppress_health_check=list(HealthCheck))
@given(values=st.lists(VALUES, min_size=20, max_size=60))
def test_no_value_is_a_command(shell: str, values: list[str]) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not here")
    lines = [
        f"{SHELLS[shell].assigned('UV_NO_GROUP', value)}\nprintenv UV_NO_GROUP; echo @@{at}@@"
        for at, value in enumerate(values)
    ]
    folder = Path(tempfile.mkdtemp())
    (folder / "home").mkdir()
    try:
        done = subprocess.run(
            [program, "--no-config"] if shell == "fish" else [program, "-f"] if shell == "zsh" else [program],
            input="\n".join(lines).encode(),
            capture_output=True,
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder / "home"), "LC_ALL": "C.UTF-8"},
            check=False,
        )
        text = done.stdout.decode()
        for at, value in enumerate(values):
            found, _, text = text.partition(f"@@{at}@@\n")
            assert found == f"{value}\n", done.stderr.decode()
        assert list(folder.iterdir()) == [folder / "home"]
    finally:
        shutil.rmtree(folder)


# addresses

# fmt: off
WORDS = st.sampled_from([
    "https", "http", "HTTP", "file", "ftp", "://", "/", "//", "\\", "@", ":", "user", "pw", "localhost",
    "whl", "127.0.0.1", "[::1]", ".evil.example", "pypi.example", "%40", "?", "#", " ", "\t", "\n", "\x00",
])
# fmt: on


@settings(max_examples=explored(400))
@given(
    parts=st.lists(WORDS, max_size=9), start=st.sampled_from(["https://", "http://", "http://localhost", ""])
)
def test_an_index_is_https_or_on_this_machine_and_without_credentials(parts: list[str], start: str) -> None:
    from urllib.parse import urlsplit

    url = start + "".join(parts)
    try:
        accepted = check_index_url(url)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert "pw" not in refusal
    if refusal:
        return
    found = urlsplit(accepted)
    assert found.scheme in ("https", "http")
    assert found.scheme == "https" or found.hostname in ("localhost", "127.0.0.1", "::1")
    assert "@" not in found.netloc
    assert not set(accepted) & set(" \t\n\r\x00")


# secrets

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SECRETS = st.text(LETTERS, min_size=9, max_size=17).map("Zq7{}".format)
"""Nothing that stands anywhere else; Hypothesis also tries words that it finds in the source."""


@pytest.fixture(scope="module")
def leaky_uv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A uv that fails and says every address it knows, as careless ones do."""
    program = tmp_path_factory.mktemp("leaky") / "uv"
    program.write_text("#!/bin/sh\nenv | grep :// >&2\ngrep -h :// pyproject.toml >&2\nexit 2\n")
    program.chmod(0o755)
    return program


@posix
@settings(max_examples=explored(5), suppress_health_check=list(HealthCheck))
@given(secret=SECRETS, other=SECRETS)
def test_no_secret_is_written_or_shown(
    secret: str, other: str, world: World, leaky_uv: Path, hosts: dict[str, Path]
) -> None:
    user = f"https://us{other}:{secret}@corp.example/simple"
    text = TEXT.replace('"testkit"', f'"x @ {user}/x.whl"')
    text += f'\n[[tool.uv.index]]\nname = "corp"\nurl = "{user}"\n'
    text += f'\n[tool.uv.sources]\nx = {{ url = "{user}/x.whl" }}\n'
    folder = Path(tempfile.mkdtemp(dir=world.folder))
    state = Path(tempfile.mkdtemp(dir=world.folder))
    demo = world.project(folder, text, uv=leaky_uv)
    (folder / "uv.lock").write_text("version = 1\n")
    demo.env.update(
        {
            "UV_DEFAULT_INDEX": user,
            "UV_INDEX": f"more={user}?token={secret}",
            "UV_INDEX_CORP_PASSWORD": secret,
            "TORCHSEL_CACHE_DIR": str(state),
            "TORCHSEL_HOST": str(hosts["cpu"]),
        }
    )
    said = "".join(
        f"{done.out}{done.err}" for words in COMMANDS for done in [demo.torchsel_inprocess(*words)]
    )
    assert "uv lock failed" in said
    _refuses_secret(demo, {"TORCHSEL_INDEX_URL": user})
    _refuses_secret(demo, {"TORCHSEL_COMPANION_URL": user})
    _refuses_secret(demo, {"TORCHSEL_BACKEND": user})
    demo.pyproject.write_text(f'{text}\n[tool.torchsel.catalog]\n"{user}" = 1\n')
    _refuses_secret(demo, {})
    demo.pyproject.write_text(text.replace("[tool.torchsel]", f'[tool.torchsel]\nindex-url = "{user}"'))
    _refuses_secret(demo, {})
    demo.pyproject.write_text(text)
    assert secret not in said
    assert other not in said
    for path in state.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()


def _refuses_secret(demo: Project, environ: dict[str, str]) -> None:
    before = demo.env.copy()
    demo.env.update(environ)
    secret = before["UV_INDEX_CORP_PASSWORD"]
    for words in COMMANDS:
        done = demo.torchsel_inprocess(*words)
        assert secret not in done.out + done.err, words
    demo.env.clear()
    demo.env.update(before)


def test_what_uv_says_of_a_private_index_has_no_secret(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TEXT, env={"TORCHSEL_HOST": str(hosts["cpu"])})
    demo.uv("lock")
    demo.env["UV_DEFAULT_INDEX"] = "http://somebody:hunter2hunter2@127.0.0.1:9/simple"
    demo.env["UV_CACHE_DIR"] = str(demo.root.parent / "empty-cache")
    demo.env["UV_HTTP_RETRIES"] = "0"
    failed = demo.torchsel(code=3)
    assert "uv lock failed" in failed.err
    assert "hunter2" not in failed.err
    assert demo.text() == TEXT


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pw@host/x", "https://***@host/x"),
        ("'https://token@host'", "'https://***@host'"),
        ("https://u:p@ss@host/x", "https://***@host/x"),
        ("https://u:pa/ss@host/x", "https://***@host/x"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("git+https://github.com/a/b@v1", "git+https://github.com/a/b@v1"),
        ("https://h/x?a=1&access_token=abc&b=2", "https://h/x?a=1&access_token=***&b=2"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_a_strangers_file_does_not_steer_the_terminal(project: MakeProject) -> None:
    demo = project('[tool.torchsel]\n"\\u001b]0;owned\\u0007\\u202e" = 1\n')
    told = demo.torchsel(code=2)
    assert "\\x1b]0;owned\\x07\\u202e" in told.err
    assert not set(told.err) & set("\x1b\x07\u202e")
    assert presentable("a\tb\nc") == "a\tb\nc"


STEERING = "\x9b\x7f\u202e\u2066\u200f\u061c"


@posix
@pytest.mark.parametrize(
    "words",
    [["--diff"], ["init", "--dry-run"], ["status"], ["status", "--json"], ["--color", "always", "status"]],
    ids=" ".join,
)
def test_no_control_reaches_standard_output(words: list[str], project: MakeProject) -> None:
    table = "" if words[0] == "init" else "[tool.torchsel]\n"
    comment = STEERING.replace("\x7f", "")  # TOML has no DEL
    body = '[project]\nname = "demo"\nversion = "1"\ndependencies = ["torch"]\n'
    demo = project(f"# {comment}\n{body}{table}# {comment}\n", name=f"de\x1b[2J{STEERING}mo")
    shown = demo.torchsel(*words).out
    assert not set(shown) & set(STEERING)
    assert "\x1b[2J" not in shown
    assert "\\x9b" in shown or "\\u009b" in shown
    if "--json" in words:
        assert json.loads(shown)["project"] == str(demo.root)


def test_newlines_of_a_diff_stay(project: MakeProject) -> None:
    demo = project('[project]\r\nname = "demo"\r\nversion = "1"\r\n[tool.torchsel]\r\n')
    shown = demo.torchsel_inprocess("--diff", "--backend", "cpu").out
    assert "\r\n" in shown
    assert "x0d" not in shown


# bounds

HUGE = 100 << 20


def measured(demo: Project, *words: str) -> tuple[int, str, float]:
    """Exit code, words and seconds of a run that may use at most 2 GB of memory."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "torchsel", *words],
        cwd=demo.root,
        env=demo.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
    )
    return done.returncode, done.stderr, time.monotonic() - start


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(HUGE)


@posix
def test_huge_files_end_in_a_sentence(project: MakeProject) -> None:
    demo = project(TEXT)
    sparse(demo.root / "uv.lock")
    assert measured(demo, "backend")[:2] == (
        2,
        f"error: {demo.root}/uv.lock: larger than 16 MiB; torchsel reads no file that large\n",
    )
    (demo.root / "uv.lock").unlink()
    sparse(demo.root / "host.json")
    code, said, seconds = measured(demo, "--host", "host.json", "backend")
    assert (code, "larger than" in said, seconds < 10) == (2, True, True), said
    sparse(demo.root / ".python-version")
    assert measured(demo, "--backend", "cpu", "backend")[0] == 0
    sparse(demo.pyproject)
    code, said, seconds = measured(demo, "backend")
    assert (code, "larger than 1 MiB" in said, seconds < 10) == (2, True, True), said


WORST: dict[str, Callable[[int], str]] = {
    "arrays": lambda size: f"x = [{'1,' * (size // 2)}]\n",
    "tables": lambda size: "".join(f"[t{at}]\na=1\n" for at in range(size // 16)),
    "nesting": lambda size: f"x = {'[' * (size // 2)}{']' * (size // 2)}\n",
    "dotted": lambda size: "".join(f"{'a.' * 400}k{at} = 1\n" for at in range(size // 820)),
    "one long key": lambda size: f"{'a.' * (size // 2)}b = 1\n",
    "open string": lambda size: 'x = "' + "a" * size,
}
"""The slowest TOML there is, as far as we know, of some size."""


@posix
@pytest.mark.parametrize("kind", WORST)
def test_the_worst_of_the_largest_files_ends_in_bounds(kind: str, project: MakeProject) -> None:
    demo = project(TEXT + WORST[kind]((1 << 20) - 1000))
    code, said, seconds = measured(demo, "--backend", "cpu", "--no-lock")
    assert code in (0, 2), said
    assert "bug in" not in said
    assert seconds < 40


@posix
@pytest.mark.parametrize(
    "name", ["pyproject.toml", "uv.lock", ".python-version", ".venv/pyvenv.cfg", "host.json"]
)
@pytest.mark.parametrize("kind", ["fifo", "zero"])
def test_what_never_ends_is_not_read(name: str, kind: str, project: MakeProject) -> None:
    demo = project(TEXT)
    path = demo.root / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    host = ["--host", "host.json"] if name == "host.json" else []
    words = () if name == "pyproject.toml" else ("backend",)
    code, said, seconds = measured(demo, *host, *words)
    assert code == (2 if name in ("pyproject.toml", "host.json") else 0), said
    assert seconds < 20


@posix
def test_deep_hosts_are_a_sentence(project: MakeProject) -> None:
    demo = project(TEXT)
    (demo.root / "host.json").write_text("[" * 200_000)
    code, said, _ = measured(demo, "--host", "host.json", "backend")
    assert (code, "not JSON" in said) == (2, True), said


# other people's files


@posix
def test_a_lock_or_record_that_is_a_link_overwrites_nothing(tmp_path: Path) -> None:
    target, victim, state = tmp_path / "pyproject.toml", tmp_path / "victim", tmp_path / "state"
    target.write_text(TEXT)
    victim.write_text("precious")
    state.mkdir()
    (state / f"{digest(target)}.lock").symlink_to(victim)
    with pytest.raises(MachineError, match="can't be used"), exclusive(target, state, timeout=0):
        pytest.fail("a link is no lock")
    assert victim.read_text() == "precious"


def plant(state: Path, target: Path) -> Path:
    """A record that takes pyproject.toml and uv.lock, as they are now, for torchsel's own."""
    state.mkdir(mode=0o700, exist_ok=True)
    record = Journal(target, state).path
    planted = {"before": "planted", "planned": target.read_text(), "lock_before": "planted"}
    record.write_text(json.dumps(planted))
    return record


@posix
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
def test_somebody_elses_record_restores_nothing(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(TEXT)
    state = demo.root.parent / "state"
    demo.env["TORCHSEL_CACHE_DIR"] = str(state)
    (demo.root / "uv.lock").write_text("version = 1\n")
    os.chown(plant(state, demo.pyproject), 4242, 4242)
    demo.torchsel("--host", str(hosts["cpu"]), "--no-lock")
    assert (demo.root / "uv.lock").read_text() == "version = 1\n"
    assert "planted" not in demo.text()


@posix
@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
@pytest.mark.parametrize("start", ["", "sub"])
def test_a_planted_record_writes_to_no_file_outside(
    start: str, name: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(TEXT)
    state, victim = demo.root / ".cache-torchsel", demo.root.parent / "bashrc"
    here = demo.root / start
    here.mkdir(exist_ok=True)
    victim.write_text(TEXT)
    for path in (here / "pyproject.toml", here / "uv.lock"):
        path.unlink(missing_ok=True)
        path.write_text(TEXT if path.suffix == ".toml" else "version = 1\n")
    (here / name).unlink()
    (here / name).symlink_to(victim)
    plant(state, here / "pyproject.toml")
    demo.env["TORCHSEL_CACHE_DIR"] = str(state)
    demo.torchsel("--host", str(hosts["cpu"]), "--no-lock", cwd=here, code=None)
    assert "planted" not in victim.read_text()


@posix
@pytest.mark.parametrize("name", ["TORCHSEL_CACHE_DIR", "XDG_CACHE_HOME"])
def test_a_cache_folder_in_the_checkout_is_refused(
    name: str, project: MakeProject, hosts: dict[str, Path]
) -> None:
    demo = project(TEXT)
    demo.env[name] = str(demo.root / ".cache")
    told = demo.torchsel("--host", str(hosts["cpu"]), code=3)
    assert "lies in the project's folder" in told.err
    assert demo.text() == TEXT
    demo.torchsel("--host", str(hosts["cpu"]), "backend")


# other packages


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Backends' indexes that offer a newer release of a package that is not theirs."""
    evil = Wheel(name="numberkit", version="99.0", files=(("numberkit_evil.py", ""),))
    with Index(extra={backend: [evil] for backend in ("", "cpu", "cu126", "cu130", "cu132")}) as index:
        yield World(index=index, folder=tmp_path_factory.mktemp("hostile"))


@pytest.mark.parametrize("strategy", ["pin", "groups", "extras"])
def test_no_other_package_comes_from_a_hostile_index(
    strategy: str, hostile: World, hosts: dict[str, Path]
) -> None:
    text = TEXT.replace('"testkit"', '"testkit", "numberkit"')
    backends = "" if strategy == "pin" else 'backends = ["cpu", "cu132"]\n'
    demo = hostile.project(hostile.folder / strategy, f'{text}strategy = "{strategy}"\n{backends}')
    demo.env["TORCHSEL_HOST"] = str(hosts["h200"])
    demo.torchsel()
    demo.torchsel("lock")
    assert demo.locked("numberkit") == ["2.0"]
    assert any("+cu132" in version for version in demo.locked("torch"))
    indexes = tomllib.loads(demo.text())["tool"]["uv"]["index"]
    assert indexes
    assert all(entry["explicit"] is True for entry in indexes)
    assert not _asked_for_others(hostile.index)
    open_index = demo.text().replace("explicit = true", "explicit = false")
    demo.pyproject.write_text(open_index)
    demo.env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    demo.uv("lock", "-P", "numberkit", code=None)
    assert _asked_for_others(hostile.index), "it would be asked for them otherwise"
    hostile.index.requests.clear()


def _asked_for_others(index: Index) -> list[str]:
    return [line for line in index.requests if "/whl/" in line and ("numberkit" in line or "testkit" in line)]
