"""What groups cost the lock, and what switching machines costs under groups and under pin."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.bench.projects import HOSTS, Stage
from scripts.bench.timing import Command, Row, paired
from tests.support.toolbox import Project

BACKENDS = ("cpu", "cu126", "cu130", "rocm7.2", "xpu", "cu128", "cu129", "rocm7.1", "rocm6.4")
"""In the order in which they are added; each has a torch before 2.12, the last with a torchaudio."""

FAMILY = ("torch<2.12", "torchvision", "torchaudio", "trainkit")


def lock(here: Stage) -> Iterator[Row]:
    """Time and size of ``uv lock`` for a growing number of backends; then two machines in turn."""
    counts = (1, 2, 3, 5, 7, 9)
    projects = {count: _project(here, count) for count in counts}
    commands = {str(count): _fresh_lock(here, at) for count, at in projects.items()}
    times = paired(commands, max(here.rounds // 4, 4))
    for count, at in projects.items():
        took, size = times[str(count)], (at.root / "uv.lock").stat().st_size
        yield Row(
            part="lock",
            name=f"uv lock, {count} backend{'s' if count > 1 else ''} x 4 packages",
            ms=took.median,
            ratio=f"{took.ratio(times['1']):.2f} x one backend",
            note=f"uv.lock {size / 1000:.0f} kB",
        )
    yield from _switching(here)


def _project(here: Stage, count: int) -> Project:
    names = ", ".join(f'"{name}"' for name in BACKENDS[:count])
    settings = f'strategy = "groups"\nbackends = [{names}]\n'
    at = here.project(f"lock-{count}", *FAMILY, settings=settings)
    at.run(here.torchsel, "--no-lock")
    return at


def _fresh_lock(here: Stage, at: Project) -> Command:
    """From nothing, with uv's cache warm."""
    path = at.root / "uv.lock"
    return Command(
        words=(here.uv, "lock"), cwd=at.root, env=at.env, prepare=lambda: path.unlink(missing_ok=True)
    )


def _switching(here: Stage) -> Iterator[Row]:
    """The same project on two machines in turn, uv's sync included."""
    groups = here.project("switch-groups", *FAMILY, settings=f'strategy = "groups"\nbackends = {_two()}\n')
    pin = here.project("switch-pin", *FAMILY)
    commands: dict[str, Command] = {}
    for name, at in (("groups", groups), ("pin", pin)):
        for host in ("cpu", "h200"):
            env = {**at.env, "TORCHSEL_HOST": str(HOSTS / f"{host}.json")}
            commands[f"{name}, {host}"] = Command(words=(here.torchsel, "sync"), cwd=at.root, env=env)
    times = paired(commands, max(here.rounds // 4, 4))
    yield Row(part="lock", name="switching machines under groups", ms=times["groups, h200"].median)
    yield Row(
        part="lock",
        name="switching machines under pin, which locks again",
        ms=times["pin, h200"].median,
        ratio=f"{times['pin, h200'].ratio(times['groups, h200']):.2f} x groups",
    )


def _two() -> str:
    return '["cpu", "cu130"]'
