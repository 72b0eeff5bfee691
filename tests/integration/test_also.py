"""Packages that follow the accelerator: each machine's own CuPy, ONNX and flash-attn out of one lock."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.conftest import MakeProject
from tests.support.toolbox import Project
from torchsel.commands.deinit import deinit
from torchsel.strategies.protocol import Options

HEAD = '[project]\nname = "demo"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
ALSO = """
[tool.torchsel.also]
cuda12 = ["cupy-cuda12x"]
cuda13 = ["cupy-cuda13x", "jax[cuda13]"]
cuda = ["onnxruntime-gpu"]
rocm = ["cupy-rocm-7-0", "onnxruntime"]
cpu = ["onnxruntime"]
"""
PACKAGES = ("torch", "flash-attn", "cupy-cuda12x", "cupy-cuda13x", "cupy-rocm-7-0", "onnxruntime",
            "onnxruntime-gpu", "jax-cuda13-plugin")  # fmt: skip
MACHINES = {
    "h200": {
        "torch": "2.14.1+cu130",
        "flash-attn": "2.8.3+cu.13.0.torch.2.14",
        "cupy-cuda13x": "14.0.0",
        "onnxruntime-gpu": "1.31.0",
        "jax-cuda13-plugin": "0.9.0",
    },
    "gtx1080ti": {
        "torch": "2.14.1+cu126",
        "flash-attn": "2.8.3+cu.12.6.torch.2.14",
        "cupy-cuda12x": "13.6.0",
        "onnxruntime-gpu": "1.31.0",
    },
    "rx7900": {"torch": "2.14.1+rocm7.2", "cupy-rocm-7-0": "14.0.0", "onnxruntime": "1.31.0"},
    "b580": {"torch": "2.15.0+xpu"},
    "cpu": {"torch": "2.15.0+cpu", "onnxruntime": "1.31.0"},
}


def text(strategy: str, dependencies: str = '"torch"', more: str = "", tables: str = ALSO) -> str:
    backends = '["cpu", "cu126", "cu130", "rocm7.2", "xpu"]'
    return (
        f'{HEAD}dependencies = [{dependencies}]\n\n[tool.torchsel]\nstrategy = "{strategy}"\n'
        f"backends = {backends}\n{more}{tables}"
    )


def installed(demo: Project) -> dict[str, str]:
    found = {package: demo.installed(package) for package in PACKAGES}
    return {package: version for package, version in found.items() if version}


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_one_lock_and_five_machines_with_their_own(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    demo = project(
        text(strategy, more='companions = ["flash-attn"]\n'), env={"TORCHSEL_HOST": str(hosts["h200"])}
    )
    told = demo.torchsel("lock")
    assert told.err.count("flash-attn has no build for") == 1
    committed = demo.text(), (demo.root / "uv.lock").read_bytes()
    demo.torchsel("check")
    for host, packages in MACHINES.items():
        demo.env["TORCHSEL_HOST"] = str(hosts[host])
        demo.torchsel("sync", "--locked")
        assert installed(demo) == packages, host
    assert (demo.text(), (demo.root / "uv.lock").read_bytes()) == committed

    told = demo.torchsel("check", "--host", *(str(hosts[host]) for host in MACHINES))
    kind = strategy.removesuffix("s")
    name = "torch-cu130" if strategy == "groups" else "cu130"
    assert told.out.splitlines()[0] == (
        f"ok   h200: cu130, torch 2.14.1 ({kind} {name}), flash-attn, cupy-cuda13x, jax[cuda13],"
        " onnxruntime-gpu"
    )
    status = json.loads(demo.torchsel("status", "--json").out)
    assert status["beside"] == {
        "cpu": ["onnxruntime"],
        "cu126": ["flash-attn", "cupy-cuda12x", "onnxruntime-gpu"],
        "cu130": ["flash-attn", "cupy-cuda13x", "jax[cuda13]", "onnxruntime-gpu"],
        "rocm7.2": ["cupy-rocm-7-0", "onnxruntime"],
        "xpu": [],
    }
    page = demo.torchsel("status").out
    assert "beside   cpu (this machine): onnxruntime\n         cu126: flash-attn, cupy-cuda12x" in page
    lock = (demo.root / "uv.lock").read_text()
    (demo.root / "uv.lock").write_text(lock.replace('name = "cupy-cuda12x"', 'name = "cupy-cuda11x"'))
    told = demo.torchsel("check", "--host", str(hosts["gtx1080ti"]), str(hosts["h200"]), code=1)
    first, second = told.out.splitlines()
    assert first.startswith("FAIL gtx1080ti: ")
    assert first.endswith("uv.lock has no cupy-cuda12x for cu126; run 'torchsel lock'")
    assert second.startswith("ok ")


def replace(demo: Project, old: str, new: str) -> None:
    assert old in demo.text()
    demo.pyproject.write_text(demo.text().replace(old, new))


def relock(demo: Project, old: str, new: str) -> str:
    """Change the table and run torchsel; what it said."""
    replace(demo, old, new)
    told = demo.torchsel()
    demo.torchsel("check")
    return told.err


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_a_line_taken_out_goes_from_the_lists(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    demo = project(text(strategy), env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel()
    bare = project(text(strategy, tables=""), env={"TORCHSEL_HOST": str(hosts["h200"])}, name="bare")
    bare.torchsel()
    told = relock(demo, 'cuda13 = ["cupy-cuda13x", "jax[cuda13]"]\n', 'cuda13 = ["cupy-cuda13x>=14"]\n')
    assert "cu130: jax[cuda13] taken out, as tool.torchsel.also has no such line" in told
    assert "jax" not in demo.text()
    data = tomllib.loads(demo.text())
    lists = data["dependency-groups" if strategy == "groups" else "project"]
    lists = lists if strategy == "groups" else lists["optional-dependencies"]
    assert next(items for name, items in lists.items() if name.endswith("cu130"))[-2:] == [
        "cupy-cuda13x>=14",
        "onnxruntime-gpu",
    ]
    lines = ALSO.replace(', "jax[cuda13]"', ">=14").partition("]\n")[2]
    relock(demo, lines.replace('13x">=14', '13x>=14"'), "")
    assert demo.text().replace("\n[tool.torchsel.also]\n", "") == bare.text()


@pytest.mark.parametrize("strategy", ["groups", "extras", "pin"])
def test_deinit_gives_back_the_file_byte_for_byte(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    tables = "" if strategy == "pin" else ALSO
    table = text(strategy, more='companions = ["flash-attn"]\n', tables=tables)
    before, _, rest = table.partition("[tool.torchsel]")
    mine = (
        '[[tool.uv.index]]\nname = "astral-cu128"\nurl = "https://mirror.example/astral/cu128/"\n\n'
        '[[tool.uv.index]]\nname = "astral-cu129"\nurl = "https://wheels.astral.sh/simple/cu129/"\n\n'
        '[tool.uv.sources]\nmamba-ssm = { index = "astral-cu129" }\n\n'
    )
    demo = project(f"{before}{mine}[tool.torchsel]{rest}", env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel()
    uv = tomllib.loads(demo.text())["tool"]["uv"]
    names = [index["name"] for index in uv["index"]]
    assert names[:2] == ["astral-cu128", "astral-cu129"]
    assert uv["sources"]["mamba-ssm"] == {"index": "astral-cu129"}
    assert len(names) > 3
    deinit(Options(folder=demo.root, environ=demo.env, locks=False), print)
    assert demo.text().rstrip() == f"{before}{mine}".rstrip()


def test_under_pin_it_is_routed_with_its_torch(project: MakeProject, hosts: dict[str, Path]) -> None:
    start = f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n'
    demo = project(start, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.15.0+cu132"
    added = demo.text().replace('["torch"]', '["torch", "flash-attn"]')
    demo.pyproject.write_text(
        added.replace("[tool.torchsel]", '[tool.torchsel]\ncompanions = ["flash-attn"]')
    )
    told = demo.torchsel()
    said = "flash-attn requires the torch that it was built for: torch 2.15.0 may have to go back for it"
    assert said in told.err.partition("locking for")[0]
    demo.uv("sync", "--locked")
    assert installed(demo) == {"torch": "2.14.1+cu132", "flash-attn": "2.8.3+cu.13.2.torch.2.14"}
    demo.torchsel("check")
    assert "in sync" in demo.torchsel("-v").err

    demo.env["TORCHSEL_HOST"] = str(hosts["gtx1080ti"])
    demo.torchsel("sync")
    assert installed(demo) == {"torch": "2.14.1+cu126", "flash-attn": "2.8.3+cu.12.6.torch.2.14"}
    uv = tomllib.loads(demo.text())["tool"]["uv"]
    assert [index["name"] for index in uv["index"]] == ["pytorch-cu126", "astral-cu126"]
    assert all(index["explicit"] for index in uv["index"])

    demo.pyproject.write_text(demo.text().replace('["torch", "flash-attn"]', '["torch"]').replace(
        'companions = ["flash-attn"]\n', ""))  # fmt: skip
    demo.torchsel("sync")
    assert "astral" not in demo.text()
    assert installed(demo) == {"torch": "2.14.1+cu126"}


def test_a_lock_without_them_is_brought_along(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(f'{HEAD}dependencies = ["torch"]\n', env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.uv("lock")
    assert demo.locked("torch") == ["2.15.0"]
    demo.pyproject.write_text(
        text("groups", more='companions = ["flash-attn"]\n').replace('"xpu"', '"cu132"')
    )
    told = demo.torchsel()
    assert "flash-attn requires the torch that it was built for: torch 2.15.0 may have to go back" in told.err
    assert "2.14.1+cu132" in demo.locked("torch")
    demo.torchsel("check", "--host", *(str(hosts[host]) for host in ("h200", "gtx1080ti", "cpu", "rx7900")))


@pytest.mark.parametrize("strategy", ["pin", "groups", "extras"])
@pytest.mark.parametrize(
    ("host", "codec"), [("rx7900", "cpu"), ("b580", "cpu"), ("h200", "cu130"), ("cpu", "cpu")]
)
def test_torchcodec_comes_from_the_index_that_has_it(
    project: MakeProject, hosts: dict[str, Path], strategy: str, host: str, codec: str
) -> None:
    dependencies = '"torch", "torchcodec"'
    demo = project(text(strategy, dependencies, tables=""), env={"TORCHSEL_HOST": str(hosts[host])})
    demo.torchsel("sync")
    assert demo.installed("torchcodec") == f"0.17.0+{codec}"
    assert installed(demo)["torch"] == MACHINES[host]["torch"].replace("2.14.1+cu130", "2.15.0+cu130")
    demo.torchsel("check")


def test_a_package_that_caps_torch_decides_with_it(project: MakeProject, hosts: dict[str, Path]) -> None:
    table = f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\n'
    demo = project(table, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.15.0+cu132"
    demo.pyproject.write_text(demo.text().replace('["torch"]', '["torch", "torch-tensorrt"]'))
    status = json.loads(demo.torchsel("status", "--json").out)
    assert status["torch"] == "2.14.1"
    demo.torchsel("sync")
    assert demo.installed("torch") == "2.14.1+cu132"
    assert demo.installed("torch-tensorrt") == "2.14.0+cu132"
    demo.torchsel("check")
    demo.pyproject.write_text(demo.text().replace('"torch", "torch-t', '"torch>=2.15", "torch-t'))
    refused = demo.torchsel("sync", code=1)  # uv says which
    assert "torch-tensorrt" in refused.err


LEADING = {
    "vllm, a new driver": (
        "vllm",
        "h200",
        "2.14.0",
        "vllm 0.33.0, torch 2.14.0+cu130, torchaudio 2.11.0+cu130",
    ),
    "vllm, an old GPU": ("vllm", "gtx1080ti", "2.14.0", "vllm 0.33.0, torch 2.14.0+cu126"),
    "vllm, an old driver": ("vllm", "rtx5090-570", "2.13.0", "vllm 0.32.0, torch 2.13.0+cu129"),
    "sglang": ("sglang", "h200", "2.14.1", "sglang 0.5.23, torch 2.14.1+cu132"),
}
"""A package that pins torch: a machine, the torch that status names before the lock, what is installed."""


@pytest.mark.parametrize(("package", "host", "torch", "expected"), LEADING.values(), ids=LEADING)
def test_a_package_that_pins_torch_leads(
    project: MakeProject, hosts: dict[str, Path], package: str, host: str, torch: str, expected: str
) -> None:
    table = f'{HEAD}dependencies = ["torch", "{package}"]\n\n[tool.torchsel]\n'
    demo = project(table, env={"TORCHSEL_HOST": str(hosts[host])})
    page = demo.torchsel("status").out
    assert f", torch {torch}\n" in page
    assert f"{package} is known to go with torch<=2.14." in page
    told = demo.torchsel("sync")
    assert f"torchsel: torch {torch} → " in told.err
    wanted = [item.split() for item in expected.split(", ")]
    assert [[name, demo.installed(name)] for name, _ in wanted] == wanted
    is_doubtful = host != "h200"
    assert (f"{package} on uv's default index is built for CUDA 13" in told.err) == is_doubtful
    demo.torchsel("check", "--host", str(hosts[host]))
    demo.uv("sync", "--locked")


NAMED = """
[tool.torchsel]
strategy = "{strategy}"
backends = {{ small = "cpu", gpu = "cu130" }}

[tool.torchsel.also]
cuda13 = ["cupy-cuda13x"]
cpu = ["onnxruntime"]
"""


def lists_of(demo: Project, strategy: str) -> dict[str, list[str]]:
    data = tomllib.loads(demo.text())
    found = (
        data.get("dependency-groups")
        if strategy == "groups"
        else data["project"].get("optional-dependencies")
    )
    lists: dict[str, list[str]] = found or {}
    return lists


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_in_lists_that_the_user_named_the_users_own_stays(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    start = f'{HEAD}dependencies = ["torch"]\n{NAMED.format(strategy=strategy)}'
    demo = project(start, env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel()
    assert lists_of(demo, strategy) == {"small": ["torch", "onnxruntime"], "gpu": ["torch", "cupy-cuda13x"]}
    replace(demo, '    "cupy-cuda13x",\n]', '    "cupy-cuda13x",\n    "webkit9",\n]')
    demo.torchsel("check")
    replace(demo, 'cpu = ["onnxruntime"]', 'cpu = ["onnxruntime>=1.30"]')
    demo.torchsel()
    assert lists_of(demo, strategy) == {
        "small": ["torch", "onnxruntime>=1.30"],
        "gpu": ["torch", "cupy-cuda13x", "webkit9"],
    }
    deinit(Options(folder=demo.root, environ=demo.env, locks=False), print)
    assert lists_of(demo, strategy).get("gpu") == ["torch", "webkit9"]
    assert "small" not in lists_of(demo, strategy)


@pytest.mark.parametrize("strategy", ["groups", "extras"])
def test_what_somebody_added_to_a_generated_list(
    project: MakeProject, hosts: dict[str, Path], strategy: str
) -> None:
    demo = project(text(strategy, tables=""), env={"TORCHSEL_HOST": str(hosts["h200"])})
    demo.torchsel()
    name = "torch-cu130" if strategy == "groups" else "cu130"
    replace(demo, f'{name} = [\n    "torch",\n', f'{name} = [\n    "torch",\n    "webkit9>=9",\n')
    if strategy == "groups":
        told = demo.torchsel(code=2)
        assert f"dependency-groups.{name}: webkit9>=9 is not from torchsel; write it under" in told.err
    else:
        demo.torchsel("check")
    demo.pyproject.write_text(f"{demo.text()}\n[tool.torchsel.also]\n")
    demo.torchsel("check", code=1)
    assert f"{name}: webkit9>=9 taken out, as tool.torchsel.also has no such line" in demo.torchsel().err
    assert lists_of(demo, strategy)[name] == ["torch"]
    demo.torchsel("check")


def test_back_to_pin_with_all_of_it_taken_out_at_once(project: MakeProject, hosts: dict[str, Path]) -> None:
    demo = project(
        text("groups", more='companions = ["flash-attn"]\n'), env={"TORCHSEL_HOST": str(hosts["h200"])}
    )
    demo.torchsel()
    now = (
        demo.text()
        .replace(ALSO, "")
        .replace('strategy = "groups"\n', "")
        .replace('companions = ["flash-attn"]\n', "")
    )
    demo.pyproject.write_text(now.replace('backends = ["cpu", "cu126", "cu130", "rocm7.2", "xpu"]\n', ""))
    demo.torchsel()
    data = tomllib.loads(demo.text())
    assert list(data["tool"]["uv"]["sources"]) == ["torch"]
    assert [index["name"] for index in data["tool"]["uv"]["index"]] == ["pytorch-cu132"]
    demo.torchsel("check")


def test_under_pin_a_backend_without_it_is_said_once(project: MakeProject, hosts: dict[str, Path]) -> None:
    table = f'{HEAD}dependencies = ["torch"]\n\n[tool.torchsel]\ncompanions = ["flash-attn"]\n'
    demo = project(table, env={"TORCHSEL_HOST": str(hosts["rx7900"])})
    said = "flash-attn has no rocm7.2 build, and is left to uv"
    assert said in demo.torchsel().err
    assert said not in demo.torchsel().err
    assert "flash-attn" not in demo.text().partition("companions")[0]
    page = demo.torchsel("status").out
    assert "beside   rocm7.2 (this machine): nothing" in page


def test_a_companions_bound_and_its_place(project: MakeProject, hosts: dict[str, Path]) -> None:
    tables = '[tool.torchsel.also]\ncuda = ["flash-attn>=2.8"]\n'
    demo = project(text("groups", more='companions = ["flash-attn"]\n', tables=tables),
                   env={"TORCHSEL_HOST": str(hosts["h200"])})  # fmt: skip
    demo.torchsel("sync")
    assert lists_of(demo, "groups")["torch-cu130"] == ["torch", "flash-attn>=2.8"]
    assert demo.installed("flash-attn") == "2.8.3+cu.13.0.torch.2.14"
    demo.torchsel("check", "--host", str(hosts["h200"]), str(hosts["b580"]))
