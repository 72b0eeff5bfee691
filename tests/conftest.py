"""What tests ask for by name: the index on loopback, uv, projects and recorded hosts."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.exploring import load_profile
from tests.support.index import Index
from tests.support.toolbox import Project, World, host_files, uv_binary

load_profile()


class MakeProject(Protocol):
    """Makes a project in a folder of its own; ``uv_version`` None is the environment's uv."""

    def __call__(
        self,
        pyproject: str,
        *,
        name: str = "demo",
        uv_version: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Project: ...


@pytest.fixture(scope="session")
def index() -> Iterator[Index]:
    with Index() as running:
        yield running


@pytest.fixture(scope="session")
def world(index: Index, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(index=index, folder=tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def uv() -> Path:
    return uv_binary()


@pytest.fixture
def project(world: World, tmp_path: Path) -> MakeProject:
    def make(
        pyproject: str,
        *,
        name: str = "demo",
        uv_version: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Project:
        return world.project(tmp_path / name, pyproject, uv=uv_binary(uv_version), env=env)

    return make


@pytest.fixture(scope="session")
def hosts() -> dict[str, Path]:
    return host_files()


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """No test changes what this process does when a signal comes."""
    before = _handlers()
    yield
    assert _handlers() == before


def _handlers() -> list[object]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [signal.getsignal(getattr(signal, name)) for name in names if hasattr(signal, name)]
