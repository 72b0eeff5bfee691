"""Readers of ``also`` and ``companions``: packages beside torch that its accelerator decides on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from torchsel.backend import is_tag
from torchsel.catalog.catalog import load_catalog
from torchsel.config import values

ALSO_KEY_PATTERN = r"cuda[0-9]{0,2}|rocm[0-9]{0,2}"
"""What a key of ``also`` looks like beside a backend's tag: a family, or a family with its major."""


def read_also(value: object) -> dict[str, tuple[str, ...]]:
    """Requirements (PEP 508) by backend, family, or family with its major.

    Raises:
        InsideError: with every fault, each after its key.
    """
    if not isinstance(value, dict):
        msg = f"expected a table such as {{ cuda13 = ['cupy-cuda13x'] }}, found {values.kind(value)}"
        raise ValueError(msg)
    faults = [f"{_place(key)}: {fault}" for key, items in value.items() for fault in _faults(key, items)]
    if faults:
        raise values.InsideError(*faults)
    return {key: tuple(dict.fromkeys(items)) for key, items in value.items()}


def read_companions(value: object) -> tuple[str, ...]:
    """Names of packages for which the catalog names an index."""
    packages, catalog = values.read_packages(value), load_catalog()
    for name in packages:
        if name in catalog.companion_packages:
            continue
        if name in catalog.routable_packages:
            raise ValueError(f"{name} is on PyTorch's own index and routed without being named here")
        near = values.nearest(name, tuple(sorted(catalog.companion_packages)))
        raise ValueError(f"torchsel knows no index for {name}; give it one in tool.uv.sources{near}")
    return packages


def _place(key: str) -> str:
    return f".{key}" if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'."{key}"'


def _faults(key: str, items: object) -> Iterator[str]:
    if not re.fullmatch(ALSO_KEY_PATTERN, key, re.ASCII) and not is_tag(key):
        yield f"{key!r} is no family ('cuda', 'rocm'), no family with its major ('cuda13') and no backend"
    elif isinstance(items, dict):
        yield f'expected a list of requirements, found a table; a key with a dot needs quotes: "{key}.0"'
    elif not isinstance(items, list):
        yield f"expected a list of requirements, found {values.kind(items)}"
    else:
        for at, item in enumerate(items):
            yield from (f"item {at + 1}: {fault}" for fault in _requirement_faults(item))


def _requirement_faults(item: object) -> Iterator[str]:
    if not isinstance(item, str):
        yield f"expected a string, found {values.kind(item)}"
        return
    try:
        name = canonicalize_name(Requirement(item).name)
    except (InvalidRequirement, RecursionError):
        said = "what stands there" if "://" in item else repr(item)  # an address may hold credentials
        yield f"{said} is not a requirement such as 'cupy-cuda13x>=13' (PEP 508)"
        return
    if name in load_catalog().family_packages:
        yield f"{name} is routed to PyTorch's index; require it in project.dependencies"
