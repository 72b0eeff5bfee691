"""Reading from an index over HTTP: bounded, http(s) only, and with a sentence for whatever goes wrong."""

from __future__ import annotations

import re
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

PAGE_LIMIT = 64 << 20
"""Largest page that is read, in bytes; the largest real one has a few MiB."""

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
"""What a client of PEP 691 sends."""


class FetchError(Exception):
    """An index did not answer as it should; the message says which, how and what it may mean.

    ``status`` is the HTTP status, 0 where there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What a URL answered with; ``url`` is the one it came from in the end, after redirects."""

    url: str
    kind: str
    text: str


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to http(s) only, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        check_url(newurl, came_from=req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_url(url: str, *, came_from: str) -> str:
    """Return ``url`` if it may be read for a page or wheel that ``came_from`` points to.

    Raises:
        FetchError: it is not http(s), or plain http though ``came_from`` is https.
    """
    scheme = urlsplit(url).scheme
    if scheme not in ("http", "https"):
        msg = f"{came_from} points to a {scheme or 'relative'} URL; only http and https are read"
        raise FetchError(msg)
    if scheme == "http" and urlsplit(came_from).scheme == "https":
        msg = f"{came_from} points to plain http; not followed"
        raise FetchError(msg)
    return url


def _make_opener() -> urllib.request.OpenerDirector:
    """An opener that knows http and https (and proxies for them), but neither files nor ftp."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _SameSchemes(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetcher:
    """Reads pages, and parts of files. ``timeout`` (seconds) is for each wait on the network."""

    timeout: float = 30.0
    _opener: urllib.request.OpenerDirector = field(default_factory=_make_opener)

    def page(self, url: str) -> Page:
        """A whole page.

        Raises:
            FetchError: no answer, an error status, or more than `PAGE_LIMIT` bytes.
        """
        with self._open(url, {"Accept": ACCEPT}) as response:
            content = self._read(response, PAGE_LIMIT + 1, url)
            if len(content) > PAGE_LIMIT:
                msg = f"{url}: more than {PAGE_LIMIT >> 20} MiB, so not a page of links"
                raise FetchError(msg)
            kind = response.headers.get_content_type()
            return Page(url=response.url, kind=kind, text=content.decode("utf-8", "replace"))

    def tail(self, url: str, count: int) -> tuple[bytes, int]:
        """The last ``count`` bytes of a file (all of a smaller one) and its size.

        Raises:
            FetchError: no answer, an error status, or a server that knows no ranges.
        """
        return self._range(url, f"-{count}", count)

    def part(self, url: str, start: int, count: int) -> bytes:
        """``count`` bytes of a file from ``start`` on, fewer at its end.

        Raises:
            FetchError: no answer, an error status, or a server that knows no ranges.
        """
        return self._range(url, f"{start}-{start + count - 1}", count)[0]

    def _range(self, url: str, text: str, count: int) -> tuple[bytes, int]:
        with self._open(url, {"Range": f"bytes={text}", "Accept-Encoding": "identity"}) as response:
            said = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range") or "")
            if response.status != HTTPStatus.PARTIAL_CONTENT or not said:
                msg = f"{url}: the server knows no range requests, and whole wheels are not read"
                raise FetchError(msg)
            return self._read(response, count, url), int(said[1])

    def _open(self, url: str, headers: dict[str, str]) -> HTTPResponse:
        check_url(url, came_from=url)
        request = urllib.request.Request(url, headers={"User-Agent": "torchsel-catalog", **headers})  # noqa: S310
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=self.timeout)
        except HTTPError as error:
            error.close()
            raise FetchError(f"{url}: {_meaning(error.code)}", error.code) from None
        except (URLError, OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise FetchError(f"{url}: {self._trouble(reason)}") from None
        return answer

    def _read(self, response: HTTPResponse, count: int, url: str) -> bytes:
        try:
            return response.read(count)
        except (OSError, HTTPException) as error:
            raise FetchError(f"{url}: {self._trouble(error)}") from None

    def _trouble(self, reason: object) -> str:
        return f"no answer within {self.timeout:g} s" if isinstance(reason, TimeoutError) else str(reason)


def _meaning(status: int) -> str:
    """An HTTP status in words; download.pytorch.org answers 403 for what it does not have."""
    if status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        return f"HTTP {status}: the index has no such page, or refuses this machine"
    if status == HTTPStatus.UNAUTHORIZED:
        return f"HTTP {status}: the index wants credentials, which this script does not send"
    return f"HTTP {status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else f"HTTP {status}"
