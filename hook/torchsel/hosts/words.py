"""A machine in words: ``gpu=V100*4,driver=570.124``, ``gfx942``, ``sm_61,driver=580``, ``cpu``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import release_key
from torchsel.errors import ConfigError
from torchsel.host import Accelerator, Host, System, normalize_machine
from torchsel.hosts.names import LONGEST_NAME, find_accelerator, find_gpu, near_names

LONGEST_WORDS: Final = 1000
MOST_GPUS: Final = 64
"""GPUs in one machine; the largest have 16, and eight in slices are 56."""

EXAMPLES: Final = "'gpu=V100*4,driver=570.124', 'gfx942', 'sm_61' or 'cpu'"

DRIVER_ASSUMED: Final = "no driver version is said, so the newest for the GPU is taken"
"""The note of such a host."""

_DRIVER = re.compile(r"\d{1,6}(\.\d{1,6}){0,3}", re.ASCII)
_SYSTEMS: Final[dict[str, System]] = {
    "linux": "linux",
    "win32": "win32",
    "windows": "win32",
    "darwin": "darwin",
    "macos": "darwin",
}
_ARM_NAMES = ("Jetson", "GH200", "GB10", "GB200", "GB300", "RTX Spark", "T4G")
"""NVIDIA's modules and boards that only come with an Arm processor."""


_UNKNOWN_NVIDIA: Final = (Accelerator(vendor="nvidia"),)
"""What a driver without a GPU stands for, as in a recorded host."""


@dataclass(kw_only=True, slots=True)
class _Wish:
    """The words by their keys, and what is wrong with them."""

    accelerators: list[Accelerator] = field(default_factory=list)
    is_cpu: bool = False
    driver: str | None = None
    machine: str | None = None
    system: System | None = None
    faults: list[str] = field(default_factory=list)


def parse_words(text: str, where: str) -> Host:
    """The machine that a person put in words; without a driver version, with the newest made for its GPUs.

    Raises:
        ConfigError: with every fault, each beginning with ``where``, and the names near an unknown one.
    """
    if len(text) > LONGEST_WORDS:
        msg = f"{where}: longer than {LONGEST_WORDS} characters, so not a machine in words"
        raise ConfigError(msg)
    wish = _Wish()
    for item in text.split(","):
        key, equals, value = item.partition("=")
        _take(wish, key.strip().lower() if equals else "gpu", (value if equals else item).strip())
    faults = wish.faults or list(_contradictions(wish))
    if faults:
        raise ConfigError(*(f"{where}: {fault}" for fault in faults))
    # a driver without a GPU stands for one of unknown kind
    gpus = tuple(wish.accelerators) or (_UNKNOWN_NVIDIA if wish.driver else ())
    return complete(gpus, driver=wish.driver, machine=wish.machine, system=wish.system)


def complete(
    accelerators: tuple[Accelerator, ...],
    *,
    driver: str | None = None,
    machine: str | None = None,
    system: System | None = None,
) -> Host:
    """A host of these accelerators, with what nothing was said of as it usually is.

    Raises:
        ConfigError: there are more than one machine can have.
    """
    if len(accelerators) > MOST_GPUS:
        msg = f"more than {MOST_GPUS} GPUs in one machine"
        raise ConfigError(msg)
    system = system or "linux"
    nvidia = [gpu for gpu in accelerators if gpu.vendor == "nvidia"]
    return Host(
        system=system,
        machine=machine or _usual_machine(accelerators, system),
        nvidia_driver=(driver or newest_driver(nvidia, system)) if nvidia else None,
        accelerators=accelerators,
        notes=(DRIVER_ASSUMED,) if nvidia and not driver else (),
    )


def newest_driver(accelerators: Iterable[Accelerator], system: System) -> str:
    """The newest NVIDIA driver known that still supports all of these.

    Source: the last driver branch of each architecture, the drivers that came with CUDA releases.
    """
    catalog = load_catalog()
    capabilities = {gpu.compute_capability for gpu in accelerators}
    rows = [row for row in catalog.architectures if row.compute_capability in capabilities]
    last = min((int(row.last_branch) for row in rows if row.last_branch), default=None)
    versions = [row.windows if system == "win32" else row.linux for row in catalog.drivers]
    # a card is left out of every branch after its last
    keys = {release_key(version): version for version in versions if version}
    return keys[max(key for key in keys if last is None or key[0] <= last)]


def is_driver(text: str) -> bool:
    """Whether this is an NVIDIA driver version such as ``580.65.06``."""
    return bool(_DRIVER.fullmatch(text))


def to_words(host: Host) -> str:
    """The words that `parse_words` makes this machine of again, but for names the catalog lacks."""
    words = [
        f"gpu={name}*{count}" if count > 1 else f"gpu={name}"
        for name, count in Counter(map(_word, host.accelerators)).items()
    ]
    if not host.accelerators:
        words = ["cpu"]
    elif host.accelerators == _UNKNOWN_NVIDIA and host.nvidia_driver:
        words = []
    if host.nvidia_driver:
        words.append(f"driver={host.nvidia_driver}")
    if host.machine != _usual_machine(host.accelerators, host.system):
        words.append(f"machine={host.machine}")
    if host.system != "linux":
        words.append(f"system={host.system}")
    return ",".join(words)


def _word(accelerator: Accelerator) -> str:
    """Its name where that says what it is, else its compute capability or gfx target."""
    row = find_gpu(accelerator.name) if accelerator.name else None
    target = accelerator.compute_capability or accelerator.gfx_target
    if row and (target is None or row.target == target):
        return row.name
    if accelerator.compute_capability:
        return f"sm_{accelerator.compute_capability.replace('.', '')}"
    return accelerator.gfx_target or accelerator.label


def _usual_machine(accelerators: Iterable[Accelerator], system: System) -> str:
    names = (gpu.name or "" for gpu in accelerators)
    is_arm = system == "darwin" or any(name.startswith(_ARM_NAMES) for name in names)
    return "aarch64" if is_arm else "x86_64"


def _take(wish: _Wish, key: str, value: str) -> None:
    """Put one word in its place, or say what is wrong with it."""
    if key == "gpu":
        _take_gpu(wish, value)
    elif key == "driver" and is_driver(value):
        wish.driver = value
    elif key == "driver":
        wish.faults.append(f"driver={shown(value)} is not a driver version such as '580.65.06'")
    elif key == "machine" and re.fullmatch(r"\w{1,20}", value, re.ASCII):
        wish.machine = normalize_machine(value)
    elif key == "machine":
        wish.faults.append(f"machine={shown(value)} is not a machine such as 'x86_64' or 'aarch64'")
    elif key == "system" and value.lower() in _SYSTEMS:
        wish.system = _SYSTEMS[value.lower()]
    elif key == "system":
        wish.faults.append(f"system={shown(value)} is not 'linux', 'win32' or 'darwin'")
    else:
        wish.faults.append(f"{shown(f'{key}=')} is not among gpu=, driver=, machine=, system=")


def _take_gpu(wish: _Wish, value: str) -> None:
    name, star, count = value.partition("*")
    if value.lower() == "cpu":
        wish.is_cpu = True
        return
    accelerator = find_accelerator(name)
    if accelerator is None:
        wish.faults.append(unknown_gpu(name.strip()))
        return
    try:
        wish.accelerators += [accelerator] * number_of_gpus(count.strip() if star else "1", least=1)
    except ConfigError as error:
        wish.faults.append(f"{shown(value)}: {error}")


def number_of_gpus(text: str, *, least: int = 0) -> int:
    """How many GPUs of one kind a machine has.

    Raises:
        ConfigError: it is no number, or more than a machine can have.
    """
    if text.isascii() and text.isdigit() and len(text) <= 4 and least <= int(text) <= MOST_GPUS:
        return int(text)
    msg = f"the number of GPUs goes from {least} to {MOST_GPUS}, and {shown(text)} does not"
    raise ConfigError(msg)


def unknown_gpu(name: str) -> str:
    """That the catalog has no such GPU, and what to write instead."""
    near = ", ".join(f"'{other}'" for other in near_names(name))
    offer = f"near it are {near}; " if near else ""
    return (
        f"{shown(name)} is no GPU that torchsel knows; {offer}"
        "a compute capability such as 'sm_70' or a gfx target such as 'gfx942' says it too"
    )


def shown(text: str) -> str:
    """Foreign text for a sentence: quoted, short, and nothing in it that steers a terminal."""
    return repr(text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}...")


def _contradictions(wish: _Wish) -> Iterable[str]:
    vendors = {gpu.vendor for gpu in wish.accelerators}
    if wish.is_cpu and vendors:
        yield "'cpu' is a machine without a GPU, and one is named beside it"
    if wish.driver and (wish.is_cpu or (vendors and "nvidia" not in vendors)):
        yield "driver= is the version of NVIDIA's driver, and no NVIDIA GPU is named beside it"
    if len(wish.accelerators) > MOST_GPUS:
        yield f"more than {MOST_GPUS} GPUs in one machine"
    if not (wish.is_cpu or vendors or wish.driver):
        yield f"no GPU is named, nor 'cpu'; a machine in words is {EXAMPLES}"
