"""Markers (PEP 508), judged for a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import Marker

from torchsel.host import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from torchsel.host import Host


def environment(host: Host, python: str | None) -> dict[str, str]:
    """PEP 508 marker values of ``host``; Python ``3.12`` stands in where the project's is unknown."""
    names = {"linux": ("Linux", "posix"), "win32": ("Windows", "nt"), "darwin": ("Darwin", "posix")}
    system, os_name = names[host.system]
    spelling = {("win32", "x86_64"): "AMD64", ("win32", "aarch64"): "ARM64", ("darwin", "aarch64"): "arm64"}
    version = python or "3.12"
    return {
        "sys_platform": host.system,
        "platform_system": system,
        "os_name": os_name,
        "platform_machine": spelling.get((host.system, host.machine), host.machine),
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "implementation_version": f"{version}.0",
        "platform_release": host.kernel or "",
        "platform_version": "",
        "extra": "",
    }


def admitted(markers: object, hosts: Iterable[Host]) -> tuple[Host, ...]:
    """The ``hosts`` for which a marker of a list such as ``tool.uv.environments`` holds, on any Python."""
    listed = markers if isinstance(markers, list) else [markers]
    minors = [f"3.{minor}" for minor in range(8, 17)]
    return tuple(
        host
        for host in hosts
        if any(marker_holds(str(text), environment(host, minor)) for text in listed for minor in minors)
    )


def marker_holds(marker: str, values: dict[str, str]) -> bool:
    """Whether a marker holds; one that can't be judged does, as it is uv's to say what is wrong with it."""
    try:
        return Marker(marker).evaluate(values)
    except (ValueError, LookupError, RecursionError):  # packaging 26 has an unknown name as a KeyError
        return True


def lacking(environments: Iterable[str], there: Collection[str]) -> list[str]:
    """The markers of a list such as ``tool.uv.environments`` that hold on none of the platforms ``there``."""
    hosts_of = {text: admitted(text, PLATFORMS) for text in environments}
    return [
        text
        for text, hosts in hosts_of.items()
        if hosts and not any(host.platform in there for host in hosts)
    ]
