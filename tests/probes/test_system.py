from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_mock import MockerFixture

from torchsel.probes.nvidia.tools import within
from torchsel.probes.run import probe
from torchsel.probes.system import RealSystem, run_program

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the tool")


def _script(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@posix_only
def test_program_in_path_or_current_folder_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    for name in ("nvidia-smi", "rocminfo", "rocm_agent_enumerator"):
        _script(tmp_path, name, f"touch {marker}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f".:{tmp_path}:{os.environ['PATH']}")
    found = RealSystem().find_program("nvidia-smi")
    assert found is None or found.startswith(("/usr/", "/opt/rocm/"))
    probe()
    assert not marker.exists()


@posix_only
@pytest.mark.parametrize(
    "program", ["{folder}/nvidia-smi", "nvidia-smi", "./nvidia-smi", "/usr/bin/../..{folder}/nvidia-smi"]
)
def test_program_outside_trusted_folders_is_refused(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    _script(tmp_path, "nvidia-smi", f"touch {marker}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    done = RealSystem().run(program.format(folder=tmp_path), ())
    assert "not in a trusted folder" in (done.trouble or "")
    assert not marker.exists()


@posix_only
def test_program_runs_without_a_shell_and_with_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD_TEST", "leaked")
    path = _script(tmp_path, "tool", 'echo "$1|$LC_ALL|$LD_PRELOAD_TEST|$PWD"; echo oops >&2; exit 3')
    done = run_program(str(path), ("$(id) ; ls",), timeout=5, trusted=[str(tmp_path)])
    assert (done.code, done.trouble) == (3, None)
    assert done.output == f"$(id) ; ls|C||{tmp_path}\noops\n"


@posix_only
def test_program_that_hangs_is_given_up_with_its_children(tmp_path: Path) -> None:
    path = _script(tmp_path, "tool", f"sleep 60 & echo $! > {tmp_path}/child; echo started; wait")
    started = time.monotonic()
    done = run_program(str(path), (), timeout=0.3, trusted=[str(tmp_path)])
    assert time.monotonic() - started < 3
    assert done.trouble == "no answer within 0.3 s"
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    deadline = time.monotonic() + 3
    while child.exists() and child.read_text().split()[2] != "Z" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or child.read_text().split()[2] == "Z"


@posix_only
def test_program_that_cannot_start_is_a_trouble(tmp_path: Path) -> None:
    done = run_program(str(tmp_path / "none"), (), timeout=5, trusted=[str(tmp_path)])
    assert "could not be started" in (done.trouble or "")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    system = RealSystem()
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "large").write_bytes(b"x" * 200_000)
    assert system.read_text(str(tmp_path / "none")) is None
    assert system.read_text(str(tmp_path)) is None
    assert system.read_text("bad\0path") is None
    assert system.read_text(str(tmp_path / "binary")) == "\ufffd\ufffd\0"
    assert len(system.read_text(str(tmp_path / "large")) or "") == 65536
    assert system.list_dir(str(tmp_path)) == ("binary", "large")
    assert system.list_dir(str(tmp_path / "none")) == ()
    assert system.read_link(str(tmp_path / "binary")) is None


def test_this_machine_is_probed_without_a_sound(capfd: pytest.CaptureFixture[str]) -> None:
    host, findings = probe()
    assert host.system == sys.platform
    assert [finding for finding in findings if finding.outcome == "failed"] == []
    assert capfd.readouterr() == ("", "")


def test_without_a_gpu_no_driver_is_loaded() -> None:
    program = textwrap.dedent("""
        import sys
        from torchsel.probes.run import probe
        host, _ = probe()
        heavy = {"pynvml", "ctypes", "torchsel.probes.windows"}
        print(set() if host.accelerators else heavy & set(sys.modules))
    """)
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_within_returns_raises_and_gives_up() -> None:
    assert within(5, lambda: 7) == 7
    with pytest.raises(KeyError):
        within(5, lambda: dict[int, int]()[0])
    with pytest.raises(TimeoutError, match=r"no answer within 0.05 s"):
        within(0.05, lambda: time.sleep(1))


def test_nvml_without_the_library_is_an_os_error(mocker: MockerFixture) -> None:
    import pynvml

    mocker.patch.object(pynvml, "nvmlLib", None)
    mocker.patch("ctypes.CDLL", side_effect=OSError("no such library"))
    with pytest.raises(OSError, match="can't be loaded"):
        RealSystem().nvml()


def test_nvml_comes_from_windows_first_inside_wsl(mocker: MockerFixture) -> None:
    import pynvml

    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(name)
        if name.startswith("/usr/lib/wsl"):
            raise OSError(name)
        return SimpleNamespace(name=name)

    mocker.patch.object(pynvml, "nvmlLib", None)
    mocker.patch("ctypes.CDLL", side_effect=load)
    mocker.patch.object(RealSystem, "exists", lambda _, path: path == "/dev/dxg")
    assert RealSystem().nvml() is pynvml
    assert asked == ["/usr/lib/wsl/lib/libnvidia-ml.so.1", "libnvidia-ml.so.1"]


def test_nvml_without_the_binding_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(OSError, match="nvidia-ml-py"):
        RealSystem().nvml()


class FakeManager:
    """The two calls of cfgmgr32 that the probe makes."""

    def __init__(self, ids: str, code: int = 0) -> None:
        self.ids, self.code = ids, code

    def CM_Get_Device_ID_List_SizeW(self, size: Any, group: str, flags: int) -> int:  # noqa: N802
        assert group.lower() == "{4d36e968-e325-11ce-bfc1-08002be10318}"
        assert flags == 0x300
        size._obj.value = len(self.ids)
        return self.code

    def CM_Get_Device_ID_ListW(self, _group: str, buffer: Any, _size: Any, _flags: int) -> int:  # noqa: N802
        buffer.value = ""
        for at, character in enumerate(self.ids):
            buffer[at] = character
        return self.code


@pytest.mark.parametrize(
    ("ids", "code", "expected"),
    [
        ("PCI\\VEN_10DE&DEV_2684\\4\0PCI\\VEN_8086&DEV_A780\\3\0\0", 0, 2),
        ("\0", 0, 0),
        ("", 0x1F, None),
    ],
)
def test_windows_display_ids(
    monkeypatch: pytest.MonkeyPatch, ids: str, code: int, expected: int | None
) -> None:
    from torchsel.probes.windows import present_display_ids

    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: FakeManager(ids, code), raising=False)
    found = present_display_ids()
    assert (None if found is None else len(found)) == expected


def test_windows_libraries_elsewhere_answer_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchsel.probes import windows

    monkeypatch.delattr(ctypes, "WinDLL", raising=False)
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "x86")
    monkeypatch.setenv("PROCESSOR_ARCHITEW6432", "AMD64")
    assert windows.present_display_ids() is None
    facts = windows.platform_facts(32)
    assert (facts.name, facts.machine, facts.native_machine, facts.bits) == ("win32", "AMD64", None, 32)


def test_windows_native_machine_under_emulation(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchsel.probes import windows

    class CurrentProcess:
        restype: Any = None

        def __call__(self) -> int:
            return 0xFFFF

    def is_wow64_process2(_handle: object, _process: object, native: Any) -> int:
        native._obj.value = 0xAA64
        return 1

    kernel = SimpleNamespace(GetCurrentProcess=CurrentProcess(), IsWow64Process2=is_wow64_process2)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: kernel, raising=False)
    monkeypatch.setenv("PROCESSOR_ARCHITECTURE", "AMD64")
    assert windows.native_machine() == "ARM64"


@pytest.mark.skipif(sys.platform == "win32", reason="os.uname")
@pytest.mark.parametrize(("version", "native"), [("RELEASE_ARM64_T6000", "arm64"), ("RELEASE_X86_64", None)])
def test_rosetta(monkeypatch: pytest.MonkeyPatch, version: str, native: str | None) -> None:
    uname = SimpleNamespace(machine="x86_64", release="24.6.0", version=f"Darwin Kernel 24.6.0: {version}")
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(os, "uname", lambda: uname)
    assert RealSystem().platform().native_machine == native
