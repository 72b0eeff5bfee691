"""Packages that a project takes from an address or index of its own, which names a CUDA release."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

from torchsel.host import Host
from torchsel.project.project import Project, TomlFile
from torchsel.project.requirement import Required, environment, marker_holds

_CUDA = re.compile(r"(?<![a-z])cu(1[0-9])([0-9]?)(?![0-9])")
"""``cu128``, or ``cu12`` of a wheel for any CUDA 12: ``flash_attn-2.8.3+cu12torch2.8…``, ``pt28cu128``."""


def built_for(
    project: Project, host: Host | None, python: str | None, *, but: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Each such package with its CUDA, ``12.8`` or ``12``, where that holds on ``host``; none of ``but``."""
    found: dict[str, str] = {}
    for file in project.files:
        for item in file.required:
            if item.name in but or not _holds(item.requirement.marker, host, python):
                continue
            for address in _addresses(project, file, item, host, python):
                if match := _CUDA.search(unquote(address).lower()):
                    found.setdefault(item.name, ".".join(filter(None, match.groups())))
    return tuple(found.items())


def _addresses(
    project: Project, file: TomlFile, item: Required, host: Host | None, python: str | None
) -> Iterator[str]:
    yield item.requirement.url or ""
    urls = {index.name: index.url for at in (project.root, file) for index in at.present.indexes}
    source = file.present.sources.get(item.name) or project.root.present.sources.get(item.name)
    for entry in source.items if source else ():
        if _holds(entry.get("marker"), host, python):
            yield str(entry.get("url", ""))
            yield urls.get(str(entry.get("index")), "")


def _holds(marker: object, host: Host | None, python: str | None) -> bool:
    return marker is None or host is None or marker_holds(str(marker), environment(host, python))
