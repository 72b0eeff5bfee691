"""JSON Schema (draft 7) of ``[tool.torchsel]``, made from the one list of keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args

from torchsel.backend import TAG_PATTERN
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import Build
from torchsel.config import values
from torchsel.config.builds import read_catalog
from torchsel.config.companions import ALSO_KEY_PATTERN, read_also, read_companions
from torchsel.config.keys import KEYS, TABLE, Key
from torchsel.project.environment import PLACEHOLDERS
from torchsel.vendors import Vendor

ID = "https://json.schemastore.org/partial-torchsel.json"
"""The id that SchemaStore's rules give a tool's part of pyproject.toml."""


def schema() -> dict[str, Any]:
    """The schema of the whole table.

    It is as strict as JSON Schema can say: combinations of keys are left to ``torchsel check``.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": ID,
        "title": TABLE,
        "description": "The right PyTorch build for each machine, in uv projects. An empty table is enough.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _key_schema(key) for name, key in KEYS.items()},
    }


def to_text() -> str:
    """The schema as torchsel prints and ships it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def validate_pyproject_schema(_tool: str) -> dict[str, Any]:
    """The schema of ``[tool.torchsel]``, as a ``tool_schema`` entry point of validate-pyproject."""
    return schema()


def _key_schema(key: Key) -> dict[str, Any]:
    default = list(key.default) if isinstance(key.default, tuple) else key.default
    return {
        "description": key.doc,
        **({} if default is None else {"default": default}),
        **({"type": "string", "enum": list(key.choices)} if key.choices else _SHAPES[key.read]()),
    }


def _tag(*words: str) -> dict[str, Any]:
    """A backend's tag, or one of ``words``."""
    examples = [*words, "cpu", "cu126", "cu130", "rocm7.2", "xpu"]
    pattern = "|".join((*words, TAG_PATTERN))
    return {"type": "string", "pattern": f"^({pattern})$", "examples": examples}


def _backends() -> dict[str, Any]:
    names = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[A-Za-z0-9]([._-]?[A-Za-z0-9])*$"},
        "additionalProperties": _tag(),
    }
    return {"oneOf": [{"type": "array", "minItems": 1, "items": _tag()}, names]}


def _packages() -> dict[str, Any]:
    name = {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"}
    return {"type": "array", "items": name}


def _also() -> dict[str, Any]:
    return {
        "type": "object",
        "propertyNames": {"pattern": f"^({ALSO_KEY_PATTERN}|{TAG_PATTERN})$"},
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }


def _companions() -> dict[str, Any]:
    return {**_packages(), "examples": [sorted(load_catalog().companion_packages)]}


def _vendors() -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": {"type": "string", "enum": list(get_args(Vendor))}}


def _index_url() -> dict[str, Any]:
    local = r"http://(localhost|127\.[0-9.]+|\[::1\])[:/]"
    return {
        "type": "string",
        "pattern": rf"^(https://[^/?#@\s]|{local})[^@?#\s]*$",
        "examples": ["https://mirror.example/whl"],
    }


def _max_cuda() -> dict[str, Any]:
    return {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$", "examples": ["12", "12.9"]}


def _environment() -> dict[str, Any]:
    names = "|".join(PLACEHOLDERS)
    part = rf"(?!\.\.([/\\]|$))(?!~)([^/\\{{}}\x00-\x1f:]|\{{({names})\}})+"
    return {
        "type": "string",
        "pattern": rf"^(?!\s)(?!\.$){part}([/\\]{part})*(?<!\s)$",
        "examples": [".venv-{backend}", ".venvs/{system}-{machine}-{backend}"],
    }


def _catalog() -> dict[str, Any]:
    kernels = _words(r"([0-9]+\.[0-9]+|gfx[0-9a-f]+)")
    known = {
        "torch": {"type": "string", "pattern": r"^[0-9]+\.[0-9]+\.[0-9]+$"},
        "backend": _tag(),
        "platform": {"type": "string", "pattern": "^(linux|macos|win)_[a-z0-9_]+$"},
        "python": _words(r"3\.[0-9]+t?"),
        "kernels": kernels,
        "ptx": kernels,
    }
    row = {
        "type": "object",
        "additionalProperties": False,
        "required": ["torch", "backend", "platform"],
        "properties": {field.name: known.get(field.name, {"type": "string"}) for field in fields(Build)},
    }
    rows = {"type": "array", "items": row}
    table = {"type": "object", "additionalProperties": False, "properties": {"builds": rows}}
    return {"oneOf": [table, rows]}


def _words(pattern: str) -> dict[str, Any]:
    """A list of words, or a string of them with spaces between."""
    listed = {"type": "array", "items": {"type": "string", "pattern": f"^{pattern}$"}}
    return {"oneOf": [listed, {"type": "string", "pattern": rf"^\s*({pattern}(\s+{pattern})*)?\s*$"}]}


_SHAPES: Mapping[Callable[[object], Any], Callable[[], dict[str, Any]]] = {
    values.read_request: lambda: _tag("auto"),
    values.read_default_backend: lambda: _tag("pypi", "none"),
    values.read_backends: _backends,
    values.read_packages: _packages,
    read_also: _also,
    read_companions: _companions,
    values.read_vendors: _vendors,
    values.read_index_url: _index_url,
    values.read_max_cuda: _max_cuda,
    values.read_environment: _environment,
    read_catalog: _catalog,
    values.read_flag: lambda: {"type": "boolean"},
}
"""What each reader takes."""
