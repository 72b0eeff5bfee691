"""What PyTorch's own messages mean: a table from message to verdict, sentence and remedy."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Verdict = Literal[
    "works",
    "cpu build",
    "no kernels",
    "driver too old",
    "library missing",
    "hung",
    "crashed",
    "busy",
    "not installed",
]

Remedy = Literal["build", "driver", "reinstall", "pair", "again", "free", "machine"]
"""What helps: another build, another driver, the same build once more, the build that goes with torch, more
time, a GPU that is free, or something on the machine that the sentence says."""


class Message(NamedTuple):
    """A message of PyTorch or a library below it; ``why`` may name the pattern's first group as {0}."""

    verdict: Verdict
    remedy: Remedy
    why: str
    pattern: str


def _message(verdict: Verdict, remedy: Remedy, why: str, *patterns: str) -> Message:
    return Message(verdict, remedy, why, "|".join(patterns))


MESSAGES = (
    _message(
        *("driver too old", "machine"),
        "the driver was updated and the old one is still loaded; restart the machine",
        "forward compatibility was attempted",
        "Driver/library version mismatch",
    ),
    _message(
        *("driver too old", "driver"),
        "the NVIDIA driver is too old for {torch}",
        "driver on your system is too old",
        "driver version is insufficient for CUDA runtime",
        "PTX was compiled with an unsupported toolchain",
        "unsupported display driver / cuda driver combination",
    ),
    _message(
        *("no kernels", "build"),
        "{torch} has no kernels for this GPU",
        "no kernel image is available",
        "device kernel image is invalid",
        "invalid device function",
        "does not include kernels for this GPU",
        "is not compatible with the current PyTorch installation",
        "No published PyTorch CUDA builds for release",
        "hipErrorNoBinaryForGpu",
        r"Cannot read \S*TensileLibrary",
        "HSA_STATUS_ERROR_INVALID_ISA",
        "RESULT_ERROR_INVALID_BINARY|PI_ERROR_INVALID_BINARY",
    ),
    _message(
        *("library missing", "machine"),
        "no NVIDIA driver is loaded here; install one, or give the container its GPU",
        "Found no NVIDIA driver",
        r"libcuda\.so\S*: cannot open",
        "no CUDA-capable device is detected",
    ),
    _message(
        *("busy", "free"),
        "another program has the GPU's memory, or the GPU to itself",
        "out of memory",
        "busy or unavailable",
        "HSA_STATUS_ERROR_OUT_OF_RESOURCES",
    ),
    _message(
        *("busy", "machine"),
        "torch sees no GPU here; CUDA_VISIBLE_DEVICES, HIP_VISIBLE_DEVICES or the container may hide it",
        r"No (?:CUDA|HIP) GPUs are available",
        "No XPU devices are available",
        "No device of requested type available",
    ),
    _message(
        *("cpu build", "build"),
        "{torch} was built without support for this machine's GPU",
        r"not compiled with (?:CUDA|XPU|ROCm|HIP) (?:enabled|support)",
    ),
    _message(
        *("crashed", "machine"),
        "NVIDIA's fabric manager does not run, and this machine's GPUs need it; start nvidia-fabricmanager",
        "system not yet initialized",
    ),
    _message(
        *("crashed", "machine"),
        "the NVIDIA driver could not be initialized; restart the machine",
        "CUDA unknown error",
        "CUDA driver initialization failed",
    ),
    # before what any library says that can't be loaded: these are of the packages beside torch
    _message(
        *("library missing", "pair"),
        "{package} was built against another CUDA than {torch}",
        r"compiled with different CUDA(?: major)? versions?",
        "can't load C\\+\\+/CUDA extensions",
    ),
    _message(
        *("library missing", "pair"),
        "{package} was built against another torch than {torch}",
        r"operator torchvision::\w+ does not exist",
        r"undefined symbol: \S+",
        r"libtorch\w*\.so\S*: cannot open",
        r"Symbol not found: \S+",
        r"WinError 127\b",
        "specified procedure could not be found",
    ),
    # Windows speaks the user's language, but for the number
    _message(
        *("crashed", "machine"),
        "Windows' paging file is too small to load {package}; enlarge it, or end other programs",
        r"WinError 1455\b",
    ),
    _message(
        *("library missing", "reinstall"),
        "{package} can't load {0}; it needs Microsoft's Visual C++ Redistributable, and to be whole",
        r'WinError \d+\].*Error loading "([^"]+)"',
        r"DLL load failed while importing (\w+)",
        r"Could not find module '([^']+)' \(or one of its dependencies\)",
    ),
    _message(
        *("library missing", "machine"),
        "torchcodec finds no FFmpeg; install FFmpeg, with its libraries, by the system's package manager",
        "Could not load libtorchcodec",
    ),
    _message(
        *("library missing", "machine"),
        "this system's C or C++ library is too old for {package}: it has no {0}; use a newer system",
        r"version [`'](GLIBC\w*_[\d.]+)' not found",
    ),
    _message(
        *("library missing", "reinstall"),
        "{package} finds no {0}",
        r"(\S+\.so[\w.]*): cannot open shared object file",
        r"(lib\S+|\S+\.so\S*) not found in the system path",
        r"Library not loaded: (\S+)",
    ),
    _message(
        *("library missing", "pair"),
        "{package} can't load {0}, as it does where it was built against another torch than {torch}",
        r"Could not load this library: (.+)",
    ),
)
"""In the order they are looked for: an exact message before one that may stand beside it."""


def find_message(text: str) -> tuple[Message, tuple[str, ...]] | None:
    """The first known message in ``text``, with what its pattern's groups caught."""
    for row in MESSAGES:
        if match := re.search(row.pattern, text):
            return row, tuple(part for part in match.groups() if part)
    return None
