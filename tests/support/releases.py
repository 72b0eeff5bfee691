"""Which wheels the test index holds: real releases, backends and platforms, in one compact table.

Written down from what download.pytorch.org and the default index held in autumn 2026. A row says what exists;
nothing is looked up in torchsel's own catalog, which these wheels are there to contradict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.stand_ins import TORCH
from tests.support.wheels import Wheel

ROOT = ""
"""Folder of what the index lists under every backend."""
PYPI = "pypi"
"""Folder of the default index."""

COMPANIONS = "companions"
"""Folder of the index in Astral's form, with one for each backend in it."""

PLATFORM_TAGS = {
    "l": "manylinux_2_28_x86_64",
    "a": "manylinux_2_28_aarch64",
    "w": "win_amd64",
    "m": "macosx_14_0_arm64",
}


TABLE = """\
torch   torchvision  torchaudio  triton   rocm   xpu    default  builds
2.7.1   0.22.1       2.7.1       ==3.3.1  3.3.1  3.3.1  cu126    cu118:lw cu126:lw cu128 rocm6.2.4 rocm6.3
2.8.0   0.23.0       2.8.0       ==3.4.0  3.4.0  3.4.0  cu128    cu126:lw cu128:lw cu129 rocm6.3 rocm6.4
2.9.1   0.24.1       2.9.1       ==3.5.1  3.5.1  3.5.0  cu128    cu126 cu128 cu129:la cu130 rocm6.3 rocm6.4
2.10.0  0.25.0       2.10.0      ==3.6.0  3.6.0  3.6.0  cu128    cu126 cu128 cu129:la cu130 rocm7.0 rocm7.1
2.11.0  0.26.0       2.11.0      ==3.6.0  3.6.0  3.7.0  cu130    cu126 cu128 cu129:la cu130 rocm7.1 rocm7.2
2.12.1  0.27.1       -           ==3.7.1  3.7.1  3.7.1  cu130    cu126 cu129:la cu130 cu132 rocm7.1 rocm7.2
2.13.0  0.28.0       -           ==3.7.1  3.7.1  3.7.2  cu130    cu126 cu129:la cu130 cu132 rocm7.1 rocm7.2
2.14.0  0.29.0       -           ~=3.8.0  3.8.0  3.8.0  cu130    cu126 cu130 cu132 rocm7.2 rocm7.14
2.14.1  0.29.1       -           ~=3.8.0  3.8.0  3.8.0  cu130    cu126 cu130 cu132 rocm7.2 rocm7.14
2.15.0  0.29.2       -           ~=3.9.0  3.9.0  3.9.0  cu132    cu130 cu132 rocm7.14
"""
"""A row a torch release, with the torchvision and torchaudio that came with it.

``triton`` is what CUDA builds require; ``rocm`` and ``xpu`` are the versions of those builds' own triton
package, assumed for 2.15.0 and for xpu of 2.7.1, 2.9.1 and 2.12.1. ``default`` is what the default index's
Linux wheels were built for. A build may name its platforms: ``l`` Linux x86-64, ``a`` Linux aarch64, ``w``
Windows, ``m`` macOS; CUDA is else on the first three, ROCm on the first. Every release has cpu (all four) and
xpu (``lw``).
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """A row of the table; ``builds`` maps a backend to the letters of its platforms."""

    torch: str
    vision: str
    audio: str | None
    triton: str
    rocm: str
    xpu: str
    default: str
    builds: dict[str, str]

    @classmethod
    def parse(cls, row: str) -> Release:
        torch, vision, audio, triton, rocm, xpu, default, *builds = row.split()
        return cls(
            torch=torch,
            vision=vision,
            audio=None if audio == "-" else audio,
            triton=triton,
            rocm=rocm,
            xpu=xpu,
            default=default,
            builds={"cpu": "lawm", "xpu": "lw"} | dict(map(_build, builds)),
        )

    @property
    def series(self) -> tuple[int, ...]:
        return tuple(map(int, self.torch.split(".")))

    @property
    def pythons(self) -> tuple[str, ...]:
        return ("cp311", "cp312", "cp313", "cp314")[: 4 if self.series >= (2, 9) else 3]


def _build(item: str) -> tuple[str, str]:
    backend, _, platforms = item.partition(":")
    return backend, platforms or ("law" if backend.startswith("cu") else "l")


RELEASES = tuple(map(Release.parse, TABLE.splitlines()[1:]))
BACKENDS = tuple(dict.fromkeys(backend for release in RELEASES for backend in release.builds))


def wheels_by_folder() -> dict[str, list[Wheel]]:
    """Every wheel, by the folder it lies in: a backend, `ROOT` or `PYPI`."""
    found: dict[str, list[Wheel]] = defaultdict(list)
    for release in RELEASES:
        for folder, wheel in _family(release):
            found[folder].append(wheel)
    for folder, wheel in _tritons():
        found[folder].append(wheel)
    found[PYPI] += [*PURE, *NAMED_BY_ACCELERATOR]
    found["rocm7.14"] += ROCM_SDK
    for folder, wheel in _extensions():
        found[folder].append(wheel)
    for backend in BACKENDS:
        found[backend].append(Wheel(name="numberkit", version="3.0"))
    return dict(found)


def _family(release: Release) -> Iterator[tuple[str, Wheel]]:
    for backend, platforms in release.builds.items():
        for platform in platforms:
            local = "" if platform == "m" else f"+{backend}"
            for wheel in _builds(release, backend, platform, local):
                yield backend, wheel
    for platform in "lawm":
        for wheel in _builds(release, _default_build(release, platform), platform, ""):
            yield PYPI, wheel


def _default_build(release: Release, platform: str) -> str:
    """What the default index's wheel for ``platform`` was built for; on aarch64 CUDA only from 2.11 on."""
    return release.default if platform == "l" or (platform == "a" and release.series >= (2, 11)) else "cpu"


def _builds(release: Release, backend: str, platform: str, local: str) -> Iterator[Wheel]:
    """Torch, torchvision and torchaudio of one backend and platform, a wheel for each Python."""
    for python in release.pythons:
        tag = f"{python}-{python}-{_platform_tag(release, backend, platform)}"
        yield _torch(release, backend, local, tag)
        vision_tag = f"py3-none-{PLATFORM_TAGS[platform]}" if release.vision == "0.29.2" else tag
        if vision_tag == tag or python == release.pythons[0]:
            yield _companion("torchvision", release.vision + local, vision_tag, _vision_pin(release))
        if release.audio:
            yield _companion("torchaudio", release.audio + local, tag, _audio_pin(release))


def _platform_tag(release: Release, backend: str, platform: str) -> str:
    if backend == "xpu" and platform == "l" and release.series < (2, 9):
        return "linux_x86_64"
    return PLATFORM_TAGS[platform]


def _torch(release: Release, backend: str, local: str, tag: str) -> Wheel:
    inside = f"{release.torch}+{backend}" if not tag.endswith("arm64") else release.torch
    return Wheel(
        name="torch",
        version=release.torch + local,
        tag=tag,
        requires=("numberkit>=1.0", *_triton_pin(release, backend if local else release.default)),
        requires_python=">=3.10" if release.series >= (2, 9) else ">=3.9.0",
        files=(
            ("torch/__init__.py", f"from torch import version\n\n__version__ = version.__version__\n{TORCH}"),
            ("torch/version.py", _version_module(inside, backend)),
        ),
    )


def _version_module(version: str, backend: str) -> str:
    cuda = f"{backend[2:-1]}.{backend[-1]}" if backend.startswith("cu") else None
    hip = backend.removeprefix("rocm") if backend.startswith("rocm") else None
    xpu = "2026.0" if backend == "xpu" else None
    return f"__version__ = {version!r}\ncuda = {cuda!r}\nhip = {hip!r}\nxpu = {xpu!r}\n"


def _triton_pin(release: Release, backend: str) -> tuple[str, ...]:
    """What torch's metadata requires; the wheels of one version carry the same on every platform."""
    linux = '; platform_system == "Linux"'
    if backend.startswith("cu"):
        x86 = ' and platform_machine == "x86_64"' if release.series < (2, 11) else ""
        return (f"triton{release.triton}{linux}{x86}",)
    prefix = "pytorch-triton" if release.series < (2, 10) else "triton"
    if backend == "xpu":
        return (f"{prefix}-xpu=={release.xpu}{linux}",)
    if backend == "rocm7.14":
        return (f"{prefix}-rocm=={release.rocm}{linux}", f"rocm[device-all,libraries]==7.14.*{linux}")
    if backend.startswith("rocm"):
        return (f"{prefix}-rocm=={release.rocm}{linux}",)
    return ()


def _vision_pin(release: Release) -> tuple[str, ...]:
    return (f"torch=={release.torch}",) if release.series < (2, 14, 1) else ("torch>=2.14.0",)


def _audio_pin(release: Release) -> tuple[str, ...]:
    return (f"torch=={release.torch}",) if release.series < (2, 11) else ()


def _companion(name: str, version: str, tag: str, requires: tuple[str, ...]) -> Wheel:
    files = ((f"{name}/__init__.py", f"__version__ = {version!r}\n"),)
    return Wheel(name=name, version=version, tag=tag, requires=requires, files=files)


def _tritons() -> Iterator[tuple[str, Wheel]]:
    """Each triton once for each Python and platform; all but the plain one exist only on torch's index."""
    seen: set[tuple[str, str, str]] = set()
    for release in RELEASES:
        prefix = "pytorch-triton" if release.series < (2, 10) else "triton"
        for name, version, platforms, folders in (
            ("triton", release.triton.lstrip("=~"), "la", (ROOT, PYPI)),
            (f"{prefix}-rocm", release.rocm, "l", (ROOT,)),
            (f"{prefix}-xpu", release.xpu, "lw", (ROOT,)),
        ):
            for python in release.pythons:
                if (key := (name, version, python)) in seen:
                    continue
                seen.add(key)
                tags = [f"{python}-{python}-{PLATFORM_TAGS[platform]}" for platform in platforms]
                yield from (
                    (folder, _companion(name, version, tag, ())) for folder in folders for tag in tags
                )


def _extensions() -> Iterator[tuple[str, Wheel]]:
    """torchcodec, for the CPU and CUDA; for CUDA xformers and torch-tensorrt, which caps torch."""
    linux = f"py3-none-{PLATFORM_TAGS['l']}"
    for backend in BACKENDS:
        if backend == "cpu" or backend.startswith("cu"):
            yield backend, _companion("torchcodec", f"0.17.0+{backend}", linux, ())
        if backend.startswith("cu"):
            pin = ("torch>=2.14,<2.15",)
            yield backend, _companion("torch-tensorrt", f"2.14.0+{backend}", linux, pin)
    for backend in ("cu126", "cu128", "cu130"):
        yield backend, _companion("xformers", f"0.0.35+{backend}", linux, ("torch>=2.10",))
    yield PYPI, _companion("xformers", "0.0.35", linux, ("torch>=2.10",))
    yield from ((PYPI, wheel) for wheel in _pinning_torch())
    yield PYPI, _companion("torchcodec", "0.17.0", linux, ())
    yield PYPI, _companion("torch-tensorrt", "2.14.0", linux, ("torch>=2.14,<2.15",))


def _pinning_torch() -> Iterator[Wheel]:
    """vllm and sglang, whose releases require one of torch's each."""
    linux = f"py3-none-{PLATFORM_TAGS['l']}"
    for name, version, *pins in (
        ("vllm", "0.32.0", "torch==2.13.0", "torchvision==0.28.0", "torchaudio==2.11.0"),
        ("vllm", "0.33.0", "torch==2.14.0", "torchvision==0.29.0", "torchaudio==2.11.0"),
        ("sglang", "0.5.22", "torch==2.13.0"),
        ("sglang", "0.5.23", "torch==2.14.1"),
    ):
        yield _companion(name, version, linux, tuple(pins))


def companion_wheels() -> dict[str, list[Wheel]]:
    """By backend: flash-attn for each torch up to 2.14, torch-scatter for the CPU, vllm, which pins torch."""
    found: dict[str, list[Wheel]] = defaultdict(list)
    for release in RELEASES:
        minor = ".".join(release.torch.split(".")[:2])
        tags = [
            f"{python}-{python}-{PLATFORM_TAGS[platform]}" for python in release.pythons for platform in "la"
        ]
        for backend in release.builds:
            cuda = f"cu.{backend[2:-1]}.{backend[-1]}" if backend.startswith("cu") else backend
            wanted = ["torch-scatter"] if backend == "cpu" else ["flash-attn"]
            if (backend == "cpu" or backend.startswith("cu")) and release.series < (2, 15):
                version = {"flash-attn": "2.8.3", "torch-scatter": "2.1.2"}
                pin = (f"torch=={minor}.*",)
                found[backend] += [
                    _companion(name, f"{version[name]}+{cuda}.torch.{minor}", tag, pin)
                    for name in wanted
                    for tag in tags
                ]
    found["cu130"] += [wheel for wheel in _pinning_torch() if wheel.filename.startswith("vllm-0.33")]
    return {backend: list(dict.fromkeys(wheels)) for backend, wheels in found.items()}


NAMED_BY_ACCELERATOR = tuple(
    Wheel(name=name, version=version, extras=extras, requires=requires)
    for name, version, extras, requires in (
        ("cupy-cuda12x", "13.6.0", (), ("numberkit",)),
        ("cupy-cuda13x", "14.0.0", (), ("numberkit",)),
        ("cupy-rocm-7-0", "14.0.0", (), ("numberkit",)),
        ("onnxruntime", "1.31.0", (), ()),
        ("onnxruntime-gpu", "1.31.0", (), ()),
        ("faiss-cpu", "1.12.0", (), ()),
        (
            "jax",
            "0.9.0",
            ("cuda12", "cuda13"),
            (
                'jax-cuda12-plugin==0.9.0; extra == "cuda12"',
                'jax-cuda13-plugin==0.9.0; extra == "cuda13"',
            ),
        ),
        ("jax-cuda12-plugin", "0.9.0", (), ()),
        ("jax-cuda13-plugin", "0.9.0", (), ()),
    )
)
"""On the default index: packages whose name or extra goes by the accelerator."""

PURE = (
    Wheel(
        name="trainkit",
        version="2.6.0",
        requires=("torch>=2.1", "numberkit"),
        files=(("trainkit.py", "import torch\n"),),
    ),
    Wheel(
        name="visionkit",
        version="1.4.0",
        requires=("torchvision", "torch>=2.1"),
        files=(("visionkit.py", "import torchvision\n"),),
    ),
    Wheel(name="numberkit", version="1.0"),
    Wheel(name="numberkit", version="2.0"),
    Wheel(name="webkit9", version="9.1", files=(("webkit9.py", ""),)),
    Wheel(name="testkit", version="8.0", files=(("testkit.py", ""),)),
)
"""The default index's other packages: torch and torchvision as a dependency's dependency, and bystanders.

``numberkit`` 3.0 lies on every backend's index only: it shows when an index was asked for more than torch.
"""

_DEVICES = """
gfx908 gfx90a gfx942 gfx950 gfx1010 gfx1011 gfx1012 gfx1030 gfx1031 gfx1032 gfx1033 gfx1034 gfx1035 gfx1036
gfx1100 gfx1101 gfx1102 gfx1103 gfx1150 gfx1151 gfx1152 gfx1153 gfx1200 gfx1201 gfx1250
"""
DEVICES = tuple(_DEVICES.split())

ROCM_SDK = (
    Wheel(
        name="rocm",
        version="7.14.0",
        requires=(
            "rocm-sdk-core==7.14.0",
            "rocm-sdk-libraries==7.14.0; extra == 'libraries'",
            *(f"rocm-sdk-device-{device}==7.14.0; extra == 'device-all'" for device in DEVICES),
        ),
        extras=("device-all", "libraries"),
    ),
    Wheel(name="rocm-sdk-core", version="7.14.0", tag="py3-none-linux_x86_64"),
    Wheel(name="rocm-sdk-libraries", version="7.14.0", tag="py3-none-linux_x86_64"),
    *(Wheel(name=f"rocm-sdk-device-{device}", version="7.14.0") for device in DEVICES),
)
"""What torch's wheels for ROCm 7.14 and newer require beside triton; on that backend's index only."""
