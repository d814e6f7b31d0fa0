"""Connections to the service, kept between calls: direct or through a proxy, with or without TLS.

The connections, proxies, TLS and the parser are aiohttp's. Its session is left out: for each request it looks at
cookies, redirects, middlewares and second tries, none of which a call to this service may have, and that is half
of what a call costs (tests/benchmarks).
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Protocol

import aiohttp
from yarl import URL

from reportflow_pandas.network import Proxy, tls_context
from reportflow_pandas.settings import Settings

__all__ = ["Connections", "Route", "most_connections"]

_IDLE_SECONDS = 4.0
"""Servers commonly hang up after 5; a POST on a line that is being hung up has an unknown outcome."""

_MOST_STALE = 10
"""So many connections on which an answer lies that no call asked for are closed for one call; then it fails."""


RESERVED_DESCRIPTORS = 32
"""Of those that this process may still open, so many are left to ledgers, PDFs and names: half at most."""


def most_connections() -> int:
    """Return how many connections this process may open beside what is open, without using up its descriptors.

    A call has a descriptor; so have the ledger, the files that are written and the look-up of a name. The limit of
    all (``ulimit -n``) is 1,024 on most systems, 256 on macOS, 64 in some containers.
    """
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        opened = sum(1 for _ in Path("/dev/fd").iterdir())
    except (ImportError, OSError):
        return sys.maxsize
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    free = max(0, limit - opened)
    return max(1, free - min(RESERVED_DESCRIPTORS, free // 2))


class _UnderWay(Protocol):
    """A call that can be ended from outside.

    Attributes
    ----------
    due : float
        The loop's time at which `ring` is to be called.
    """

    due: float

    def cut(self, error: Exception) -> None: ...

    def ring(self) -> None: ...


@dataclass(frozen=True)
class Route:
    """How an origin is reached.

    Attributes
    ----------
    request : aiohttp.ClientRequest
        What a connector wants to be asked with; it is never sent.
    proxy : Proxy or None
        Through which the connection goes; None: direct.
    authorization : Mapping
        The proxy's header.
    heads : dict
        The head of the last POST to each address up to its length, with the headers that it was made of.
    """

    request: aiohttp.ClientRequest
    proxy: Proxy | None
    authorization: Mapping[str, str] = field(repr=False)
    heads: dict[URL, tuple[Mapping[str, str], bytes]] = field(default_factory=dict, repr=False)

    @property
    def forwarded(self) -> Proxy | None:
        """The proxy that reads each request and passes it on; an https one goes through a tunnel (CONNECT)."""
        return None if self.request.is_ssl() else self.proxy


class Connections:
    """Connections to the service, kept between calls; as many as this process has descriptors for.

    Parameters
    ----------
    settings : Settings
        Proxies and certificate authorities.
    connector : aiohttp.BaseConnector, optional
        Makes them, and stays open. ``None``: one of our own, which `close` closes.

    Attributes
    ----------
    most : int
        How many may be open at a time.
    """

    def __init__(self, settings: Settings, connector: aiohttp.BaseConnector | None = None) -> None:
        self._settings = settings
        self._given = connector is not None
        self.most = most_connections()
        # aiohttp's own limit of 100 costs 3.5 x at 500 in flight
        self._connector = connector or aiohttp.TCPConnector(limit=self.most, keepalive_timeout=_IDLE_SECONDS)
        self._routes: dict[URL, Route] = {}
        self.under_way: set[_UnderWay] = set()
        """Ended by `close`."""
        self._looks_at = inf
        self._timer: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._connector.closed

    async def close(self) -> None:
        """Close them all, and end what is under way on them."""
        for exchange in list(self.under_way):
            exchange.cut(aiohttp.ServerDisconnectedError())
        self._looks_at = inf
        if self._timer is not None:
            self._timer.cancel()
        if not self._given:
            await self._connector.close()

    def look_at(self, due: float) -> None:
        """Have each call under way rung that is due then: one timer for all, as they nearly always end before."""
        if due < self._looks_at:
            if self._timer is not None:
                self._timer.cancel()
            self._looks_at = due
            self._timer = asyncio.get_running_loop().call_at(due, self._look)

    def _look(self) -> None:
        self._looks_at = inf
        now = asyncio.get_running_loop().time()
        for exchange in [exchange for exchange in self.under_way if exchange.due <= now]:
            exchange.ring()
        self.look_at(min((exchange.due for exchange in self.under_way), default=inf))

    def route(self, url: URL) -> Route:
        """Return how an address is reached.

        Raises
        ------
        ConfigurationError
            What the settings or the environment name is no proxy, or no certificate authority.
        """
        origin = url.origin()
        known = self._routes.get(origin)
        if known is None:
            proxy = self._settings.proxy_for(str(origin))
            secure = origin.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
            trusted: ssl.SSLContext | bool = (secure and tls_context(self._settings.ca_bundle)) or True
            authorization = _authorization(proxy)
            request = aiohttp.ClientRequest(
                "GET",
                origin,
                loop=asyncio.get_running_loop(),
                ssl=trusted,
                proxy=URL(proxy.url) if proxy is not None else None,
                # with the host that aiohttp adds: it asks for connections by these headers, too
                proxy_headers={"Host": origin.host_port_subcomponent or "", **authorization},
            )
            known = self._routes[origin] = Route(request, proxy, authorization)
        return known

    async def to(self, route: Route, timeout: aiohttp.ClientTimeout) -> aiohttp.connector.Connection:  # noqa: ASYNC109 - one object for all calls
        """Return a connection that nothing is under way on.

        Raises
        ------
        aiohttp.ClientError
            There is none, and nothing was sent.
        """
        try:
            for _ in range(_MOST_STALE):
                connection = await self._connector.connect(route.request, traces=[], timeout=timeout)
                protocol = connection.protocol
                if protocol is not None and protocol.is_connected() and not protocol.should_close:
                    return connection
                # an answer that no call asked for must not be taken for that of the next call
                connection.close()
        except TimeoutError:
            raise aiohttp.ConnectionTimeoutError from None
        except UnicodeError:
            raise aiohttp.InvalidURL(route.request.url) from None
        except asyncio.CancelledError:
            # a connector that is closed cancels its waiters, and their tasks were not told to stop
            task = asyncio.current_task()
            if not self._connector.closed or task is None or task.cancelling():
                raise
        raise aiohttp.ServerDisconnectedError


def _authorization(proxy: Proxy | None) -> dict[str, str]:
    """Return the header by which a proxy lets its people through (RFC 7617); none without a password."""
    if proxy is None or proxy.credentials is None:
        return {}
    return {"Proxy-Authorization": "Basic " + base64.b64encode(":".join(proxy.credentials).encode()).decode()}
