"""uv command lines as people write them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from torchsel.uv.call import FLAG_VARIABLES, UvCall, read_uv_call

HERE = Path("/here")


def read(line: str, **environ: str) -> UvCall:
    return read_uv_call(line.split(), HERE, environ=environ)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("", None),
        ("--version", None),
        ("-V", None),
        ("sync", "sync"),
        ("sync --extra run", "sync"),
        ("-v sync", "sync"),
        ("--color never sync", "sync"),
        ("--color=never --quiet run python", "run"),
        ("--project other lock", "lock"),
        ("--directory run lock", "lock"),
        ("--cache-dir /tmp/c --offline add torch", "add"),
        ("--config-file uv.toml tree --depth 2", "tree"),
        ("pip install torch", "pip"),
        ("run -- sync", "run"),
        ("tool run ruff", "tool"),
        ("-- sync", None),
    ],
)
def test_command(line: str, command: str | None) -> None:
    assert read(line).command == command


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("run pytest --frozen", []),
        ("run --frozen pytest", ["--frozen"]),
        ("run -- pytest --frozen", []),
        ("run --with rich pytest --frozen", ["--with"]),
        ("run --with=rich --frozen pytest -h", ["--with", "--frozen"]),
        ("run -p 3.12 python -c --frozen", ["-p"]),
        ("run -p3.12 python --frozen", ["-p3.12"]),
        ("run -m pytest --frozen", ["-m"]),
        ("run -m --frozen pytest -x", ["-m", "--frozen"]),
        ("run - --frozen", []),
        ("run -s script.py --frozen", ["-s"]),
        (
            "run --env-file .env --group dev --frozen train.py --group x",
            ["--env-file", "--group", "--frozen"],
        ),
        ("-q run -v train.py -q", ["-q", "-v"]),
        ("sync --group --frozen", ["--group"]),
        ("sync --extra gpu --frozen -p 3.12", ["--extra", "--frozen", "-p"]),
        ("add torch --frozen -- --extra", ["--frozen"]),
        ("add torch -m sys_platform=='linux' --frozen", ["-m", "--frozen"]),
        ("export -o requirements.txt --frozen", ["-o", "--frozen"]),
        ("lock -P torch==2.9.1 --check", ["-P", "--check"]),
        ("lock -P", ["-P"]),
    ],
)
def test_options_are_uvs_own(line: str, options: list[str]) -> None:
    assert list(read(line).options) == options


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("sync", "/here"),
        ("sync --project sub", "/here/sub"),
        ("--project=sub sync", "/here/sub"),
        ("--project /abs sync", "/abs"),
        ("--directory sub sync", "/here/sub"),
        ("sync --directory sub --project ../other", "/here/sub/../other"),
        ("sync --project a --project b", "/here/b"),
        ("run --project sub train.py --project other", "/here/sub"),
        ("run train.py --project other", "/here"),
        ("add x -m a --project sub", "/here/sub"),
        ("run --with --project --project sub x", "/here/sub"),
        ("sync --project", "/here"),
    ],
)
def test_folder(line: str, folder: str) -> None:
    assert read(line).folder == Path(folder)


def test_folder_from_uvs_variables() -> None:
    assert read("sync", UV_PROJECT="sub").folder == Path("/here/sub")
    assert read("sync", UV_WORKING_DIR="work", UV_PROJECT="sub").folder == Path("/here/work/sub")
    assert read("sync --project mine", UV_WORKING_DIR="work", UV_PROJECT="sub").folder == Path(
        "/here/work/mine"
    )
    assert read("sync", UV_PROJECT="").folder == HERE


@pytest.mark.parametrize(
    ("line", "is_for_project"),
    [
        *((f"{command} x", True) for command in ("sync", "lock", "run", "add", "remove", "export", "tree")),
        *(
            (command, False)
            for command in ("", "init", "venv", "pip install torch", "tool run x", "cache clean")
        ),
        *((command, False) for command in ("python list", "help sync", "self update", "publish", "sinc")),
        ("run pytest --help", True),
        ("run --help", False),
        ("sync -h", False),
        ("run --no-project python", False),
        ("sync --no-sources", False),
        ("lock --script x.py", False),
        ("run -s x.py", False),
        ("run --gui-script x.pyw", False),
        ("run python -s", True),
        ("sync --no-config", True),
    ],
)
def test_is_for_project(line: str, is_for_project: bool) -> None:
    assert read(line).is_for_project is is_for_project


@pytest.mark.parametrize(
    ("line", "keeps_lock"),
    [
        *((line, False) for line in ("sync", "lock --upgrade", "run x --frozen", "add --no-sync torch")),
        *((line, True) for line in ("sync --frozen", "sync --locked", "lock --check", "lock --check-exists")),
        *(
            (line, True)
            for line in ("lock --dry-run", "run --no-sync x", "add --frozen torch", "sync --check")
        ),
    ],
)
def test_keeps_lock(line: str, keeps_lock: bool) -> None:
    assert read(line).keeps_lock is keeps_lock


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_uvs_variables_are_flags(value: str) -> None:
    assert read("sync", UV_FROZEN=value).keeps_lock
    assert read("run x", UV_LOCKED=value).keeps_lock
    assert read("run x", UV_NO_SYNC=value).keeps_lock
    assert not read("add torch", UV_NO_SYNC=value).keeps_lock
    assert not read("run x", UV_NO_PROJECT=value).is_for_project
    assert not read("sync", UV_NO_SOURCES=value).is_for_project


@pytest.mark.parametrize("value", ["0", "false", "off", ""])
def test_flags_that_are_off(value: str) -> None:
    call = read("run x", **dict.fromkeys(FLAG_VARIABLES, value))
    assert (call.is_for_project, call.keeps_lock, call.options) == (True, False, ())


def help_of(uv: Path, command: str) -> list[tuple[list[str], bool]]:
    """Names of each option in ``uv help COMMAND`` and whether it takes a value."""
    done = subprocess.run([uv, "help", command], capture_output=True, text=True, check=True)
    lines = re.findall(r"^ +(-.*)$", done.stdout, re.MULTILINE)
    options = [line for line in lines if re.fullmatch(r"-\S+(, --\S+)?( <\S+>)?", line.replace("...", ""))]
    return [(re.findall(r"--?[\w-]+", line.partition(" <")[0]), " <" in line) for line in options]


def test_every_option_of_uv_run_is_known(uv: Path) -> None:
    options = help_of(uv, "run")
    assert len(options) > 60
    for names, takes_value in options:
        for name in names:
            call = read(f"run {name} --next command --other")
            read_on = ("--next" in call.options, "--other" in call.options)
            assert read_on == (not takes_value, False), f"{name} (takes a value: {takes_value})"
