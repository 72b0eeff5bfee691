"""The last verdict of an environment, kept while its packages and the machine stay the same."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

from torchsel.errors import TorchselError
from torchsel.files.replace import write_synced
from torchsel.files.state import digest, state_folder, state_path
from torchsel.host import Host
from torchsel.verify.installed import dist_infos
from torchsel.verify.messages import Verdict
from torchsel.verify.verdicts import Verified

LARGEST = 1 << 16
"""Bytes of a record; one has a few hundred."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LastVerdict:
    """What the last verification said of an environment."""

    verdict: Verdict
    torch: str | None
    why: str
    commands: tuple[str, ...]


def keep(verified: Verified, environment: Path, host: Host, environ: Mapping[str, str]) -> None:
    """Note the verdict for `last_verdict`; where no state can be kept, nothing is."""
    record = {"stamp": stamp(environment, host), "torch": verified.torch, **asdict(verified.opinion)}
    with suppress(TorchselError, OSError):
        state_folder(environ, environment.parent)
        path = _path(environment, environ)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            write_synced(fresh, json.dumps(record).encode(), None)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def last_verdict(environment: Path, host: Host, environ: Mapping[str, str]) -> LastVerdict | None:
    """The verdict that still holds; None where there is none, or packages, driver or GPUs have changed."""
    record = _read(_path(environment, environ))
    if record.get("stamp") != stamp(environment, host) or record["verdict"] not in get_args(Verdict):
        return None
    return LastVerdict(
        verdict=record["verdict"],
        torch=record["torch"],
        why=record["why"],
        commands=tuple(record["commands"]),
    )


def stamp(environment: Path, host: Host) -> str:
    """What changes with the environment's packages, and with the machine's kernel, driver and GPUs."""
    parts = [host.platform, host.kernel, host.nvidia_driver, *map(repr, host.accelerators)]
    for info in dist_infos(environment):
        with suppress(OSError):
            # an installation of the same version again is another one: its folder has another time
            parts.append(f"{info.parent} {info.name} {info.stat().st_mtime_ns}")
    return sha256("\n".join(map(str, parts)).encode("utf-8", "surrogateescape")).hexdigest()


def _path(environment: Path, environ: Mapping[str, str]) -> Path:
    return state_path(environ, environment.parent) / f"{digest(environment)}.verdict"


def _read(path: Path) -> dict[str, Any]:
    """The record, where it is this user's, else an empty one."""
    try:
        found = path.lstat()
        # whoever else may write it could have any command printed as the way out
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            return {}
        record = json.loads(path.read_bytes()) if found.st_size <= LARGEST else None
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
