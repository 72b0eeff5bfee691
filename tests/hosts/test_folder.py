from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from torchsel.errors import ConfigError
from torchsel.hosts import load as module
from torchsel.hosts.inventory import read_inventory
from torchsel.hosts.load import hosts_of, read_host, read_source, write_folder

TEXT = "n1 gpu:v100:4 x\nn2 (null) x\nn3 gpu:v100:4 y\n"


def test_each_machine_becomes_a_host_file(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(TEXT)
    inventory = hosts_of(str(tmp_path / "nodes"), driver="570.124", folder=tmp_path / "a" / "b")
    written = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
    assert written == ["cpu.json", "v100x4-driver570.json"]
    for machine in inventory.machines:
        assert read_host(str(tmp_path / "a" / "b" / f"{machine.name}.json"), "--host") == machine.host


def test_nothing_is_written_without_a_folder(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text(TEXT)
    assert len(hosts_of(str(tmp_path / "nodes"), driver=None, folder=None).machines) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["nodes"]


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    inventory = read_inventory(TEXT)
    write_folder(inventory, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_folder(inventory, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="making links needs a privilege there")
def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "hosts"
    outside.write_text("mine")
    inside.mkdir()
    (inside / "cpu.json").symlink_to(outside)
    (inside / ".cpu.torchsel").symlink_to(outside)
    write_folder(read_inventory("cpu"), inside)
    assert outside.read_text() == "mine"
    assert not (inside / "cpu.json").is_symlink()
    assert [path.name for path in inside.iterdir()] == ["cpu.json"]


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfcpu\n")
    assert read_source(str(tmp_path / "bom")) == "cpu\n"
    (tmp_path / "latin").write_bytes(b"# caf\xe9\ncpu\n")
    assert read_inventory(read_source(str(tmp_path / "latin"))).machines[0].name == "cpu"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"gfx942\n")))
    assert read_source("-") == "gfx942\n"


def test_sources_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (str(tmp_path / "missing"), str(tmp_path), "\0", "x" * 5000):
        with pytest.raises(ConfigError, match="can't be read"):
            read_source(name)
    monkeypatch.setattr(module, "INVENTORY_LIMIT", 3)
    (tmp_path / "large").write_text("cpu\n")
    with pytest.raises(ConfigError, match="larger than 3 bytes"):
        read_source(str(tmp_path / "large"))
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(ConfigError, match="give a file or standard input: 'kubectl get nodes -o json'"):
        read_source("-")
