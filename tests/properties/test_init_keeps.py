"""``torchsel init`` loses nothing that the user wrote: requirements, markers, conflict sets, groups."""

from __future__ import annotations

import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fidelity import project_data
from tests.support.toml_writer import Writer
from tests.support.toolbox import CASES, host_files
from torchsel.commands.init import prepare
from torchsel.errors import ConfigError
from torchsel.hosts.load import read_host
from torchsel.strategies.protocol import Options

FILES = {
    str(path.relative_to(CASES)): path
    for path in (*CASES.glob("real/*.toml"), *CASES.glob("adopted/*/pyproject.toml"),
                 *CASES.glob("init/*/pyproject.toml"), *CASES.glob("public/*.toml"))
    if "torchsel" not in tomllib.loads(path.read_bytes().decode("utf-8-sig")).get("tool", {})
}  # fmt: skip
HOST = read_host(str(host_files()["h200"]), "test")


def lists(data: dict[str, Any]) -> dict[str, list[Any]]:
    """Every list of requirements, and what is beside them, by its dotted key."""
    project, uv = data.get("project", {}), data.get("tool", {}).get("uv", {})
    found = {"project.dependencies": project.get("dependencies", [])}
    found |= {f"extra {name}": items for name, items in project.get("optional-dependencies", {}).items()}
    found |= {f"group {name}": items for name, items in data.get("dependency-groups", {}).items()}
    keys = (
        "conflicts",
        "constraint-dependencies",
        "override-dependencies",
        "dev-dependencies",
        "environments",
    )
    return found | {key: uv[key] for key in keys if isinstance(uv.get(key), list)}


def scoped(data: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every source that is for an extra or group, with its marker, under whatever name its index has."""
    sources = data.get("tool", {}).get("uv", {}).get("sources", {})
    return [
        (package, {key: value for key, value in item.items() if key != "index"})
        for package, listed in sources.items()
        for item in (listed if isinstance(listed, list) else [listed])
        if "extra" in item or "group" in item
    ]


def lost(before: str, after: str) -> list[str]:
    """What of ``before`` is not in ``after``."""
    old, new = (tomllib.loads(text.removeprefix("\ufeff")) for text in (before, after))
    there = lists(new)
    missing = [f"{key}: {item}" for key, items in lists(old).items() for item in items
               if item not in there.get(key, [])]  # fmt: skip
    return [*missing, *(str(item) for item in scoped(old) if item not in scoped(new))]


def initialised(folder: Path, text: bytes, strategy: str | None = None) -> str | None:
    """The text that init would write, None where it refuses."""
    (folder / "pyproject.toml").write_bytes(text)
    try:
        options = Options(folder=folder, environ={})
        return prepare(options, host=HOST, strategy=strategy).outcome.after
    except ConfigError:
        return None


@pytest.mark.parametrize("strategy", [None, "groups", "extras"])
@pytest.mark.parametrize("path", FILES.values(), ids=FILES)
def test_files(path: Path, strategy: str | None, tmp_path: Path) -> None:
    text = path.read_bytes()
    after = initialised(tmp_path, text, strategy)
    if after is not None:
        assert lost(text.decode(), after) == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(random=st.randoms(use_true_random=False))
def test_random_files(random: Random, tmp_path: Path) -> None:
    data = project_data(random, owned=False)
    del data["tool"]["torchsel"]
    text = Writer(random, owned=()).write(data)
    after = initialised(tmp_path, text.encode())
    if after is not None:
        assert lost(text, after) == []


def test_what_is_lost_is_seen() -> None:
    before = '[project]\ndependencies = ["a", "b; x"]\n[tool.uv.sources]\na = { index = "i", extra = "e" }\n'
    assert lost(before, before) == []
    assert lost(before, '[project]\ndependencies = ["a", "b"]\n') == [
        "project.dependencies: b; x",
        "('a', {'extra': 'e'})",
    ]
