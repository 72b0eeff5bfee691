"""Ray's workers, each with the build for its own machine: ``RAY_RUNTIME_ENV_HOOK=torchsel.ray.hook``.

Where the driver itself runs below ``uv run``, which ``torchsel run`` becomes, Ray asks this hook only with
``RAY_ENABLE_UV_RUN_RUNTIME_ENV=0``. Source: ``ray/_private/worker.py``, ``_maybe_modify_runtime_env``.
"""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping
from typing import Any

_DECIDED = frozenset({"py_executable", "pip", "uv", "conda", "container", "image_uri"})
"""Keys of Ray's runtime environment by which a worker's Python is chosen already."""


def hook(runtime_env: Mapping[str, Any] | None) -> dict[str, Any]:
    """A runtime environment whose workers start by ``torchsel run --locked``; the one given is not changed.

    As in Ray's own hook for uv, the worker's Python is the driver's release unless ``UV_PYTHON`` says
    another, and the working directory is this one where none is given. A runtime environment with a Python
    of its own stays as it is.
    """
    found = dict(runtime_env or {})
    if _DECIDED & found.keys():
        return found
    variables = found.get("env_vars") or {}
    python = variables.get("UV_PYTHON") or os.environ.get("UV_PYTHON") or platform.python_version()
    found["py_executable"] = f"torchsel run --locked --python {shlex.quote(python)} python"
    found.setdefault("working_dir", os.getcwd())  # noqa: PTH109 - a string, as Ray wants it
    return found
