"""Whether a backend that somebody typed exists, and which one was probably meant."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from torchsel.backend import EXAMPLES, VAGUE_TAGS, WHOLE_TAGS, Backend
from torchsel.errors import ConfigError


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
    kin = [item for item in map(Backend.parse, known) if item.family == backend.family]
    if all(item.release < backend.release for item in kin):
        return backend
    nearest = min(kin, key=lambda item: (_distance(item, backend), item.release))
    msg = f"PyTorch has no {text} builds of torch 2.0 or newer; did you mean {nearest.tag!r}?"
    raise ConfigError(msg)


def expected(word: str, error: ConfigError) -> str:
    """What is wrong with a tag where ``word`` may stand as well."""
    text = str(error)
    return f"{text}, or {word!r}" if text.endswith(EXAMPLES) else text


def _meant(text: str, known: Collection[str]) -> str:
    """The known tag that a misspelt one is nearest to; empty where none is near."""
    plain = text.lower().replace("cuda", "cu").replace("-", "").replace("_", "").replace(" ", "")
    if plain.startswith("cu"):
        plain = plain.replace(".", "")
    return next(iter(get_close_matches(plain, sorted({*known, *WHOLE_TAGS}), n=1, cutoff=0.7)), "")


def _distance(one: Backend, other: Backend) -> int:
    return abs(_number(one) - _number(other))


def _number(backend: Backend) -> int:
    """A release as one number, its parts below 100 each."""
    major, minor, micro = (*backend.release, 0, 0)[:3]
    return (major * 100 + minor) * 100 + micro
