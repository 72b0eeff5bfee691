"""The environment that scripts make for themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scripts import bootstrap as module


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The module, looking at an environment of its own that is not there yet."""
    monkeypatch.setattr(module, "VENV", tmp_path / "venv")
    monkeypatch.setattr(module, "STAMP", tmp_path / "venv" / "stamp.json")
    return module


def test_requirements_of_included_groups_count(bootstrap: ModuleType) -> None:
    groups = {"dev": [{"include-group": "lint"}, "pytest>=8"], "lint": ["ruff"]}
    assert bootstrap.development_requirements({"dependency-groups": groups}) == ["ruff", "pytest>=8"]


def test_an_old_python_is_told_so(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "OLDEST_PYTHON", (9, 1))
    with pytest.raises(bootstrap.BootstrapError, match=r"Python 9\.1 or newer is needed; .* is 3\."):
        bootstrap.ensure_environment()


@pytest.mark.parametrize("lacking", [{"venv"}, {"ensurepip", "pip"}])
def test_without_venv_or_pip_it_says_what_to_install(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, lacking: set[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in lacking else object())
    with pytest.raises(bootstrap.BootstrapError, match="apt install python3-venv"):
        bootstrap.ensure_environment()


def test_a_failed_command_is_named(bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-c", "raise SystemExit(7)")
    assert bootstrap.run(*command, check=False) == 7
    with pytest.raises(bootstrap.BootstrapError, match="exit code 7 from: "):
        bootstrap.run(*command)
    assert capsys.readouterr().out.count(f"$ {sys.executable} -c") == 2


def test_it_is_made_once_and_again_after_a_change(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def create() -> None:
        bootstrap.VENV.mkdir()
        done.append("create")

    monkeypatch.setattr(bootstrap, "_create", create)
    monkeypatch.setattr(bootstrap, "_install", lambda: done.append("install"))
    monkeypatch.setattr(bootstrap, "_answers", lambda *_: bootstrap.VENV.exists())
    for _ in range(2):
        bootstrap.ensure_environment()
    assert done == ["create", "install"]
    stamp = json.loads(bootstrap.STAMP.read_text())
    bootstrap.STAMP.write_text(json.dumps(stamp | {"pyproject": "of yesterday"}))
    bootstrap.ensure_environment()
    assert done == ["create", "install", "install"], "brought up to date in place"


def test_groups_that_only_some_tests_need(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ensure_environment", lambda: None)
    monkeypatch.setattr(bootstrap, "_pip", lambda: ("echo", "pip"))
    assert bootstrap.main(["ray"]) == 0
    assert capsys.readouterr().out == "$ echo pip 'ray>=2.45'\n"
    monkeypatch.setattr(bootstrap, "_pip", lambda: ("false",))
    assert bootstrap.main(["ray"]) == 3
    assert "exit code 1 from: false 'ray>=2.45'" in capsys.readouterr().err
