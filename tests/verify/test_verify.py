"""Every verdict, with stand-ins for torch that raise its real messages, hang, die, shout and eat memory."""

# ruff: noqa: E501 - the messages are as PyTorch writes them

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.stand_ins import Environment
from tests.verify.conftest import AMD, CPU, H100, INTEL, PASCAL, Verify, asked
from torchsel.host import Host
from torchsel.verify.messages import MESSAGES
from torchsel.verify.verify import verify

NO_IMAGE = (
    "CUDA error: no kernel image is available for execution on the device\\n"
    "CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be"
    " incorrect.\\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\\n"
)
TOO_OLD = (
    "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by"
    " downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx"
)
UNLIKE = (
    "GeForce GTX 1080 Ti with CUDA capability sm_61 is not compatible with the current PyTorch installation.\\n"
    "The current PyTorch install supports CUDA capabilities sm_75 sm_80 sm_86 sm_90 sm_100 sm_120."
)
BLOCKED = """
for name in ("SIGTERM", "SIGINT", "SIGHUP"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
time.sleep(60)
"""
SYNC, REINSTALL = ("torchsel sync",), ("torchsel sync --reinstall",)


def raising(place: str, message: str, error: str = "RuntimeError") -> str:
    """A stand-in's behaviour: a call that fails with a message."""
    return f'{place} = fail("{message}", {error})'


FAILURES = {
    "no kernel image": (raising("Tensor.fill_", NO_IMAGE), "no kernels"),
    "a warning names the capability": (
        f'def kernels(*_):\n    warnings.warn("{UNLIKE}")\n    raise RuntimeError("CUDA error: unspecified")\n'
        "Tensor.fill_ = kernels",
        "no kernels",
    ),
    "a warning of a newer torch": (
        'def kernels(*_):\n    warnings.warn("Found GPU0 GTX 1080 Ti which is of compute capability (CC) 6.1.\\nYour '
        'installed torch==2.13.0+cu130 does not include kernels for this GPU. Reinstall the same version against")\n'
        '    raise RuntimeError("CUDA error: unspecified")\nTensor.fill_ = kernels',
        "no kernels",
    ),
    "no build for the GPU at all": (
        'def kernels(*_):\n    warnings.warn("No published PyTorch CUDA builds for release 2.13.0 support this GPU.")\n'
        '    raise RuntimeError("CUDA error: unspecified")\nTensor.fill_ = kernels',
        "no kernels",
    ),
    "rocBLAS dies": (
        "def blas(*_):\n    sys.stderr.write('rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/"
        "TensileLibrary.dat: Illegal seek for GPU arch : gfx1031\\n')\n    os.abort()\nTensor.__matmul__ = blas",
        "no kernels",
    ),
    "driver too old": (raising("cuda.get_device_properties", TOO_OLD), "driver too old"),
    "driver too old for PTX": (
        raising(
            "Tensor.__matmul__", "CUDA error: the provided PTX was compiled with an unsupported toolchain."
        ),
        "driver too old",
    ),
    "another driver loaded": (
        raising("cuda.get_device_properties", "forward compatibility was attempted on non supported HW"),
        "driver too old",
    ),
    "no driver": (
        raising(
            "cuda.get_device_properties", "Found no NVIDIA driver on your system. Please check that you have"
        ),
        "library missing",
    ),
    "not compiled": (
        raising("cuda.get_device_properties", "Torch not compiled with CUDA enabled", "AssertionError"),
        "cpu build",
    ),
    "a missing library": (
        "raise ImportError('libcudnn.so.9: cannot open shared object file: No such file or directory')",
        "library missing",
    ),
    "a library not in the path": (
        "raise ValueError('libcublas.so.*[0-9] not found in the system path [\\'/home/me\\']')",
        "library missing",
    ),
    "a library that Windows can't load": (
        "raise OSError(r'[WinError 126] The specified module could not be found. Error loading "
        '"C:\\Users\\me\\.venv\\Lib\\site-packages\\torch\\lib\\fbgemm.dll" or one of its dependencies.\')',
        "library missing",
    ),
    "a module that Windows can't load": (
        "raise ImportError('DLL load failed while importing _C: Das angegebene Modul wurde nicht gefunden.')",
        "library missing",
    ),
    "libraries of two builds on Windows": (
        "raise OSError(r'[WinError 127] The specified procedure could not be found. Error loading "
        '"C:\\torch\\lib\\c10_cuda.dll" or one of its dependencies.\')',
        "library missing",
    ),
    "a small paging file": (
        "raise OSError(r'[WinError 1455] The paging file is too small for this operation to complete. Error loading "
        '"C:\\torch\\lib\\cublas64_12.dll" or one of its dependencies.\')',
        "crashed",
    ),
    "libraries of two builds": (
        "raise ImportError('/x/libtorch_cpu.so: undefined symbol: iJIT_NotifyEvent')",
        "library missing",
    ),
    "an old C++ library": (
        'raise ImportError("/lib/libstdc++.so.6: version `GLIBCXX_3.4.30\' not found (required by libtorch)")',
        "library missing",
    ),
    "memory taken while it began": (raising("cuda.mem_get_info", "CUDA error: out of memory"), "busy"),
    "taken for itself by another": (
        raising(
            "cuda.get_device_properties", "CUDA error: CUDA-capable device(s) is/are busy or unavailable"
        ),
        "busy",
    ),
    "little memory": ("cuda.mem_get_info = lambda at: (255 << 20, 16 << 30)", "busy"),
    "hidden": (raising("cuda.get_device_properties", "No CUDA GPUs are available"), "busy"),
    "not initialized": (
        raising(
            "cuda.get_device_properties", "CUDA unknown error - this may be due to an incorrectly set up"
        ),
        "crashed",
    ),
    "SIGSEGV in a kernel": ("Tensor.fill_ = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
    "SIGSEGV in the import": ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed"),
    "an end without a word": ("os._exit(0)", "crashed"),
    "an exit": ("sys.exit(0)", "crashed"),
    "an unknown message": (raising("Tensor.fill_", "CUDA error: an illegal memory access"), "crashed"),
    "no attributes": ("del version", "crashed"),
    "other numbers": ("Tensor.__sub__ = lambda self, other: Tensor(0.5)", "crashed"),
    "not a number": (
        "Tensor.__sub__ = lambda self, other: Tensor(float('nan') if isinstance(other, Tensor) else 1.0)",
        "crashed",
    ),
}


def test_no_message_stands_twice() -> None:
    patterns = [pattern for row in MESSAGES for pattern in re.split(r"\|(?![^(]*\))", row.pattern)]
    assert len(patterns) > len(MESSAGES)
    assert sorted(patterns) == sorted(set(patterns))


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_has_its_verdict(name: str, environment: Environment, verified: Verify) -> None:
    behaviour, verdict = FAILURES[name]
    environment.add_torch(behaviour)
    found = verified()
    assert (found.verdict, found.exit_code) == (verdict, 3 if verdict == "busy" else 1), found
    assert found.opinion.why
    assert "Traceback" not in found.opinion.why
    assert "{" not in found.opinion.why
    for command in found.opinion.commands:
        assert f"'{command}'" in found.opinion.why, "what is to be typed stands in the sentence"


ADVICE: dict[str, tuple[str, dict[str, Any], tuple[str, ...], str]] = {
    "another build is selected": (
        raising("Tensor.fill_", NO_IMAGE),
        {"backend": "cu126", "host": PASCAL},
        SYNC,
        "torch 2.13.0+cu130 has no kernels for this GPU; this machine needs torch 2.13.0 with cu126;"
        " run 'torchsel sync'",
    ),
    "the catalog was wrong and its row is": (
        f"{raising('Tensor.fill_', NO_IMAGE)}\ncuda.get_arch_list = lambda: ['sm_75', 'sm_80']",
        {},
        SYNC,
        "torch 2.13.0+cu130 has no kernels for this GPU; add the row for the catalog to pyproject.toml; run"
        " 'torchsel sync'",
    ),
    "the catalog was wrong and nobody knows why": (
        raising("Tensor.fill_", NO_IMAGE),
        {},
        ("torchsel --backend cpu sync",),
        "torch 2.13.0+cu130 has no kernels for this GPU, though torchsel's catalog says otherwise; until that is"
        " mended, use the CPU; run 'torchsel --backend cpu sync'",
    ),
    "an older build for an old driver": (
        raising("cuda.get_device_properties", TOO_OLD),
        {"backend": "cu126"},
        SYNC,
        "the NVIDIA driver is too old for torch 2.13.0+cu130; this machine needs torch 2.13.0 with cu126; run"
        " 'torchsel sync'",
    ),
    "no older build": (
        raising("cuda.get_device_properties", TOO_OLD),
        {"host": replace(H100, nvidia_driver="570.124")},
        (),
        "the NVIDIA driver is too old for torch 2.13.0+cu130; install NVIDIA driver 580 or newer",
    ),
    "a driver that was thought new enough": (
        raising("cuda.get_device_properties", TOO_OLD),
        {},
        (),
        "the NVIDIA driver is too old for torch 2.13.0+cu130; install a newer one",
    ),
    "a missing library": (
        "raise ImportError('libcudnn.so.9: cannot open shared object file: No such file or directory')",
        {},
        REINSTALL,
        "torch finds no libcudnn.so.9; run 'torchsel sync --reinstall'",
    ),
    "libraries that Windows can't load": (
        FAILURES["a library that Windows can't load"][0],
        {},
        REINSTALL,
        "torch can't load fbgemm.dll; it needs Microsoft's Visual C++ Redistributable, and to be whole; run"
        " 'torchsel sync --reinstall'",
    ),
    "libraries of two builds": (
        FAILURES["libraries of two builds"][0],
        {},
        REINSTALL,
        "torch's own libraries do not go together; run 'torchsel sync --reinstall'",
    ),
    "a crash": (
        "os.kill(os.getpid(), signal.SIGSEGV)",
        {},
        REINSTALL,
        "torch failed in 'import torch': SIGSEGV; run 'torchsel sync --reinstall'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ADVICE)
def test_the_sentence_leads_out(name: str, environment: Environment, verified: Verify) -> None:
    behaviour, changes, commands, why = ADVICE[name]
    environment.add_torch(behaviour)
    opinion = verified(**changes).opinion
    assert (opinion.why, opinion.commands) == (why, commands)


def test_works(environment: Environment, verified: Verify) -> None:
    environment.add_torch()
    found = verified()
    assert (found.verdict, found.exit_code, found.predicted, found.catalog_row) == ("works", 0, True, None)
    assert [(item.name, item.compute_capability) for item in found.devices] == [("GPU 0", "9.0")]
    steps = {"fill_", "elementwise", "matmul fp32", "matmul bf16", "3x3 convolution"}
    assert set(found.devices[0].steps) == steps
    assert found.notes == ()


@pytest.mark.parametrize(
    ("host", "backend", "version", "name"),
    [
        (AMD, "rocm7.2", "2.13.0+rocm7.2", "GPU ?"),
        (INTEL, "xpu", "2.13.0+xpu", "Arc B580"),
        (CPU, "cpu", "2.13.0+cpu", "CPU"),
        (CPU, "cpu", "2.13.0+cu130", "CPU"),
    ],
)
def test_works_on_every_family(
    environment: Environment, verified: Verify, host: Any, backend: str, version: str, name: str
) -> None:
    environment.add_torch(version=version, arch_list=["gfx942"] if "rocm" in version else [])
    found = verified(host=host, backend=backend)
    assert (found.verdict, [item.name for item in found.devices]) == ("works", [name])


@pytest.mark.parametrize(("is_available", "name"), [(True, "Apple GPU"), (False, "CPU")])
def test_works_on_a_mac(environment: Environment, verified: Verify, is_available: bool, name: str) -> None:
    mac = Host(system="darwin", machine="aarch64")
    environment.add_torch(
        f"mps.is_built = lambda: True\nmps.is_available = lambda: {is_available}", version="2.13.0"
    )
    found = verified(host=mac, backend="cpu")
    assert (found.verdict, [item.name for item in found.devices]) == ("works", [name])
    assert ("matmul bf16" in found.devices[0].steps) is not is_available


def test_what_torch_says_where_the_metadata_has_no_local_version(
    environment: Environment, verified: Verify
) -> None:
    environment.add_torch(version="2.99.0", reported="2.99.0+cu140")
    found = verified(backend="cu140", torch="2.99.0")
    assert (found.verdict, found.torch, found.notes) == ("works", "2.99.0+cu140", ())
    assert found.catalog_row is not None
    assert 'backend = "cu140"' in found.catalog_row


def test_no_bf16_where_the_gpu_has_none(environment: Environment, verified: Verify) -> None:
    environment.add_torch("cuda.get_device_capability = lambda at: (7, 5)")
    found = verified()
    assert found.verdict == "works"
    assert "matmul bf16" not in found.devices[0].steps


def test_not_installed(environment: Environment, verified: Verify, tmp_path: Path) -> None:
    without, nowhere = verified(), verify(asked(tmp_path / "nowhere"))
    assert {without.verdict, nowhere.verdict} == {"not installed"}
    assert without.opinion.why == "torch is not installed in .venv; run 'torchsel sync'"
    assert nowhere.opinion.why == "there is no environment at nowhere; run 'torchsel sync'"
    assert (without.exit_code, without.torch, without.predicted) == (1, None, None)


def test_an_interpreter_that_does_not_start(environment: Environment, verified: Verify) -> None:
    environment.add_torch()
    python = environment.folder / "bin" / "python"
    python.unlink()
    python.write_text("#!/nonexistent/python\n")
    python.chmod(0o755)
    found = verified()
    assert (found.verdict, found.opinion.commands) == ("not installed", SYNC)
    assert "can't be started" in found.opinion.why


@pytest.mark.parametrize("version", ["2.13.0+cpu", "2.13.0"])
def test_a_cpu_build_is_known_before_any_import(
    environment: Environment, verified: Verify, tmp_path: Path, version: str
) -> None:
    environment.add_torch(f"open({str(tmp_path / 'imported')!r}, 'w')", version=version)
    host = PASCAL if "+" in version else PASCAL.__class__(system="win32", machine="x86_64")
    found = verified(host=host)
    assert (found.verdict, found.predicted, found.opinion.commands) == ("cpu build", False, SYNC)
    assert not (tmp_path / "imported").exists()


def test_a_build_that_does_not_say_it_is_for_the_cpu(environment: Environment, verified: Verify) -> None:
    environment.add_torch(version="2.13.0a0", reported="2.13.0a0+git0")
    assert verified().verdict == "cpu build"


def test_a_build_for_another_vendor(environment: Environment, verified: Verify) -> None:
    environment.add_torch(version="2.13.0+rocm7.2")
    found = verified()
    assert (found.verdict, found.opinion.commands) == ("no kernels", SYNC)
    assert "is not built for cuda" in found.opinion.why


def alive(pid: int, patience: float = 2.0) -> bool:
    """Whether the process runs on; one that waits to be collected does not, one that was killed takes a moment."""
    end = time.monotonic() + patience
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        if time.monotonic() > end:
            return True
        time.sleep(0.02)


@pytest.mark.parametrize("place", ["import", "fill_", "count"])
def test_a_hang_costs_no_more_than_the_limit(
    environment: Environment, verified: Verify, tmp_path: Path, place: str
) -> None:
    write = f"open({str(tmp_path / 'pids')!r}, 'a').write(str(os.getpid()) + ' ')"
    child = f"started = subprocess.Popen([sys.executable, '-c', {'import time; time.sleep(60)'!r}])"
    hang = f"{write}\n{child}\nopen({str(tmp_path / 'pids')!r}, 'a').write(str(started.pid) + ' ')\n{BLOCKED}"
    indented = hang.replace("\n", "\n    ")
    call = {"fill_": "Tensor.fill_", "count": "cuda.device_count"}.get(place, "")
    environment.add_torch(f"def hang(*_):\n    {indented}\n{call} = hang" if call else hang)
    began = time.monotonic()
    found = verified(timeout=3.0)
    took = time.monotonic() - began
    limits = 2 if place == "fill_" else 1  # the look at the build comes first, and is over soon
    assert took <= 3.0 * limits + 2.0
    assert found.verdict == "hung"
    assert found.opinion.commands == ("torchsel verify --timeout 15",)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert not any(map(alive, pids))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc, to look for what is left")
def test_what_a_crashed_child_had_started_is_ended(
    environment: Environment, verified: Verify, tmp_path: Path
) -> None:
    helper = "started = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    note = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(started.pid))"
    environment.add_torch(f"{helper}\n{note}\nos.abort()")
    began = time.monotonic()
    assert verified().verdict == "crashed"
    assert time.monotonic() - began < 20
    assert not alive(int((tmp_path / "pid").read_text()))


def test_rubbish_on_its_output_changes_nothing(environment: Environment, verified: Verify) -> None:
    shout = (
        "print('{\"done\": false}' * 9); os.write(1, b'\\xff\\x00' * 500000); os.write(2, b'x\\n' * 500000)"
    )
    environment.add_torch(f"{shout}\nTensor.fill_ = lambda *_: print('rubbish') or Tensor(1.0)")
    assert verified().verdict == "works"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another program's memory")
def test_one_that_eats_memory_is_stopped(environment: Environment, verified: Verify) -> None:
    environment.add_torch("eaten = []\nwhile True:\n    eaten.append(bytearray(os.urandom(1 << 20)))")
    found = verified(memory=200 << 20)
    assert (found.verdict, found.opinion.commands) == ("crashed", REINSTALL)
    assert "memory" in found.opinion.why


COMPANIONS = {
    "fine": ("torchvision", "x = 1", "works"),
    "torchaudio for another CUDA": (
        "torchaudio",
        "raise RuntimeError('Detected that PyTorch and TorchAudio were compiled with different CUDA versions. "
        "PyTorch has CUDA version 13.2 whereas TorchAudio has CUDA version 13.0. Please install the TorchAudio "
        "version that matches your PyTorch version.')",
        "library missing",
    ),
    "torchvision for another CUDA": (
        "torchvision",
        "raise RuntimeError('Detected that PyTorch and torchvision were compiled with different CUDA major versions. "
        "PyTorch has CUDA Version=13.0 and torchvision has CUDA Version=12.8. Please reinstall the torchvision that "
        "matches your PyTorch install.')",
        "library missing",
    ),
    "torchvision for another torch": (
        "torchvision",
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "library missing",
    ),
    "xformers only warns": (
        "xformers",
        "import sys; sys.stderr.write(\"WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built"
        ' for: PyTorch 2.8.0+cu128 with CUDA 1208 (you have 2.13.0+cu130)")',
        "library missing",
    ),
    "torchaudio for another torch": (
        "torchaudio",
        "try:\n    raise OSError('/x/libtorchaudio.so: undefined symbol: _ZN3c10')\nexcept OSError as error:\n"
        "    raise OSError('Could not load this library: /x/libtorchaudio.so') from error",
        "library missing",
    ),
    "torchaudio for another torch on Windows": (
        "torchaudio",
        "raise OSError(r'Could not load this library: C:\\x\\_torchaudio.pyd')",
        "library missing",
    ),
    "torchcodec without FFmpeg": (
        "torchcodec",
        "raise RuntimeError('Could not load libtorchcodec. Likely causes: 1. FFmpeg is not properly installed')",
        "library missing",
    ),
    "a crash": ("torchao", "import os; os.abort()", "crashed"),
    "a hang": ("torchao", "import time; time.sleep(60)", "hung"),
}


@pytest.mark.parametrize("name", COMPANIONS)
def test_companions_are_imported_too(name: str, environment: Environment, verified: Verify) -> None:
    package, source, verdict = COMPANIONS[name]
    environment.add_torch()
    environment.add(package, "0.30.0", source)
    found = verified(timeout=4.0 if verdict == "hung" else 30.0)
    assert [(item.name, item.version, item.opinion.verdict) for item in found.companions] == [
        (package, "0.30.0", verdict)
    ]
    assert found.devices[0].opinion.verdict == "works"
    assert (found.verdict, found.exit_code) == (verdict, int(verdict != "works"))
    assert verdict == "works" or package in found.opinion.why


BROKEN_FIRST = "if os.environ.get('CUDA_VISIBLE_DEVICES') == '{}':\n    " + raising("Tensor.fill_", NO_IMAGE)


def test_each_gpu_has_its_own_child_and_verdict(environment: Environment, verified: Verify) -> None:
    environment.add_torch(BROKEN_FIRST.format(1), count=3)
    found = verified()
    assert [(item.name, item.opinion.verdict) for item in found.devices] == [
        ("GPU 0", "works"),
        ("GPU 1", "no kernels"),
        ("GPU 2", "works"),
    ]
    assert found.verdict == "no kernels"


def test_a_busy_gpu_is_skipped_and_said(environment: Environment, verified: Verify) -> None:
    busy = "if os.environ.get('CUDA_VISIBLE_DEVICES') == '0':\n    cuda.mem_get_info = lambda at: (1 << 20, 1 << 30)"
    environment.add_torch(busy, count=2)
    found = verified()
    assert [item.opinion.verdict for item in found.devices] == ["busy", "works"]
    assert "skipped: only 1 MB" in found.devices[0].opinion.why
    assert found.verdict == "works"


def test_a_gpu_that_was_not_to_be_served_is_no_fault(environment: Environment, verified: Verify) -> None:
    old = "if os.environ.get('CUDA_VISIBLE_DEVICES') == '1':\n    cuda.get_device_properties = "
    old += "lambda at: types.SimpleNamespace(name='old', major=6, minor=1)\n    " + raising(
        "Tensor.fill_", NO_IMAGE
    )
    environment.add_torch(old, count=2)
    assert verified().verdict == "no kernels"
    found = verified(deciding=frozenset({"9.0"}))
    assert (found.verdict, [item.counts for item in found.devices]) == ("works", [True, False])


def test_the_users_own_list_of_gpus_is_kept(environment: Environment, verified: Verify) -> None:
    environment.add_torch(count=2)
    found = verified(environ={**os.environ, "CUDA_VISIBLE_DEVICES": "3, GPU-5"})
    assert [item.name for item in found.devices] == ["GPU 3", "GPU GPU-5"]


def test_no_project_code_runs_and_nothing_is_written(
    environment: Environment, verified: Verify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.add_torch()
    project = environment.folder.parent
    for name in ("sitecustomize", "json", "torch", "types"):
        (project / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.chdir(project)
    before = snapshot(project)
    found = verified(environ={**os.environ, "PYTHONPATH": str(project), "PYTHONSTARTUP": "json.py"})
    assert found.verdict == "works"
    assert snapshot(project) == before
    assert not (tmp_path / "ran").exists()


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


def test_what_differs_from_the_catalog_is_told(environment: Environment, verified: Verify) -> None:
    environment.add_torch(version="2.13.0+cu130", arch_list=["sm_61", "sm_75", "sm_90", "compute_90"])
    found = verified(host=PASCAL)
    assert (found.verdict, found.predicted) == ("works", False)
    assert found.prediction == "no kernels for 6.1 (GTX 1080 Ti); has 7.5-12.0"
    assert found.notes == (f"torchsel's catalog says that this build does not run here ({found.prediction})",)
    assert found.catalog_row is not None
    assert 'kernels = ["6.1", "7.5", "9.0"]\nptx = ["9.0"]' in found.catalog_row


def test_a_working_build_that_is_not_the_selected_one(environment: Environment, verified: Verify) -> None:
    environment.add_torch()
    found = verified(backend="cu126", torch="2.14.1")
    assert found.verdict == "works"
    assert found.notes == ("torch 2.13.0+cu130 is installed; torch 2.14.1 with cu126 is selected",)
