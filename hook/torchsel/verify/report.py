"""A verification as JSON for programs, as a page for people, and as a report that names nobody."""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torchsel import __version__
from torchsel.verify.child import TOLERANCES
from torchsel.verify.verdicts import Device, Verification, Verified

_PRIVATE = (
    # paths in quotes first: they alone may have spaces, and end at the quote
    (r"""(['"])(?:[A-Za-z]:|~)?[\\/][^'"\n]*\1""", "<path>"),
    (r"(?:[A-Za-z]:)?[\\/](?:Users|home)[\\/][^\\/'\";:,]+", "<path>"),
    (r"\b[\w.+-]+@[\w.-]+\.\w+", "<address>"),
    (r"\w+://\S+", "<url>"),
    (r"(?:GPU|MIG)-[0-9a-fA-F-]{8,}", "<serial>"),
    (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b", "<serial>"),
    (r"(?i)(?<!<)\bserial(?: (?:number|no))?\W{1,3}\w+", "<serial>"),
    (r"\b(?:\d{1,3}\.){3}\d{1,3}\b", "<address>"),
    (r"(?<!\w)(?:[0-9a-fA-F]{0,4}:){3,}[0-9a-fA-F]{1,4}\b", "<address>"),
    (r"(?:[A-Za-z]:|\\)\\[^\s'\"]+|(?<![\w.])~?/[^\s'\",;:)]+", "<path>"),
)
"""What may name a person, a machine or a place, and what is written instead."""

_NAMING = (
    *("USER", "LOGNAME", "USERNAME", "HOSTNAME", "COMPUTERNAME"),
    *("SLURMD_NODENAME", "SLURM_JOB_USER", "NODE_NAME"),
)
"""Variables that name a user or a machine."""


def to_json(verified: Verified) -> str:
    """The verification for programs; the documented fields and more."""
    record = {
        "verdict": verified.verdict,
        "torch": verified.torch,
        "why": verified.opinion.why,
        "gpus": [_device_record(device) for device in verified.devices if device.name != "CPU"],
        "companions": [
            {"name": item.name, "version": item.version, **asdict(item.opinion)}
            for item in verified.companions
        ],
        "predicted": verified.predicted,
        "prediction": verified.prediction,
        "catalog_row": verified.catalog_row,
        "notes": list(verified.notes),
        "commands": list(verified.opinion.commands),
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def to_report(verified: Verified, request: Verification) -> str:
    """What to attach to a report of a wrong catalog: no host name, serial number, user name or path."""
    host = request.host
    record = {
        "torchsel": __version__,
        "verification": json.loads(to_json(verified)),
        "selected": {"backend": request.backend.tag, "torch": request.torch},
        "build": dict(verified.build),
        "steps": [
            {"device": item.label, "off": dict(item.steps), "memory": item.memory}
            for item in verified.devices
        ],
        "tolerances": TOLERANCES,
        "unexplained": verified.unexplained,
        "platform": host.platform,
        "libc": host.libc,
        # the release alone: what stands behind it may name who built the kernel
        "kernel": (re.match(r"[\d.]*", host.kernel or "") or [""])[0],
        "nvidia_driver": host.nvidia_driver,
        "accelerators": host.to_record()["accelerators"],
    }
    return json.dumps(_without(record, _names(request)), indent=2, ensure_ascii=False) + "\n"


def to_text(verified: Verified) -> str:
    """The verification for people."""
    return "\n".join(_lines(verified))


def _lines(verified: Verified) -> Iterator[str]:
    yield f"{verified.verdict}: {verified.opinion.why}"
    for device in verified.devices:
        steps = ", ".join(f"{step} within {TOLERANCES[step]:g}" for step in device.steps)
        why = device.opinion.why or steps
        aside = "" if device.counts else ", which the chosen build does not have to serve"
        yield f"  {device.label}{aside}: {device.opinion.verdict}{f' ({why})' if why else ''}"
    for item in verified.companions:
        why = f" ({item.opinion.why})" if item.opinion.why else ""
        yield f"  {item.name} {item.version}: {item.opinion.verdict}{why}"
    yield from (f"note: {note}" for note in verified.notes)
    if verified.catalog_row:
        yield "what this build says of itself is not in torchsel's catalog; the row for pyproject.toml:\n"
        yield verified.catalog_row
    if verified.catalog_row or verified.unexplained:
        yield "please report it with what 'torchsel verify --report report.json' writes (no names, no paths)"


def _device_record(device: Device) -> dict[str, Any]:
    record = {
        "name": device.name,
        "compute_capability": device.compute_capability,
        **asdict(device.opinion),
        "counts": device.counts,
    }
    return record | ({"gfx_target": device.gfx_target} if device.gfx_target else {})


def _names(request: Verification) -> list[str]:
    """Words that name this user, this machine and the places of this project, the longest first."""
    environment = request.environment.absolute()
    names = [str(environment), str(environment.parent), str(Path.home()), platform.node()]
    names += (request.environ.get(name, "") for name in _NAMING)
    names += [name.partition(".")[0] for name in names if name[:1] not in ("/", "\\")]
    with suppress(OSError, KeyError, ImportError):
        names.append(getpass.getuser())
    return sorted({name for name in names if len(name) > 1}, key=len, reverse=True)


def _without(value: Any, names: list[str]) -> Any:
    """The value with nothing in its texts that is private."""
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, names) for item in value]
    return _scrubbed(value, names) if isinstance(value, str) else value


def _scrubbed(text: str, names: list[str]) -> str:
    for name in names:
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "<name>", text)
    for pattern, instead in _PRIVATE:
        text = re.sub(pattern, instead, text)
    return text
