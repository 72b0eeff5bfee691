"""The test world is true: real uv locks and syncs hand-written routing against it.

The second half writes down what torchsel relies on uv for; a new uv that behaves otherwise fails here first.
"""

from __future__ import annotations

import hashlib
import re
import urllib.error
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.conftest import MakeProject
from tests.support.index import Index
from tests.support.releases import BACKENDS, DEVICES
from tests.support.toolbox import OLDEST_UV, World
from tests.support.wheels import Wheel

LINUX_X86 = "sys_platform == 'linux' and platform_machine == 'x86_64'"


def routed(
    index: Index,
    backend: str,
    *dependencies: str,
    packages: tuple[str, ...] = ("torch",),
    anchor: bool = True,
) -> str:
    """A project with hand-written routing of ``packages`` to ``backend``, as a pin writes it."""
    group = ", ".join(f'"{package}; {LINUX_X86}"' for package in packages) if anchor else ""
    sources = "\n".join(
        f'{package} = {{ index = "pytorch-{backend}", marker = "{LINUX_X86}" }}' for package in packages
    )
    return f"""\
[project]
name = "demo"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = {list(dependencies)}

[dependency-groups]
torchsel = [{group}]

[[tool.uv.index]]
name = "pytorch-{backend}"
url = "{index.whl}/{backend}"
explicit = true

[tool.uv.sources]
{sources}
"""


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:  # noqa: S310 - loopback
        body: bytes = response.read()
    return body


def status(url: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(url)
    with caught.value as error:
        return error.code


# What is served


@pytest.mark.parametrize("place", ["cu132/torchaudio", "cu129/numpy", "cu133/torch", "pypi/torch", "cu130"])
def test_absent_on_the_pytorch_index_is_forbidden(index: Index, place: str) -> None:
    assert status(f"{index.whl}/{place}/") == 403


def test_absent_on_the_default_index_is_not_found(index: Index) -> None:
    assert status(f"{index.default_index}/triton-rocm/") == 404


def test_a_page_lists_wheels_with_hash_and_metadata(index: Index) -> None:
    page = f"{index.whl}/cu130/torch/"
    links = re.findall(
        r'href="([^"#]+)#sha256=(\w+)".*?data-dist-info-metadata="sha256=(\w+)"', fetch(page).decode()
    )
    path, wheel_hash, metadata_hash = links[0]
    assert path == "/whl/cu130/torch-2.9.1%2Bcu130-cp311-cp311-manylinux_2_28_x86_64.whl"
    wheel = fetch(urljoin(page, path))
    metadata = fetch(urljoin(page, path) + ".metadata")
    assert hashlib.sha256(wheel).hexdigest() == wheel_hash
    assert hashlib.sha256(metadata).hexdigest() == metadata_hash
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        assert archive.read("torch-2.9.1+cu130.dist-info/METADATA") == metadata


@pytest.mark.parametrize("backend", BACKENDS)
def test_root_level_packages_are_on_every_backend(index: Index, backend: str) -> None:
    assert b"triton_rocm-3.6.0-" in fetch(f"{index.whl}/{backend}/triton-rocm/")


def test_versions_are_local_but_not_on_macos_or_the_default_index(index: Index) -> None:
    cpu = re.findall(r">torch-(\S+?)-cp312-cp312-(\S+?)_\d", fetch(f"{index.whl}/cpu/torch/").decode())
    assert ("2.15.0", "macosx") in cpu
    assert {version for version, platform in cpu if platform != "macosx"} >= {"2.15.0+cpu"}
    assert b"%2B" not in fetch(f"{index.default_index}/torch/")


def test_credentials_are_asked_for() -> None:
    with Index(credentials=("ann", "p@ss/word")) as private:
        assert status(f"{private.whl}/cpu/torch/") == 401
        assert private.requests == ["GET /whl/cpu/torch/"]
        assert private.with_credentials(private.whl).startswith("http://ann:p%40ss%2Fword@127.0.0.1:")


@pytest.mark.parametrize("given", [True, False])
def test_uv_needs_the_credentials(tmp_path: Path, given: bool) -> None:
    with Index(credentials=("ann", "p@ss/word")) as private:
        default = private.default_index
        env = {"UV_DEFAULT_INDEX": private.with_credentials(default) if given else default}
        world = World(index=private, folder=tmp_path)
        demo = world.project(tmp_path / "demo", routed(private, "cu126", "torch"), env=env)
        result = demo.uv("lock", code=0 if given else 1)
        assert ("401" in result.err) is not given
        assert ("2.14.1+cu126" in demo.locked("torch")) is given


def test_extra_wheels_can_be_published(tmp_path: Path) -> None:
    with Index(extra={"cu130": [Wheel(name="webkit9", version="99.0")]}) as hostile:
        assert b"webkit9-99.0-py3-none-any.whl" in fetch(f"{hostile.whl}/cu130/webkit9/")


# What real uv installs from it

INSTALLED = [
    ("cpu", "torch", "2.15.0+cpu"),
    ("cu126", "torch", "2.14.1+cu126"),
    ("cu130", "torch", "2.15.0+cu130"),
    ("rocm6.4", "pytorch-triton-rocm", "2.9.1+rocm6.4"),
    ("rocm7.2", "triton-rocm", "2.14.1+rocm7.2"),
    ("xpu", "triton-xpu", "2.15.0+xpu"),
]


@pytest.mark.parametrize("uv_version", [None, OLDEST_UV])
@pytest.mark.parametrize(("backend", "triton", "torch"), INSTALLED)
def test_uv_installs_the_routed_build(
    index: Index, project: MakeProject, backend: str, triton: str, torch: str, uv_version: str | None
) -> None:
    packages = tuple(dict.fromkeys(("torch", "torchvision", triton)))
    demo = project(routed(index, backend, "torch", "torchvision", packages=packages), uv_version=uv_version)
    demo.uv("lock")
    demo.uv("sync", "--locked")
    assert demo.installed("torch") == torch
    assert (demo.installed("torchvision") or "").endswith(f"+{backend}")
    assert demo.torch_in_use() == torch
    assert demo.installed("numberkit") == "2.0", "only what is routed comes from an explicit index"


def test_rocm_7_14_needs_the_rocm_sdk(index: Index, project: MakeProject) -> None:
    devices = (f"rocm-sdk-device-{device}" for device in DEVICES)
    packages = ("torch", "triton-rocm", "rocm", "rocm-sdk-core", "rocm-sdk-libraries", *devices)
    demo = project(routed(index, "rocm7.14", "torch", packages=packages))
    demo.uv("sync")
    assert demo.installed("torch") == "2.15.0+rocm7.14"
    assert demo.installed("rocm-sdk-libraries") == "7.14.0"
    assert demo.installed("rocm-sdk-device-gfx1201") == "7.14.0"


def test_the_default_index_has_cuda_without_saying_so(index: Index, project: MakeProject) -> None:
    demo = project(routed(index, "cpu", "torch==2.9.1", packages=(), anchor=False))
    demo.uv("sync")
    assert demo.installed("torch") == "2.9.1"
    assert demo.installed("triton") == "3.5.1"
    assert demo.torch_in_use() == "2.9.1+cu128"


# What torchsel relies on uv for


@pytest.mark.parametrize("uv_version", [None, OLDEST_UV])
def test_uv_routes_transitive_torch_only_with_an_anchor(
    index: Index, project: MakeProject, uv_version: str | None
) -> None:
    plain = project(routed(index, "cu126", "trainkit", anchor=False), name="plain", uv_version=uv_version)
    plain.uv("sync")
    assert plain.installed("torch") == "2.15.0"
    anchored = project(routed(index, "cu126", "trainkit"), name="anchored", uv_version=uv_version)
    anchored.uv("sync")
    assert anchored.installed("torch") == "2.14.1+cu126"


def test_an_anchor_installs_nothing_by_itself(index: Index, project: MakeProject) -> None:
    demo = project(routed(index, "cu126", "webkit9"))
    demo.uv("sync")
    assert demo.installed("webkit9") == "9.1"
    assert demo.installed("torch") is None


def test_an_anchor_keeps_the_bounds_of_others(index: Index, project: MakeProject) -> None:
    bounded = routed(index, "cu126", "trainkit", "torchvision<0.25", packages=("torch", "torchvision"))
    demo = project(bounded)
    demo.uv("sync")
    assert demo.installed("torch") == "2.9.1+cu126"
    assert demo.installed("torchvision") == "0.24.1+cu126"


def test_uv_looks_everywhere_for_an_anchor_without_the_source_s_marker(
    index: Index, project: MakeProject
) -> None:
    text = routed(index, "rocm7.2", "torch", packages=("torch", "triton-rocm"))
    demo = project(text.replace(f'"triton-rocm; {LINUX_X86}"', '"triton-rocm"'))
    assert "triton-rocm" in demo.uv("lock", code=1).err


@pytest.mark.parametrize("uv_version", [None, OLDEST_UV])
def test_uv_keeps_the_release_on_another_index_only_when_told(
    index: Index, project: MakeProject, uv_version: str | None
) -> None:
    demo = project(routed(index, "cu128", "torch==2.9.1"), uv_version=uv_version)
    demo.uv("lock")
    loosened = routed(index, "cu126", "torch")
    demo.pyproject.write_text(routed(index, "cu128", "torch"))
    demo.uv("lock")
    assert "2.9.1+cu128" in demo.locked("torch")
    lock = (demo.root / "uv.lock").read_bytes()

    demo.pyproject.write_text(loosened)
    demo.uv("lock", "-P", "torch==2.9.1")
    assert demo.locked("torch") == ["2.9.1", "2.9.1+cu126"]

    (demo.root / "uv.lock").write_bytes(lock)
    demo.uv("lock")
    assert "2.14.1+cu126" in demo.locked("torch")


def test_uv_fails_where_the_held_release_is_not_on_the_index(index: Index, project: MakeProject) -> None:
    demo = project(routed(index, "cu128", "torch"))
    demo.uv("lock")
    assert "2.11.0+cu128" in demo.locked("torch")
    demo.pyproject.write_text(routed(index, "rocm6.4", "torch", packages=("torch", "pytorch-triton-rocm")))
    assert "==2.11.0, we can conclude" in demo.uv("lock", "-P", "torch==2.11.0", code=1).err


def test_a_changed_source_makes_a_locked_sync_fail(index: Index, project: MakeProject) -> None:
    demo = project(routed(index, "cpu", "torch"))
    demo.uv("lock")
    demo.pyproject.write_text(routed(index, "cu130", "torch"))
    demo.uv("lock", "--check", code=1)
    demo.uv("sync", "--locked", code=1)
