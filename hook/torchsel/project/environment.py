"""The project's environment: where it is, and which torch is in it, read without running anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def environment_folder(project: Path, environ: Mapping[str, str]) -> Path:
    """Where the environment of the project in a folder is or would be.

    ``UV_PROJECT_ENVIRONMENT`` (relative to the project) as for uv, else ``.venv``.
    """
    return project / (environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")


def installed_version(project: Path, package: str, environ: Mapping[str, str]) -> str | None:
    """Version of ``package`` in the project's environment, local part included; None where it isn't there."""
    environment = environment_folder(project, environ)
    prefix = f"{package.replace('-', '_')}-"
    for site in (*environment.glob("lib/python*/site-packages"), environment / "Lib" / "site-packages"):
        for info in site.glob(f"{prefix}*.dist-info"):
            return info.name.removeprefix(prefix).removesuffix(".dist-info")
    return None
