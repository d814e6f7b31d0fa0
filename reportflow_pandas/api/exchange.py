"""One request on one kept connection, and its answer.

The connections, TLS and the parser are aiohttp's. Its session is left out: for each request it looks at cookies,
proxies, redirects, middlewares and second tries, none of which a call to this service may have, and that is half
of what a call costs (tests/benchmarks).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Self

import aiohttp
from yarl import URL

from reportflow_pandas.errors import ConfigurationError

__all__ = ["Connections", "Exchange"]

_IDLE = 4.0
"""Seconds. Servers commonly hang up after 5; a POST on a line that is being hung up has an unknown outcome."""

_LONGEST_HEADER = 1 << 20
"""X-File-Mapping of 100 files takes 35 KB and more; aiohttp's own limit is 8 KB."""

_SLICE = 1 << 18

_STALE = 10
"""So many connections on which an answer lies that nobody asked for are closed for one call; then it fails."""

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Connections:
    """Connections to the service, kept between calls; how many there are is not limited here.

    Parameters
    ----------
    connector : aiohttp.BaseConnector, optional
        Makes them, and stays open. ``None``: one of our own, which `close` closes.
    """

    def __init__(self, connector: aiohttp.BaseConnector | None = None) -> None:
        self._given = connector is not None
        self._connector = connector or aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE)
        self._origins: dict[URL, aiohttp.ClientRequest] = {}
        self.under_way: set[Exchange] = set()
        """Ended by `close`."""

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._connector.closed

    async def close(self) -> None:
        """Close them all, and end what is under way on them."""
        for exchange in list(self.under_way):
            exchange.cut(aiohttp.ServerDisconnectedError())
        if not self._given:
            await self._connector.close()

    async def to(self, url: URL, timeout: aiohttp.ClientTimeout) -> aiohttp.connector.Connection:  # noqa: ASYNC109 - one object for all calls
        """Return a connection that nothing is under way on.

        Raises
        ------
        aiohttp.ClientError
            There is none, and nothing was sent.
        """
        origin = url.origin()
        asked = self._origins.get(origin)
        if asked is None:
            # what a connector wants to be asked with; no such request is ever sent
            asked = aiohttp.ClientRequest("GET", origin, loop=asyncio.get_running_loop())
            self._origins[origin] = asked
        try:
            for _ in range(_STALE):
                connection = await self._connector.connect(asked, traces=[], timeout=timeout)
                protocol = connection.protocol
                if protocol is not None and protocol.is_connected() and not protocol.should_close:
                    return connection
                # an answer that nobody asked for must not be taken for that of the next call
                connection.close()
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        except UnicodeError:
            raise aiohttp.InvalidURL(origin) from None
        except asyncio.CancelledError:
            # a connector that is closed cancels whoever waits for it, who was not told to stop
            task = asyncio.current_task()
            if not self._connector.closed or task is None or task.cancelling():
                raise
        raise aiohttp.ServerDisconnectedError


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
        "_deadline",
        "_error",
        "_timeout",
        "_transport",
        "begun",
        "headers",
        "status",
    )

    def __init__(self, connections: Connections, timeout: aiohttp.ClientTimeout) -> None:
        self._connections = connections
        self._timeout = timeout
        self._connection: aiohttp.connector.Connection | None = None
        self._transport: asyncio.Transport | None = None
        self._content: aiohttp.StreamReader | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
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
        if self._deadline is not None:
            self._deadline.cancel()
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
        head = _head(method, url, headers, len(body), content_type)
        self._connection = await self._connections.to(url, self._timeout)
        protocol = self._connection.protocol
        transport = self._transport = self._connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        if end is not None:
            if loop.time() >= end:
                raise aiohttp.ConnectionTimeoutError
            self._deadline = loop.call_at(end, self._give_up)
        protocol.set_response_params(
            read_until_eof=True,
            read_timeout=self._timeout.sock_read,
            max_line_size=_LONGEST_HEADER,
            max_field_size=_LONGEST_HEADER,
        )
        self.begun = True
        if len(body) <= _SLICE:
            transport.write(head + body)
        else:
            await _write(transport, head, body)
        while True:
            # anew for each: the parser ends it with whatever is no answer yet
            protocol.start_timeout()
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
        # and tell whoever waits: a connection that its connector closed would not
        if self._content is not None:
            self._content.set_exception(error)
        elif self._connection is not None and self._connection.protocol is not None:
            self._connection.protocol.set_exception(error)

    def _give_up(self) -> None:
        self.cut(TimeoutError())


async def _write(transport: asyncio.WriteTransport, head: bytes, body: bytes) -> None:
    """Hand a long body over in slices, so that other calls get their turn.

    Nobody waits for it to be read: a refusal may come long before. What is not read yet is kept in memory.
    """
    transport.write(head)
    view = memoryview(body)
    for start in range(0, len(body), _SLICE):
        if transport.is_closing():
            # the answer may be here nevertheless: 413, and hung up
            return
        transport.write(view[start : start + _SLICE])
        await asyncio.sleep(0)


def _head(method: str, url: URL, headers: Mapping[str, str], length: int, content_type: str) -> bytes:
    lines = [
        f"{method} {url.raw_path_qs} HTTP/1.1",
        f"Host: {url.host_port_subcomponent}",
        "User-Agent: reportflow-pandas",
        "Accept: */*",
        "Accept-Encoding: gzip, deflate",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if content_type:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {length}"]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
        raise ConfigurationError("a credential or an address holds a line break: set it again, without one")
    return f"{head}\r\n\r\n".encode()
