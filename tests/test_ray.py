from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from torchsel.ray import hook

HERE = platform.python_version()


@pytest.mark.parametrize(
    "given", [None, {}, {"env_vars": None}, {"env_vars": {"A": "b"}}, {"excludes": ["x"]}]
)
def test_workers_start_by_torchsel(given: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_PYTHON", raising=False)
    before = repr(given)
    found = hook(given)
    assert found == {
        **(given or {}),
        "py_executable": f"torchsel run --locked --python {HERE} python",
        "working_dir": str(Path.cwd()),
    }
    assert repr(given) == before


def test_the_working_directory_given_stays() -> None:
    assert hook({"working_dir": "s3://bucket/x.zip"})["working_dir"] == "s3://bucket/x.zip"


def test_which_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON", "3.12")
    assert "--python 3.12 python" in hook({})["py_executable"]
    assert "--python 3.13 python" in hook({"env_vars": {"UV_PYTHON": "3.13"}})["py_executable"]
    assert "--python '/a b; c' python" in hook({"env_vars": {"UV_PYTHON": "/a b; c"}})["py_executable"]


@pytest.mark.parametrize("key", ["py_executable", "pip", "uv", "conda", "container", "image_uri"])
def test_a_python_of_its_own_is_left_alone(key: str) -> None:
    given = {key: ["torch"], "env_vars": {}}
    assert hook(given) == given


def test_it_is_loaded_without_the_rest_of_torchsel_and_without_ray() -> None:
    code = """if True:
        import sys, torchsel.ray
        print([name for name in sys.modules if name.startswith(("torchsel.", "ray"))])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['torchsel.ray']"
