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
"""X-File-Mapping of 100 files takes 35 KB and more (api-contract 5.1); aiohttp's own limit is 8 KB."""

_SLICE = 1 << 18
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Connections:
    """Connections to the service, kept between calls; how many there are is not limited here.

    Parameters
    ----------
    connector : aiohttp.BaseConnector, optional
        Makes them. It is left open by ``close``; ``None``: one of our own, which is not.
    """

    def __init__(self, connector: aiohttp.BaseConnector | None = None) -> None:
        self._given = connector is not None
        self._connector = connector or aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE)
        self._origins: dict[URL, aiohttp.ClientRequest] = {}

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._connector.closed

    async def close(self) -> None:
        """Close them all."""
        if not self._given:
            await self._connector.close()

    async def to(self, url: URL, timeout: aiohttp.ClientTimeout) -> aiohttp.connector.Connection:  # noqa: ASYNC109 - one object for all calls
        """Return a connection that nothing is under way on."""
        origin = url.origin()
        asked = self._origins.get(origin)
        if asked is None:
            # what a connector wants to be asked with; no such request is ever sent
            asked = aiohttp.ClientRequest("GET", origin, loop=asyncio.get_running_loop())
            self._origins[origin] = asked
        try:
            while True:
                connection = await self._connector.connect(asked, traces=[], timeout=timeout)
                if connection.protocol is not None and not connection.protocol.should_close:
                    return connection
                # an answer that nobody asked for must not be taken for that of the next call
                connection.close()
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None


class Exchange:
    """A request and its answer: the connection is given back, or closed, at the end of the ``with``.

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
    """

    __slots__ = ("_connection", "_connections", "_deadline", "_overdue", "_timeout", "begun", "headers", "status")

    def __init__(self, connections: Connections, timeout: aiohttp.ClientTimeout) -> None:
        self._connections = connections
        self._timeout = timeout
        self._connection: aiohttp.connector.Connection | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._overdue = False
        self.begun = False
        self.status = 0
        self.headers: Mapping[str, str] = _NO_HEADERS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if self._connection is not None:
            if kind is None:
                self._connection.release()
            else:
                self._connection.close()
        # where it ends with the connection, an answer that was cut by us looks whole
        if self._overdue and (kind is None or issubclass(kind, Exception)):
            raise TimeoutError

    async def answer(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes = b"", content_type: str = ""
    ) -> aiohttp.StreamReader:
        """Send the request; return the body of its answer as soon as the head is here."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        head = _head(method, url, headers, len(body), content_type)
        self._connection = await self._connections.to(url, self._timeout)
        if self._timeout.total is not None:
            self._deadline = loop.call_at(started + self._timeout.total, self._give_up)
        protocol, transport = self._connection.protocol, self._connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
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
        protocol.start_timeout()
        while True:
            message, content = await protocol.read()
            if message.code >= 200 or message.code == 101:
                break
        self.status, self.headers = message.code, message.headers
        return content

    def _give_up(self) -> None:
        self._overdue = True
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.abort()


async def _write(transport: asyncio.WriteTransport, head: bytes, body: bytes) -> None:
    """Hand a long body over in slices, so that other calls get their turn, whether or not it is read."""
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
