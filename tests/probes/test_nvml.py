"""The probe against the real pynvml binding, over a library that answers as NVIDIA's does."""

from __future__ import annotations

from typing import Any

import pynvml
import pytest
from pytest_mock import MockerFixture

from tests.support.machines import FakeNvml, FakeSystem, load_machine
from torchsel.host import Accelerator
from torchsel.probes.nvidia.tools import ask_nvml
from torchsel.probes.run import probe

NOT_SUPPORTED = 3


class Library:
    """libnvidia-ml.so.1 with one H200, by the names and layouts of nvml.h."""

    def __init__(self, *, init: int = 0, name: bytes = b"NVIDIA H200") -> None:
        self.init, self.name = init, name

    def nvmlInitWithFlags(self, _flags: int) -> int:  # noqa: N802
        return self.init

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0

    def nvmlErrorString(self, _code: int) -> bytes:  # noqa: N802
        return b"an error"

    def nvmlSystemGetDriverVersion(self, buffer: Any, _length: Any) -> int:  # noqa: N802
        buffer.value = b"580.65.06"
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, _index: Any, _device: Any) -> int:  # noqa: N802
        return 0

    def nvmlDeviceGetName(self, _device: Any, buffer: Any, _length: Any) -> int:  # noqa: N802
        buffer.value = self.name
        return 0

    def nvmlDeviceGetCudaComputeCapability(self, _device: Any, major: Any, minor: Any) -> int:  # noqa: N802
        major._obj.value, minor._obj.value = 9, 0
        return 0

    def nvmlDeviceGetPciInfo_v3(self, _device: Any, info: Any) -> int:  # noqa: N802
        info._obj.pciDeviceId = 0x233510DE
        return 0

    def nvmlDeviceGetMigMode(self, _device: Any, _current: Any, _pending: Any) -> int:  # noqa: N802
        return NOT_SUPPORTED


@pytest.fixture(autouse=True)
def _own_binding(mocker: MockerFixture) -> None:
    mocker.patch.dict(pynvml._nvmlGetFunctionPointer_cache, clear=True)
    mocker.patch.object(pynvml, "nvmlLib", None)


def test_real_binding(mocker: MockerFixture) -> None:
    mocker.patch.object(pynvml, "nvmlLib", Library())
    answer = ask_nvml(pynvml)
    assert answer.driver == "580.65.06"
    assert answer.notes == ()
    assert answer.accelerators == (
        Accelerator(vendor="nvidia", name="NVIDIA H200", compute_capability="9.0", pci_id="10de:2335"),
    )


def test_name_that_is_not_utf8_is_left_out(mocker: MockerFixture) -> None:
    mocker.patch.object(pynvml, "nvmlLib", Library(name=b"NVIDIA \xff"))
    assert [item.name for item in ask_nvml(pynvml).accelerators] == [None]


def test_function_that_an_old_driver_lacks_is_an_nvml_error(mocker: MockerFixture) -> None:
    mocker.patch.object(pynvml, "nvmlLib", object())
    with pytest.raises(pynvml.NVMLError) as caught:
        ask_nvml(pynvml)
    assert caught.value.value == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND


def test_mismatch_of_the_real_binding_is_known(mocker: MockerFixture) -> None:
    class WithRealBinding(FakeSystem):
        def nvml(self) -> Any:
            return pynvml

    mocker.patch.object(pynvml, "nvmlLib", Library(init=pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH))
    record = load_machine("driver-library-mismatch")
    host, _ = probe(WithRealBinding(record), {})
    assert host.nvidia_driver == "565.57.01"
    assert ["reboot" in note for note in host.notes] == [True]


def test_stand_in_has_only_what_the_binding_has() -> None:
    names = [name for name in vars(FakeNvml) if name.lower().startswith("nvml")]
    assert len(names) >= 10
    assert [name for name in names if not hasattr(pynvml, name)] == []
    assert pynvml.NVML_INIT_FLAG_NO_GPUS == FakeNvml.NVML_INIT_FLAG_NO_GPUS
