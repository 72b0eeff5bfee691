"""A PyTorch-like index and a default index on loopback, served from memory."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote, urlsplit

from tests.support.releases import COMPANIONS, PYPI, ROOT, companion_wheels, wheels_by_folder
from tests.support.wheels import Wheel

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"

# A status, a content type and a body.
Answer = tuple[HTTPStatus, str, bytes]


class Index:
    """Both indexes, from entering the context to leaving it.

    ``{whl}/{backend}/{package}/`` is laid out as on download.pytorch.org: PEP 503 pages with hashes and
    PEP 658 metadata, root-level wheels on every backend's page, HTTP 403 for what is absent.
    ``default_index`` is as uv's own: no local versions, HTTP 404 for what is absent. ``companions`` is laid
    out as Astral's: PEP 691 pages below ``{companions}/{backend}/``, HTTP 404 for what is absent.

    ``extra`` adds wheels by folder (a backend, ``""`` for the root, ``"pypi"``); ``without`` takes some away,
    by folder the beginnings of file names. With ``credentials`` (user, password) everything else
    is answered with 401. ``requests`` is every request line's method and path.
    """

    def __init__(
        self,
        *,
        extra: Mapping[str, Iterable[Wheel]] | None = None,
        without: Mapping[str, tuple[str, ...]] | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        folders = wheels_by_folder()
        for folder, wheels in (extra or {}).items():
            folders.setdefault(folder, []).extend(wheels)
        for folder, beginnings in (without or {}).items():
            folders[folder] = [w for w in folders[folder] if not w.filename.startswith(beginnings)]
        self.requests: list[str] = []
        self._expected = credentials and _basic(*credentials)
        self._credentials = credentials
        for backend, wheels in companion_wheels().items():
            folders[f"{COMPANIONS}/{backend}"] = wheels
        self._pages = _by_project(folders)
        self._files = {(folder, w.filename): w for folder, wheels in folders.items() for w in wheels}
        self._data: dict[Wheel, bytes] = {}
        self._answers: dict[str, Answer] = {}
        self._server = _server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Root of the server, without a slash at the end and without credentials."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def whl(self) -> str:
        """Base of the backends' indexes, in place of ``https://download.pytorch.org/whl``."""
        return f"{self.url}/whl"

    @property
    def default_index(self) -> str:
        return f"{self.url}/pypi/simple"

    @property
    def companions(self) -> str:
        """Base of the companions' indexes, in place of ``https://wheels.astral.sh/simple``."""
        return f"{self.url}/{COMPANIONS}/simple"

    def with_credentials(self, url: str) -> str:
        """``url`` with this server's user and password in it."""
        user, password = self._credentials or ("", "")
        return url.replace("http://", f"http://{quote(user, safe='')}:{quote(password, safe='')}@", 1)

    def answer(self, target: str, authorization: str | None) -> Answer:
        """What a request for ``target``, a URL's path and query, gets."""
        if self._expected and authorization != self._expected:
            return HTTPStatus.UNAUTHORIZED, "text/plain", b"credentials, please\n"
        path = unquote(urlsplit(target).path)
        if path not in self._answers:
            self._answers[path] = self._find(path)
        return self._answers[path]

    def _find(self, path: str) -> Answer:
        if path.startswith(f"/{COMPANIONS}/"):
            return self._find_companion(path) or _absent(HTTPStatus.NOT_FOUND)
        if match := re.fullmatch(r"/pypi/simple/([^/]+)/?", path):
            return self._page([PYPI], match[1]) or _absent(HTTPStatus.NOT_FOUND)
        if match := re.fullmatch(r"/(?:whl|(pypi))(?:/([^/]+))?/([^/]+\.whl)(\.metadata)?", path):
            found = self._file(match[1] or match[2] or ROOT, match[3], metadata=bool(match[4]))
            return found or _absent(HTTPStatus.NOT_FOUND if match[1] else HTTPStatus.FORBIDDEN)
        if (match := re.fullmatch(r"/whl/([^/]+)(?:/([^/]+))?/?", path)) and match[1] != PYPI:
            backend, project = (match[1], match[2]) if match[2] else (None, match[1])
            folders = [backend, ROOT] if backend else [folder for folder in self._pages if folder != PYPI]
            if backend is None or backend in self._pages:
                return self._page(folders, project) or _absent(HTTPStatus.FORBIDDEN)
        return _absent(HTTPStatus.FORBIDDEN if path.startswith("/whl") else HTTPStatus.NOT_FOUND)

    def _find_companion(self, path: str) -> Answer | None:
        if match := re.fullmatch(rf"/({COMPANIONS})/files/([^/]+)/([^/]+\.whl)(\.metadata)?", path):
            found = self._file(f"{match[1]}/{match[2]}", match[3], metadata=bool(match[4]))
            return found if isinstance(found, tuple) else None
        if match := re.fullmatch(rf"/{COMPANIONS}/simple/([^/]+)(?:/([^/]+))?/?", path):
            projects = self._pages.get(f"{COMPANIONS}/{match[1]}")
            if projects is None or (match[2] and match[2] not in projects):
                return None
            page = self._companion_page(match[1], match[2]) if match[2] else _root_page(projects)
            return HTTPStatus.OK, SIMPLE_JSON, json.dumps({"meta": {"api-version": "1.4"}, **page}).encode()
        return None

    def _companion_page(self, backend: str, project: str) -> dict[str, Any]:
        wheels = self._pages[f"{COMPANIONS}/{backend}"][project]
        files = [
            {
                "filename": wheel.filename,
                "url": f"{self.url}/{COMPANIONS}/files/{backend}/{quote(wheel.filename)}",
                "hashes": {"sha256": _sha256(self._wheel(wheel))},
                "requires-python": wheel.requires_python,
                "core-metadata": {"sha256": _sha256(wheel.metadata())},
            }
            for wheel in wheels
        ]
        return {"name": project, "versions": sorted({wheel.version for wheel in wheels}), "files": files}

    def _page(self, folders: list[str], project: str) -> Answer | None:
        links = [
            self._link(folder, wheel) for folder in folders for wheel in self._pages[folder].get(project, ())
        ]
        body = (
            f"<!DOCTYPE html>\n<html><body>\n<h1>Links for {project}</h1>\n{''.join(links)}</body></html>\n"
        )
        return (HTTPStatus.OK, "text/html", body.encode()) if links else None

    def _link(self, folder: str, wheel: Wheel) -> str:
        place = "/pypi" if folder == PYPI else f"/whl/{folder}".rstrip("/")
        metadata = f"sha256={_sha256(wheel.metadata())}"
        name = wheel.filename
        return (
            f'<a href="{place}/{quote(name)}#sha256={_sha256(self._wheel(wheel))}" '
            f'data-requires-python="{html.escape(wheel.requires_python)}" '
            f'data-dist-info-metadata="{metadata}" data-core-metadata="{metadata}">{name}</a><br/>\n'
        )

    def _file(self, folder: str, filename: str, *, metadata: bool) -> Answer | None:
        wheel = self._files.get((folder, filename))
        if wheel is None:
            return None
        if metadata:
            return HTTPStatus.OK, "text/plain", wheel.metadata()
        return HTTPStatus.OK, "application/octet-stream", self._wheel(wheel)

    def _wheel(self, wheel: Wheel) -> bytes:
        if wheel not in self._data:
            self._data[wheel] = wheel.data()
        return self._data[wheel]


def _by_project(folders: Mapping[str, Iterable[Wheel]]) -> dict[str, dict[str, list[Wheel]]]:
    pages: dict[str, dict[str, list[Wheel]]] = {ROOT: {}}
    for folder, wheels in folders.items():
        projects: dict[str, list[Wheel]] = defaultdict(list)
        for wheel in wheels:
            projects[wheel.name].append(wheel)
        pages[folder] = dict(projects)
    return pages


def _root_page(projects: Iterable[str]) -> dict[str, Any]:
    return {"projects": [{"name": name} for name in sorted(projects)]}


def _absent(status: HTTPStatus) -> Answer:
    code = "AccessDenied" if status == HTTPStatus.FORBIDDEN else "NotFound"
    return status, "application/xml", f"<Error><Code>{code}</Code></Error>\n".encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _server(index: Index) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            index.requests.append(f"{self.command} {self.path}")
            status, kind, body = index.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            if status == HTTPStatus.UNAUTHORIZED:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

        def log_message(self, *args: object) -> None:
            """Stay quiet; ``Index.requests`` is the log."""

    return _Server(("127.0.0.1", 0), Handler)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
