"""The torch that is installed in a project's environment, read from its metadata without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def installed_version(folder: Path, package: str, environ: Mapping[str, str]) -> str | None:
    """Version of ``package`` in the project's environment, local part included; None where it isn't there.

    The environment is ``.venv``, or what ``UV_PROJECT_ENVIRONMENT`` names, as for uv.
    """
    environment = folder / (environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    prefix = f"{package.replace('-', '_')}-"
    for site in (*environment.glob("lib/python*/site-packages"), environment / "Lib" / "site-packages"):
        for info in site.glob(f"{prefix}*.dist-info"):
            return info.name.removeprefix(prefix).removesuffix(".dist-info")
    return None
