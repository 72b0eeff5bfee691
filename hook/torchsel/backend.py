"""A torch backend as a value: everything about ``cu130`` follows from its tag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, get_args

from torchsel.errors import ConfigError

Family = Literal["cpu", "cuda", "rocm", "xpu"]
Channel = Literal["stable", "test", "nightly"]

DEFAULT_INDEX_URL = "https://download.pytorch.org/whl"

FAMILIES: tuple[Family, ...] = get_args(Family)

_WITHOUT_RELEASE: Mapping[str, Family] = MappingProxyType({"cpu": "cpu", "xpu": "xpu"})
"""Tags that are all there is of their family."""

TAG_PATTERN = rf"{'|'.join(_WITHOUT_RELEASE)}|cu[0-9]{{2,3}}|rocm[0-9]+\.[0-9]+(\.[0-9]+)?"
"""What a tag looks like."""

VAGUE_TAGS = frozenset({"amd", "cu", "cuda", "gpu", "hip", "intel", "metal", "mps", "nvidia", "rocm"})
"""Words that name no one backend."""

EXAMPLES = "'cpu', 'cu130', 'rocm7.2' or 'xpu'"


def is_tag(text: str) -> bool:
    """Whether a text looks like the tag of a backend."""
    return re.fullmatch(TAG_PATTERN, text, re.ASCII) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """One torch backend.

    ``tag`` is PyTorch's own name (``cpu``, ``cu130``, ``rocm7.2``, ``xpu``), which is also the last part
    of its index URL and the local version of its wheels. ``release`` is the CUDA or ROCm release, ``(13, 0)``
    for ``cu130`` and ``(6, 2, 4)`` for ``rocm6.2.4``; empty where there is none.
    """

    tag: str
    family: Family
    release: tuple[int, ...] = ()

    @classmethod
    @cache
    def parse(cls, tag: str) -> Backend:
        """Read a tag such as ``cu130``; what a selection asks for every build of the catalog.

        Raises:
            ConfigError: it is none.
        """
        if tag in VAGUE_TAGS:
            msg = f"{tag!r} names no one backend; say which, such as {EXAMPLES}"
            raise ConfigError(msg)
        if not is_tag(tag):
            msg = f"{tag!r} is not a torch backend; expected one such as {EXAMPLES}"
            raise ConfigError(msg)
        if family := _WITHOUT_RELEASE.get(tag):
            return cls(tag=tag, family=family)
        if tag.startswith("cu"):
            return cls(tag=tag, family="cuda", release=(int(tag[2:-1]), int(tag[-1])))
        return cls(tag=tag, family="rocm", release=tuple(map(int, tag.removeprefix("rocm").split("."))))

    @property
    def index_name(self) -> str:
        """Name of the uv index that torchsel generates, ``pytorch-cu130``."""
        return f"pytorch-{self.tag}"

    @property
    def slug(self) -> str:
        """The tag as part of a group or extra name: dots become dashes, ``rocm7-2``."""
        return self.tag.replace(".", "-")

    def index_url(self, base: str = DEFAULT_INDEX_URL, channel: Channel = "stable") -> str:
        """URL of this backend's index below ``base`` (layout: pytorch/test-infra ``s3_management``)."""
        middle = "" if channel == "stable" else f"{channel}/"
        return f"{base.rstrip('/')}/{middle}{self.tag}"


CPU = Backend(tag="cpu", family="cpu")


def known_backend(tag: str) -> Backend | None:
    """The backend of a well-formed tag, None for any other text."""
    try:
        return Backend.parse(tag)
    except ConfigError:
        return None


def backend_of_url(url: str) -> Backend | None:
    """The backend that an index is for: the last part of its URL's path, as PyTorch and its mirrors have it.

    ``simple`` at the end is passed over, and ``pytorch-cu128`` is ``cu128``; None where it says nothing.
    """
    path = url.partition("://")[2].partition("?")[0].partition("#")[0]
    parts = [part for part in path.split("/")[1:] if part]
    last = next((part for part in reversed(parts) if part != "simple"), "")
    return known_backend(last) or known_backend(last.rpartition("-")[2])


def host_of(url: str) -> str:
    """Host of a URL, with its port but no credentials; empty for what has none or is no URL."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - start-up time

    try:
        parts = urlsplit(url.replace("\\", "/"))  # as uv and browsers read it
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{host}:{port}" if port else host
