"""``[tool.torchsel]``: the keys, their defaults and their validation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from torchsel.backend import DEFAULT_INDEX_URL, Channel
from torchsel.config import values
from torchsel.config.builds import read_catalog
from torchsel.config.companions import read_also, read_companions
from torchsel.config.config import Config, CudaCompat, Fallback, Gpus, Strategy
from torchsel.config.tags import checker, wrong_tags
from torchsel.errors import ConfigError
from torchsel.vendors import Vendor

TABLE = "tool.torchsel"


def parse_config(
    table: object,
    *,
    where: str,
    line_of: Callable[[tuple[str, ...]], int] | None = None,
    any_tag: bool = False,
) -> Config:
    """Read ``[tool.torchsel]``; ``where`` names the file in errors, ``line_of`` tells a key's line there.

    A key is given with the one below it where that is known. ``any_tag`` takes backends that PyTorch never
    had, as another index may have them.

    Raises:
        ConfigError: with every unknown key, wrong type and impossible value, each by its dotted key.
    """
    if not isinstance(table, dict):
        msg = f"{where}: {TABLE}: expected a table, found {values.kind(table)}"
        raise ConfigError(msg)
    found: dict[str, Any] = {}
    problems: list[str] = []
    check = checker(table, any_tag=any_tag)
    for key, value in table.items():
        problems += (f"{key}{problem}" for problem in _read_key(key, value, found, check))
    problems += _contradictions(found)
    if problems:
        places = [f"line {line_of(_path_of(problem))}: " if line_of else "" for problem in problems]
        pairs = zip(places, problems, strict=True)
        raise ConfigError(*(f"{where}: {place}{TABLE}.{problem}" for place, problem in pairs))
    return Config(**found)


def _read_key(
    name: str, value: object, found: dict[str, Any], check: Callable[[str], object]
) -> tuple[str, ...]:
    """Put the parsed value into ``found``, or say what is wrong, each after its place."""
    key = KEYS.get(name)
    if key is None:
        return (f": unknown key{values.nearest(name, KEYS)}",)
    try:
        parsed = key.read(value)
    except values.InsideError as error:
        return error.faults
    except (ValueError, ConfigError) as error:
        return (f": {error}",)
    if wrong := tuple(wrong_tags(name, parsed, check)):
        return wrong
    if name == "backends" and isinstance(parsed, dict):
        found["names"] = MappingProxyType(parsed)
        parsed = tuple(dict.fromkeys(parsed.values()))
    found[name.replace("-", "_")] = parsed
    return ()


def _path_of(problem: str) -> tuple[str, ...]:
    """The keys that a problem begins with: ``catalog[2].torch: …``, and below ``also``, one a line, both."""
    if below := re.match(r"also\.(?:\"([^\"]*)\"|([^.:\[]+))", problem):
        return "also", below[1] or below[2]
    return (re.split(r"[.:\[]", problem, maxsplit=1)[0],)


def _contradictions(found: Mapping[str, Any]) -> Iterator[str]:
    """Combinations that can't be meant."""
    strategy = found.get("strategy", "pin")
    backends = found.get("backends")
    default = found.get("default_backend", "pypi")
    if default != "pypi" and strategy != "groups":
        yield f"default-backend: {default!r} needs strategy 'groups'"
    if backends is not None and default not in ("pypi", "none", *backends):
        yield f"default-backend: {default!r} is not among {TABLE}.backends ({', '.join(backends)})"
    if found.get("same_torch") and strategy not in ("groups", "extras"):
        yield "same-torch: needs strategy 'groups' or 'extras'; with 'pin' there is one backend only"
    if found.get("also") and strategy not in ("groups", "extras"):
        yield (
            f"also: needs strategy 'groups' or 'extras'; with {strategy!r} require the packages in"
            " project.dependencies"
        )
    if found.get("companions") and strategy == "adopted":
        yield "companions: 'adopted' writes nothing; route them in tool.uv.sources"
    if found.get("names") and strategy not in ("groups", "extras"):
        yield "backends: a table of names is for strategies 'groups' and 'extras'; with 'pin' give a list"
    if "torch" in found.get("exclude", ()):
        yield "exclude: without torch there is nothing to route; to stop routing, run 'torchsel deinit'"
    request = found.get("backend") or "auto"
    if backends is not None and request not in ("auto", *backends):
        yield f"backend: {request!r} is not among {TABLE}.backends ({', '.join(backends)})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key: how its value is read, and what people and editors are told of it.

    ``read`` returns the parsed value or raises ValueError with what is wrong; ``choices`` are the legal words
    where it takes one of a few; ``default`` stands for a missing key, None where no one value does.
    """

    read: Callable[[object], Any]
    doc: str
    default: str | bool | tuple[str, ...] | None = None
    choices: tuple[str, ...] = ()


def _one_of(doc: str, *choices: str) -> Key:
    """A key whose first choice is its default."""
    return Key(read=values.choice_of(*choices), doc=doc, default=choices[0], choices=choices)


KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "backend": Key(
            read=values.read_request,
            doc="the backend asked for: `auto`, or one such as `cpu`, `cu130`, `rocm7.2`, `xpu`",
            default="auto",
        ),
        "strategy": _one_of(
            "`pin` routes to this machine's backend; `groups` and `extras` route to all of them, committed"
            " once, and choose by machine; `adopted` chooses among the project's own extras or groups and"
            " writes nothing",
            *get_args(Strategy),
        ),
        "backends": Key(
            read=values.read_backends,
            doc="the backends allowed (`pin`) or written (`groups`, `extras`); there also a table of names,"
            ' `{ cpu = "cpu", gpu = "cu130" }`; without it, all that fit the project\'s torch',
        ),
        "packages": Key(
            read=values.read_packages,
            doc="the packages to route; without it, torch and every PyTorch-family package that the project"
            " or its lock names",
        ),
        "exclude": Key(read=values.read_packages, doc="packages never routed", default=()),
        "index-url": Key(
            read=values.read_index_url,
            doc="base of the indexes, `{index-url}/{backend}`; a mirror goes here",
            default=DEFAULT_INDEX_URL,
        ),
        "channel": _one_of("which of PyTorch's indexes: `stable`, `test`, `nightly`", *get_args(Channel)),
        "cuda-compat": _one_of(
            "`minor`: the driver meets the minimum of the CUDA major release; `strict`: it is as new as the"
            " one that came with that CUDA release",
            *get_args(CudaCompat),
        ),
        "gpus": _one_of(
            "`all`: every GPU of the chosen family needs kernels, where any build offers that; `best`: the"
            " most capable one",
            *get_args(Gpus),
        ),
        "vendors": Key(
            read=values.read_vendors,
            doc="order of preference where a machine has several; a vendor left out is not used",
            default=get_args(Vendor),
        ),
        "fallback": _one_of(
            "without a usable accelerator: take `cpu`, or stop with an error", *get_args(Fallback)
        ),
        "max-cuda": Key(
            read=values.read_max_cuda,
            doc='newest CUDA release to take, `"12.9"` or `"12"`, for other wheels built against one CUDA',
        ),
        "default-backend": Key(
            read=values.read_default_backend,
            doc="with `groups`, what plain uv gets: `pypi` (uv's own default), a backend, or `none` (uv"
            " refuses until one is chosen)",
            default="pypi",
        ),
        "same-torch": Key(
            read=values.read_flag,
            doc="with `groups` and `extras`: lock every backend at one torch release, the newest they share",
            default=False,
        ),
        "environment": Key(
            read=values.read_environment,
            doc="where this machine's environment is, inside the project, such as `.venv-{backend}`; also"
            " `{family}`, `{machine}` and `{system}`; without it, uv's `.venv`",
        ),
        "also": Key(
            read=read_also,
            doc="with `groups` and `extras`: requirements that go with an accelerator, lists by backend"
            " (`cu130`), family (`rocm`) or family with its major (`cuda13`); for each package the most exact"
            " key counts",
        ),
        "companions": Key(
            read=read_companions,
            doc="packages built against torch and its accelerator elsewhere than on PyTorch's index, taken by"
            " backend from the index that torchsel's catalog names for them: `flash-attn` and others from"
            " Astral's",
            default=(),
        ),
        "catalog": Key(
            read=read_catalog,
            doc="builds that torchsel's catalog lacks or has wrong: tables in `catalog.builds`, with the"
            " fields of its own rows",
        ),
    }
)
"""Every legal key; the schema and the guide's reference are made from this list."""
