"""``[tool.torchsel]``: the keys, their defaults and their validation."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from torchsel.backend import DEFAULT_INDEX_URL, Backend, Channel
from torchsel.errors import ConfigError
from torchsel.host import Vendor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Strategy = Literal["pin", "groups", "extras"]
CudaCompat = Literal["minor", "strict"]
Gpus = Literal["all", "best"]
Fallback = Literal["cpu", "error"]

TABLE = "tool.torchsel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """A valid ``[tool.torchsel]``; field names are the keys with dashes as underscores.

    ``backends`` are the allowed tags, None for all the catalog has; ``names`` maps a group or extra name
    to its backend where the table form was used. ``max_cuda`` is a CUDA release, ``(12, 9)`` or ``(12,)``.
    ``backend`` is None where the table does not say, so that ``tool.uv.torch-backend`` is asked next.
    """

    backend: str | None = None
    strategy: Strategy = "pin"
    backends: tuple[str, ...] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    packages: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    index_url: str = DEFAULT_INDEX_URL
    channel: Channel = "stable"
    cuda_compat: CudaCompat = "minor"
    gpus: Gpus = "all"
    vendors: tuple[Vendor, ...] = ("nvidia", "amd", "intel")
    fallback: Fallback = "cpu"
    max_cuda: tuple[int, ...] | None = None
    default_backend: str = "pypi"
    same_torch: bool = False


def parse_config(table: object, *, where: str) -> Config:
    """Read ``[tool.torchsel]``; ``where`` names the file in errors.

    Raises:
        ConfigError: with every unknown key, wrong type and impossible value, each by its dotted key.
    """
    if not isinstance(table, dict):
        msg = f"{where}: {TABLE}: expected a table, found {_kind(table)}"
        raise ConfigError(msg)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in table.items():
        problem = _read_key(key, value, values)
        if problem:
            problems.append(f"{where}: {TABLE}.{key}: {problem}")
    problems += (f"{where}: {TABLE}.{problem}" for problem in _contradictions(values))
    if problems:
        raise ConfigError(*problems)
    return Config(**values)


def _read_key(key: str, value: object, values: dict[str, Any]) -> str | None:
    """Put the parsed value into ``values``, or return what is wrong with it."""
    reader = KEYS.get(key)
    if reader is None:
        return f"unknown key{_nearest(key, KEYS)}"
    try:
        parsed = reader(value)
    except (ValueError, ConfigError) as error:
        return str(error)
    if key == "backends" and isinstance(parsed, dict):
        values["names"] = MappingProxyType(parsed)
        parsed = tuple(dict.fromkeys(parsed.values()))
    values[key.replace("-", "_")] = parsed
    return None


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    """Combinations that can't be meant."""
    strategy = values.get("strategy", "pin")
    backends = values.get("backends")
    default = values.get("default_backend", "pypi")
    if default != "pypi" and strategy != "groups":
        yield f"default-backend: {default!r} needs strategy 'groups'"
    if backends is not None and default not in ("pypi", "none", *backends):
        yield f"default-backend: {default!r} is not among {TABLE}.backends ({', '.join(backends)})"
    if values.get("same_torch") and strategy == "pin":
        yield "same-torch: needs strategy 'groups' or 'extras'; with 'pin' there is one backend only"
    if values.get("names") and strategy == "pin":
        yield "backends: a table of names is for strategies 'groups' and 'extras'; with 'pin' give a list"
    request = values.get("backend") or "auto"
    if backends is not None and request not in ("auto", *backends):
        yield f"backend: {request!r} is not among {TABLE}.backends ({', '.join(backends)})"


def _choice(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if text not in choices:
            legal = ", ".join(map(repr, choices))
            raise ValueError(f"{text!r} is not one of {legal}{_nearest(text, choices)}")
        return text

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, found {_kind(value)}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list of strings, found {_kind(value)}")
    for at, item in enumerate(value):
        if not isinstance(item, str):
            raise ValueError(f"item {at + 1}: expected a string, found {_kind(item)}")
    return tuple(dict.fromkeys(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {_kind(value)}")
    return value


def _tag(value: object) -> str:
    if value in ("auto", "none", "pypi"):
        raise ValueError(f"{value!r} is not a backend; expected one such as 'cpu', 'cu130' or 'rocm7.2'")
    return Backend.parse(_text(value)).tag


def _request(value: object) -> str:
    return "auto" if value == "auto" else _tag(value)


def _default_backend(value: object) -> str:
    return str(value) if value in ("pypi", "none") else _tag(value)


def _backends(value: object) -> tuple[str, ...] | dict[str, str]:
    if isinstance(value, dict):
        if not value:
            raise ValueError("an empty table allows no backend; leave the key out to allow all")
        return {_name(name): _tag(tag) for name, tag in value.items()}
    tags = tuple(_tag(tag) for tag in _texts(value))
    if not tags:
        raise ValueError("an empty list allows no backend; leave the key out to allow all")
    return tags


def _name(name: str) -> str:
    """A dependency group or extra name (PEP 735, PEP 621), as written."""
    from packaging.utils import is_normalized_name  # noqa: PLC0415 - start-up time

    if not is_normalized_name(name.lower().replace("_", "-").replace(".", "-")):
        raise ValueError(f"{name!r} can't be the name of a group or extra")
    return name


def _packages(value: object) -> tuple[str, ...]:
    from packaging.utils import InvalidName, canonicalize_name  # noqa: PLC0415 - start-up time

    found: dict[str, None] = {}
    for name in _texts(value):
        try:
            found[canonicalize_name(name, validate=True)] = None
        except InvalidName:
            raise ValueError(f"{name!r} is not a package name") from None
    return tuple(found)


def _vendors(value: object) -> tuple[str, ...]:
    vendors = _texts(value)
    for vendor in vendors:
        _choice(*get_args(Vendor))(vendor)
    if not vendors:
        raise ValueError("an empty list allows no vendor; use backend = 'cpu' for a CPU build")
    return vendors


def _index_url(value: object) -> str:
    return check_index_url(_text(value))


def check_index_url(url: str) -> str:
    """Return ``url`` without a trailing slash.

    Raises:
        ValueError: it is not an http(s) URL with a host, plain http beyond this machine, or it holds
            credentials, which do not belong in a committed file. The message never repeats the URL then.
    """
    from urllib.parse import urlsplit  # noqa: PLC0415 - start-up time

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("not a URL; expected one such as 'https://mirror.example/whl'") from None
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "credentials don't belong here; give them to uv as UV_INDEX_<NAME>_USERNAME and _PASSWORD"
            " or with 'uv auth login'"
        )
    if parts.scheme not in ("https", "http") or not host or any(c.isspace() or ord(c) < 32 for c in url):
        raise ValueError("expected an https URL such as 'https://mirror.example/whl'")
    if parts.query or parts.fragment:
        raise ValueError("a base URL has no '?' or '#'")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("plain http is only for this machine (loopback); use https")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415 - start-up time

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _max_cuda(value: object) -> tuple[int, ...]:
    parts = _text(value).split(".")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{value!r} is not a CUDA release such as '12.9' or '12'")
    return tuple(map(int, parts))


def _kind(value: object) -> str:
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _nearest(word: str, legal: Mapping[str, object] | tuple[str, ...]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for an error

    match = get_close_matches(word.lower(), list(legal), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""


KEYS: Mapping[str, Callable[[object], Any]] = MappingProxyType(
    {
        "backend": _request,
        "strategy": _choice(*get_args(Strategy)),
        "backends": _backends,
        "packages": _packages,
        "exclude": _packages,
        "index-url": _index_url,
        "channel": _choice(*get_args(Channel)),
        "cuda-compat": _choice(*get_args(CudaCompat)),
        "gpus": _choice(*get_args(Gpus)),
        "vendors": _vendors,
        "fallback": _choice(*get_args(Fallback)),
        "max-cuda": _max_cuda,
        "default-backend": _default_backend,
        "same-torch": _flag,
    }
)
"""Every legal key with its reader, which returns the parsed value or raises ValueError with what is wrong."""
