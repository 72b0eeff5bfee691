"""``[tool.torchsel]``: what is legal, what it becomes, and every fault with its place."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from torchsel.cli import main
from torchsel.config.config import Config
from torchsel.config.keys import KEYS, parse_config
from torchsel.config.values import check_index_url
from torchsel.errors import ConfigError

CORPUS = sorted((Path(__file__).parents[1] / "cases" / "config").iterdir())
"""Golden errors: pyproject.toml and error.txt, the sentences with ``pyproject.toml`` for the file's place."""


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_golden_errors(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = (case / "error.txt").read_text(encoding="utf-8").splitlines()
    text = (case / "pyproject.toml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        parse_config(tomllib.loads(text)["tool"]["torchsel"], where="pyproject.toml")
    assert list(caught.value.problems) == expected
    assert "s3cr3t" not in str(caught.value)

    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    assert main(["check", "--project", str(tmp_path), "--color", "never"]) == 2
    captured = capsys.readouterr()
    place = str(tmp_path / "pyproject.toml")
    told = captured.err.replace(place, "pyproject.toml")
    assert re.sub(r"line \d+: ", "", told).splitlines() == [f"error: {line}" for line in expected]
    for number, key in re.findall(r"line (\d+): tool\.torchsel\.([\w-]+)", told):
        assert key in text.splitlines()[int(number) - 1]
    assert captured.out == ""
    assert (tmp_path / "pyproject.toml").read_text(encoding="utf-8") == text


def test_every_key_is_a_field() -> None:
    names = {key.replace("-", "_") for key in KEYS} | {"names"}
    assert {field.name for field in fields(Config)} == names


def test_an_empty_table_is_all_defaults() -> None:
    assert parse_config({}, where="x") == Config()


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"backend": "auto"}, {"backend": "auto"}),
        ({"backend": "cu999"}, {"backend": "cu999"}),
        ({"backends": ["cpu", "cu130", "cpu"]}, {"backends": ("cpu", "cu130")}),
        (
            {"index-url": "https://mirror.example", "backends": ["cu127"]},
            {"index_url": "https://mirror.example", "backends": ("cu127",)},
        ),
        ({"backend": "auto", "backends": ["cpu"]}, {"backend": "auto", "backends": ("cpu",)}),
        ({"packages": ["Torch", "torch_vision", "torch.vision"]}, {"packages": ("torch", "torch-vision")}),
        ({"packages": []}, {"packages": ()}),
        ({"exclude": ["TorchAudio"]}, {"exclude": ("torchaudio",)}),
        ({"index-url": "https://mirror.example/whl//"}, {"index_url": "https://mirror.example/whl"}),
        ({"channel": "nightly"}, {"channel": "nightly"}),
        ({"cuda-compat": "strict"}, {"cuda_compat": "strict"}),
        ({"gpus": "best"}, {"gpus": "best"}),
        ({"vendors": ["amd", "nvidia"]}, {"vendors": ("amd", "nvidia")}),
        ({"fallback": "error"}, {"fallback": "error"}),
        ({"max-cuda": "12.9"}, {"max_cuda": (12, 9)}),
        ({"max-cuda": "12"}, {"max_cuda": (12,)}),
    ],
)
def test_legal_values(table: dict[str, Any], expected: dict[str, Any]) -> None:
    assert parse_config(table, where="x") == Config(**expected)


def test_rows_of_the_projects_own_make_their_backends_known() -> None:
    row = {"torch": "2.8.0", "backend": "cu127", "platform": "linux_x86_64"}
    assert parse_config({"backends": ["cu127"], "catalog": [row]}, where="x").backends == ("cu127",)
    assert parse_config({"backend": "cu127"}, where="x", any_tag=True).backend == "cu127"


@pytest.mark.parametrize(
    "url",
    [
        "https://mirror.example:8443/whl",
        "http://localhost:8080/whl",
        "http://127.0.0.1:8080/whl",
        "http://127.8.9.10/whl",
        "http://[::1]:80/whl",
    ],
)
def test_index_urls_that_are_taken(url: str) -> None:
    assert check_index_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.evil.example/whl",
        "http://localhost.evil.example/whl",
        "http://0.0.0.0/whl",
        "http://10.0.0.1/whl",
        "https:///whl",
        "https://mirror.example/whl#sha",
        "https://mirror.example/wh\nl",
        "ftp://mirror.example/whl",
        "//mirror.example/whl",
        "https://user@mirror.example/",
        "https://:s3cr3t@mirror.example/",
        "https://mirror.example\\@evil.example/",
        "",
    ],
)
def test_index_urls_that_are_not(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_index_url(url)
