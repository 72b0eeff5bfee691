"""``also``: which requirements go with a backend."""

from __future__ import annotations

import pytest

from torchsel.backend import Backend
from torchsel.strategies.packages import also_for

ALSO = {
    "cuda": ("onnxruntime-gpu", "cupy-cuda12x"),
    "cuda13": ("cupy-cuda12x; sys_platform == 'never'", "cupy-cuda13x", "jax[cuda13]"),
    "cu132": ("Jax[cuda13]>=0.9", "JAX; sys_platform == 'win32'"),
    "rocm7": ("cupy-rocm-7-0",),
    "rocm7.2": ("onnxruntime-rocm",),
    "cpu": ("onnxruntime",),
}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("cu128", ["onnxruntime-gpu", "cupy-cuda12x"]),
        (
            "cu130",
            ["onnxruntime-gpu", "cupy-cuda12x; sys_platform == 'never'", "cupy-cuda13x", "jax[cuda13]"],
        ),
        (
            "cu132",
            [
                "onnxruntime-gpu",
                "cupy-cuda12x; sys_platform == 'never'",
                "cupy-cuda13x",
                "Jax[cuda13]>=0.9",
                "JAX; sys_platform == 'win32'",
            ],
        ),
        ("rocm7.2", ["cupy-rocm-7-0", "onnxruntime-rocm"]),
        ("rocm6.4", []),
        ("rocm7.14", ["cupy-rocm-7-0"]),
        ("cpu", ["onnxruntime"]),
        ("xpu", []),
    ],
)
def test_the_most_exact_key_wins_for_each_package(tag: str, expected: list[str]) -> None:
    assert list(also_for(ALSO, Backend.parse(tag))) == expected
