"""Which GPUs a wheel has kernels for, read with a few range requests and without downloading the wheel.

torch keeps the list it was built for, as ``torch.cuda.get_arch_list()`` returns it, as one text in
``libtorch_python`` (``THPCModule_getArchFlags``); that member, some 10 MB, is fetched and searched. What the
list does not say: whether the libraries beside torch have kernels too. For rocBLAS the names of its files in
the wheel do, so a gfx target without any is told; for cuBLAS and cuDNN, which are other wheels, nothing does.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from scripts.catalog.fetch import Fetcher, FetchError

TAIL = 1 << 16
"""Bytes in which the end record of a zip file without a long comment lies."""
DIRECTORY_LIMIT = 32 << 20
MEMBER_LIMIT = 512 << 20
"""Largest directory and largest unpacked member that are read, in bytes."""

LIBRARIES = ("torch/lib/libtorch_python.so", "torch/lib/torch_python.dll")

_WORD = rb"(?:sm_\d+[af]?|compute_\d+[af]?|gfx[0-9a-f]{3,4}(?::[a-z]+[+-])*)"
_LIST = re.compile(rb"\x00(" + _WORD + rb"(?:[ ;]" + _WORD + rb")*)\x00")
_ROCBLAS = re.compile(r"/rocblas/library/.*[_-](gfx[0-9a-f]+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Archs:
    """``kernels`` and ``ptx`` as in the catalog; ``unbacked`` are gfx targets without a rocBLAS file."""

    kernels: tuple[str, ...]
    ptx: tuple[str, ...] = ()
    unbacked: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A file in a zip archive: its name, how and how large it is packed, and where its header is."""

    name: str
    method: int
    packed: int
    size: int
    offset: int


def read_archs(fetcher: Fetcher, url: str) -> Archs:
    """The arch list of the torch wheel at ``url``.

    Raises:
        FetchError: the server knows no ranges, the file is no such wheel, or it has no list.
    """
    members = directory(fetcher, url)
    library = next((member for member in members if member.name in LIBRARIES), None)
    if library is None:
        raise FetchError(f"{url}: no {' or '.join(LIBRARIES)} inside")
    words = arch_list(_unpacked(fetcher, url, library))
    if not words:
        raise FetchError(f"{url}: {library.name} names no architectures; a CPU build?")
    with_rocblas = {match[1] for member in members if (match := _ROCBLAS.search(member.name))}
    kernels = tuple(filter(None, map(_kernel, words)))
    return Archs(
        kernels=kernels,
        ptx=tuple(_capability(word) for word in words if re.fullmatch(r"compute_\d+", word)),
        unbacked=tuple(item for item in kernels if with_rocblas and item not in with_rocblas),
    )


def arch_list(content: bytes) -> list[str]:
    """The words of the longest text that is nothing but architectures, empty where there is none."""
    found = [match[1] for match in _LIST.finditer(content.replace(b"\x00", b"\x00\x00"))]
    return re.split(r"[ ;]", max(found, key=len).decode()) if found else []


def directory(fetcher: Fetcher, url: str) -> list[Member]:
    """The central directory of the zip archive at ``url``.

    Raises:
        FetchError: the server knows no ranges, or the file is no zip archive.
    """
    tail, size = fetcher.tail(url, TAIL)
    try:
        start, length = _directory_place(fetcher, url, tail)
        if length > DIRECTORY_LIMIT or start + length > size:
            raise FetchError(f"{url}: not a wheel: its directory can't be where it says")
        content = fetcher.part(url, start, length)
        return list(_members(content))
    except (struct.error, ValueError):
        raise FetchError(f"{url}: not a wheel: damaged, or no zip archive") from None


def _directory_place(fetcher: Fetcher, url: str, tail: bytes) -> tuple[int, int]:
    """Offset and length of the central directory (APPNOTE 4.3.16, with zip64 4.3.14 and 4.3.15)."""
    end = tail.rindex(b"PK\x05\x06")
    length, start = struct.unpack_from("<LL", tail, end + 12)
    locator = end - 20
    if 0xFFFFFFFF in (length, start) and tail[locator : locator + 4] == b"PK\x06\x07":
        (record,) = struct.unpack_from("<Q", tail, locator + 8)
        length, start = struct.unpack_from("<QQ", fetcher.part(url, record, 56), 40)
    return start, length


def _members(content: bytes) -> Iterator[Member]:
    at = 0
    while content[at : at + 4] == b"PK\x01\x02":
        (method,) = struct.unpack_from("<H", content, at + 10)
        packed, size, name, extra, comment = struct.unpack_from("<LLHHH", content, at + 20)
        (offset,) = struct.unpack_from("<L", content, at + 42)
        rest = at + 46 + name
        wide = _zip64(content[rest : rest + extra], (size, packed, offset))
        text = content[at + 46 : rest].decode("utf-8", "replace")
        yield Member(name=text, method=method, size=wide[0], packed=wide[1], offset=wide[2])
        at = rest + extra + comment


def _zip64(extra: bytes, values: tuple[int, int, int]) -> list[int]:
    """Values that did not fit into 32 bits, from the extra field (APPNOTE 4.5.3)."""
    at, wide = 0, b""
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + length]
        at += 4 + length
    found = iter(struct.unpack(f"<{len(wide) // 8}Q", wide[: len(wide) // 8 * 8]))
    return [next(found, value) if value == 0xFFFFFFFF else value for value in values]


def _unpacked(fetcher: Fetcher, url: str, member: Member) -> bytes:
    if member.size > MEMBER_LIMIT or member.packed > MEMBER_LIMIT or member.method not in (0, 8):
        raise FetchError(f"{url}: {member.name} is too large or packed in an unknown way")
    try:
        header = fetcher.part(url, member.offset, 30)
        name, extra = struct.unpack_from("<HH", header, 26)
        packed = fetcher.part(url, member.offset + 30 + name + extra, member.packed)
        if member.method == 0:
            return packed
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, member.size)
    except (struct.error, zlib.error):
        raise FetchError(f"{url}: {member.name} is damaged") from None


def _kernel(word: str) -> str:
    """A word of the list as in the catalog; empty for PTX and for code of one exact device (``sm_90a``)."""
    if word.startswith("gfx"):
        return word.partition(":")[0]
    return _capability(word) if re.fullmatch(r"sm_\d+", word) else ""


def _capability(word: str) -> str:
    """``9.0`` for ``sm_90`` or ``compute_90``."""
    digits = word.rpartition("_")[2]
    return f"{digits[:-1]}.{digits[-1]}"
