"""What a project asks of torch, and what its lock holds."""

from __future__ import annotations

import time
import tomllib
from pathlib import Path

import pytest

from torchsel.errors import DemandError
from torchsel.host import Host
from torchsel.project.environment import project_python
from torchsel.project.lock import Locked, locked_here, locked_packages
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import environment, marker_holds, newest_first, parse_requirement
from torchsel.project.requirements import pinned_local, pinned_marker, specifiers

LINUX = Host(system="linux", machine="x86_64", kernel="6.8.0-45-generic")
WINDOWS = Host(system="win32", machine="x86_64")
MAC = Host(system="darwin", machine="aarch64")


def toml_file(text: str, name: str = "pyproject.toml") -> TomlFile:
    return TomlFile(path=Path("/project") / name, text=text, data=tomllib.loads(text))


def project(text: str, *members: str) -> Project:
    return Project(root=toml_file(text), members=tuple(map(toml_file, members)))


def dependencies(*items: str) -> str:
    return f"[project]\ndependencies = {list(items)}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (dependencies(), ()),
        (dependencies("numpy>=2", "torchvision<1"), ()),
        (dependencies("torch"), ()),
        (dependencies("Torch>=2.5,<2.8"), ("<2.8,>=2.5",)),
        (dependencies("torch[opt]~=2.5"), ("~=2.5",)),
        (dependencies("torch (>=2.5)"), (">=2.5",)),
        (dependencies("torch>=2.5", "torch>=2.5"), (">=2.5",)),
        (dependencies("torch==2.5.1+cu121"), ("==2.5.1",)),
        (dependencies("torch===2.5.1+cu121"), ("===2.5.1",)),
        (dependencies("torch>=2.5,!=2.5.1+cu121"), (">=2.5",)),
        (dependencies("torch @ https://example.org/torch.whl"), ()),
        (dependencies("torch>=2.5", "not a requirement!", "torch<2.8"), (">=2.5", "<2.8")),
        (
            dependencies("torch>=2.7; sys_platform == 'linux'", "torch<2.3; sys_platform == 'win32'"),
            (">=2.7",),
        ),
        (dependencies("torch>=2.7; platform_machine == 'aarch64'"), ()),
        (
            dependencies("torch>=2.7; python_version < '3.12'", "torch>=2.8; python_version >= '3.12'"),
            (">=2.8",),
        ),
        (dependencies("torch>=2.7; sys_platform ~= 'linux'"), (">=2.7",)),
        (dependencies("torch>=2.7; 'a' in extras"), (">=2.7",)),
        ("[project.optional-dependencies]\ngpu = ['torch>=2.7']", (">=2.7",)),
        ("[dependency-groups]\ntrain = ['torch>=2.7', {include-group = 'dev'}]", (">=2.7",)),
        ("[dependency-groups]\ntorchsel = ['torch>=2.7']", ()),
        ("[tool.uv]\ndev-dependencies = ['torch>=2.7']", (">=2.7",)),
        ("[tool.uv]\nconstraint-dependencies = ['torch<2.8']", ("<2.8",)),
        (
            dependencies("torch>=2.5") + "[tool.uv]\nconstraint-dependencies = ['torch<2.8']",
            (">=2.5", "<2.8"),
        ),
        (dependencies("torch>=2.5") + "[tool.uv]\noverride-dependencies = ['torch==2.4']", ("==2.4",)),
        (
            dependencies("torch>=2.5")
            + "[tool.uv]\noverride-dependencies = ['torch==2.4; sys_platform == \"win32\"']",
            (">=2.5",),
        ),
    ],
)
def test_specifiers(text: str, found: tuple[str, ...]) -> None:
    assert specifiers(project(text), host=LINUX, python="3.12") == found


@pytest.mark.parametrize(
    ("base", "extras", "found"),
    [
        ("torch", {"old": "torch==2.5.1", "new": "torch==2.6.0"}, ()),
        ("torch>=2.4", {"old": "torch==2.5.1", "new": "torch==2.6.0"}, (">=2.4",)),
        ("torch>=2.4", {"old": "torch<2.5", "new": "torch>=2.7"}, (">=2.4",)),
        ("torch>=2.4", {"old": "torch==2.5.*", "new": "torch==2.6.*"}, (">=2.4",)),
        ("torch>=2.4", {"cpu": "torch==2.5.1+cpu", "gpu": "torch==2.5.1+cu121"}, (">=2.4", "==2.5.1")),
        ("torch>=2.4", {"a": "torch>=2.5", "b": "torch<2.7,!=2.5.*"}, (">=2.4", ">=2.5", "!=2.5.*,<2.7")),
        ("torch>2.5", {"a": "torch<2.5.1"}, (">2.5", "<2.5.1")),
        ("torch", {"a": "torch<2.5"}, ("<2.5",)),
        ("torch>=2.7,<2.5", {}, ("<2.5,>=2.7",)),
    ],
)
def test_extras_that_contradict_each_other_do_not_bind(
    base: str, extras: dict[str, str], found: tuple[str, ...]
) -> None:
    text = dependencies(base) + "[project.optional-dependencies]\n"
    text += "".join(f"{name} = ['{item}']\n" for name, item in extras.items())
    assert specifiers(project(text), host=LINUX, python=None) == found


def test_on_any_machine_markers_do_not_count() -> None:
    text = dependencies("torch>=2.5; sys_platform == 'linux'", "torch>=2.6; sys_platform == 'win32'")
    assert specifiers(project(text), host=None, python=None) == (">=2.5", ">=2.6")
    assert specifiers(project(text), host=WINDOWS, python=None) == (">=2.6",)
    assert specifiers(project(text), host=MAC, python=None) == ()


def test_members_count_and_their_bounds_do_not() -> None:
    member = dependencies("torch<2.8") + "[tool.uv]\nconstraint-dependencies = ['torch<2.1']"
    both = project(dependencies("lightning"), member)
    assert specifiers(both, host=LINUX, python=None) == ("<2.8",)
    assert both.bounds == ()


def test_places() -> None:
    text = dependencies("a") + (
        "[project.optional-dependencies]\nx = ['b']\n[dependency-groups]\ndev = ['C_c']\ntorchsel = ['d']\n"
        "train = ['e']\n[tool.uv]\ndev-dependencies = ['f']\nconstraint-dependencies = ['g']\n"
    )
    found = project(text, dependencies("h")).required
    assert [(item.place, item.name) for item in found] == [
        ("project.dependencies", "a"),
        ("project.optional-dependencies.x", "b"),
        ("dependency-groups.dev", "c-c"),
        ("dependency-groups.train", "e"),
        ("tool.uv.dev-dependencies", "f"),
        ("project.dependencies", "h"),
    ]
    assert [(item.place, item.name) for item in project(text).bounds] == [
        ("tool.uv.constraint-dependencies", "g")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "project = 1\ndependency-groups = []",
        "[project]\ndependencies = 'torch'\noptional-dependencies = ['torch']",
        "[dependency-groups]\na = 'torch'\nb = [1, {}, '']",
        "[tool]\nuv = 1",
    ],
)
def test_malformed_lists_are_left_to_uv(text: str) -> None:
    assert project(text).required == ()
    assert project(text).bounds == ()


def test_nested_too_deeply_is_left_to_uv() -> None:
    marker = "(" * 2000 + "os_name == 'posix'" + ")" * 2000
    assert parse_requirement(f"torch; {marker}") is None
    assert marker_holds(marker, {})


@pytest.mark.parametrize(
    ("items", "found"),
    [
        (("torch==2.5.1+cu121",), ("cu121", "project.dependencies")),
        (("torch===2.5.1+cpu",), ("cpu", "project.dependencies")),
        (("torch==2.5.1", "torchvision==0.20.1+cu121"), None),
        (("torch!=2.5.1+cu121",), None),
    ],
)
def test_pinned_local(items: tuple[str, ...], found: tuple[str, str] | None) -> None:
    assert pinned_local(project(dependencies(*items)), None, None) == found


def test_a_pin_is_asked_of_the_machines_its_marker_holds_for() -> None:
    items = ("torch==2.10.0+cu128; sys_platform == 'linux'", "torch==2.10.0+cpu; sys_platform == 'win32'")
    pinned = project(dependencies(*items, "torch==2.10.0; sys_platform == 'darwin'"))
    found = [pinned_local(pinned, host, None) for host in (LINUX, WINDOWS, MAC)]
    assert found == [("cu128", "project.dependencies"), ("cpu", "project.dependencies"), None]
    assert pinned_marker(pinned, "cu128") == 'sys_platform == "linux"'
    assert pinned_marker(pinned, "cu130") is None
    assert pinned_marker(project(dependencies("torch==2.10.0+cu128")), "cu128") == ""


def test_bounds_of_a_list_that_a_user_wrote_for_an_index_of_torchsels_name() -> None:
    index = '[[tool.uv.index]]\nname = "pytorch-cu128"\nurl = "https://download.pytorch.org/whl/cu128"\n'
    text = '[dependency-groups]\n%s\n[tool.uv.sources]\ntorch = { index = "pytorch-cu128", group = "gpu" }\n'
    users, ours = (
        project(text % listed + index) for listed in ('gpu = ["torch==2.11.0"]', 'gpu = ["torch"]')
    )
    assert specifiers(users, host=LINUX, python=None) == ("==2.11.0",)
    assert ours.required == ()


def test_too_many_specifiers_are_refused_in_time() -> None:
    many = ",".join(f"!=1.{minor}" for minor in range(10_000))
    started = time.monotonic()
    with pytest.raises(DemandError, match="10000 version specifiers, of which torchsel reads 500"):
        specifiers(project(dependencies(f"torch{many}")), host=LINUX, python=None)
    few = ",".join(f"!=1.{minor}" for minor in range(500))
    assert specifiers(project(dependencies(f"torch{few}")), host=LINUX, python=None)
    assert time.monotonic() - started < 3


LOCK = """
version = 1
[[package]]
name = "demo"
source = { virtual = "." }
[[package]]
name = "torch"
version = "2.9.1"
source = { registry = "https://pypi.example/simple" }
resolution-markers = ["sys_platform == 'darwin'"]
[[package]]
name = "torch"
version = "2.9.1+cu130"
source = { registry = "https://download.pytorch.org/whl/cu130" }
resolution-markers = ["sys_platform == 'linux' and python_full_version >= '3.12'", "sys_platform == 'win32'"]
[[package]]
name = "torch"
version = "2.8.0+cu130"
source = { registry = "https://download.pytorch.org/whl/cu130" }
resolution-markers = ["sys_platform == 'linux' and python_full_version < '3.12'"]
[[package]]
name = "torchvision"
version = "0.24.1"
source = { git = "https://example.org/vision" }
[[package]]
name = "torchaudio"
version = "banana"
[[package]]
name = "torchtext"
version = 1
"""


def test_lock_entries() -> None:
    family = ["torch", "torchvision", "torchaudio", "torchtext", "demo"]
    found = locked_packages(toml_file(LOCK, "uv.lock"), family)
    assert [(item.name, item.public, item.local) for item in found] == [
        ("torch", "2.9.1", ""),
        ("torch", "2.9.1", "cu130"),
        ("torch", "2.8.0", "cu130"),
        ("torchvision", "0.24.1", ""),
    ]
    assert [item.registry for item in found[2:]] == ["https://download.pytorch.org/whl/cu130", ""]


@pytest.mark.parametrize(
    ("host", "python", "versions"),
    [
        (LINUX, "3.12", ["2.9.1+cu130"]),
        (LINUX, "3.11", ["2.8.0+cu130"]),
        (WINDOWS, "3.11", ["2.9.1+cu130"]),
        (MAC, None, ["2.9.1"]),
    ],
)
def test_the_fork_for_this_host(host: Host, python: str | None, versions: list[str]) -> None:
    entries = locked_packages(toml_file(LOCK, "uv.lock"), ["torch"])
    assert [item.version for item in locked_here(entries, host, python)] == versions


def locked(version: str, *markers: str) -> Locked:
    return Locked(name="torch", version=version, registry="", markers=markers)


def test_where_no_fork_fits_all_count() -> None:
    entries = [locked("1", "sys_platform == 'darwin'"), locked("2", "sys_platform == 'win32'")]
    assert locked_here(entries, LINUX, None) == entries
    assert locked_here([locked("1"), locked("2", "os_name == 'nt'")], LINUX, None) == [locked("1")]
    assert locked_here([locked("1", "what?"), locked("2", "os_name == 'nt'")], LINUX, None) == [
        locked("1", "what?")
    ]


@pytest.mark.parametrize("text", ["", "package = 1", "package = [1]", "[package]\nname = 'torch'"])
def test_locks_without_packages(text: str) -> None:
    assert locked_packages(toml_file(text, "uv.lock"), ["torch"]) == []
    assert locked_packages(None, ["torch"]) == []


def test_newest_first_is_by_number() -> None:
    assert newest_first(["2.9.1", "2.10.0", "2.9.1", "2.10.0rc1"]) == ("2.10.0", "2.10.0rc1", "2.9.1")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (LINUX, ("linux", "Linux", "posix", "x86_64", "6.8.0-45-generic")),
        (Host(system="linux", machine="aarch64"), ("linux", "Linux", "posix", "aarch64", "")),
        (WINDOWS, ("win32", "Windows", "nt", "AMD64", "")),
        (MAC, ("darwin", "Darwin", "posix", "arm64", "")),
    ],
)
def test_marker_values(host: Host, expected: tuple[str, ...]) -> None:
    values = environment(host, "3.11")
    keys = ("sys_platform", "platform_system", "os_name", "platform_machine", "platform_release")
    assert tuple(values[key] for key in keys) == expected
    assert (values["python_version"], values["python_full_version"]) == ("3.11", "3.11.0")


@pytest.mark.parametrize(
    ("text", "python"),
    [
        ("3.12\n", "3.12"),
        ("3.12.4", "3.12"),
        ("# ours\n\n3.13 # newest\n3.11\n", "3.13"),
        ("cpython@3.11", "3.11"),
        ("cpython-3.12.3-linux-x86_64-gnu", "3.12"),
        ("3.14t", "3.14"),
        ("pypy@3.10", None),
        (">=3.11", None),
        ("3", None),
        ("", None),
        ("/usr/bin/python3.12", None),
    ],
)
def test_python_version_files(text: str, python: str | None, tmp_path: Path) -> None:
    (tmp_path / ".python-version").write_text(text)
    assert project_python(tmp_path) == python


def test_the_environments_python_where_nothing_else_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    config = tmp_path / ".venv" / "pyvenv.cfg"
    for text in ("home = /usr\nversion_info = 3.11.7\n", "version = 3.11.7.final.0\n"):
        config.write_text(text)
        assert project_python(tmp_path, [".venv"]) == "3.11"
    for content in (b"home = /usr\n", b"version = \xff"):
        config.write_bytes(content)
        assert project_python(tmp_path, [".venv"]) is None
    config.write_text("version = 3.11.7")
    assert project_python(tmp_path, [".venv-cpu", ".venv"]) == "3.11"
    (tmp_path / ".python-version").write_text("3.13")
    assert project_python(tmp_path, [".venv"]) == "3.13", "uv makes the environment anew"
