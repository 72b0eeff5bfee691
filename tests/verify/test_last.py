"""The last verdict: kept, forgotten with a change of packages or machine, never in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.stand_ins import Environment
from tests.verify.conftest import H100, PASCAL
from torchsel.verify.last import keep, last_verdict
from torchsel.verify.verdicts import Opinion, Verified

HUNG = Verified(
    opinion=Opinion(verdict="hung", why="it hung", commands=("torchsel verify",)), torch="2.13.0+cu130"
)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"TORCHSEL_CACHE_DIR": str(tmp_path / "state")}


def test_kept_while_nothing_changes(environment: Environment, environ: dict[str, str]) -> None:
    environment.add_torch()
    assert last_verdict(environment.folder, H100, environ) is None
    keep(HUNG, environment.folder, H100, environ)
    found = last_verdict(environment.folder, H100, environ)
    assert found is not None
    assert (found.verdict, found.torch, found.why, found.commands) == (
        "hung",
        "2.13.0+cu130",
        "it hung",
        ("torchsel verify",),
    )
    assert last_verdict(environment.folder.parent / "other", H100, environ) is None


@pytest.mark.parametrize(
    "host", [PASCAL, replace(H100, nvidia_driver="590.1"), replace(H100, kernel="6.9"), H100]
)
def test_forgotten_with_a_change(environment: Environment, environ: dict[str, str], host: object) -> None:
    environment.add_torch()
    keep(HUNG, environment.folder, H100, environ)
    if host is H100:
        environment.add("torchvision", "0.28.0", "")
    assert last_verdict(environment.folder, replace(H100) if host is H100 else host, environ) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"{}", b'{"verdict": 1, "stamp": null}', b"{" * 100000]
)
def test_a_damaged_record_is_none(
    environment: Environment, environ: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    keep(HUNG, environment.folder, H100, environ)
    (record,) = (tmp_path / "state").iterdir()
    record.write_bytes(content)
    assert last_verdict(environment.folder, H100, environ) is None


def test_one_that_others_can_write_is_not_believed(
    environment: Environment, environ: dict[str, str], tmp_path: Path
) -> None:
    keep(HUNG, environment.folder, H100, environ)
    (record,) = (tmp_path / "state").iterdir()
    record.chmod(0o666)
    assert last_verdict(environment.folder, H100, environ) is None


def test_where_no_state_can_be_kept_nothing_is(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    environ = {"TORCHSEL_CACHE_DIR": str(tmp_path / "file")}
    keep(HUNG, environment.folder, H100, environ)
    assert last_verdict(environment.folder, H100, environ) is None
