"""One request and its answer as HTTP/1.1: what was sent, what came back, and which of the two failed.

No request is ever sent twice here, and no redirect of a POST is followed: a document could be paid for twice. A
redirect of a GET to another host is followed without the key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from math import inf
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Self

import aiohttp
from yarl import URL

from reportflow_pandas.api.connections import Connections, Route
from reportflow_pandas.api.failures import FAILURES, CutOff, problem_of
from reportflow_pandas.api.responses import Answer, is_page, parsed
from reportflow_pandas.clock import Clock
from reportflow_pandas.contract import NOT_PASSED_ON_STATUSES, REDIRECT_STATUSES, REQUEST_ID_HEADER
from reportflow_pandas.errors import ConfigurationError, ConnectionFailed, OutcomeUnknown
from reportflow_pandas.network import is_loopback

__all__ = ["Exchange", "Transport"]

log = logging.getLogger("reportflow_pandas")

_LONGEST_HEADER_BYTES = 1 << 20
"""The mapping header of 100 files takes 35 KB and more; aiohttp's own limit is 8 KB."""

_SLICE_BYTES = 1 << 18
_CHUNK_BYTES = 1 << 16
_TAIL_BYTES = 1 << 10
_MOST_REDIRECTS = 3

_LATE_SECONDS = 0.5
"""A timer that rings later than this was not late by itself: the process stood still (SIGSTOP, a suspended
machine, another thread that held the interpreter), and the answer may lie in the socket."""

_LOOK_SECONDS = 0.1
"""What a call gets at least for reading its socket after such a pause."""

_SILENCE_STEPS = 4
"""Looks at a download in the time that it may be silent."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Exchange:
    """A request and its answer: the connection is kept for the next one, or closed, at the end of the ``with``.

    Parameters
    ----------
    connections : Connections
        Where the request goes out.
    timeout : aiohttp.ClientTimeout
        ``total`` for everything, ``connect`` and ``sock_connect`` for the connection, ``sock_read`` for silence.

    Attributes
    ----------
    begun : bool
        Whether a byte of the request may have left: before that, the service can have taken nothing.
    status : int
        The answer's; 0 until there is one.
    headers : Mapping
        The answer's.

    Raises
    ------
    aiohttp.ClientError, aiohttp.http.HttpProcessingError, TimeoutError
        No whole answer.
    ConfigurationError
        The request cannot be written; nothing was sent.
    """

    __slots__ = (
        "_connection",
        "_connections",
        "_content",
        "_error",
        "_heard",
        "_quiet",
        "_spare",
        "_timeout",
        "_transport",
        "begun",
        "due",
        "headers",
        "status",
    )

    def __init__(self, connections: Connections, timeout: aiohttp.ClientTimeout) -> None:
        self._connections = connections
        self._timeout = timeout
        self._connection: aiohttp.connector.Connection | None = None
        self._transport: asyncio.Transport | None = None
        self._content: aiohttp.StreamReader | None = None
        self._spare = timeout.total or 0.0
        self._quiet = 0
        self._heard = 0
        self._error: Exception | None = None
        self.due = inf
        self.begun = False
        self.status = 0
        self.headers: Mapping[str, str] = _NO_HEADERS

    def __enter__(self) -> Self:
        self._connections.under_way.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connections.under_way.discard(self)
        if self._connection is None:
            return
        if kind is None and self._transport is not None and not self._transport.get_write_buffer_size():
            self._connection.release()
            return
        if self._transport is not None:
            # to close it would be to send the rest first
            self._transport.abort()
        self._connection.close()

    async def answer(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes = b"", content_type: str = ""
    ) -> aiohttp.StreamReader:
        """Send the request; return the body of its answer as soon as the head is here."""
        loop = asyncio.get_running_loop()
        total = self._timeout.total
        end = None if total is None else loop.time() + total
        route = self._connections.route(url)
        if content_type:
            head = _head_of_a_post(url, route, headers, content_type, len(body))
        else:
            head = _head(method, url, route, headers) + b"\r\n"
        self._connection = await self._connections.to(route, self._timeout)
        protocol = self._connection.protocol
        transport = self._transport = self._connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        if end is not None and loop.time() >= end:
            raise aiohttp.ConnectionTimeoutError
        self._watch(loop, end)
        protocol.set_response_params(
            read_until_eof=True,
            max_line_size=_LONGEST_HEADER_BYTES,
            max_field_size=_LONGEST_HEADER_BYTES,
        )
        self.begun = True
        if len(body) <= _SLICE_BYTES:
            transport.write(head + body)
        else:
            await _write(transport, head, body)
        while True:
            message, content = await protocol.read()
            if not 100 <= message.code < 200 or message.code == 101:
                break
        self.status, self.headers, self._content = message.code, message.headers, content
        if self._error is not None and not content.is_eof():
            raise self._error
        return content

    def cut(self, error: Exception) -> None:
        """End it with an error, whatever it waits for, unless its answer is here."""
        if self._content is not None and self._content.is_eof():
            return
        self._error = error
        if self._transport is not None:
            self._transport.abort()
        # a connection that its connector closed would tell neither of its waiters
        if self._content is not None:
            self._content.set_exception(error)
        elif self._connection is not None and self._connection.protocol is not None:
            self._connection.protocol.set_exception(error)

    def _watch(self, loop: asyncio.AbstractEventLoop, end: float | None) -> None:
        """Say when the whole call is due, or the next look at its silence."""
        if end is not None:
            self.due = end
        elif self._timeout.sock_read is not None:
            self.due = loop.time() + self._timeout.sock_read / _SILENCE_STEPS
        else:
            return
        self._connections.look_at(self.due)

    def ring(self) -> None:
        """Look at the call, which is due, and say when it is due again."""
        now = asyncio.get_running_loop().time()
        late, self.due = now - self.due, inf
        if self._timeout.total is not None:
            self._time_is_up(now, late)
        else:
            self._listen(now, late)

    def _time_is_up(self, now: float, late: float) -> None:
        """Give the call up, unless the process stood still: then the time it did not have is given back once."""
        if late <= _LATE_SECONDS or self._spare <= 0:
            self.cut(TimeoutError())
            return
        more = max(_LOOK_SECONDS, min(late, self._spare))
        self._spare -= more
        self.due = now + more

    def _listen(self, now: float, late: float) -> None:
        """Give a download up that was silent for too long; a look that comes late counts for nothing."""
        heard = self._content.total_bytes if self._content is not None else 0
        if heard != self._heard:
            self._quiet = 0
        elif late <= _LATE_SECONDS:
            self._quiet += 1
        self._heard = heard
        if self._quiet >= _SILENCE_STEPS:
            self.cut(TimeoutError())
            return
        self.due = now + (self._timeout.sock_read or 0.0) / _SILENCE_STEPS


async def _write(transport: asyncio.WriteTransport, head: bytes, body: bytes) -> None:
    """Hand a long body over in slices, so that other calls get their turn.

    Nothing waits for the service to read it: a refusal may come long before. What is not read yet is in memory.
    """
    transport.write(head)
    view = memoryview(body)
    for start in range(0, len(body), _SLICE_BYTES):
        if transport.is_closing():
            # the answer may be here nevertheless: 413, and hung up
            return
        transport.write(view[start : start + _SLICE_BYTES])
        await asyncio.sleep(0)


def _head_of_a_post(url: URL, route: Route, headers: Mapping[str, str], content_type: str, length: int) -> bytes:
    """Return the head of a POST; but for the length, that of the call before serves again."""
    known = route.heads.get(url)
    if known is None or known[0] is not headers:
        known = headers, _head("POST", url, route, headers, f"Content-Type: {content_type}") + b"Content-Length: "
        route.heads[url] = known
    return b"%b%d\r\n\r\n" % (known[1], length)


def _head(method: str, url: URL, route: Route, headers: Mapping[str, str], *more: str) -> bytes:
    """Return the lines of a request's head, without the empty one that ends it."""
    forwarded = route.forwarded
    # a proxy that forwards is asked for the whole address (RFC 9112, 3.2.2)
    target = url.raw_path_qs if forwarded is None else str(url)
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        "User-Agent: reportflow-pandas",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate",
    ]
    if forwarded is not None:
        headers = {**headers, **route.authorization}
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += more
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ConfigurationError("a credential or an address holds a line break: set it again, without one")
    return f"{head}\r\n".encode()


class Transport:
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
            Not a byte of the request was sent, or a proxy refused to pass it on.
        OutcomeUnknown
            It was sent, in part at least, and no whole answer came back.
        """
        started = self._clock.monotonic()
        exchange = Exchange(self._connections, timeout)
        try:
            with exchange:
                content = await _whole(await exchange.answer("POST", url, headers, body, content_type))
                _check_whole(exchange.headers, content)
        except Exception as error:
            if not exchange.begun and not isinstance(error, FAILURES):
                raise
            # Whatever else it was: the service may have taken the documents.
            problem = self._problem(error, url)
        else:
            answer = Answer(exchange.status, exchange.headers, content)
            self._log("POST", url, started, answer)
            if answer.status in NOT_PASSED_ON_STATUSES and self._connections.route(url).forwarded is None:
                raise ConnectionFailed(
                    f"nothing reached {url.host_port_subcomponent}: something before it answered {answer.status}"
                )
            return self._passed_on(answer, url)
        # Raised here and not above, so that no traceback ends in aiohttp.
        status = exchange.status
        cut = Answer(status, exchange.headers, b"") if status else None
        self._log("POST", url, started, cut, problem)
        if cut is not None and status >= 300:
            return self._passed_on(cut, url)
        if not exchange.begun:
            raise ConnectionFailed(f"nothing reached {url.host_port_subcomponent}: {problem}")
        if cut is None:
            raise OutcomeUnknown(f"sent to {url.host_port_subcomponent}, but no answer came back: {problem}")
        told = exchange.headers.get(REQUEST_ID_HEADER)
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

        The key goes to the configured host only: a redirect to another origin is followed without ``headers``. A
        ZIP goes into ``to``, if there is one.

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
                    body, poured = await _whole(content), False
                    _check_whole(exchange.headers, body)
        except FAILURES as error:
            problem = self._problem(error, url)
        else:
            answer = Answer(exchange.status, exchange.headers, body, poured=poured)
            self._log("GET", url, started, answer)
            return self._passed_on(answer, url)
        cut = Answer(exchange.status, exchange.headers, b"") if exchange.status else None
        self._log("GET", url, started, cut, problem)
        if cut is not None and cut.status >= 300:
            return self._passed_on(cut, url)
        raise ConnectionFailed(f"no whole answer from {url.host_port_subcomponent}: {problem}")

    def _passed_on(self, answer: Answer, url: URL) -> Answer:
        """Return the answer, unless it is that of a proxy that lets nothing through without a password."""
        if answer.status == 407 and (proxy := self._connections.route(url).forwarded) is not None:
            raise ConnectionFailed(f"nothing reached {url.host_port_subcomponent}: {problem_of(answer, proxy)}")
        return answer

    def _problem(self, error: Exception, url: URL) -> str:
        return problem_of(error, self._connections.route(url).proxy)

    def _log(self, method: str, url: URL, started: float, answer: Answer | None, problem: str = "") -> None:
        if not log.isEnabledFor(logging.DEBUG):
            return
        told = None
        if answer is not None:
            value = parsed(answer.body)
            told = answer.headers.get(REQUEST_ID_HEADER) or (
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


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """Return a body to its end: at once where all of it is here, as nearly always."""
    return content.read_nowait() if content.is_eof() else await content.read()


def _check_whole(headers: Mapping[str, str], body: bytes) -> None:
    """Raise for an answer that ends too early, where only its own form can tell."""
    framed = "Content-Length" in headers or "Transfer-Encoding" in headers
    if not body or (framed and "Content-Encoding" not in headers):
        return
    if body.startswith(b"%PDF-"):
        whole = b"%%EOF" in body[-_TAIL_BYTES:]
    elif body.startswith(b"PK"):
        whole = b"PK\x05\x06" in body[-_CHUNK_BYTES - _TAIL_BYTES :]
    elif body[:1] in (b"{", b"["):
        whole = body.rstrip()[-1:] in (b"}", b"]")
    else:
        return
    if not whole:
        raise CutOff("the answer was cut off")


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
        async for chunk in content.iter_chunked(_CHUNK_BYTES):
            to.write(chunk)
            tail = tail[-_CHUNK_BYTES - _TAIL_BYTES :] + chunk
        _check_whole(headers, b"PK" + tail)
    except BaseException:
        if start is not None:
            to.seek(start)
            to.truncate()
        raise
    return b"", True


def _target(answer: Answer, url: URL) -> URL | None:
    """Return where a redirect leads; None where it leads nowhere that a file could safely come from."""
    if answer.status not in REDIRECT_STATUSES:
        return None
    try:
        target = url.join(URL(answer.headers.get("Location", "")))
        target.origin()
    except ValueError:
        return None
    # a service elsewhere has no business with what listens on this machine
    plain = is_loopback(target.host)
    safe = target.scheme == "https" or (target.scheme == "http" and plain)
    safe = safe and (not plain or is_loopback(url.host))
    return target if safe and "Location" in answer.headers else None
