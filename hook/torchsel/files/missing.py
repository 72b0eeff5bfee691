"""Builds that an index turned out not to have, remembered for a while so that the choice stays the same."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from torchsel.errors import MachineError
from torchsel.files.state import state_folder, state_path, unusable

LIFETIME = 7 * 24 * 3600.0
"""Seconds; an index that is behind catches up, and a wrong row of the catalog is mended by an update."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A build that was not there; ``seen`` is when, in seconds since the epoch."""

    torch: str
    backend: str
    seen: float

    @property
    def build(self) -> tuple[str, str]:
        """Release and backend."""
        return self.torch, self.backend


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What is remembered of the indexes below ``base``, a URL without credentials and the channel."""

    base: str
    environ: Mapping[str, str]
    project: Path

    def read(self) -> tuple[Missing, ...]:
        """What was missing within `LIFETIME`; nothing where the file is not to be trusted."""
        path = state_path(self.environ, self.project) / self._name
        try:
            if not path.is_file():
                return ()
            state_folder(self.environ, self.project)
            listed = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, MachineError):
            return ()
        now = time.time()
        found = filter(None, map(_missing, listed if isinstance(listed, list) else ()))
        return tuple(item for item in found if 0 <= now - item.seen < LIFETIME)

    def add(self, builds: Iterable[tuple[str, str]]) -> None:
        """Remember builds.

        Raises:
            MachineError: the state folder can't be used.
        """
        now = time.time()
        fresh = [Missing(torch=torch, backend=backend, seen=now) for torch, backend in builds]
        kept = {item.build: item for item in (*self.read(), *fresh)}
        self._write(kept.values())

    def forget(self, builds: Collection[tuple[str, str]] | None = None) -> None:
        """Look at builds anew the next time, at all of them where None."""
        kept = [item for item in self.read() if builds is not None and item.build not in builds]
        with contextlib.suppress(OSError, MachineError):
            if kept:
                self._write(kept)
            else:
                (state_path(self.environ, self.project) / self._name).unlink(missing_ok=True)

    def _write(self, items: Iterable[Missing]) -> None:
        rows = [[item.torch, item.backend, item.seen] for item in items]
        path = state_folder(self.environ, self.project) / self._name
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(rows), encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            raise unusable(path, error) from None

    @property
    def _name(self) -> str:
        return f"missing-{sha256(self.base.encode()).hexdigest()[:32]}.json"


def _missing(row: Any) -> Missing | None:
    match row:
        case [str(torch), str(backend), int() | float() as seen]:
            return Missing(torch=torch, backend=backend, seen=float(seen))
    return None
