"""The JSON Schema of ``[tool.torchsel]`` and the reader say the same."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from tests.support.toolbox import ROOT
from torchsel.config.config import Config
from torchsel.config.keys import KEYS, parse_config
from torchsel.config.schema import schema, to_text
from torchsel.errors import ConfigError

CORPUS = Path(__file__).parents[1] / "cases" / "config"

LEGAL: list[dict[str, Any]] = [
    {},
    {"backend": "auto"},
    {"backend": "rocm6.2.4"},
    {"backend": "cu134"},
    {"backend": "rocm10.0"},
    {"index-url": "https://mirror.example/whl/", "backends": ["cu127"]},
    {"strategy": "extras", "backends": {"cpu": "cpu", "gpu_1": "cu130", "A.b": "xpu"}},
    {"backends": ["cpu", "cu130"]},
    {"packages": ["Torch", "torch_vision"], "exclude": []},
    {"index-url": "https://mirror.example/whl/"},
    {"index-url": "https://mirror.example:8443/whl"},
    {"index-url": "http://127.0.0.1:8080/whl"},
    {"index-url": "http://[::1]:80/whl"},
    {"index-url": "http://localhost/whl"},
    {"channel": "nightly", "cuda-compat": "strict", "gpus": "best", "fallback": "error"},
    {"vendors": ["amd"]},
    {"max-cuda": "12.9"},
    {"max-cuda": "13"},
    {"strategy": "groups", "default-backend": "none", "same-torch": True},
    {"strategy": "groups", "default-backend": "cu130"},
    {"environment": ".venv-{backend}"},
    {"environment": "envs/{system}-{machine}/{family}..x"},
    {"strategy": "groups", "also": {"cuda13": ["cupy-cuda13x", "jax[cuda13]"], "rocm7.2": [], "cpu": []}},
    {"also": {}},
    {"companions": ["flash-attn", "Mamba_SSM"]},
    {"catalog": {"builds": []}},
    {"catalog": [{"torch": "2.16.0", "backend": "cu134", "platform": "linux_x86_64"}]},
    {
        "catalog": {
            "builds": [
                {
                    "torch": "2.16.0",
                    "backend": "rocm7.15",
                    "platform": "win_amd64",
                    "python": "3.13 3.13t",
                    "kernels": ["gfx942"],
                }
            ]
        }
    },
]
ILLEGAL: list[dict[str, Any]] = [
    {"backnd": "auto"},
    {"backend": "pypi"},
    {"backend": "none"},
    {"backend": "cuda"},
    {"backend": "newthing9"},
    {"backend": "cu12.6"},
    {"backends": ["cpu", "cuda126"]},
    {"backend": "rocm72"},
    {"backend": "CUDA"},
    {"backend": "cu 130"},
    {"backend": "cu130."},
    {"backend": 130},
    {"strategy": "pins"},
    {"backends": []},
    {"backends": {}},
    {"backends": ["auto"]},
    {"strategy": "groups", "backends": {"-x": "cpu"}},
    {"strategy": "groups", "backends": {"a--b": "cpu"}},
    {"strategy": "groups", "backends": {"gpu": "cuda"}},
    {"packages": "torch"},
    {"packages": ["-torch"]},
    {"packages": [1]},
    {"index-url": "ftp://mirror.example"},
    {"index-url": "http://mirror.example/whl"},
    {"index-url": "https://user:pass@mirror.example/whl"},
    {"index-url": "https://mirror.example/whl?x=1"},
    {"index-url": "https:///whl"},
    {"vendors": []},
    {"vendors": ["matrox"]},
    {"max-cuda": "12.9.1"},
    {"max-cuda": "v12"},
    {"max-cuda": 12.9},
    {"strategy": "groups", "default-backend": "auto"},
    {"same-torch": "yes"},
    {"environment": ""},
    {"environment": "."},
    {"environment": "/envs"},
    {"environment": "~/envs"},
    {"environment": "C:\\envs"},
    {"environment": "../{backend}"},
    {"environment": "envs/.."},
    {"environment": " .venv"},
    {"environment": "{host}"},
    {"environment": "{backend"},
    {"environment": True},
    {"strategy": "groups", "also": ["cupy-cuda13x"]},
    {"strategy": "groups", "also": {"gpu": ["cupy-cuda13x"]}},
    {"strategy": "groups", "also": {"cuda13": "cupy-cuda13x"}},
    {"strategy": "groups", "also": {"cuda13": [13]}},
    {"companions": "flash-attn"},
    {"companions": ["flash attn"]},
    {"catalog": {"rows": []}},
    {"catalog": [{"torch": "2.16.0", "backend": "cu134"}]},
    {"catalog": [{"torch": "2.16", "backend": "cu134", "platform": "linux_x86_64"}]},
    {"catalog": [{"torch": "2.16.0", "backend": "cu134", "platform": "linux_x86_64", "python": "cp313"}]},
]
BEYOND = {
    "also-backends-that-never-were",
    "also-needs-groups",
    "array-of-tables",  # not the table at all
    "backend-not-among-backends",
    "backends-that-never-were",
    "companions-unknown",
    "default-not-among-backends",
    "default-needs-groups",
    "exclude-torch",
    "names-need-groups",
    "same-torch-needs-groups",
    "url-with-a-bad-port",
    "http-that-looks-local",
}
"""Corpus cases of `ILLEGAL` combinations and URLs that JSON Schema does not tell from legal ones."""


@cache
def validator() -> Callable[[object], object]:
    compiled: Callable[[object], object] = fastjsonschema.compile(schema(), use_default=False)
    return compiled


def accepts(table: object) -> bool:
    try:
        validator()(table)
    except fastjsonschema.JsonSchemaValueException:
        return False
    return True


def reads(table: object) -> bool:
    try:
        parse_config(table, where="x")
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("table", LEGAL, ids=json.dumps)
def test_what_is_legal_is_accepted_by_both(table: dict[str, Any]) -> None:
    assert reads(table)
    assert accepts(table)


@pytest.mark.parametrize("table", ILLEGAL, ids=json.dumps)
def test_what_is_not_is_refused_by_both(table: dict[str, Any]) -> None:
    assert not reads(table)
    assert not accepts(table)


def test_every_key_is_tried() -> None:
    assert {key for table in LEGAL for key in table} == set(KEYS)
    assert {key for table in ILLEGAL for key in table} >= set(KEYS) - {"channel", "gpus"} - {
        *("cuda-compat", "fallback", "exclude")
    }


@pytest.mark.parametrize(
    "case", [case for case in sorted(CORPUS.iterdir()) if case.name not in BEYOND], ids=lambda case: case.name
)
def test_the_faults_of_the_corpus_are_seen(case: Path) -> None:
    table = tomllib.loads((case / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["torchsel"]
    assert not accepts(table)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_is_described_and_its_default_is_the_readers(name: str) -> None:
    described = schema()["properties"][name]
    assert described["description"]
    default = described.get("default")
    if default is not None:
        assert accepts({name: default})
        field = name.replace("-", "_")
        mine = getattr(parse_config({name: default}, where="x"), field)
        # without a backend in the table uv's own key is asked before 'auto'
        assert mine == ("auto" if name == "backend" else getattr(Config(), field))


def test_the_file_shipped_is_the_schema_printed() -> None:
    shipped = (ROOT / "hook" / "torchsel" / "data" / "torchsel.schema.json").read_text(encoding="utf-8")
    assert shipped == to_text(), "run: torchsel schema > hook/torchsel/data/torchsel.schema.json"
    assert list(json.loads(shipped)["properties"]) == list(KEYS)
