"""uv command lines as people write them."""

from __future__ import annotations

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
        ("--preview-features pylock sync", "sync"),
        ("--trusted-host localhost sync", "sync"),
        ("--not-yet-known value sync", "sync"),
        ("--not-yet-known=value sync", "sync"),
        ("--not-yet-known sync", "sync"),
        ("-Zx value -qq sync", "sync"),
        ("-Z sync lock", "sync"),
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
        ("run -p3.12 python --frozen", ["-p"]),
        ("run -qp 3.12 python --frozen", ["-q", "-p"]),
        ("run -qnp3.12 python --frozen", ["-q", "-n", "-p"]),
        ("run -vv --max-recursion-depth 5 python --frozen", ["-v", "-v", "--max-recursion-depth"]),
        ("--preview-features pylock -q sync --frozen", ["--preview-features", "-q", "--frozen"]),
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
    assert read("sync", UV_WORKING_DIRECTORY="work").folder == Path("/here/work")
    both = read("sync", UV_WORKING_DIRECTORY="later", UV_WORKING_DIR="work")
    assert both.folder == Path("/here/work"), "as uv 0.13.9 has it"


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
        ("sync --no-sources", True),
        ("lock --script x.py", False),
        ("sync --script=x.py", False),
        ("run -s x.py", True),
        ("run --gui-script x.pyw", True),
        ("run --no_workspace python", False),
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
    assert "--no-sources" in read("sync", UV_NO_SOURCES=value).options


@pytest.mark.parametrize("value", ["0", "false", "off", ""])
def test_flags_that_are_off(value: str) -> None:
    call = read("run x", **dict.fromkeys(FLAG_VARIABLES, value))
    assert (call.is_for_project, call.keeps_lock, call.options) == (True, False, ())


@pytest.mark.parametrize(
    ("line", "syncs"),
    [
        *((line, True) for line in ("add torch", "remove torch", "version 0.2.0", "version --bump patch")),
        ("version --color never --bump minor", True),
        ("version 0.2.0 --output-format json", True),
        *((f"version {words}", False) for words in ("", "--short", "--output-format json", "--package demo")),
        *((f"version {words}", False) for words in ("--project .", "--short --color never", "-p 3.12")),
        *((line, False) for line in ("add --no-sync torch", "version --bump patch --dry-run")),
    ],
)
def test_what_syncs(line: str, syncs: bool) -> None:
    assert read(line).syncs is syncs


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("add --no-install-project torch", "add torch"),
        ("-q add torch --no-install-package x", "-q add torch"),
        ("--no-install-package=x add torch", "add torch"),
        ("add torch -- --no-install-project", "add torch -- --no-install-project"),
    ],
)
def test_leaving_options_out(line: str, without: str) -> None:
    call = read(line).without({"--no-install-project", "--no-install-package"})
    assert call.arguments == tuple(without.split())
    assert call.arguments[call.position - 1] == "add"


@pytest.mark.parametrize(
    ("line", "script"),
    [
        ("run train.py", "/here/train.py"),
        ("run -qp 3.11 train.py", "/here/train.py"),
        ("run --max-recursion-depth 5 train.py", "/here/train.py"),
        ("run -s train", "/here/train"),
        ("--directory sub run --gui-script train", "/here/sub/train"),
        ("run -p 3.11", None),
        ("run -", None),
        ("run https://example.org/train.py", None),
        ("run -m train.py", None),
        ("sync --script train.py", None),
    ],
)
def test_script(line: str, script: str | None) -> None:
    assert read(line).script == (script and Path(script))


@pytest.mark.parametrize(
    ("line", "unknown"),
    [
        ("sync --frozen -qn --group x", ()),
        ("run train.py --new", ()),
        ("--new value sync", ("--new",)),
        ("sync --new=1 -Z", ("--new", "-Z")),
        ("tree --extra x", ("--extra",)),
    ],
)
def test_what_uvs_grammar_does_not_have(line: str, unknown: tuple[str, ...]) -> None:
    assert read(line).unknown == unknown
