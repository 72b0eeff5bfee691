"""Whatever a project requires, has locked and offers, no command ends as a bug (exit code 123)."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.test_never_crashes import CATALOG, HOST_FILES, TAGS, releases, specifiers
from tests.support.toolbox import Project

Table = dict[str, object]

COMMANDS = (
    ("--no-lock", "--dry-run"),
    ("--no-lock",),
    ("check",),
    ("check", "--host", "gpu=V100,driver=570.124", "cpu"),
    ("status", "--json"),
    ("status",),
    ("backend",),
    ("env", "--shell", "bash"),
    ("deinit", "--dry-run"),
)
ENDS = {0, 1, 2, 3}

lists = st.one_of(st.none(), st.lists(st.sampled_from(TAGS), min_size=1, max_size=4, unique=True))
tables = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["pin", "groups", "extras"]),
        "backends": lists,
        "same-torch": st.booleans(),
        "fallback": st.sampled_from(["cpu", "error"]),
        "default-backend": st.sampled_from([None, "none", "cpu"]),
    }
)
locks = st.lists(st.tuples(st.sampled_from(CATALOG.releases), st.sampled_from(["", *TAGS])), max_size=4)


def pyproject(required: list[str], table: Table) -> str:
    """A project's file, with `table` as ``[tool.torchsel]``."""
    kept = {key: value for key, value in table.items() if value is not None}
    if kept["strategy"] == "pin":
        kept = {key: kept[key] for key in kept if key not in ("same-torch", "default-backend")}
    if kept["strategy"] == "extras":
        kept.pop("default-backend", None)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in kept.items())
    texts = [f"torch{specifier}" for specifier in required] or ["torch"]
    return (
        f'[project]\nname = "demo"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = {texts!r}\n'
        f"\n[tool.torchsel]\n{lines}"
    )


def lock(locked: list[tuple[str, str]]) -> str:
    """A uv.lock with these releases of torch, each from a backend's index or, for "", uv's default one."""
    base = "https://download.pytorch.org/whl"
    packages = "".join(
        f'\n[[package]]\nname = "torch"\nversion = "{torch}{f"+{tag}" if tag else ""}"\n'
        f'source = {{ registry = "{f"{base}/{tag}" if tag else "https://example.com/simple"}" }}\n'
        for torch, tag in locked
    )
    demo = '\n[[package]]\nname = "demo"\nversion = "0"\nsource = { virtual = "." }\n'
    return f'version = 1\nrequires-python = ">=3.11"\n{packages}{demo}dependencies = [{{ name = "torch" }}]\n'


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    host=st.sampled_from(HOST_FILES),
    required=st.lists(specifiers, max_size=2),
    later=st.one_of(st.none(), st.builds(str.__add__, st.sampled_from(["<", "<=", "=="]), releases)),
    table=tables,
    locked=locks,
)
def test_no_command_ends_as_a_bug(
    host: Path,
    required: list[str],
    later: str | None,
    table: dict[str, object],
    locked: list[tuple[str, str]],
) -> None:
    """``later`` is what the requirement becomes when all is routed."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TORCHSEL_HOST": str(host)}
        demo = Project(root=Path(folder) / "demo", binary=Path(shutil.which("true") or "/bin/true"), env=env)
        demo.root.mkdir()
        if locked:
            (demo.root / "uv.lock").write_text(lock(locked), encoding="utf-8")
        demo.pyproject.write_text(pyproject(required, table), encoding="utf-8")
        for command in COMMANDS:
            ended(demo, *command)
        if later:
            before, after = (pyproject(each, table).partition("\n[tool")[0] for each in (required, [later]))
            demo.pyproject.write_text(demo.text().replace(before, after), encoding="utf-8")
            for command in COMMANDS:
                ended(demo, *command)


def ended(demo: Project, *command: str) -> None:
    result = demo.torchsel_inprocess(*command)
    assert result.code in ENDS, f"{command}: {result.err}\n{demo.text()}"
    assert result.code == 0 or result.out or result.err
