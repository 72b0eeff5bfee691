"""A project taken through strategies and machines and back: its text has to be the first one again."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.support import fidelity
from tests.support.fidelity import OWNED, Example, LossError
from tests.support.toml_writer import Writer

REAL = sorted((Path(__file__).parents[1] / "cases" / "real").glob("*.toml"))
HEADER = re.compile(r"(?m)^\[tool\.torchsel\][ \t]*(\r?\n)")
MACHINES = ("cpu", "cu126", "cu130", "rocm7.2", "xpu")
SETTINGS = {
    "pin": "",
    "groups": 'strategy = "groups"\n',
    "groups of three": 'strategy = "groups"\nbackends = ["cpu", "cu126", "cu130"]\n',
    "groups or none": 'strategy = "groups"\nbackends = ["cpu", "xpu"]\ndefault-backend = "none"\n',
    "groups by name": 'strategy = "groups"\nbackends = { cpu = "cpu", gpu = "cu130" }\n',
    "extras": 'strategy = "extras"\n',
    "extras of three": 'strategy = "extras"\nbackends = ["cpu", "cu126", "rocm7.2"]\n',
    "extras by name": 'strategy = "extras"\nbackends = { cpu = "cpu", gpu = "cu126" }\n',
}
"""Lines of ``[tool.torchsel]``, by what they are called."""


class LayoutError(LossError):
    """It came back to the same values, laid out anew where an earlier routing had a layout of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What somebody writes into ``[tool.torchsel]``, and the machine that torchsel then runs on."""

    settings: str
    machine: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sequence:
    """A project whose ``[tool.torchsel]`` says nothing of strategies, and the way it takes."""

    name: str
    text: str
    is_fresh: bool
    steps: tuple[Step, ...]


def sequence(random: Random) -> Sequence:
    """A real file, or one written at random, and three to seven steps, the last of them the first again."""
    name, text, is_fresh = _real(random) if random.random() < 0.5 else _generated(random)
    has_project = "project" in tomllib.loads(text.removeprefix("\ufeff"))
    names = [name for name in SETTINGS if has_project or not name.startswith(("extras", "groups"))]
    steps = [
        Step(settings=random.choice(names), machine=random.choice(MACHINES))
        for _ in range(random.randrange(2, 7))
    ]
    return Sequence(name=name, text=text, is_fresh=is_fresh, steps=(*steps, steps[0]))


def can_be_taken(text: str) -> bool:
    """Whether lines can be put below the table's header, as it says nothing of strategies itself.

    Empty lists of conflicts and default groups say nothing, and go with torchsel's own.
    """
    tool = tomllib.loads(text.removeprefix("\ufeff"))["tool"]
    uv = tool.get("uv", {})
    says = tool["torchsel"].keys() & {"strategy", "backends", "default-backend"}
    is_full = uv.get("default-groups") not in ("all", []) and uv.get("conflicts") != []
    return len(HEADER.findall(text)) == 1 and not says and is_full


def _real(random: Random) -> tuple[str, str, bool]:
    paths = [path for path in REAL if can_be_taken(path.read_bytes().decode())]
    path = random.choice(paths)
    text = path.read_bytes().decode()
    return path.name, text, "pytorch-" not in fidelity.uv_part(text)


def _generated(random: Random) -> tuple[str, str, bool]:
    is_fresh = random.random() < 0.7
    while True:
        data = fidelity.project_data(random, owned=not is_fresh)
        data["tool"]["torchsel"] = random.choice([{}, {"packages": ["torch", "torchvision"]}])
        text = Writer(random, owned=OWNED).write(data)
        if can_be_taken(text):
            return "written at random", text, is_fresh


def check(given: Sequence) -> None:
    """Take all steps; the last text has to be the first one.

    Where entries of an earlier routing stood, written and placed as nobody knows, it has to mean the same:
    what a strategy takes out can't be put back in a layout that only the file knew.

    Raises:
        LayoutError: it means the same there, but is another text.
        LossError: something that must hold did not; its texts are all that there were.
        ConfigError: torchsel refuses the project (exit code 2).
    """
    texts, settings = [given.text], "pin"
    for step in given.steps:
        changed = _with(texts[-1], settings, step.settings)
        texts.append(_routed(changed, step))
        settings = step.settings
        _demand(_routed(texts[-1], step) == texts[-1], f"twice is not once: {step.settings}", texts)
        bare = _with(texts[-1], settings, "pin")
        _demand(fidelity.users(bare) == fidelity.users(given.text), "a value of the user's changed", texts)
        _demand(fidelity.kept(bare) == fidelity.kept(given.text), "a line of the user's changed", texts)
    _demand(_meaning(texts[1]) == _meaning(texts[-1]), "there and back means something else", texts)
    if texts[1] != texts[-1] and not given.is_fresh:
        raise LayoutError("there and back is laid out anew", *texts)
    _demand(texts[1] == texts[-1], "there and back is not the same text", texts)


def _meaning(text: str) -> str:
    """What the text says to uv: an explicit index has a name but no place, one source may be a list."""
    data = tomllib.loads(text.removeprefix("\ufeff"))
    uv = data["tool"].get("uv", {})
    uv.get("index", []).sort(
        key=lambda entry: str(entry.get("name")) if entry.get("explicit") is True else ""
    )
    sources = uv.get("sources", {})
    sources |= {name: [item] for name, item in sources.items() if isinstance(item, dict)}
    return fidelity.spelled(data)


def shrunk(given: Sequence) -> Sequence:
    """With as few steps in between as fail in the same way."""
    kind = str(failure(given))[:30]
    at = 1
    while at < len(given.steps) - 1:
        fewer = replace(given, steps=given.steps[:at] + given.steps[at + 1 :])
        if str(failure(fewer))[:30] == kind:
            given = fewer
        else:
            at += 1
    return given


def failure(given: Sequence) -> Exception | None:
    """What goes wrong with a sequence; a refusal is a ConfigError."""
    try:
        check(given)
    except Exception as error:  # whatever it is, it is what is looked for
        return error
    return None


def _with(text: str, before: str, after: str) -> str:
    """The text with other settings below the header, in its own style of line ends."""
    header = HEADER.search(text)
    if header is None:
        raise LossError("the user's table is gone", text)
    at = header.end()
    old, new = (SETTINGS[name].replace("\n", header[1]) for name in (before, after))
    if not text.startswith(old, at):
        raise LossError("a setting of the user's changed", text)
    return f"{text[:at]}{new}{text[at + len(old) :]}"


def _routed(text: str, step: Step) -> str:
    example = Example(text=text, locked=(), machines=(step.machine, step.machine), is_fresh=True)
    return fidelity.routed(example, text, step.machine)


def _demand(holds: bool, what: str, texts: list[str]) -> None:
    if not holds:
        raise LossError(what, *texts)
