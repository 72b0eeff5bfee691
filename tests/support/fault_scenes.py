"""Faults that need a scene: other people's edits, uv's ways to fail, users without rights, full disks."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from tests.support.faults import THERE, Bench, BrokenError, State, steps
from tests.support.faulty import Ended, Fault

Scene = Callable[[], None]

NOBODY = 65534
EDIT = "\n# edited by hand\n"


def edit_scenes(bench: Bench) -> Iterator[tuple[str, Scene]]:
    """Somebody edits before every call: nothing of it may be lost, and the next run finishes the work."""
    bench.use_uv()
    for style in ("in place", "renamed", "held open"):
        for at in range(1, steps(bench, "edit") + 1):
            fault = Fault(kind="edit", at=at, style=style, texts=_edits(bench, "pyproject.toml"))
            yield f"pyproject.toml edited {style}", _edited(bench, fault)
    for at in range(1, steps(bench, "edit") + 1):
        fault = Fault(kind="edit", at=at, style="renamed", texts=_edits(bench, "uv.lock"))
        yield "uv.lock rewritten", _rewritten(bench, fault)


def _edits(bench: Bench, name: str) -> dict[str, str]:
    text = bench.here.pyproject if name == "pyproject.toml" else bench.here.lock
    return {str(bench.folder / name): text + EDIT}


def _edited(bench: Bench, fault: Fault) -> Scene:
    def scene() -> None:
        bench.reset()
        ended = bench.torchsel(THERE, fault)
        _demand(ended.code in (0, 3) and "bug in" not in ended.err, f"exit code {ended.code}: {ended.err}")
        _demand(bench.now().pyproject.endswith(EDIT), f"the edit is lost: {ended.err}")
        _quiet(bench.torchsel(THERE))
        wanted = State(pyproject=bench.there.pyproject + EDIT, lock=bench.there.lock)
        _demand(bench.now() == wanted, "the next run did not finish the work")
        bench.check_clean(str(fault))

    return scene


def _rewritten(bench: Bench, fault: Fault) -> Scene:
    def scene() -> None:
        bench.reset()
        ended = bench.torchsel(THERE, fault)
        _demand(ended.code in (0, 3) and "bug in" not in ended.err, f"exit code {ended.code}: {ended.err}")
        now = bench.now()
        whole = {bench.here.lock, bench.there.lock, bench.here.lock + EDIT}
        _demand(now.pyproject in (bench.here.pyproject, bench.there.pyproject), "pyproject.toml is not whole")
        _demand(now.lock in whole, "uv.lock is not whole")
        bench.check_clean(str(fault))

    return scene


UV_FAILS = {
    "says no": "echo no solution >&2; exit 2",
    "is killed without a word": "kill -9 $$",
    "writes half and fails": 'head -c 200 "$lock" > uv.lock; exit 1',
    "writes half and is killed": 'head -c 200 "$lock" > uv.lock; kill -9 $$',
    "empties the lock and fails": ": > uv.lock; exit 2",
    "writes it all and fails": 'cp "$lock" uv.lock; exit 1',
    "hangs": "sleep 30",
    "hangs and does not listen": "trap '' TERM; sleep 30; sleep 30",
    "writes half and hangs": 'head -c 200 "$lock" > uv.lock; sleep 30',
}
"""What a uv does that fails, by what it is called."""

UV_KILLS = {
    "before it locks": ("kill -{0} $PPID; sleep 0.3; exit 1", ""),
    "after half a lock": ('head -c 200 "$lock" > uv.lock; kill -{0} $PPID; sleep 0.3; exit 1', ""),
    "after the lock": ('cp "$lock" uv.lock; kill -{0} $PPID; sleep 0.3; exit 0', ""),
    "and goes on locking": ("kill -{0} $PPID; sleep 0.3", ""),
}
"""A uv that kills torchsel, as if somebody did at that moment; the next run has another uv."""


def uv_scenes(bench: Bench) -> Iterator[tuple[str, Scene]]:
    """Every way for uv to fail, and for torchsel to be killed while uv is at work."""
    for name, script in UV_FAILS.items():
        yield f"uv {name}", _failing_uv(bench, script)
    for name, (script, _) in UV_KILLS.items():
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            yield f"{number.name} {name}", _killing_uv(bench, script.format(number.value), number)
    yield "uv is missing", _missing_uv(bench)
    yield "uv is no program", _failing_uv(bench, None)


def _failing_uv(bench: Bench, script: str | None) -> Scene:
    def scene() -> None:
        bench.reset()
        bench.use_uv(script or "")
        if script is None:
            (bench.store / "bin" / "uv").write_bytes(b"\x7fELF?")
        ended = bench.torchsel(THERE, patience=0.3)
        _demand("nothing was changed" in ended.err or script is None, ended.err)
        _demand(ended.code == 3 and bench.now() == bench.here, f"not as before: {ended}")
        bench.check_clean("uv")
        bench.use_uv()

    return scene


def _killing_uv(bench: Bench, script: str, number: signal.Signals) -> Scene:
    def scene() -> None:
        bench.reset()
        bench.use_uv(script)
        ended = bench.torchsel(THERE)
        bench.use_uv()
        expected = 130 if number == signal.SIGINT else -number
        _demand(ended.code == expected, f"exit code {ended.code}: {ended.err}")
        if number != signal.SIGKILL:
            _demand(bench.now() == bench.here, "not taken back")
            bench.check_clean(number.name)
        bench.check_repaired(number.name)

    return scene


def _missing_uv(bench: Bench) -> Scene:
    def scene() -> None:
        bench.reset()
        path = bench.environ["PATH"]
        bench.environ["PATH"] = "/nonexistent"
        ended = bench.torchsel(THERE)
        bench.environ["PATH"] = path
        _demand(ended.code == 3 and "uv was not found" in ended.err, ended.err)
        _demand(bench.now() == bench.here, "not as before")
        bench.check_clean("uv is missing")

    return scene


def rights_scenes(bench: Bench) -> Iterator[tuple[str, Scene]]:
    """A user without rights (only root can become one), and files that are something special."""
    folder, state = bench.folder, bench.state
    pyproject, lock = folder / "pyproject.toml", folder / "uv.lock"

    def as_nobody(*paths: Path, then: tuple[Path, int] | None = None) -> None:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)
        if then:
            then[0].chmod(then[1])

    if os.geteuid() == 0:
        yield (
            "read-only folder",
            _refused(bench, lambda: as_nobody(pyproject, lock, state), "can't be written", user=NOBODY),
        )
        yield (
            "read-only file",
            _refused(
                bench,
                lambda: as_nobody(folder, pyproject, lock, state, then=(pyproject, 0o444)),
                "is read-only",
                user=NOBODY,
            ),
        )
        yield (
            "somebody else's file",
            _refused(
                bench, lambda: as_nobody(folder, lock, state), "belongs to another user (root)", user=NOBODY
            ),
        )
        yield (
            "somebody else's state",
            _refused(
                bench, lambda: as_nobody(folder, pyproject, lock), "belongs to another user", user=NOBODY
            ),
        )
        yield (
            "read-only state",
            _refused(
                bench,
                lambda: as_nobody(folder, pyproject, lock, state, then=(state, 0o500)),
                "can't be used",
                user=NOBODY,
            ),
        )
        yield "mode and owner", _kept_attributes(bench, 0o640, (1234, 2345))
    yield "state that others write", _refused(bench, lambda: state.chmod(0o777), "others can write in it")
    yield (
        "hard link",
        _refused(bench, lambda: os.link(pyproject, folder / "other.toml"), "hard links", left={"other.toml"}),
    )
    yield "mode", _kept_attributes(bench, 0o755, None)
    yield "symbolic link", _symbolic_link(bench)
    yield "no HOME", _without(bench, "HOME", "XDG_CACHE_HOME", "TORCHSEL_CACHE_DIR")
    yield "no temporary folder", _without(bench, "TMPDIR")
    for year in (1970, 2100):
        yield f"a clock in {year}", _clock(bench, year)


def _refused(
    bench: Bench,
    prepare: Callable[[], object],
    says: str,
    left: Collection[str] = (),
    **more: Any,
) -> Scene:
    def scene() -> None:
        bench.reset()
        bench.use_uv()
        prepare()
        ended = bench.torchsel(THERE, **more)
        _demand(ended.code == 3 and says in ended.err, f"{ended}")
        _demand(bench.now() == bench.here, "not as before")
        names = {path.name for path in bench.folder.iterdir()}
        _demand(names == {"pyproject.toml", "uv.lock", *left}, f"left behind: {names}")

    return scene


def _kept_attributes(bench: Bench, mode: int, owner: tuple[int, int] | None) -> Scene:
    def scene() -> None:
        bench.reset()
        path = bench.folder / "pyproject.toml"
        path.chmod(mode)
        if owner:
            os.chown(path, *owner)
        before = path.stat()
        _quiet(bench.torchsel(THERE))
        after = path.stat()
        same = (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)
        _demand(same and bench.now() == bench.there, f"{before} {after}")

    return scene


def _symbolic_link(bench: Bench) -> Scene:
    def scene() -> None:
        bench.reset()
        real, link = bench.folder / "elsewhere.toml", bench.folder / "pyproject.toml"
        link.rename(real)
        link.symlink_to(real.name)
        _quiet(bench.torchsel(THERE))
        _demand(link.is_symlink() and bench.now() == bench.there, "the link is gone")

    return scene


def _without(bench: Bench, *names: str) -> Scene:
    def scene() -> None:
        bench.reset()
        kept = {name: bench.environ.pop(name) for name in names if name in bench.environ}
        try:
            # the stand-in server tells the state's files from others by this variable
            ended = bench.torchsel(THERE)
        finally:
            bench.environ.update(kept)
        _quiet(ended)
        _demand(bench.now() == bench.there, "not done")

    return scene


def _clock(bench: Bench, year: int) -> Scene:
    def scene() -> None:
        bench.reset()
        seconds = (year - 1970) * 31_556_952
        for path in bench.folder.iterdir():
            os.utime(path, (seconds, seconds))
        _quiet(bench.torchsel(THERE))
        _demand(bench.now() == bench.there, "not done")
        bench.check_repaired("clock")

    return scene


def full_disk_scenes(bench: Bench) -> Iterator[tuple[str, Scene]]:
    """A file system with next to no room, where this system lets us make one."""
    for room in (0, 4096, 8192):
        yield f"a disk with {room} bytes left", _full_disk(bench, room)


def _full_disk(bench: Bench, room: int) -> Scene:
    def scene() -> None:
        bench.reset()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(bench.folder)]
        subprocess.run(mount, check=True, capture_output=True)
        try:
            (bench.folder / "pyproject.toml").write_text(bench.here.pyproject)
            (bench.folder / "uv.lock").write_text(bench.here.lock)
            _fill(bench.folder / "filler", room)
            ended = bench.torchsel(THERE)
            _demand(ended.code in (0, 3) and "bug in" not in ended.err, f"{ended}")
            bench.check_whole("full disk")
            (bench.folder / "filler").unlink()
            bench.check_repaired("full disk")
        finally:
            subprocess.run(["umount", str(bench.folder)], check=True)

    return scene


def _fill(path: Path, room: int) -> None:
    """Leave ``room`` bytes."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(max(0, file.tell() - room))


def _quiet(ended: Ended) -> None:
    _demand(ended.code == 0, f"exit code {ended.code}: {ended.err}")


def _demand(holds: bool, what: str) -> None:
    if not holds:
        raise BrokenError(what)


SCENES = {
    "somebody else's edit before every call": edit_scenes,
    "uv fails, hangs, is killed or missing": uv_scenes,
    "rights, links, modes, clocks": rights_scenes,
    "a full disk": full_disk_scenes,
}


def families(name: str, bench: Bench, every: int) -> Iterator[tuple[str, Scene]]:
    """The scenes of one family, of many each ``every``-th; full disks only where they can be made."""
    if SCENES[name] is full_disk_scenes and not can_mount():
        return
    listed = list(SCENES[name](bench))
    for title, scene in listed[:: every if len(listed) > 100 else 1]:
        yield name, _titled(title, scene)


def _titled(title: str, scene: Scene) -> Scene:
    def run() -> None:
        try:
            scene()
        except BrokenError as error:
            msg = f"{title}: {error}"
            raise BrokenError(msg) from None

    return run


def can_mount() -> bool:
    """Whether this user and system can mount a file system."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True
