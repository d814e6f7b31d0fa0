"""One try over the network: what was sent, what came back, and which of the two failed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import BinaryIO

import aiohttp
from aiohttp.http import HttpProcessingError
from yarl import URL

from reportflow_pandas.api.exchange import Connections, Exchange
from reportflow_pandas.api.parsing import parsed
from reportflow_pandas.api.responses import Answer, is_page
from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ConnectionFailed, OutcomeUnknown

__all__ = ["Wire"]

log = logging.getLogger("reportflow_pandas")

_CHUNK = 1 << 16
_TAIL = 1 << 10
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Wire:
    """Carries one request to the service and its answer back.

    Parameters
    ----------
    connections : Connections
        Kept between calls. Their owner closes them.
    clock : Clock
        For the log.
    """

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock

    async def post(
        self,
        url: URL,
        body: bytes,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the connection's, one object for all calls
        content_type: str = "application/json",
    ) -> Answer:
        """Send a POST once and return its answer, whatever the status; a redirect is not followed.

        Raises
        ------
        ConnectionFailed
            Not a byte of the request was sent.
        OutcomeUnknown
            It was sent, in part at least, and no whole answer came back.
        """
        started = self._clock.monotonic()
        exchange = Exchange(self._connections, timeout)
        try:
            with exchange:
                content = await (await exchange.answer("POST", url, headers, body, content_type)).read()
                _check_whole(exchange.headers, content)
        except Exception as error:
            if not exchange.begun and not isinstance(error, _FAILURES):
                raise
            # Whatever else it was: the service may have taken the documents.
            problem = _problem(error)
        else:
            answer = Answer(exchange.status, exchange.headers, content)
            self._log("POST", url, started, answer)
            return answer
        # Raised here and not above, so that no traceback ends in aiohttp.
        status = exchange.status
        cut = Answer(status, exchange.headers, b"") if status else None
        self._log("POST", url, started, cut, problem)
        if cut is not None and status >= 300:
            return cut
        if not exchange.begun:
            raise ConnectionFailed(f"nothing reached {url.host_port_subcomponent}: {problem}")
        if cut is None:
            raise OutcomeUnknown(f"sent to {url.host_port_subcomponent}, but no answer came back: {problem}")
        told = exchange.headers.get("Request-Id")
        raise OutcomeUnknown(
            f"{url.host_port_subcomponent} answered {status}, but the answer cannot be read: {problem}"
            + (f"; it names the request {told}" if told else ""),
            status,
        )

    async def get(
        self,
        url: URL,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the connection's, one object for all calls
        to: BinaryIO | None = None,
    ) -> Answer:
        """Send a GET once and return its answer, whatever the status.

        A redirect to another origin is followed without ``headers``. A ZIP goes into ``to``, if there is one.

        Raises
        ------
        ConnectionFailed
            No whole answer. Asking again is safe.
        """
        origin = url.origin()
        for _ in range(_MOST_REDIRECTS):
            foreign = url.origin() != origin
            answer = await self._fetch(url, {} if foreign else headers, timeout, to)
            target = _target(answer, url)
            if target is None:
                break
            url = target
        return answer._replace(foreign=True) if foreign else answer

    async def _fetch(
        self,
        url: URL,
        headers: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the connection's, one object for all calls
        to: BinaryIO | None,
    ) -> Answer:
        started = self._clock.monotonic()
        exchange = Exchange(self._connections, timeout)
        try:
            with exchange:
                content = await exchange.answer("GET", url, headers)
                if to is not None and exchange.status in (200, 201, 203) and not is_page(exchange.headers):
                    body, poured = await _pour(content, exchange.headers, to)
                else:
                    body, poured = await content.read(), False
                    _check_whole(exchange.headers, body)
        except _FAILURES as error:
            problem = _problem(error)
        else:
            answer = Answer(exchange.status, exchange.headers, body, poured=poured)
            self._log("GET", url, started, answer)
            return answer
        cut = Answer(exchange.status, exchange.headers, b"") if exchange.status else None
        self._log("GET", url, started, cut, problem)
        if cut is not None and cut.status >= 300:
            return cut
        raise ConnectionFailed(f"no whole answer from {url.host_port_subcomponent}: {problem}")

    def _log(self, method: str, url: URL, started: float, answer: Answer | None, problem: str = "") -> None:
        if not log.isEnabledFor(logging.DEBUG):
            return
        told = None
        if answer is not None:
            value = parsed(answer.body)
            told = answer.headers.get("Request-Id") or (
                value.get("requestId") if isinstance(value, dict) else None
            )
        log.debug(
            "%s %s %s %.0f ms%s%s",
            method,
            url.raw_path,
            answer.status if answer is not None else "-",
            (self._clock.monotonic() - started) * 1000,
            f" request {told}" if told else "",
            f" ({problem})" if problem else "",
        )


_FAILURES = (aiohttp.ClientError, HttpProcessingError, TimeoutError)
"""No whole answer. (Any other OSError is the disk's, where a ZIP is written to a file.)"""


class _CutOff(aiohttp.ClientPayloadError):
    """The answer ends before its end."""


def _check_whole(headers: Mapping[str, str], body: bytes) -> None:
    """Raise for an answer that ends too early, where only its own form can tell."""
    framed = "Content-Length" in headers or "Transfer-Encoding" in headers
    if not body or (framed and "Content-Encoding" not in headers):
        return
    if body.startswith(b"%PDF-"):
        whole = b"%%EOF" in body[-_TAIL:]
    elif body.startswith(b"PK"):
        whole = b"PK\x05\x06" in body[-_CHUNK - _TAIL :]
    elif body[:1] in (b"{", b"["):
        whole = body.rstrip()[-1:] in (b"}", b"]")
    else:
        return
    if not whole:
        raise _CutOff("the answer was cut off")


async def _pour(content: aiohttp.StreamReader, headers: Mapping[str, str], to: BinaryIO) -> tuple[bytes, bool]:
    """Write a ZIP to a file; return what is no ZIP. A file that can be rewound is left as it was on an error."""
    head = await content.readany()
    while len(head) < 2 and not content.at_eof():
        head += await content.readany()
    if not head.startswith(b"PK"):
        rest = await content.read()
        return head + rest, False
    start = to.tell() if to.seekable() else None
    tail = head
    try:
        to.write(head)
        async for chunk in content.iter_chunked(_CHUNK):
            to.write(chunk)
            tail = tail[-_CHUNK - _TAIL :] + chunk
        _check_whole(headers, b"PK" + tail)
    except BaseException:
        if start is not None:
            to.seek(start)
            to.truncate()
        raise
    return b"", True


def _target(answer: Answer, url: URL) -> URL | None:
    """Return where a redirect leads; None where it leads nowhere that a file could safely come from."""
    if answer.status not in _REDIRECTS:
        return None
    try:
        target = url.join(URL(answer.headers.get("Location", "")))
        target.origin()
    except ValueError:
        return None
    safe = target.scheme == "https" or (target.scheme == "http" and target.host in _LOOPBACK)
    return target if safe and "Location" in answer.headers else None


_PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.InvalidURL, "no host can be called so"),
    (aiohttp.ConnectionTimeoutError, "the connection took too long"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientConnectorDNSError, "its address was not found (is base_url right, is there a network?)"),
    (aiohttp.ClientConnectorCertificateError, "its TLS certificate is not trusted here"),
    (aiohttp.ClientSSLError, "no TLS connection"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ServerDisconnectedError, "the connection was lost"),
    (aiohttp.ClientOSError, "the connection was lost"),
    (aiohttp.ClientPayloadError, "the answer was cut off"),
    (HttpProcessingError, "the answer is no valid HTTP"),
)


def _problem(error: Exception) -> str:
    """Say in a few words, for an analyst, why there is no answer."""
    for kind, words in _PROBLEMS:
        if isinstance(error, kind):
            cause = error.os_error.strerror if kind is aiohttp.ClientConnectorError else None  # type: ignore[attr-defined]
            return cause or words
    return type(error).__name__
