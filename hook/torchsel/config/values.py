"""Readers of single values in ``[tool.torchsel]``: each returns the parsed value or says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from torchsel.project.environment import check_pattern
from torchsel.vendors import Vendor


class InsideError(ValueError):
    """Faults inside a value; each begins with its place below the key, ``.builds[0].torch: …``."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def choice_of(*choices: str) -> Callable[[object], str]:
    """A reader of one of ``choices``."""

    def read(value: object) -> str:
        text = _text(value)
        if text not in choices:
            legal = ", ".join(map(repr, choices))
            raise ValueError(f"{text!r} is not one of {legal}{nearest(text, choices)}")
        return text

    return read


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a string, found {kind(value)}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list of strings, found {kind(value)}")
    for at, item in enumerate(value):
        if not isinstance(item, str):
            raise ValueError(f"item {at + 1}: expected a string, found {kind(item)}")
    return tuple(dict.fromkeys(value))


def read_flag(value: object) -> bool:
    """A boolean."""
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {kind(value)}")
    return value


def _tag(value: object) -> str:
    if value in ("auto", "none", "pypi"):
        raise ValueError(f"{value!r} is not a backend; expected one such as 'cpu', 'cu130' or 'rocm7.2'")
    return _text(value)


def read_request(value: object) -> str:
    """``auto`` or a backend's tag."""
    return "auto" if value == "auto" else _tag(value)


def read_default_backend(value: object) -> str:
    """``pypi``, ``none`` or a backend's tag."""
    return str(value) if value in ("pypi", "none") else _tag(value)


def read_backends(value: object) -> tuple[str, ...] | dict[str, str]:
    """A list of tags, or a table of group (or extra) names to tags."""
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


def read_packages(value: object) -> tuple[str, ...]:
    """Package names in their one spelling (PEP 503)."""
    from packaging.utils import InvalidName, canonicalize_name  # noqa: PLC0415 - start-up time

    found: dict[str, None] = {}
    for name in _texts(value):
        try:
            found[canonicalize_name(name, validate=True)] = None
        except InvalidName:
            raise ValueError(f"{name!r} is not a package name") from None
    return tuple(found)


def read_vendors(value: object) -> tuple[str, ...]:
    """GPU vendors in order of preference."""
    vendors = _texts(value)
    for vendor in vendors:
        choice_of(*get_args(Vendor))(vendor)
    if not vendors:
        raise ValueError("an empty list allows no vendor; use backend = 'cpu' for a CPU build")
    return vendors


def read_index_url(value: object) -> str:
    """A URL that `check_index_url` accepts."""
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


def read_environment(value: object) -> str:
    """A folder inside the project, with placeholders."""
    return check_pattern(_text(value))


def read_max_cuda(value: object) -> tuple[int, ...]:
    """A CUDA release, ``(12, 9)`` or ``(12,)``."""
    parts = _text(value).split(".")
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"{value!r} is not a CUDA release such as '12.9' or '12'")
    return tuple(map(int, parts))


def kind(value: object) -> str:
    """What a value is, in words."""
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def nearest(word: str, legal: Mapping[str, object] | tuple[str, ...]) -> str:
    """The legal word that was probably meant, as the end of a sentence; empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for an error

    match = get_close_matches(word.lower(), list(legal), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
