from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.toolbox import CASES
from torchsel.errors import ConfigError
from torchsel.hosts.inventory import MOST_MACHINES, MOST_NODES, read_inventory
from torchsel.hosts.words import parse_words, to_words

INPUTS = sorted((CASES / "inventories").glob("*.in"))


def as_record(text: str) -> dict[str, object]:
    """What is expected in a case's ``.json``."""
    inventory = read_inventory(text)
    return {
        "machines": {
            machine.name: {"words": to_words(machine.host), "nodes": list(machine.nodes)}
            for machine in inventory.machines
        },
        "unknown": list(inventory.unknown),
    }


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_inventories(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert as_record(path.read_text(encoding="utf-8")) == expected


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_names_are_file_names_and_sentences_steer_no_terminal(path: Path) -> None:
    inventory = read_inventory(path.read_text(encoding="utf-8"))
    names = [machine.name for machine in inventory.machines]
    assert len(names) == len({name.lower() for name in names})
    for name in names:
        assert name.isascii()
        assert name.replace("-", "").replace(".", "").replace("_", "").isalnum()
        assert name[0].isalnum()
        assert len(name) < 200
    for sentence in (*inventory.unknown, *(machine.line for machine in inventory.machines)):
        assert sentence.isprintable()
        assert len(sentence) < 1000


def test_machines_of_an_inventory_are_recorded_as_their_words_say() -> None:
    for path in INPUTS:
        for machine in read_inventory(path.read_text(encoding="utf-8")).machines:
            again = parse_words(to_words(machine.host), "")
            assert (again.platform, again.nvidia_driver) == (
                machine.host.platform,
                machine.host.nvidia_driver,
            )
            assert len(again.accelerators) == len(machine.host.accelerators)


def test_a_driver_for_nodes_that_say_none() -> None:
    text = "n1 gpu:v100:4 (null)\nn2 (null) (null)\ngpu=T4,driver=550.90.07\n"
    inventory = read_inventory(text, driver="535.54.03")
    assert {to_words(machine.host) for machine in inventory.machines} == {
        "gpu=Tesla V100*4,driver=535.54.03",
        "cpu",
        "gpu=Tesla T4,driver=550.90.07",
    }
    assert inventory.unknown == ()
    with pytest.raises(ConfigError, match=r"^--driver: 'new' is not a driver version"):
        read_inventory(text, driver="new")


def test_the_most_frequent_machine_is_first() -> None:
    text = "\n".join(["gpu=T4", "gpu=V100", "gpu=V100", "cpu", "cpu", "cpu"])
    assert [len(machine.nodes) for machine in read_inventory(text).machines] == [3, 2, 1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f: no machine is in it; expected 'kubectl get nodes -o json', 'sinfo -N -h -o"),
        ("# nothing\n\n", "f: no machine is in it"),
        ("{", "f: not JSON ("),
        ("[]", "f: not what 'kubectl get nodes -o json' prints"),
        ("{}", "f: not what 'kubectl get nodes -o json' prints"),
        ('{"items": {}}', "f: not what"),
        ('{"items": []}', "f: not what"),
        ('{"items": [7]}', "f: not what"),
        ('{"items": [{"metadata": {"name": 7}}]}', "f: not what"),
        ('{"system": "linux", "machine": "x86_64"}', "f: not what"),
        ("[" * 200_000, "f: not JSON ("),
        ('{"a": ' + "9" * 5000 + "}", "f: not JSON ("),
        ("banana\n", "f: 1 node: line 1: 'banana': 'banana' is no GPU that torchsel knows"),
        ("NODELIST GRES AVAIL_FEATURES\n", "f: 1 node: line 1: 'NODELIST GRES AVAIL_FEATURES'"),
    ],
)
def test_what_is_no_inventory(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_inventory(text, where="f")
    assert str(caught.value).startswith(said)


def kubernetes(count: int) -> str:
    def node(number: int) -> dict[str, object]:
        labels = {
            "kubernetes.io/arch": "amd64",
            "nvidia.com/gpu.product": "Tesla-V100-SXM2-32GB",
            "nvidia.com/gpu.compute.major": "7",
            "nvidia.com/gpu.compute.minor": "0",
            "nvidia.com/gpu.count": "4",
            "nvidia.com/cuda.driver-version.full": f"570.{number % 20}.06",
            "nvidia.com/gfd.timestamp": str(number),
        }
        return {
            "metadata": {"name": f"n{number}", "labels": labels},
            "status": {"capacity": {"nvidia.com/gpu": "4"}},
        }

    return json.dumps({"items": [node(number) for number in range(count)]})


def slurm(count: int, gres: str = "gpu:v100:4(S:0-1)") -> str:
    return "\n".join(f"n{number} {gres} v100,rack{number}" for number in range(count))


@pytest.mark.parametrize("text", [kubernetes(10_000), slurm(10_000), slurm(10_000, "gpu:banana:4")], ids=len)
def test_ten_thousand_nodes_take_two_seconds_at_most(text: str) -> None:
    start = time.process_time()
    if "banana" in text:
        with pytest.raises(ConfigError, match=r"10000 nodes: n0, n1, n2 and 9997 more: 'gpu:banana:4'"):
            read_inventory(text.replace("v100,", ""))
    else:
        assert sum(len(machine.nodes) for machine in read_inventory(text).machines) == 10_000
    assert time.process_time() - start < 2


def test_there_is_an_end_to_nodes_and_machines() -> None:
    with pytest.raises(ConfigError, match=f"more than {MOST_NODES} nodes; split it"):
        read_inventory(slurm(MOST_NODES + 1))
    assert read_inventory(slurm(MOST_NODES)).machines[0].name == "v100x4-driver580"
    different = "\n".join(f"n{number} gpu:g{random.random()}:4 x{number}" for number in range(MOST_NODES))  # noqa: S311
    with pytest.raises(ConfigError, match=f"more than {MOST_MACHINES} different machines"):
        read_inventory(different)


LINES = st.text(alphabet='n1 gpu:v1004(S-),null{}[]"=*\n\t\x1b_.', max_size=60)


@given(st.lists(LINES, max_size=4).map("\n".join) | st.text(max_size=80))
def test_any_text_is_an_inventory_or_a_sentence(text: str) -> None:
    try:
        inventory = read_inventory(text)
        said = "".join((*inventory.unknown, *(machine.line for machine in inventory.machines)))
    except ConfigError as error:
        said = "".join(error.problems)
    assert said.isprintable()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=10)
    | st.sampled_from(["74a1", "Tesla-V100", "4"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "items",
                        "metadata",
                        "labels",
                        "status",
                        "nodeInfo",
                        "capacity",
                        "name",
                        "architecture",
                    ),
                    *(
                        "nvidia.com/gpu.product",
                        "nvidia.com/gpu.count",
                        "amd.com/gpu.device-id",
                        "nvidia.com/gpu",
                    ),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(st.lists(st.fixed_dictionaries({"metadata": JSON, "status": JSON}), max_size=3))
def test_any_json_is_an_inventory_or_a_sentence(items: list[object]) -> None:
    try:
        read_inventory(json.dumps({"items": items}))
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either outcome is right, a traceback is not
