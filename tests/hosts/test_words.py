from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchsel.catalog.catalog import accelerator_of, load_catalog
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host
from torchsel.hosts.words import DRIVER_ASSUMED, complete, newest_driver, parse_words, to_words

V100 = Accelerator(vendor="nvidia", name="Tesla V100", compute_capability="7.0")


def linux(
    *accelerators: Accelerator, driver: str | None = None, machine: str = "x86_64", note: str = ""
) -> Host:
    notes = (note,) if note else ()
    return Host(system="linux", machine=machine, nvidia_driver=driver, accelerators=accelerators, notes=notes)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("gpu=V100*4,driver=570.124", linux(*[V100] * 4, driver="570.124")),
        (" GPU = v100 * 4 , driver = 570.124 ", linux(*[V100] * 4, driver="570.124")),
        ("gfx942", linux(Accelerator(vendor="amd", gfx_target="gfx942"))),
        ("gpu=gfx942*2", linux(*[Accelerator(vendor="amd", gfx_target="gfx942")] * 2)),
        ("sm_61,driver=580", linux(Accelerator(vendor="nvidia", compute_capability="6.1"), driver="580")),
        ("cpu", linux()),
        ("gpu=cpu", linux()),
        ("cpu,machine=arm64", linux(machine="aarch64")),
        ("cpu,system=windows", Host(system="win32", machine="x86_64")),
        ("cpu,system=macos", Host(system="darwin", machine="aarch64")),
        ("driver=580.65.06", linux(Accelerator(vendor="nvidia"), driver="580.65.06")),
        ("V100", linux(V100, driver="580.65.06", note=DRIVER_ASSUMED)),
        (
            "gpu=V100,gpu=mi300x,driver=580",
            linux(V100, Accelerator(vendor="amd", name="Instinct MI300X", gfx_target="gfx942"), driver="580"),
        ),
    ],
)
def test_words(text: str, host: Host) -> None:
    assert parse_words(text, "--host") == host


def test_arm_boards_come_with_arm_processors() -> None:
    assert [
        parse_words(name, "").machine for name in ("GH200", "DGX Spark", "Jetson AGX Orin", "T4G", "H200")
    ] == [
        *["aarch64"] * 4,
        "x86_64",
    ]
    assert parse_words("GH200,machine=x86_64", "").machine == "x86_64"


@pytest.mark.parametrize(
    ("name", "system", "driver"),
    [
        ("K80", "linux", "470.42.01"),
        ("V100", "linux", "580.65.06"),
        ("V100", "win32", "580"),
        ("H100", "linux", "615"),
        ("H100", "win32", "616"),
    ],
)
def test_without_a_driver_the_newest_that_supports_the_card(name: str, system: str, driver: str) -> None:
    assert parse_words(f"gpu={name},system={system}", "").nvidia_driver == driver


def test_the_oldest_card_decides_on_the_driver() -> None:
    assert parse_words("gpu=H100,gpu=V100", "").nvidia_driver == "580.65.06"
    unknown = Accelerator(vendor="nvidia", compute_capability="19.0")
    assert newest_driver([unknown], "linux") == "615"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no GPU that torchsel knows"),
        ("gpu=V10*4", "'V10' is no GPU that torchsel knows; near it are 'Tesla V100'"),
        ("banana", "a compute capability such as 'sm_70' or a gfx target such as 'gfx942' says it too"),
        ("machine=aarch64", "no GPU is named, nor 'cpu'"),
        ("V100*0", "the number of GPUs goes from 1 to 64"),
        ("V100*", "the number of GPUs goes from 1 to 64"),
        ("V100*-1", "the number of GPUs goes from 1 to 64"),
        ("V100*" + "9" * 900, "the number of GPUs goes from 1 to 64"),
        ("V100*64,T4", "more than 64 GPUs"),
        ("cpu,gfx942", "'cpu' is a machine without a GPU, and one is named beside it"),
        ("cpu,driver=580", "no NVIDIA GPU is named beside it"),
        ("gfx942,driver=6.4", "no NVIDIA GPU is named beside it"),
        ("V100,driver=banana", "driver='banana' is not a driver version such as '580.65.06'"),
        ("V100,driver=13.0.", "is not a driver version"),
        ("V100,machine=a b", "machine='a b' is not a machine such as 'x86_64' or 'aarch64'"),
        ("V100,system=beos", "system='beos' is not 'linux', 'win32' or 'darwin'"),
        ("V100,cuda=13", "'cuda=' is not among gpu=, driver=, machine=, system="),
        ("V" * 1001, "longer than 1000 characters"),
        ("\x1b]0;x\x07", r"'\x1b]0;x\x07' is no GPU"),
    ],
)
def test_words_that_are_none(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_words(text, "--host")
    assert all(problem.startswith("--host: ") for problem in caught.value.problems)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_all_faults_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_words("gpu=banana,driver=x,foo=1", "w")
    assert len(caught.value.problems) == 3


GPUS = st.lists(st.sampled_from([accelerator_of(row) for row in load_catalog().gpus]), max_size=4)


@given(
    GPUS,
    st.sampled_from(["x86_64", "aarch64"]),
    st.sampled_from(["linux", "win32", "darwin"]),
    st.sampled_from([None, "570.124", "580.65.06"]),
)
def test_written_words_are_read_as_the_same_machine(
    gpus: list[Accelerator], machine: str, system: str, driver: str | None
) -> None:
    host = parse_words(to_words(complete((), machine=machine)) + f",system={system}", "")
    host = complete(tuple(gpus), driver=driver, machine=machine, system=host.system)
    again = parse_words(to_words(host), "")
    assert (again.system, again.machine, again.nvidia_driver) == (
        host.system,
        host.machine,
        host.nvidia_driver,
    )
    assert sorted(map(targets, again.accelerators)) == sorted(map(targets, host.accelerators))


def targets(accelerator: Accelerator) -> tuple[str, str, str]:
    return accelerator.vendor, accelerator.compute_capability or "", accelerator.gfx_target or ""


@given(st.text(alphabet="gpu=*,drive580.vV1smfx_ \n\0\x1b", max_size=80) | st.text(max_size=60))
def test_any_text_is_a_machine_or_a_sentence(text: str) -> None:
    try:
        said = to_words(parse_words(text, "w"))
    except ConfigError as error:
        said = "".join(error.problems)
    assert said.isprintable()
