"""The program that tries a torch: run by the environment's own interpreter.

It knows the standard library of Python 3.9 and torch 2.0, and writes what it sees, a JSON object a line, to
the file named in its task: a crash or a hang leaves what came before. Nothing is read from its output.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

LONGEST = 4000
"""Characters kept of a message."""

MOST_CAUSES = 9

TOLERANCES = {
    "fill_": 0.0,
    "elementwise": 1e-5,
    "matmul fp32": 1e-3,
    "matmul bf16": 1e-2,
    "3x3 convolution": 1e-3,
}
"""The steps, and how far each may be from the CPU's result in double precision, by its largest value.

TF32, which some GPUs take for fp32, has 10 bits (5e-4), bfloat16 8 (4e-3).
"""

LEAST_FREE = 256 << 20
"""Bytes of GPU memory; a card with less is busy. What is tried needs a few, beside torch's kernels."""


def main(task: dict[str, Any]) -> None:
    """Do a task: ``look`` at the build, try a ``device``, or ``import`` a package."""
    if hasattr(signal, "alarm"):
        signal.alarm(int(task["seconds"]) + 5)  # where whoever started this was killed
    with suppress(OSError):  # where memory runs out, this is to go first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with open(task["result"], "a", encoding="utf-8") as file:  # noqa: PTH123 - one handle, flushed line by line

        def tell(**record: Any) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: tell(warning=str(message)[:LONGEST])
        try:
            run(task, tell)
        except Exception as error:
            tell(error=type(error).__name__, message=with_causes(error)[:LONGEST])
        else:
            tell(done=True)


def with_causes(error: BaseException) -> str:
    """An error's message, and those of the errors that led to it: torch hides what a library lacks behind."""
    texts = [str(error)]
    while error.__cause__ and len(texts) < MOST_CAUSES:
        error = error.__cause__
        texts.append(str(error))
    return "\n".join(texts)


def run(task: dict[str, Any], tell: Callable[..., None]) -> None:
    """Import, then what the task is about."""
    name = task.get("module", "torch")
    tell(step=f"import {name}")
    module = importlib.import_module(name)
    kind = "cuda" if task["family"] == "rocm" else task["family"]  # as torch calls its devices
    if task["kind"] == "look":
        tell(build=build_of(module))
        tell(step="count the devices")
        tell(devices=count(module, kind))
    if task["kind"] == "device" or (task["kind"] == "look" and kind == "cpu"):
        try_device(module, kind, task["index"], tell)


def build_of(torch: Any) -> dict[str, Any]:
    """What the build says of itself; ``arch_list`` as ``torch.cuda.get_arch_list()`` has it."""
    version = torch.version
    facts = {name: getattr(version, name, None) for name in ("cuda", "hip", "xpu")}
    with suppress(Exception):  # older releases have no version for it
        facts["xpu"] = facts["xpu"] or ("yes" if torch.xpu._is_compiled() else None)
    with suppress(Exception):
        facts["mps"] = "yes" if torch.backends.mps.is_built() else None
    facts["arch_list"] = list(torch.cuda.get_arch_list()) if facts["cuda"] or facts["hip"] else []
    return {"torch": str(torch.__version__), "python": sys.version.split()[0], **facts}


def count(torch: Any, kind: str) -> int:
    """How many devices of the kind torch sees; the CPU is one."""
    if kind in ("cuda", "xpu"):
        return int(getattr(torch, kind).device_count())
    return int(kind != "mps" or torch.backends.mps.is_available())


def try_device(torch: Any, kind: str, index: int, tell: Callable[..., None]) -> None:
    """What it is, whether it has memory to spare, and every step against the CPU."""
    device = kind if kind in ("cpu", "mps") else f"{kind}:{index}"
    tell(step="describe the device")
    tell(device=describe(torch, kind, index))
    tell(step="ask for free memory")
    ask = getattr(getattr(torch, kind, None), "mem_get_info", None)
    free = int(ask(index)[0]) if ask else None
    if free is not None and free < LEAST_FREE:
        tell(busy=free)
        return
    sees_bf16 = has_bf16(torch, kind, index)
    for step, got, want in steps(torch, device, tell):
        if step == "matmul bf16" and not sees_bf16:
            continue
        tell(step=step)
        compare(step, got(), want, tell)
    most = getattr(getattr(torch, kind, None), "max_memory_reserved", None)
    tell(memory=int(most(index)) if most else None)


def describe(torch: Any, kind: str, index: int) -> dict[str, Any]:
    """Its name, and its compute capability or gfx target."""
    if kind not in ("cuda", "xpu"):
        return {"name": "CPU" if kind == "cpu" else "Apple GPU"}
    properties = getattr(torch, kind).get_device_properties(index)
    found: dict[str, Any] = {"name": str(properties.name)}
    if kind == "cuda" and torch.version.hip:
        found["gfx_target"] = str(getattr(properties, "gcnArchName", "")).partition(":")[0] or None
    elif kind == "cuda":
        found["compute_capability"] = f"{properties.major}.{properties.minor}"
    return found


def has_bf16(torch: Any, kind: str, index: int) -> bool:
    """NVIDIA's GPUs have it from 8.0 on; an Apple GPU has it by macOS release."""
    if kind == "cuda" and not torch.version.hip:
        return bool(torch.cuda.get_device_capability(index) >= (8, 0))
    return kind != "mps"


def steps(torch: Any, device: str, tell: Callable[..., None]) -> Iterator[tuple[str, Callable[[], Any], Any]]:
    """Each step's name, the work on the device, and the CPU's result in double precision.

    Small integers by 8 are exact in every type: what differs is the work's.
    """
    tell(step="copy to the device")
    one = ((torch.arange(256 * 256) * 7) % 13 - 6).reshape(256, 256).double() / 8
    other = ((torch.arange(256 * 256) * 5) % 11 - 5).reshape(256, 256).double() / 8
    image, weights = one.reshape(1, 16, 64, 64), other.reshape(-1)[: 16 * 16 * 9].reshape(16, 16, 3, 3)
    convolve = torch.nn.functional.conv2d
    a, b = one.float().to(device), other.float().to(device)

    yield "fill_", lambda: torch.empty(4096, device=device).fill_(3.5), torch.full((4096,), 3.5).double()
    yield "elementwise", lambda: torch.sin(a) * b + a, torch.sin(one) * other + one
    yield "matmul fp32", lambda: a @ b, one @ other
    yield "matmul bf16", lambda: a.to(torch.bfloat16) @ b.to(torch.bfloat16), one @ other
    yield (
        "3x3 convolution",
        lambda: convolve(a.reshape(1, 16, 64, 64), weights.float().to(device), padding=1),
        convolve(image, weights, padding=1),
    )


def compare(step: str, got: Any, want: Any, tell: Callable[..., None]) -> None:
    """Tell how far a result is from the CPU's, as a part of its largest value; NaN is far."""
    largest = float(want.abs().max().item())
    far = float((got.cpu().double() - want).abs().max().item())
    tell(result=step, off=None if math.isnan(far) else far / largest, ok=far <= TOLERANCES[step] * largest)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    os._exit(0)  # all is told; a library that hangs or dies at the end is no matter
