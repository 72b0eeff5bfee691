"""TOML files: read whole and exactly, and broken ones told by place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from torchsel.errors import ConfigError, MachineError
from torchsel.project import toml_file as module
from torchsel.project.project import read_toml
from torchsel.project.toml_file import parse_toml, read_text
from torchsel.project.workspace import load_project


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = [", "not valid TOML: .*line 1, column 6|not valid TOML: .*end of document"),
        (b"a = 1\na = 2\n", "not valid TOML: .*line 2"),
        (b'a = "x"\nb = "\xe9"\n', "line 2: not UTF-8; save the file as UTF-8"),
        (b"\xff\xfea\x00", "line 1: not UTF-8"),
        (b"a = " + b"[" * 100_000, "not valid TOML: nested too deeply"),
        (b"a = " + b"1" * 5000, "not valid TOML: .*digits"),
    ],
)
def test_broken_files(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{path}: ({problem})"):
        load_project(tmp_path)


def test_a_file_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'demo'\n")
    monkeypatch.setattr(module, "FILE_LIMIT", 16)
    with pytest.raises(ConfigError, match=r"pyproject\.toml: larger than"):
        load_project(tmp_path)


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"^.*: can't be read: "):
        read_toml(tmp_path)


def test_text_is_exact_and_data_without_the_bom(tmp_path: Path) -> None:
    text = "\ufeff[project]\r\nname = 'demo'\r\n[tool.torchsel]"
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    found = load_project(tmp_path)
    assert found.root.text == text
    assert found.root.table("project") == {"name": "demo"}
    assert found.is_configured


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices as POSIX has them")
def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    for path in (tmp_path / "pyproject.toml", Path("/dev/zero")):
        with pytest.raises(MachineError, match="is not a regular file"):
            read_text(path)


def test_a_file_with_nothing_to_say_yet_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /proc/kmsg for root: regular, and its read would block."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    monkeypatch.setattr(os, "open", lambda *_: reading)
    monkeypatch.setattr(stat, "S_ISREG", lambda _: True)
    with pytest.raises(MachineError, match=r"pyproject\.toml: can't be read: Resource temporarily"):
        read_text(tmp_path / "pyproject.toml")
    os.close(writing)


@pytest.mark.parametrize("key", ["a.", "'a' . ", '"#"\t.'])
@pytest.mark.parametrize("line", ["{}b = 1", "[{}b]", "[[ {}b ]]", "a = {{ {}b = 1 }}", 's = "\'"\n{}b = 1'])
def test_a_key_of_very_many_parts_is_refused_at_once(key: str, line: str) -> None:
    with pytest.raises(ConfigError, match="a key of more than 500 parts"):
        parse_toml(line.format(key * 200_000), Path("pyproject.toml"))
    assert parse_toml(line.format(key * 90), Path("pyproject.toml"))


@pytest.mark.parametrize(
    "line",
    ['a = "{}"', "a = '{}'", 'a = """\n{}"""', "a = '''{}'''", "a = 1 # {}", 'a = [\'x\', "\\"{}"]'],
)
def test_dots_elsewhere_are_no_key(line: str) -> None:
    assert parse_toml(line.format(".1" * 2000), Path("pyproject.toml"))
    assert parse_toml(f"a = [{'1.5, ' * 2000}]", Path("pyproject.toml"))
