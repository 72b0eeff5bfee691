"""``scripts/catalog/refresh.py`` against recorded pages and small wheels on loopback."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import Request

import pytest

from scripts.catalog import archs as catalog_archs
from scripts.catalog import fetch as catalog_fetch
from scripts.catalog import pages as catalog_pages
from scripts.catalog import refresh as refresh_catalog
from scripts.catalog import rows as catalog_rows
from tests.support.index import Index
from tests.support.toolbox import ROOT
from torchsel.catalog.catalog import load_catalog
from torchsel.catalog.rows import DATA, Build

PAGES = ROOT / "tests" / "cases" / "index_pages"
"""Pages of torch as an index has them, by backend."""

CUDA = b"ELF sm_90\x00sm_61\x00junk\x00sm_75 sm_80 sm_90 sm_90a compute_120\x00sm_52\x00"
ROCM = b"x\x00gfx90a gfx942:sramecc+:xnack- gfx1100\x00"


class Files:
    """A server on loopback: ``bodies`` by path (a content type and bytes, or a status), ranges understood."""

    def __init__(self) -> None:
        self.bodies: dict[str, tuple[str, bytes] | int] = {}
        self.redirects: dict[str, str] = {}
        self.knows_ranges = True
        self.silent = threading.Event()
        self.sent: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def page(self, backend: str, text: str | None = None) -> None:
        """Serve a page of ``whl``, the recorded one where no text is given."""
        path = next(iter(PAGES.glob(f"{backend}.*")), None)
        kind = "application/vnd.pypi.simple.v1+json" if path and path.suffix == ".json" else "text/html"
        content = (text or (path.read_text(encoding="utf-8") if path else "")).encode()
        self.bodies[f"/whl/{backend}/torch/"] = kind, content

    def close(self) -> None:
        self.silent.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(files: Files) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/silent":
                files.silent.wait(5)
                return
            if target := files.redirects.get(self.path):
                self.answer(302, "text/plain", b"", Location=target)
                return
            found = files.bodies.get(self.path, 403)
            if isinstance(found, int):
                self.answer(found, "application/xml", b"<Error/>")
                return
            self.answer_ranged(*found)

        def answer_ranged(self, kind: str, body: bytes) -> None:
            wanted = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range") or "")
            if not wanted or not files.knows_ranges:
                self.answer(200, kind, body)
                return
            start = int(wanted[1]) if wanted[1] else max(len(body) - int(wanted[2]), 0)
            stop = min(int(wanted[2]) + 1, len(body)) if wanted[1] else len(body)
            span = f"bytes {start}-{stop - 1}/{len(body)}"
            self.answer(206, kind, body[start:stop], **{"Content-Range": span})

        def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
            files.sent.append(len(body))
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    return Handler


@pytest.fixture
def files() -> Iterator[Files]:
    server = Files()
    yield server
    server.close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "builds.csv"
    path.write_text((DATA / "builds.csv").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def refresh(files: Files, table: Path, *options: str) -> int:
    words = ["--index-url", f"{files.url}/whl", "--data", str(table), "--timeout", "5", *options]
    return refresh_catalog.refresh(refresh_catalog._arguments(words))


def wheel(members: dict[str, bytes], *, packed: bool = True) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def serve_wheel(files: Files, content: bytes) -> str:
    files.bodies["/torch.whl"] = "application/octet-stream", content
    return f"{files.url}/torch.whl"


def recorded(backend: str) -> dict[Any, Any]:
    path = next(PAGES.glob(f"{backend}.*"))
    kind = "application/json" if path.suffix == ".json" else "text/html"
    url = f"https://mirror.example/whl/{backend}/torch/"
    page = catalog_fetch.Page(url=url, kind=kind, text=path.read_text(encoding="utf-8"))
    return {
        key: found.python for key, found in catalog_pages.builds(catalog_pages.links(page), backend).items()
    }


def test_the_table_is_in_the_form_that_is_written() -> None:
    text = (DATA / "builds.csv").read_text(encoding="utf-8")
    assert catalog_rows.to_csv(catalog_rows.in_order(load_catalog().all_builds)) == text


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (
            "cu134",
            {
                ("2.16.0", "cu134", "linux_x86_64"): ("3.11", "3.14", "3.14t"),
                ("2.16.0", "cu134", "linux_aarch64"): ("3.11",),
            },
        ),
        (
            "cu124",
            {
                ("2.5.1", "cu124", "linux_x86_64"): ("3.12",),
                ("2.5.1", "cu124", "linux_aarch64"): ("3.12",),
                ("1.13.1", "cu124", "win_amd64"): ("3.12",),
            },
        ),
        (
            "cpu",
            {
                ("2.16.0", "cpu", "linux_x86_64"): ("3.11",),
                ("2.16.0", "cpu", "macos_arm64"): ("3.11",),
                ("2.2.2", "cpu", "macos_x86_64"): ("3.11",),
            },
        ),
        ("rocm7.15", {("2.16.0", "rocm7.15", "linux_x86_64"): ("3.12",)}),
    ],
)
def test_what_a_recorded_page_has(backend: str, expected: dict[Any, Any]) -> None:
    assert recorded(backend) == expected


def test_every_difference_is_told_and_written(
    files: Files, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = '<a href="/whl/cu132/torch-{}%2Bcu132-{}-{}-{}.whl">x</a>'
    linux = "manylinux_2_28_x86_64"
    names = [line.format("2.15.0", python, python, linux) for python in ("cp311", "cp312")]
    names += [line.format("2.15.1", "cp312", "cp312", linux)]
    files.page("cu132", "".join(names))
    before = table.read_text(encoding="utf-8")
    assert refresh(files, table, "--backend", "cu132", "--since", "2.15.0") == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "missing    2.15.1 cu132 linux_x86_64: Python 3.12; kernels taken from 2.15.0",
        "extra      2.15.0 cu132 linux_aarch64: not on the index",
        "python     2.15.0 cu132 linux_x86_64: 3.11 3.12 3.13 3.14 3.14t 3.15 3.15t -> 3.11 3.12",
        "extra      2.15.0 cu132 win_amd64: not on the index",
    ]
    assert told.err == f"{files.url}/whl: read the pages of cu132; differences: 4\n"
    assert table.read_text(encoding="utf-8") == before
    assert refresh(files, table, "--backend", "cu132", "--since", "2.15.0", "--write") == 0
    after = table.read_text(encoding="utf-8").splitlines()
    assert after[1] == "2.15.1,cu132,linux_x86_64,3.12,7.5 8.0 8.6 9.0 10.0 12.0,,read,inferred"
    assert after[2].startswith("2.15.0,cu132,linux_x86_64,3.11 3.12,7.5 8.0")
    assert len(after) == len(before.splitlines()) - 1
    capsys.readouterr()
    assert refresh(files, table, "--backend", "cu132", "--since", "2.15.0") == 0
    assert capsys.readouterr().out == ""


def test_a_new_backend_is_found_and_its_kernels_read(
    files: Files, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.bodies["/whl/torch/"] = "text/html", (PAGES / "cu134.html").read_bytes()
    files.page("cu134")
    assert refresh(files, table, "--write") == 3, "the pages of all known backends are missing"
    told = capsys.readouterr()
    new = [line for line in told.out.splitlines() if " cu134 " in line]
    assert [line.endswith("kernels unknown, so not written: use --archs") for line in new] == [True, True]
    assert "cu132: left as it is" in told.err
    assert table.read_text(encoding="utf-8") == (DATA / "builds.csv").read_text(encoding="utf-8")

    for platform in ("x86_64", "aarch64"):
        name = f"/whl/cu134/torch-2.16.0%2Bcu134-cp311-cp311-manylinux_2_28_{platform}.whl"
        files.bodies[name] = "application/zip", wheel({"torch/lib/libtorch_python.so": CUDA})
    assert refresh(files, table, "--backend", "cu134", "--archs", "--write") == 0
    assert table.read_text(encoding="utf-8").splitlines()[1:3] == [
        "2.16.0,cu134,linux_aarch64,3.11,7.5 8.0 9.0,12.0,read,read",
        "2.16.0,cu134,linux_x86_64,3.11 3.14 3.14t,7.5 8.0 9.0,12.0,read,read",
    ]


def test_json_and_rocblas(files: Files, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files.page("rocm7.15")
    members = {"torch/lib/libtorch_python.so": ROCM, "torch/lib/rocblas/library/Tensile_gfx90a.co": b""}
    members["torch/lib/rocblas/library/TensileLibrary_Type_HH_gfx1100.dat"] = b""
    name = "/whl/rocm7.15/torch-2.16.0%2Brocm7.15-cp312-cp312-manylinux_2_28_x86_64.whl"
    files.bodies[name] = "application/zip", wheel(members)
    assert refresh(files, table, "--backend", "rocm7.15", "--archs") == 1
    assert capsys.readouterr().out == (
        "missing    2.16.0 rocm7.15 linux_x86_64: Python 3.12; kernels gfx90a gfx942 gfx1100"
        " (no rocBLAS files for gfx942)\n"
    )


def test_an_inferred_row_is_confirmed_or_corrected() -> None:
    row = Build(
        torch="2.15.0",
        backend="cu130",
        platform="linux_x86_64",
        python=("3.12",),
        kernels=("9.0", "7.5"),
        exists="inferred",
        kernels_from="inferred",
    )
    found = {catalog_rows.key_of(row): catalog_pages.Found(wheels={"3.12": "u"})}
    archs = catalog_archs.Archs(kernels=("7.5", "9.0"))

    def compared(archs: dict[Any, Any]) -> list[Any]:
        return catalog_rows.compare([row], found, archs, pages=["cu130"], since="2.0.0")

    (item,) = compared({})
    assert (item.kind, item.row.exists, item.row.kernels_from) == ("confirmed", "read", "inferred")
    (item,) = compared({catalog_rows.key_of(row): archs})
    assert item.kind == "confirmed"
    assert item.row == replace(row, exists="read", kernels_from="read")
    (item,) = compared({catalog_rows.key_of(row): replace(archs, ptx=("9.0",))})
    assert (item.kind, item.text) == ("kernels", "9.0 7.5 -> 7.5 9.0 ptx9.0")
    assert catalog_rows.compare([row], {}, {}, pages=["cu132"], since="2.0.0") == []
    assert catalog_rows.compare([row], {}, {}, pages=["cu130"], since="2.16.0") == []


@pytest.mark.parametrize("packed", [True, False])
def test_a_wheel_is_read_in_parts(files: Files, packed: bool) -> None:
    name = "torch/lib/libtorch_python.so" if packed else "torch/lib/torch_python.dll"
    big = Random(1).randbytes(1_000_000)  # noqa: S311 - only something that can't be packed
    url = serve_wheel(files, wheel({"big": big, name: CUDA, "last": big}, packed=packed))
    found = catalog_archs.read_archs(catalog_fetch.Fetcher(), url)
    assert found == catalog_archs.Archs(kernels=("7.5", "8.0", "9.0"), ptx=("12.0",))
    assert sum(files.sent) < 100_000


def test_large_archives_have_other_records(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    content = wheel({"a": bytes(50), "torch/lib/libtorch_python.so": CUDA})
    assert b"PK\x06\x06" in content
    url = serve_wheel(files, content)
    assert catalog_archs.read_archs(catalog_fetch.Fetcher(), url).kernels == ("7.5", "8.0", "9.0")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"x", "not a wheel"),
        (b"PK\x05\x06" + b"\xff" * 18, "not a wheel"),
        (b"no archive" * 100, "not a wheel"),
        (wheel({"torch/version.py": b""}), "no torch/lib/libtorch_python.so or torch/lib/torch_python.dll"),
        (wheel({"torch/lib/libtorch_python.so": b"\x00sm_\x00 sm_90 "}), "names no architectures"),
    ],
)
def test_what_is_no_such_wheel(files: Files, content: bytes, fault: str) -> None:
    url = serve_wheel(files, content)
    with pytest.raises(catalog_fetch.FetchError, match=fault):
        catalog_archs.read_archs(catalog_fetch.Fetcher(), url)


def test_a_damaged_member(files: Files) -> None:
    content = bytearray(wheel({"torch/lib/libtorch_python.so": CUDA * 50}))
    content[60:90] = b"\xff" * 30
    url = serve_wheel(files, bytes(content))
    with pytest.raises(catalog_fetch.FetchError, match="damaged"):
        catalog_archs.read_archs(catalog_fetch.Fetcher(), url)


def test_a_server_without_ranges_is_not_read_whole(files: Files) -> None:
    files.knows_ranges = False
    url = serve_wheel(files, wheel({"torch/lib/libtorch_python.so": CUDA}))
    with pytest.raises(catalog_fetch.FetchError, match="knows no range requests"):
        catalog_archs.read_archs(catalog_fetch.Fetcher(), url)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (403, "HTTP 403: the index has no such page, or refuses this machine"),
        (404, "HTTP 404: the index has no such page, or refuses this machine"),
        (401, "HTTP 401: the index wants credentials, which this script does not send"),
        (500, "HTTP 500 Internal Server Error"),
    ],
)
def test_a_status_in_words(
    files: Files, table: Path, status: int, meaning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files.bodies["/whl/cu132/torch/"] = status
    assert refresh(files, table, "--backend", "cu132", "--write") == 3
    url = f"{files.url}/whl/cu132/torch/"
    told = capsys.readouterr()
    assert told.err.splitlines()[0] == f"cu132: left as it is: {url}: {meaning}"
    assert told.out == ""
    assert table.read_text(encoding="utf-8") == (DATA / "builds.csv").read_text(encoding="utf-8")


def test_no_answer(files: Files) -> None:
    with pytest.raises(catalog_fetch.FetchError, match=r"no answer within 0\.2 s"):
        catalog_fetch.Fetcher(timeout=0.2).page(f"{files.url}/silent")
    with pytest.raises(catalog_fetch.FetchError, match="refused"):
        catalog_fetch.Fetcher(timeout=5).page("http://127.0.0.1:1/")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_http_is_followed(files: Files, table: Path, target: str) -> None:
    fetcher = catalog_fetch.Fetcher(timeout=5)
    files.redirects["/away"] = target
    with pytest.raises(catalog_fetch.FetchError):
        fetcher.page(f"{files.url}/away")
    with pytest.raises(catalog_fetch.FetchError):
        fetcher.page(target)
    files.page("cu132", f'<a href="{target}">x</a>')
    assert refresh(files, table, "--backend", "cu132") == 3


def test_a_secure_page_leads_to_nothing_insecure() -> None:
    asked = Request("https://mirror.example/")
    with pytest.raises(catalog_fetch.FetchError, match="plain http"):
        catalog_fetch._SameSchemes().redirect_request(
            asked, io.BytesIO(), 302, "", HTTPMessage(), "http://mirror.example/x"
        )
    with pytest.raises(catalog_fetch.FetchError, match="plain http"):
        catalog_fetch.check_url("http://mirror.example/x", came_from="https://mirror.example/")


def test_a_page_is_not_endless(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_fetch, "PAGE_LIMIT", 1000)
    files.page("cu132", "x" * 1001)
    with pytest.raises(catalog_fetch.FetchError, match="not a page of links"):
        catalog_fetch.Fetcher().page(f"{files.url}/whl/cu132/torch/")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"files": [1]}', '{"files": [{"filename": "x"}]}', "[" * 100_000]
)
def test_json_that_is_no_page(text: str) -> None:
    page = catalog_fetch.Page(url="https://mirror.example/", kind="application/json", text=text)
    with pytest.raises(catalog_fetch.FetchError, match="PEP 691"):
        catalog_pages.links(page)


@pytest.mark.parametrize(
    "url", ["ftp://x/whl", "http://mirror.example/whl", "https://u:p@mirror.example/whl"]
)
def test_an_index_that_is_none(table: Path, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--index-url", url, "--data", str(table)]
    assert refresh_catalog.refresh(refresh_catalog._arguments(words)) == 2
    told = capsys.readouterr().err
    assert told.startswith("--index-url: ")
    assert "u:p" not in told


def test_the_test_index_holds_nothing_that_the_catalog_lacks(
    index: Index, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--index-url", index.whl, "--data", str(table), "--since", "2.7.0"]
    refresh_catalog.refresh(refresh_catalog._arguments(words))
    kinds = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert kinds == {"extra", "python", "confirmed"}
