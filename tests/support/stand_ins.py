"""Environments with a torch that is none: a few lines that answer as it does, or fail as it does."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.toolbox import WORK

TORCH = '''\
import os, signal, subprocess, sys, time, types, warnings

bfloat16 = "bfloat16"


def fail(message, error=RuntimeError):
    def failing(*_, **__):
        raise error(message)
    return failing


class Tensor:
    """Every result is this one, and the difference of two is nothing."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    def __sub__(self, other):
        return Tensor(0.0) if isinstance(other, Tensor) else self

    def fill_(self, *_):
        return self

    def itself(self, *_, **__):
        return self

    __add__ = __mul__ = __mod__ = __truediv__ = __matmul__ = __getitem__ = itself
    reshape = double = float = to = cpu = abs = max = itself


def tensor(*_, **__):
    return Tensor(1.0)


arange = empty = full = sin = tensor
nn = types.SimpleNamespace(functional=types.SimpleNamespace(conv2d=tensor))
cuda = types.SimpleNamespace(
    device_count=lambda: 1,
    get_arch_list=lambda: ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"],
    get_device_properties=lambda at: types.SimpleNamespace(
        name="GPU " + os.environ.get("CUDA_VISIBLE_DEVICES", "?"), major=9, minor=0, gcnArchName="gfx942:x"
    ),
    get_device_capability=lambda at: (9, 0),
    mem_get_info=lambda at: (8 << 30, 16 << 30),
)
xpu = types.SimpleNamespace(
    device_count=lambda: 1,
    get_device_properties=lambda at: types.SimpleNamespace(name="Arc B580"),
)
mps = types.SimpleNamespace(is_built=lambda: False, is_available=lambda: False)
backends = types.SimpleNamespace(mps=mps)
'''
"""A torch on which everything works; its arch list is that of 2.13.0 with cu130 on Linux."""

VERSION = """
__version__ = {version!r}
version = types.SimpleNamespace(cuda={cuda!r}, hip={hip!r}, xpu={xpu!r})
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """An environment of uv's shape; packages are put into it as text."""

    folder: Path

    @property
    def site(self) -> Path:
        """Where packages are."""
        found = next(self.folder.glob("lib/python*/site-packages"), None)
        return found or self.folder / "Lib" / "site-packages"

    def add(self, package: str, version: str, source: str) -> None:
        """A package with metadata and one module."""
        module = self.site / package.replace("-", "_")
        module.mkdir(exist_ok=True)
        (module / "__init__.py").write_text(source, encoding="utf-8")
        info = self.site / f"{module.name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")

    def add_torch(
        self,
        behaviour: str = "",
        *,
        version: str = "2.13.0+cu130",
        count: int = 1,
        arch_list: list[str] | None = None,
        reported: str | None = None,
    ) -> None:
        """A stand-in for torch of the version's backend; ``behaviour`` is Python at the end of its import."""
        local = (reported or version).partition("+")[2]
        about = VERSION.format(
            version=reported or version,
            cuda="13.0" if local.startswith("cu") else None,
            hip="7.2" if local.startswith("rocm") else None,
            xpu="20250201" if local == "xpu" else None,
        )
        about += f"cuda.device_count = xpu.device_count = lambda: {count}\n"
        if arch_list is not None:
            about += f"cuda.get_arch_list = lambda: {arch_list!r}\n"
        self.add("torch", version, f"{TORCH}{about}{behaviour}\n")


def make_environment(folder: Path) -> Environment:
    """An environment of this Python without any package."""
    venv.create(folder, symlinks=os.name != "nt")
    return Environment(folder=folder)


@cache
def real_torch() -> Environment | str:
    """An environment with PyTorch's CPU build, made once into ``.work``; or why there is none.

    Where the plain version is a CUDA build of gigabytes the CPU's is asked for by name, and no other comes.
    """
    folder = WORK / f"torch-cpu-{sys.version_info[0]}.{sys.version_info[1]}"
    wanted = "torch==2.13.0+cpu" if sys.platform == "linux" else "torch==2.13.0"
    if not (folder / "done").exists():
        environment = make_environment(folder)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        done = subprocess.run(
            [*command, "--target", str(environment.site), "--upgrade", wanted],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it does not say why"]
            return f"pip finds no {wanted} here: {said[-1]}"
        (folder / "done").touch()
    return Environment(folder=folder)
