from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.hosts.load import HOST_FILE_LIMIT, read_host, read_hosts


def test_host_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (HOST_FILE_LIMIT + 1))
    (tmp_path / "latin.json").write_bytes(b'{"system": "\xe9"}')
    (tmp_path / "list.json").write_text("[]")
    for name, problem in [
        ("missing.json", "no such file"),
        (".", "not a regular file"),
        ("large.json", "larger than"),
        ("latin.json", "not UTF-8"),
        ("list.json", "expected a JSON object"),
    ]:
        path = tmp_path / name
        with pytest.raises(ConfigError) as caught:
            read_host(str(path), "TORCHSEL_HOST")
        assert str(caught.value).startswith(f"TORCHSEL_HOST {path}: {problem}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_host(str(tmp_path / "pipe"), "--host")


def test_a_host_file_may_have_a_bom(tmp_path: Path) -> None:
    path = tmp_path / "bom.json"
    path.write_bytes(b'\xef\xbb\xbf{"system": "linux", "machine": "x86_64"}')
    assert read_host(str(path), "--host") == Host(system="linux", machine="x86_64")


def test_an_existing_file_wins_over_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_host("gfx942", "--host").accelerators[0].gfx_target == "gfx942"
    (tmp_path / "gfx942").mkdir()
    assert read_host("gfx942", "--host").accelerators[0].gfx_target == "gfx942"
    (tmp_path / "cpu").write_text(json.dumps({"system": "win32", "machine": "AMD64"}))
    assert read_host("cpu", "--host").system == "win32"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("v10", "--host 'v10': 'v10' is no GPU that torchsel knows; near it are 'Tesla V100'"),
        ("v10", "there is no such file either: record a host with 'torchsel detect --json'"),
        ("hosts/v100", "--host hosts/v100: no such file; record a host with 'torchsel detect --json'"),
        ("hosts/v100", "or say it in words: 'gpu=V100*4,driver=570.124', 'gfx942', 'sm_61' or 'cpu'"),
        ("v100.json", "--host v100.json: no such file"),
        ("/" + "x" * 5000, "no such file"),
        ("x" * 5000, "longer than 1000 characters"),
        ("\0", "is no GPU"),
        ("gpu=v10/json", "is no GPU"),
    ],
)
def test_errors_offer_files_and_words(argument: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_host(argument, "--host")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1500


def test_several_hosts_with_their_names_and_all_faults_at_once(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"system": "linux", "machine": "x86_64"}')
    assert [named.name for named in read_hosts([str(path), "gpu=T4*2"], "--host", list[str]().append)] == [
        "old",
        "gpu=T4*2",
    ]
    with pytest.raises(ConfigError) as caught:
        read_hosts(["banana", "cpu", "sm_1"], "--host", list[str]().append)
    assert len(caught.value.problems) == 2


NODES = {
    "nodes.json": '{"items": [{"metadata": {"name": "a", "labels": {"nvidia.com/gpu.product": "Tesla-T4"}}},'
    ' {"metadata": {"name": "b"}}]}',
    "one-node.json": '{"metadata": {"name": "b"}, "kind": "Node"}',
    "sinfo.txt": "n1 gpu:v100:4(S:0-1) x\nn2 (null) (null)\nn3 gpu:banana:1 y\n",
    "words": "# ours\ngpu=V100*4,driver=570.124\ncpu\n",
}
"""Inventories in files, by every form."""


@pytest.mark.parametrize(
    ("name", "machines", "said"),
    [
        ("nodes.json", ["cpu", "t4-driver615"], "nodes.json: 1 node: a: no driver version is said"),
        ("one-node.json", ["cpu"], ""),
        (
            "sinfo.txt",
            ["cpu", "v100x4-driver580"],
            "sinfo.txt: 1 node: n3: 'gpu:banana:1': 'banana' is no GPU",
        ),
        ("words", ["cpu", "v100x4-driver570"], ""),
    ],
)
def test_an_inventory_is_all_its_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, machines: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(NODES[name])
    warned: list[str] = []
    assert [named.name for named in read_hosts([name], "--host", warned.append)] == machines
    assert any(sentence.startswith(said) for sentence in warned) if said else warned == []
    with pytest.raises(ConfigError, match=f"^--host {name}: an inventory, where one machine is") as caught:
        read_host(name, "--host")
    assert str(caught.value).endswith(f"; 'torchsel hosts {name} -o hosts' records each")


def test_a_large_inventory_is_read_once_and_soon(tmp_path: Path) -> None:
    node = {"metadata": {"labels": {"nvidia.com/gpu.product": "Tesla-V100-SXM2-32GB", "x": "y" * 200}}}
    nodes = [{"metadata": {**node["metadata"], "name": f"n{number}"}} for number in range(10_000)]
    (tmp_path / "nodes.json").write_text(json.dumps({"items": nodes}))
    start = time.process_time()
    [named] = read_hosts([str(tmp_path / "nodes.json")], "--host", list[str]().append)
    assert time.process_time() - start < 2
    assert named.name == "v100-driver580"
