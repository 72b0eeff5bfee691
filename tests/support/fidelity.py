"""Whole projects in every style, routed for one machine, for another and back: what must hold, as checks.

Nothing here asks torchsel what is its own: that is worked out from names alone.
"""

from __future__ import annotations

import copy
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.support import toml_writer
from tests.support.toml_writer import MARK, Writer
from torchsel.backend import Backend
from torchsel.pipeline.inputs import strategy_in
from torchsel.pipeline.plan import make_plan
from torchsel.project.project import Project, TomlFile
from torchsel.strategies.protocol import Options

ROOT = Path("/demo/pyproject.toml")
MACHINES = ("cpu", "cu118", "cu126", "cu128", "cu130", "cu132", "rocm6.4", "rocm7.2", "xpu", "cu140")
FAMILY = ("torch", "torchvision", "torchaudio", "triton", "pytorch-triton-rocm", "triton-rocm", "triton-xpu")
TAG = r"(cpu|cu\d+|rocm[\d-]+|xpu|gpu)"
OWNED = (
    *(("tool", "uv", "sources", package) for package in FAMILY),
    ("tool", "uv", "index"),
    ("tool", "uv", "conflicts"),
    ("tool", "uv", "default-groups"),
    ("dependency-groups", "torchsel"),
    ("project", "optional-dependencies", "cpu"),
)
NAMES = {"cpu": "cpu", "gpu": "cu130"}


class LossError(AssertionError):
    """Something of the user's changed, or a run was not repeatable; ``texts`` are the steps to it."""

    def __init__(self, what: str, *texts: str) -> None:
        super().__init__(what)
        self.texts = texts


@dataclass(frozen=True, slots=True)
class Example:
    """A pyproject.toml, the packages that its uv.lock has, and two machines' backends."""

    text: str
    locked: tuple[tuple[str, str], ...]
    machines: tuple[str, str]
    is_fresh: bool


def example(random: Random) -> Example:
    """One of all legal projects; ``is_fresh`` is one without entries of an earlier routing."""
    is_fresh = random.random() < 0.6
    text = Writer(random, owned=OWNED).write(project_data(random, owned=not is_fresh))
    locked = random.choice(
        [(), (), (("torch", "2.9.1"), ("torchvision", "0.24.1")), (("torch", "2.13.0"), ("numpy", "2.0"))]
    )
    first, second = random.sample(MACHINES, 2)
    return Example(text=text, locked=locked, machines=(first, second), is_fresh=is_fresh)


def project_data(random: Random, *, owned: bool) -> dict[str, Any]:
    """What a project says; with ``owned`` it may have entries as an earlier routing left them."""
    found = toml_writer.data(random, owned=owned)
    tool = found.setdefault("tool", {})
    config = _config(random, has_project="project" in found)
    tool["torchsel"] = config
    _define_index(random, tool.get("uv", {}))
    if "project" in found:
        found["project"] |= {"version": "0.1", "dependencies": _dependencies(random)}
        if random.random() < 0.5:
            found["project"]["requires-python"] = random.choice([">=3.11", ">=3.10,<3.14", ">= 3.12"])
    if "uv" in tool and random.random() < 0.15 and (config.get("strategy", "pin") == "pin"):
        tool["uv"]["default-groups"] = random.choice([["dev"], "all", []])
    if "uv" in tool and random.random() < 0.1:
        tool["uv"]["environments"] = ["sys_platform == 'linux'"]
    if "uv" in tool and random.random() < 0.1:
        source = random.choice([{"git": "https://github.com/a/b"}, {"path": "x"}, [{"index": "corp0"}]])
        tool["uv"].setdefault("sources", {})[random.choice(["torchvision", "Torch", "x"])] = source
    return _shuffled(random, found)


def _define_index(random: Random, uv: dict[str, Any]) -> None:
    """A source to an index that is not there would be no legal project."""
    indexes = uv.get("index", [])
    if any(map(_is_ours, uv.get("sources", {}).values())) and not any(map(_is_our_index, indexes)):
        indexes.insert(random.randrange(len(indexes) + 1), toml_writer.index("cpu"))
        uv["index"] = indexes


def _shuffled(random: Random, found: dict[str, Any]) -> dict[str, Any]:
    pairs = [
        (key, _shuffled(random, value) if isinstance(value, dict) else value) for key, value in found.items()
    ]
    if random.random() < 0.5:
        random.shuffle(pairs)
    return dict(pairs)


def _config(random: Random, *, has_project: bool) -> dict[str, Any]:
    strategy = random.choice(["pin", "pin", "groups", "extras"] if has_project else ["pin"])
    config: dict[str, Any] = {} if strategy == "pin" and random.random() < 0.7 else {"strategy": strategy}
    if strategy != "pin":
        listed: list[Any] = [["cpu", "cu126", "cu130"], ["cpu", "xpu"], ["rocm7.2"], NAMES, None, None]
        if (backends := random.choice(listed)) is not None:
            config["backends"] = copy.deepcopy(backends)
    if strategy == "groups" and random.random() < 0.5:
        config["default-backend"] = random.choice(["none", "pypi"])
    if random.random() < 0.2:
        config["packages"] = random.choice([["torch"], ["torch", "torchvision"]])
    if random.random() < 0.1:
        config["index-url"] = "https://mirror.example/whl"
    if random.random() < 0.1:
        config["channel"] = "test"
    return config


def _dependencies(random: Random) -> list[str]:
    torch = random.choice(
        ["torch", "torch>=2.4", "torch~=2.9", "torch ; sys_platform == 'linux'", "Torch<2.14"]
    )
    others = ["numpy>=1", "torchvision", "torchaudio>=2", "lightning[extra]", "requests @ https://e.x/r.whl"]
    listed = [*random.sample(others, random.randrange(4)), *([torch] if random.random() < 0.7 else [])]
    random.shuffle(listed)
    return listed


def check(given: Example) -> None:
    """Route for the first machine, for the second, and for the first again.

    Where entries of some earlier routing stood, written and placed as nobody knows, it is the second round
    trip that changes nothing any more.

    Raises:
        LossError: something that must hold did not.
        ConfigError: torchsel refuses the project (exit code 2).
    """
    here, there = given.machines
    first = routed(given, given.text, here)
    _demand(routed(given, first, here) == first, "twice is not once", given.text, first)
    second = routed(given, first, there)
    third = routed(given, second, here)
    if given.is_fresh:
        _demand(third == first, "there and back is not the same", given.text, first, second, third)
    else:
        _demand(meaning(third) == meaning(first), "there and back means something else", first, second, third)
        fifth = routed(given, routed(given, third, there), here)
        _demand(fifth == third, "the second time there and back is not the same", third, fifth)
    for text in (first, second):
        _demand(kept(text) == kept(given.text), "a line of the user's changed", given.text, text)
        _demand(users(text) == users(given.text), "a value of the user's changed", given.text, text)
        _demand(text.startswith("\ufeff") == given.text.startswith("\ufeff"), "the BOM", given.text, text)
    _demand(is_routed(first, here), f"torch is not routed to {here}", given.text, first)


def routed(given: Example, text: str, machine: str) -> str:
    """The text that torchsel writes on a machine."""
    data = tomllib.loads(text.removeprefix("\ufeff"))
    listed = [
        {"name": name, "version": version, "source": {"registry": "https://index.example/simple"}}
        for name, version in given.locked
    ]
    lock = TomlFile(path=ROOT.with_name("uv.lock"), text="", data={"version": 1, "package": listed})
    project = Project(root=TomlFile(path=ROOT, text=text, data=data), lock=lock if listed else None)
    strategy = strategy_in(project, Options(folder=ROOT.parent, environ={}))
    return make_plan(strategy, Backend.parse(machine)).text


def kept(text: str) -> list[str]:
    """The lines that may not change, with their line ends; the last one may get an end."""
    lines = text.removeprefix("\ufeff").split("\n")
    marked = [line for line in lines if MARK in line]
    if marked and marked[-1] is lines[-1]:
        marked[-1] += "\r" if "\r\n" in text else ""
    return [line.rstrip("\r") if at == len(marked) - 1 else line for at, line in enumerate(marked)]


def users(text: str) -> str:
    """All that is not torchsel's, in one spelling."""
    data = tomllib.loads(text.removeprefix("\ufeff"))
    groups, uv = data.get("dependency-groups", {}), data.get("tool", {}).get("uv", {})
    names = {name for name in groups if name == "torchsel" or re.fullmatch(rf"(torch-)?{TAG}", name)}
    defaults = uv.get("default-groups")
    if isinstance(defaults, list):
        uv["default-groups"] = [name for name in defaults if name not in names]
        if uv["default-groups"] == (["dev"] if "dev" in groups or "dev-dependencies" in uv else []):
            del uv["default-groups"]
    extras = data.get("project", {}).get("optional-dependencies", {})
    for table, found in ((groups, names), (extras, {name for name in extras if re.fullmatch(TAG, name)})):
        for name in found:
            del table[name]
    uv["index"] = [item for item in uv.get("index", []) if not _is_our_index(item)]
    uv["sources"] = {name: item for name, item in uv.get("sources", {}).items() if not _is_ours(item)}
    uv["conflicts"] = [items for items in uv.get("conflicts", []) if not all(map(_is_our_member, items))]
    return spelled(_without_empty(data))


def _is_ours(source: Any) -> bool:
    items = source if isinstance(source, list) else [source]
    return bool(items) and all(str(item.get("index", "")).startswith("pytorch-") for item in items)


def _is_our_index(entry: dict[str, Any]) -> bool:
    return str(entry.get("name", "")).startswith("pytorch-")


def _is_our_member(member: dict[str, str]) -> bool:
    return all(re.fullmatch(rf"(torch-)?{TAG}", name) for name in member.values())


def _without_empty(data: dict[str, Any]) -> dict[str, Any]:
    """Without containers that are empty because nothing of the user's was in them."""
    uv = data.get("tool", {}).get("uv", {})
    holders = [(uv, key) for key in ("index", "sources", "conflicts")]
    holders += [(data.get("tool", {}), "uv"), (data, "dependency-groups")]
    holders += [(data.get("project", {}), "optional-dependencies")]
    for holder, key in holders:
        if not holder.get(key, True):
            del holder[key]
    return data


def spelled(value: Any) -> str:
    """Plain data in one spelling."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{key!r}:{spelled(value[key])}' for key in sorted(value))}}}"
    return f"[{','.join(map(spelled, value))}]" if isinstance(value, list) else repr(value)


def is_routed(text: str, machine: str) -> bool:
    """Whether torch has a source and its indexes are there and explicit, or torch is the user's to route."""
    data = tomllib.loads(text.removeprefix("\ufeff"))
    uv = data["tool"].get("uv", {})
    sources = {name.lower(): item for name, item in uv.get("sources", {}).items()}
    torch = sources.get("torch", [])
    items = torch if isinstance(torch, list) else [torch]
    if items and not _is_ours(items):
        return True
    indexes = {item.get("name"): item.get("explicit") for item in uv.get("index", [])}
    is_pin = data["tool"]["torchsel"].get("strategy", "pin") == "pin"
    names = [item["index"] for item in items]
    return (
        bool(names)
        and all(indexes.get(name) is True for name in names)
        and (not is_pin or names == [f"pytorch-{machine}"])
    )


def uv_part(text: str) -> str:
    """``tool.uv`` in one spelling."""
    return spelled(tomllib.loads(text.removeprefix("\ufeff")).get("tool", {}).get("uv", {}))


def meaning(text: str) -> str:
    """What the text says, in one spelling; the order of indexes is part of it."""
    return spelled(tomllib.loads(text.removeprefix("\ufeff")))


def failure(given: Example) -> Exception | None:
    """What goes wrong with an example; a refusal is a ConfigError."""
    try:
        check(given)
    except Exception as error:  # whatever it is, it is what is looked for
        return error
    return None


def shrunk(given: Example) -> Example:
    """A smaller example that fails in the same way: whole lines taken out as long as it does."""
    kind = str(failure(given))[:40]
    size = max(1, given.text.count("\n") // 2)
    while size:
        lines = given.text.splitlines(keepends=True)
        for at in range(0, len(lines), size):
            smaller = replace(given, text="".join(lines[:at] + lines[at + size :]))
            if is_legal(smaller.text) and str(failure(smaller))[:40] == kind:
                given = smaller
                break
        else:
            size //= 2
    return given


def is_legal(text: str) -> bool:
    """Whether it is TOML with a configured project."""
    try:
        return "torchsel" in tomllib.loads(text.removeprefix("\ufeff")).get("tool", {})
    except ValueError:
        return False


def _demand(holds: bool, what: str, *texts: str) -> None:
    if not holds:
        raise LossError(what, *texts)
