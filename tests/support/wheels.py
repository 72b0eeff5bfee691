"""Tiny valid wheels, made in memory: true names, tags and hashes, next to no content."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import zipfile
from dataclasses import dataclass

EPOCH = (2026, 1, 1, 0, 0, 0)
"""Time of every file in a wheel, so that the same wheel has the same hash in every run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """One wheel. ``tag`` is as in its file name, ``files`` are (path inside, text)."""

    name: str
    version: str
    tag: str = "py3-none-any"
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requires_python: str = ">=3.9"
    files: tuple[tuple[str, str], ...] = ()

    @property
    def filename(self) -> str:
        return f"{self._stem}-{self.tag}.whl"

    @property
    def _stem(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}"

    def metadata(self) -> bytes:
        """METADATA (core metadata 2.1)."""
        lines = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.requires_python}"]
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        lines += [f"Requires-Dist: {requirement}" for requirement in self.requires]
        return "\n".join([*lines, ""]).encode()

    def data(self) -> bytes:
        """The zip archive."""
        info = f"{self._stem}.dist-info"
        members = {path: text.encode() for path, text in self.files}
        members[f"{info}/METADATA"] = self.metadata()
        members[f"{info}/WHEEL"] = self._wheel_file()
        members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD")
        return _zip(members)

    def _wheel_file(self) -> bytes:
        pure = str(self.tag.endswith("-any")).lower()
        lines = ["Wheel-Version: 1.0", "Generator: torchsel tests", f"Root-Is-Purelib: {pure}"]
        parts = (part.split(".") for part in self.tag.split("-"))
        lines += [f"Tag: {'-'.join(tag)}" for tag in itertools.product(*parts)]
        return "\n".join([*lines, ""]).encode()


def _record(members: dict[str, bytes], itself: str) -> bytes:
    rows = []
    for path, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    return "\n".join([*rows, f"{itself},,", ""]).encode()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in members.items():
            archive.writestr(zipfile.ZipInfo(path, EPOCH), content)
    return buffer.getvalue()
