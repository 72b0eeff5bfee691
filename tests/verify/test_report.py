"""What is shown and written: the documented JSON, a page, and a report that names nobody."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

import pytest

from tests.support.stand_ins import Environment
from tests.verify.conftest import H100, Verify, asked
from torchsel.verify.report import to_json, to_report, to_text

SECRETS = (
    r"open C:\Users\jane doe\x; /srv/jane/lab; GPU-8a2f0c1e-1234-5678-9abc-def012345678;"
    r" Serial Number: 1652823054567; jane@example.org 10.1.2.3 http://u:p@example.org/x fe80::1ff:fe23:4567"
    r" 00:1b:44:11:3a:b7; \\nas7\jane\x;"
    r' load "/lab of jane/x y.so"; node17.cluster.example.org; node17; janedoe; /home/jane doe/x; login9.lab;'
    " login9 of roe at gpu-22"
)
HIDDEN = (
    *(
        "jane",
        "lab",
        "8a2f0c1e",
        "1652823054567",
        "example",
        "10.1.2.3",
        "4567",
        "3a:b7",
        "nas7",
        "y.so",
        "/srv",
    ),
    *("node17", "login9", "roe", "gpu-22"),
)


def test_the_json_has_the_documented_fields(environment: Environment, verified: Verify) -> None:
    environment.add_torch()
    record = json.loads(to_json(verified()))
    assert record["verdict"] == "works"
    assert record["torch"] == "2.13.0+cu130"
    assert (record["predicted"], record["catalog_row"], record["commands"]) == (True, None, [])
    gpu = record["gpus"][0]
    assert (gpu["name"], gpu["verdict"], gpu["compute_capability"]) == ("GPU 0", "works", "9.0")


def test_the_page_says_what_was_done(environment: Environment, verified: Verify) -> None:
    environment.add_torch("raise RuntimeError('what nobody knows')")
    environment.add("torchvision", "0.28.0", "")
    assert to_text(verified()).splitlines() == [
        "crashed: torch failed in 'import torch': RuntimeError: what nobody knows;"
        " run 'torchsel sync --reinstall'",
        "please report it with what 'torchsel verify --report report.json' writes (no names, no paths)",
    ]


def test_the_page_of_a_build_unknown_to_the_catalog(environment: Environment, verified: Verify) -> None:
    environment.add_torch(version="2.99.0+cu140", arch_list=["sm_90"])
    environment.add("torchvision", "0.28.0", "")
    assert to_text(verified(backend="cu140", torch="2.99.0")) == (
        "works: torch 2.99.0+cu140 works on this machine\n"
        "  GPU 0 (9.0): works (fill_ within 0, elementwise within 1e-05, matmul fp32 within 0.001,"
        " matmul bf16 within 0.01, 3x3 convolution within 0.001)\n"
        "  torchvision 0.28.0: works\n"
        "what this build says of itself is not in torchsel's catalog; the row for pyproject.toml:\n\n"
        '[[tool.torchsel.catalog.builds]]\ntorch = "2.99.0"\nbackend = "cu140"\nplatform = "linux_x86_64"\n'
        'kernels = ["9.0"]\n\n'
        "please report it with what 'torchsel verify --report report.json' writes (no names, no paths)"
    )


def test_a_report_names_nobody(
    environment: Environment, verified: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "node17.cluster.example.org")
    monkeypatch.setattr(getpass, "getuser", lambda: "janedoe")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jane doe"))
    environment.add_torch(f"print(__file__, 'end', file=sys.stderr)\nraise RuntimeError({SECRETS!r})")
    environ = {"HOSTNAME": "login9.lab", "USER": "roe", "SLURMD_NODENAME": "gpu-22"}
    request = asked(environment.folder, environ=environ)
    text = to_report(verified(), request)
    record = json.loads(text)
    assert record["verification"]["verdict"] == "crashed"
    assert record["unexplained"].startswith("RuntimeError: open ")
    assert " end" in record["unexplained"]
    for secret in (*HIDDEN, str(environment.folder.parent)):
        assert secret not in text
    assert (record["kernel"], record["nvidia_driver"]) == ("6.8.0", H100.nvidia_driver)
    assert record["accelerators"] == [
        {"vendor": "nvidia", "name": "NVIDIA H100", "compute_capability": "9.0"}
    ]
