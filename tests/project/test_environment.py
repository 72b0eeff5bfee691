"""Where a project's environment is, and the torch in it, from folder names alone: as uv leaves them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from torchsel.backend import Backend
from torchsel.errors import ConfigError
from torchsel.host import Host
from torchsel.project.environment import (
    ANYWHERE,
    OURS,
    VARIABLE,
    Environment,
    check_pattern,
    environment_for,
    installed_version,
    present_environments,
)

HOST = Host(system="linux", machine="x86_64")
PATTERN = ".venv-{backend}"


def install(site: Path, *names: str) -> None:
    for name in names:
        (site / f"{name}.dist-info").mkdir(parents=True)


def site_of(environment: Path) -> Path:
    return environment / "lib/python3.12/site-packages"


def place(
    project: Path, key: str | None, environ: Mapping[str, str], tag: str = "rocm7.2", host: Host = HOST
) -> Environment:
    return environment_for(project, Backend.parse(tag), host, key, environ)


@pytest.mark.parametrize(
    ("key", "environ", "path", "source"),
    [
        (None, {}, ".venv", ""),
        (None, {VARIABLE: ""}, ".venv", ""),
        (PATTERN, {}, ".venv-rocm7-2", "tool.torchsel.environment"),
        (".e/{system}-{machine}/{family}", {}, ".e/linux-x86_64/rocm", "tool.torchsel.environment"),
        (PATTERN, {ANYWHERE: "mine-{family}"}, "mine-rocm", ANYWHERE),
        (None, {ANYWHERE: "/scratch/{backend}"}, "/scratch/rocm7-2", ANYWHERE),
        (PATTERN, {VARIABLE: "own", ANYWHERE: "mine"}, "own", VARIABLE),
        (None, {VARIABLE: "/own"}, "/own", VARIABLE),
        (PATTERN, {VARIABLE: ".venv-cpu", OURS: ".venv-cpu"}, ".venv-rocm7-2", "tool.torchsel.environment"),
        (PATTERN, {VARIABLE: "own", OURS: ".venv-cpu"}, "own", VARIABLE),
    ],
)
def test_the_order(key: str | None, environ: dict[str, str], path: str, source: str, tmp_path: Path) -> None:
    found = place(tmp_path, key, environ)
    assert (found.path, found.source, found.folder) == (path, source, tmp_path / path)


def test_what_uv_is_told(tmp_path: Path) -> None:
    assert place(tmp_path, None, {}).variables({}) == {}
    assert place(tmp_path, PATTERN, {}).variables({}) == dict.fromkeys((VARIABLE, OURS), ".venv-rocm7-2")
    assert place(tmp_path, PATTERN, {VARIABLE: "own"}).variables({VARIABLE: "own"}) == {}
    inherited = dict.fromkeys((VARIABLE, OURS), ".venv-cpu")
    assert place(tmp_path, PATTERN, inherited).variables(inherited)[VARIABLE] == ".venv-rocm7-2"
    assert place(tmp_path, None, inherited).variables(inherited) == dict.fromkeys((VARIABLE, OURS), "")


def test_a_value_of_the_users_is_told_where_it_leads_elsewhere(tmp_path: Path) -> None:
    told = place(tmp_path, PATTERN, {VARIABLE: "own"}).note
    assert told == "UV_PROJECT_ENVIRONMENT is set, so the environment is own, not .venv-rocm7-2"
    for key, value in ((None, "own"), (PATTERN, ".venv-rocm7-2"), (PATTERN, str(tmp_path / ".venv-rocm7-2"))):
        assert place(tmp_path, key, {VARIABLE: value}).note == ""


def test_the_project_in_a_place_elsewhere(tmp_path: Path) -> None:
    """Two checkouts of one name have an environment each."""
    wish = {ANYWHERE: f"{tmp_path}/envs/{{project}}/{{backend}}"}
    one, other = (place(tmp_path / name / "demo", None, wish).path for name in ("a", "b"))
    assert one != other
    assert Path(one).parent.name.startswith("demo-")
    assert place(tmp_path / "a" / "demo", PATTERN, wish).path == one


def test_a_recorded_machine_names_no_folder_of_its_own(tmp_path: Path) -> None:
    host = Host(system="linux", machine="../../etc")
    assert place(tmp_path, ".venv-{machine}", {}, host=host).path == ".venv-------etc"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "is not a folder"),
        (".", "is not a folder"),
        ("~/envs", "is not a folder"),
        (" .venv", "is not a folder"),
        (".venv\n", "is not a folder"),
        ("{backend", "is not a folder"),
        ("a}b", "is not a folder"),
        ("{}", "is not one of {backend}, {family}, {machine}, {system}"),
        ("{host}", "{host} is not one of"),
        ("{project}", "{project} is not one of"),
        ("../{backend}", "'..'"),
        ("a\\..\\b", "'..'"),
        ("/envs/{backend}", "TORCHSEL_ENVIRONMENT takes one elsewhere"),
        ("C:\\envs", "TORCHSEL_ENVIRONMENT takes one elsewhere"),
    ],
)
def test_patterns_that_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        check_pattern(pattern)
    assert why in str(caught.value)


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^TORCHSEL_ENVIRONMENT: \{host\} is not one of .*, \{project\}$"):
        place(tmp_path, None, {ANYWHERE: "/scratch/{host}"})


def test_environments_that_are_there(tmp_path: Path) -> None:
    for name in (".venv-cpu", ".venv-cu126", ".venv", "other"):
        install(site_of(tmp_path / name), "torch-1.0")
    (tmp_path / ".venv-notes").mkdir()
    assert present_environments(place(tmp_path, PATTERN, {})) == (".venv-cpu", ".venv-cu126", ".venv")
    assert present_environments(place(tmp_path, PATTERN, {}, "cu126")) == (
        ".venv-cu126",
        ".venv-cpu",
        ".venv",
    )
    assert present_environments(place(tmp_path, None, {})) == (".venv",)
    assert present_environments(place(tmp_path, None, {VARIABLE: "other"})) == ("other", ".venv")
    elsewhere = place(tmp_path / "project", None, {ANYWHERE: f"{tmp_path}/.venv-{{backend}}"})
    assert present_environments(elsewhere) == (f"{tmp_path}/.venv-cpu", f"{tmp_path}/.venv-cu126")


def test_version_with_its_local_part(tmp_path: Path) -> None:
    install(
        site_of(tmp_path),
        "torch-2.9.1+cu130",
        "torchvision-0.24.1+cu130",
        "pytorch_triton_rocm-3.5.0",
        "torch_tb-1.0",
    )
    assert installed_version(tmp_path, "torch") == "2.9.1+cu130"
    assert installed_version(tmp_path, "pytorch-triton-rocm") == "3.5.0"
    assert installed_version(tmp_path, "torchaudio") is None
    assert installed_version(tmp_path, "triton") is None


def test_windows_layout(tmp_path: Path) -> None:
    install(tmp_path / "Lib/site-packages", "torch-2.9.1+cpu")
    assert installed_version(tmp_path, "torch") == "2.9.1+cpu"


def test_no_environment(tmp_path: Path) -> None:
    assert installed_version(tmp_path / ".venv", "torch") is None
