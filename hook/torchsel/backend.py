"""A torch backend as a value: everything about ``cu130`` follows from its tag."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from torchsel.errors import ConfigError
from torchsel.vendors import VENDORS, Family, Vendor

Channel = Literal["stable", "test", "nightly"]

DEFAULT_INDEX_URL = "https://download.pytorch.org/whl"


_VENDOR_OF: Mapping[Family, Vendor] = {maker.family: vendor for vendor, maker in VENDORS.items()}
_FAMILY_OF: Mapping[str, Family] = {row.prefix: row.family for row in VENDORS.values()}
_WITH_RELEASE = tuple(maker for maker in VENDORS.values() if maker.release)

WHOLE_TAGS = ("cpu", *(maker.prefix for maker in VENDORS.values() if not maker.release))
"""Tags that are all there is of their family."""

TAG_PATTERN = "|".join((*WHOLE_TAGS, *(f"{maker.prefix}{maker.release}" for maker in _WITH_RELEASE)))
"""What a tag looks like."""

VAGUE_TAGS = frozenset(
    {"gpu", "hip", "metal", "mps", *VENDORS}.union(*((row.prefix, row.family) for row in _WITH_RELEASE))
)
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
        prefix = tag.rstrip("0123456789.")
        digits = tag.removeprefix(prefix)
        # CUDA's releases are written without a dot: 130 is 13.0
        parts = digits.split(".") if "." in digits else (digits[:-1], digits[-1:])
        return cls(
            tag=tag, family=_FAMILY_OF.get(prefix, "cpu"), release=tuple(int(part) for part in parts if part)
        )

    @property
    def vendor(self) -> Vendor | None:
        """Whose accelerators it is for, None for the CPU's."""
        return _VENDOR_OF.get(self.family)

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


def check_tag(text: str, known: Collection[str], *, anything: bool = False) -> Backend:
    """The backend of a tag that ``known`` has, or that is newer than all of its family there.

    ``anything`` takes every tag that looks like one, as on an index of which nothing is known.

    Raises:
        ConfigError: it is no tag, or one that never was; with the nearest real one.
    """
    try:
        backend = Backend.parse(text)
    except ConfigError:
        meant = _meant(text, known)
        if not meant or text in VAGUE_TAGS:
            raise
        msg = f"{text!r} is not a torch backend; did you mean {meant!r}?"
        raise ConfigError(msg) from None
    if anything or text in known or not backend.release:
        return backend
    # one that is newer than all of its family may be newer than the catalog
    kin = [item for item in map(Backend.parse, known) if item.family == backend.family]
    if all(item.release < backend.release for item in kin):
        return backend
    nearest = min(kin, key=lambda item: (abs(_number(item) - _number(backend)), item.release))
    msg = f"PyTorch has no {text} builds of torch 2.0 or newer; did you mean {nearest.tag!r}?"
    raise ConfigError(msg)


def expected(word: str, error: ConfigError) -> str:
    """What is wrong with a tag where ``word`` may stand as well."""
    text = str(error)
    return f"{text}, or {word!r}" if text.endswith(EXAMPLES) else text


def _meant(text: str, known: Collection[str]) -> str:
    """The known tag that a misspelt one is nearest to; empty where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - start-up time

    # "CUDA 12.8", "cuda-128" and "cu12.8" mean cu128
    plain = text.lower().replace("cuda", "cu").replace("-", "").replace("_", "").replace(" ", "")
    if plain.startswith("cu"):
        plain = plain.replace(".", "")
    return next(iter(get_close_matches(plain, sorted({*known, *WHOLE_TAGS}), n=1, cutoff=0.7)), "")


def _number(backend: Backend) -> int:
    # no part of a release is above 99
    major, minor, micro = (*backend.release, 0, 0)[:3]
    return (major * 100 + minor) * 100 + micro


def backend_of_url(url: str) -> Backend | None:
    """The backend that an index is for: the last part of its URL's path, as PyTorch and its mirrors have it.

    ``simple`` at the end is passed over, and ``pytorch-cu128`` is ``cu128``; None where it says nothing.
    """
    # a mirror has .../whl/cu128/simple/, or one index a backend: .../pytorch-cu128
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
