"""Who is listened to: the backend's and the host's order of precedence, and malformed wishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from torchsel.catalog.rows import Build
from torchsel.config.config import Config, Request
from torchsel.config.request import resolve_host, resolve_request
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host
from torchsel.probes import run as probes

WISHES = [
    ("--backend", "cu132"),
    ("TORCHSEL_BACKEND", "cu130"),
    ("UV_TORCH_BACKEND", "cu126"),
    ("tool.torchsel.backend", "rocm7.2"),
    ("tool.uv.torch-backend", "xpu"),
]


def ask(wishes: Mapping[str, object]) -> Request:
    option, configured = wishes.get("--backend"), wishes.get("tool.torchsel.backend")
    assert option is None or isinstance(option, str)
    assert configured is None or isinstance(configured, str)
    environ = {name: str(value) for name, value in wishes.items() if name.isupper()}
    uv_table = {"torch-backend": wishes["tool.uv.torch-backend"]} if "tool.uv.torch-backend" in wishes else {}
    return resolve_request(
        option=option, environ=environ, config=Config(backend=configured), uv_table=uv_table
    )


@pytest.mark.parametrize("first", range(len(WISHES)))
def test_the_first_wish_counts(first: int) -> None:
    source, backend = WISHES[first]
    assert ask(dict(WISHES[first:])) == Request(backend=backend, source=source)


@pytest.mark.parametrize("first", range(len(WISHES)))
def test_auto_is_a_wish_too(first: int) -> None:
    source, _ = WISHES[first]
    assert ask({**dict(WISHES[first:]), source: "auto"}) == Request(backend="auto", source=source)


def test_without_a_wish_it_is_auto() -> None:
    assert ask({}) == Request(backend="auto", source="default")


@pytest.mark.parametrize("variable", ["TORCHSEL_BACKEND", "UV_TORCH_BACKEND"])
def test_an_empty_variable_is_none(variable: str) -> None:
    assert ask({variable: "", "tool.uv.torch-backend": "cpu"}).source == "tool.uv.torch-backend"


@pytest.mark.parametrize(
    "source", ["--backend", "TORCHSEL_BACKEND", "UV_TORCH_BACKEND", "tool.uv.torch-backend"]
)
@pytest.mark.parametrize(
    ("wish", "problem"),
    [
        ("cuda126", "'cuda126' is not a torch backend; did you mean 'cu126'?"),
        ("CU130", "'CU130' is not a torch backend; did you mean 'cu130'?"),
        ("cu12.6", "'cu12.6' is not a torch backend; did you mean 'cu126'?"),
        ("rocm72", "'rocm72' is not a torch backend; did you mean 'rocm7.2'?"),
        ("cu127", "PyTorch has no cu127 builds of torch 2.0 or newer; did you mean 'cu126'?"),
        ("rocm7.3", "PyTorch has no rocm7.3 builds of torch 2.0 or newer; did you mean 'rocm7.2'?"),
        (
            "cuda",
            "'cuda' names no one backend; say which, such as 'cpu', 'cu130', 'rocm7.2' or 'xpu', or 'auto'",
        ),
        (
            "banana",
            "'banana' is not a torch backend; expected one such as"
            " 'cpu', 'cu130', 'rocm7.2' or 'xpu', or 'auto'",
        ),
        (
            "https://evil.example",
            "'https://evil.example' is not a torch backend; expected one such as"
            " 'cpu', 'cu130', 'rocm7.2' or 'xpu', or 'auto'",
        ),
    ],
)
def test_a_wrong_wish_names_its_source_and_the_nearest_backend(source: str, wish: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ask({source: wish})
    assert str(caught.value) == f"{source}: {problem}"


@pytest.mark.parametrize("wish", ["cu134", "cu140", "cu999", "rocm7.15", "rocm10.0"])
def test_a_backend_newer_than_all_that_are_known_is_taken(wish: str) -> None:
    assert ask({"--backend": wish}).backend == wish


def test_another_index_and_the_projects_own_rows_make_a_backend_known() -> None:
    row = Build(torch="2.8.0", backend="cu127", platform="linux_x86_64")
    for config in (Config(index_url="https://mirror.example/whl"), Config(catalog=(row,))):
        found = resolve_request(option="cu127", environ={}, config=config, uv_table={})
        assert found.backend == "cu127"
    with pytest.raises(ConfigError, match="'banana' is not a torch backend"):
        resolve_request(
            option="banana", environ={}, config=Config(index_url="https://m.example"), uv_table={}
        )


def test_a_wish_of_another_type_is_malformed() -> None:
    with pytest.raises(ConfigError, match=r"^tool.uv.torch-backend: '130' is not a torch backend"):
        ask({"tool.uv.torch-backend": 130})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Host:
    """What the probes find."""
    found = Host(system="linux", machine="x86_64", kernel="probed")
    monkeypatch.setattr(probes, "probe", lambda **_: (found, ()))
    return found


def recorded(folder: Path, kernel: str) -> str:
    path = folder / f"{kernel}.json"
    path.write_text(json.dumps({"system": "linux", "machine": "x86_64", "kernel": kernel}), encoding="utf-8")
    return str(path)


def test_host_order(tmp_path: Path, machine: Host) -> None:
    option, variable = recorded(tmp_path, "option"), recorded(tmp_path, "variable")
    environ = {"TORCHSEL_HOST": variable, "UV_CUDA_DRIVER_VERSION": "580.65.06"}
    assert resolve_host(option=option, environ=environ)[0].kernel == "option"
    assert resolve_host(option=None, environ=environ)[0].kernel == "variable"
    del environ["TORCHSEL_HOST"]
    assert resolve_host(option=None, environ=environ)[0].nvidia_driver == "580.65.06"
    assert resolve_host(option=None, environ={}) == (machine, ())
    empty = dict.fromkeys(("TORCHSEL_HOST", "UV_CUDA_DRIVER_VERSION", "UV_AMD_GPU_ARCHITECTURE"), "")
    assert resolve_host(option=None, environ=empty) == (machine, ())


@pytest.mark.parametrize(
    ("environ", "driver", "accelerators"),
    [
        ({"UV_CUDA_DRIVER_VERSION": "550.144.03"}, "550.144.03", (Accelerator(vendor="nvidia"),)),
        (
            {"UV_AMD_GPU_ARCHITECTURE": "gfx1100"},
            None,
            (Accelerator(vendor="amd", gfx_target="gfx1100"),),
        ),
        (
            {"UV_CUDA_DRIVER_VERSION": "580", "UV_AMD_GPU_ARCHITECTURE": "gfx942"},
            "580",
            (Accelerator(vendor="nvidia"), Accelerator(vendor="amd", gfx_target="gfx942")),
        ),
    ],
)
def test_uvs_variables_name_the_accelerator(
    environ: dict[str, str], driver: str | None, accelerators: tuple[Accelerator, ...]
) -> None:
    host, _ = resolve_host(option=None, environ=environ)
    assert (host.nvidia_driver, host.accelerators) == (driver, accelerators)
    assert host.notes == (f"accelerators taken from {' and '.join(environ)}",)


@pytest.mark.parametrize("driver", ["banana", "580.", "580.65-beta", "13.0 ", "٥٨٠"])
def test_a_malformed_driver_variable(driver: str) -> None:
    with pytest.raises(ConfigError, match=r"^UV_CUDA_DRIVER_VERSION: .* is not a driver version such as"):
        resolve_host(option=None, environ={"UV_CUDA_DRIVER_VERSION": driver})
