"""The eight endpoints of the service, for programmers; the package itself sends everything through here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, overload
from urllib.parse import quote

import aiohttp
import orjson
from yarl import URL

from reportflow_pandas.api.auth import credential_for
from reportflow_pandas.api.connections import Connections
from reportflow_pandas.api.models import (
    Accepted,
    Content,
    Delivered,
    Design,
    Parameter,
)
from reportflow_pandas.api.responses import Answer, Reader, designs_from, parameters_from
from reportflow_pandas.api.transport import Transport
from reportflow_pandas.contract import ENDPOINTS, PENDING_STATUSES, PENDING_WORDS, SYNC_TIMEOUT_SECONDS
from reportflow_pandas.errors import ConfigurationError
from reportflow_pandas.settings import Settings, current

__all__ = ["Client"]

_CONNECT_SECONDS = 15.0


class Client:
    """The eight endpoints, one try per call: no retries, no limits, no waiting for a document.

    Parameters
    ----------
    settings : Settings, optional
        Address and credential; ``None``: those of this process (`rf.configure`).
    timeout : float
        Seconds for one async call or look-up, and the longest silence in a download. Default 60.
    sync_timeout : float
        Seconds for one sync call. Default 130: the service itself gives up after 120.
    connector : aiohttp.BaseConnector, optional
        Makes the connections in place of one of our own, and is left open.
    pending_statuses, pending_words : optional
        How a download says that the document is not ready yet: statuses, and a pattern for the message of a
        400. The real one is not known, so the defaults take every plausible one.

    Raises
    ------
    ConfigurationError
        No credential, or two.

    Examples
    --------
    >>> import asyncio
    >>> import reportflow_pandas as rf
    >>> async def main():
    ...     async with rf.Client() as client:
    ...         return await client.designs()
    >>> asyncio.run(main())                                  # doctest: +SKIP
    [Design(id='Zk3PpV0aNq8sUe5J', label='Invoice', latest_version=2, ...)]
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        timeout: float = 60.0,
        sync_timeout: float = SYNC_TIMEOUT_SECONDS,
        connector: aiohttp.BaseConnector | None = None,
        pending_statuses: Collection[int] = PENDING_STATUSES,
        pending_words: str = PENDING_WORDS,
    ) -> None:
        self._settings = (settings or current()).checked()
        self._files = f"{self._settings.base_url}/file/"
        self._generation = {name: URL(self._files + name, encoded=True) for name in ENDPOINTS}
        connect = min(_CONNECT_SECONDS, timeout)
        self._async_timeout = aiohttp.ClientTimeout(total=timeout, connect=timeout, sock_connect=connect)
        self._sync_timeout = aiohttp.ClientTimeout(total=sync_timeout, connect=sync_timeout, sock_connect=connect)
        # A big ZIP may take longer than any total; only silence is a failure.
        self._silence = aiohttp.ClientTimeout(total=None, connect=timeout, sock_connect=connect, sock_read=timeout)
        self._given_connector = connector
        self._connections: Connections | None = None
        self._transport: Transport
        self._credential = credential_for(self._settings, self._post_form)
        self._reader = Reader(
            self._settings.clock,
            pending_statuses=pending_statuses,
            pending_words=pending_words,
            hidden=self._credential.hidden,
        )

    @property
    def most_connections(self) -> int | None:
        """How many connections may be open at a time, as was found when it was opened; None: it is not open."""
        return None if self._connections is None else self._connections.most

    def __repr__(self) -> str:
        """Show the address, never a secret."""
        return f"Client({self._settings!r})"

    async def __aenter__(self) -> Self:
        if self._connections is not None:
            raise ConfigurationError("this client is in use already: make another one, rf.Client(settings)")
        self._connections = Connections(self._settings, self._given_connector)
        self._transport = Transport(self._connections, self._settings.clock)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. ``async with`` does it by itself."""
        connections, self._connections = self._connections, None
        if connections is None:
            return
        try:
            await self._credential.close()
        finally:
            await connections.close()

    @overload
    async def send(self, endpoint: Literal["async/single", "async/multiple"], body: bytes) -> Accepted: ...
    @overload
    async def send(self, endpoint: str, body: bytes) -> Accepted | Delivered: ...
    async def send(self, endpoint: str, body: bytes) -> Accepted | Delivered:
        """Send one generation call whose body is JSON already.

        Parameters
        ----------
        endpoint : str
            One of `ENDPOINTS`.
        body : bytes
            JSON in UTF-8. The same bytes serve every further try.

        Returns
        -------
        Accepted or Delivered
            `Delivered`, which is an `Accepted` with the file in hand, from a sync endpoint.

        Raises
        ------
        ConnectionFailed
            Nothing reached the service: sending again is safe.
        OutcomeUnknown
            It may or may not have been accepted: sending again may make, and bill, the documents twice.
        ApiError
            The service refused.
        """
        url = self._generation.get(endpoint)
        if url is None:
            raise ConfigurationError(f"endpoint={endpoint!r}: one of {', '.join(map(repr, ENDPOINTS))}")
        self._check_open()
        timeout = self._sync_timeout if endpoint.startswith("sync") else self._async_timeout
        headers = await self._credential.headers()
        answer = await self._transport.post(url, body, headers, timeout)
        # A 401 is a definite refusal, so this replay can make nothing twice.
        if answer.status == 401 and await self._credential.renewed(headers):
            answer = await self._transport.post(url, body, await self._credential.headers(), timeout)
        return self._reader.generation(answer, endpoint)

    async def async_single(
        self, design_id: str, version: int, content: Content | Mapping[str, object]
    ) -> Accepted:
        """Have one document made in the background.

        Parameters
        ----------
        design_id : str
            Opaque id of the design.
        version : int
            Its version; there is no "latest" here.
        content : Content or Mapping
            The document; a Mapping is sent as it is.

        Returns
        -------
        Accepted
            With one file.
        """
        return await self.send("async/single", _body(design_id, version, content=_wire_form(content)))

    async def async_multiple(
        self, design_id: str, version: int, contents: Sequence[Content | Mapping[str, object]]
    ) -> Accepted:
        """Have 1 to 100 documents made in the background, in one call.

        Parameters
        ----------
        design_id, version
            As for `async_single`.
        contents : sequence of Content or Mapping
            The documents; no two names may be equal ignoring case.

        Returns
        -------
        Accepted
            With a file per document, to be matched by name or passthrough.
        """
        return await self.send(
            "async/multiple", _body(design_id, version, contents=[_wire_form(content) for content in contents])
        )

    async def sync_single(
        self, design_id: str, version: int, content: Content | Mapping[str, object]
    ) -> Accepted | Delivered:
        """Have one document made and wait for its PDF. Arguments as for `async_single`."""
        return await self.send("sync/single", _body(design_id, version, content=_wire_form(content)))

    async def sync_multiple(
        self, design_id: str, version: int, contents: Sequence[Content | Mapping[str, object]]
    ) -> Accepted | Delivered:
        """Have 1 to 100 documents made and wait for their ZIP, 120 s at most for all."""
        return await self.send(
            "sync/multiple", _body(design_id, version, contents=[_wire_form(content) for content in contents])
        )

    async def download_file(self, request_id: str, file_id: str) -> bytes:
        """Return one PDF.

        Raises
        ------
        NotReady
            Not ready yet; with 404 perhaps unknown or expired, which the service does not tell apart.
        ApiError
            Refused, expired for good (410), or an answer that is no PDF.
        ConnectionFailed
            No whole answer. Asking again is safe.
        """
        path = f"download/{_segment('request id', request_id)}/{_segment('file id', file_id)}"
        answer = await self._get(path, self._silence)
        return self._reader.file(answer, b"%PDF-", request_id=request_id).body

    @overload
    async def download_zip(self, request_id: str, to: None = None) -> bytes: ...
    @overload
    async def download_zip(self, request_id: str, to: BinaryIO) -> None: ...
    async def download_zip(self, request_id: str, to: BinaryIO | None = None) -> bytes | None:
        """Return all PDFs of a request as a ZIP, or write it to a file.

        Parameters
        ----------
        request_id : str
            Opaque id of the request.
        to : binary file, optional
            Where the ZIP is written, from the file's position on. After an error the file is as it was, if it
            can be rewound.

        Returns
        -------
        bytes or None
            The ZIP; ``None`` if it went to the file.

        Raises
        ------
        NotReady, ApiError, ConnectionFailed
            As for `download_file`.
        """
        answer = await self._get(f"download/{_segment('request id', request_id)}", self._silence, to)
        answer = self._reader.file(answer, b"PK", request_id=request_id)
        return None if answer.poured else answer.body

    async def designs(self) -> list[Design]:
        """Return the designs of the workspace, without entries that make no sense."""
        answer = await self._get("designs", self._async_timeout)
        designs = designs_from(self._reader.lookup(answer))
        if designs is None:
            raise self._reader.unreadable(answer)
        return designs

    async def parameters(self, design_id: str, version: int | None = None) -> list[Parameter]:
        """Return the parameters of a design.

        Parameters
        ----------
        design_id : str
            Opaque id of the design.
        version : int, optional
            ``None``: the latest.
        """
        path = f"design/parameter/{_segment('design id', design_id)}"
        if version is not None:
            path += f"?version={_version(version)}"
        answer = await self._get(path, self._async_timeout)
        parameters = parameters_from(self._reader.lookup(answer))
        if parameters is None:
            raise self._reader.unreadable(answer)
        return parameters

    async def _get(
        self,
        path: str,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - of the connection's, one object for all calls
        to: BinaryIO | None = None,
    ) -> Answer:
        self._check_open()
        url = URL(self._files + path, encoded=True)
        headers = await self._credential.headers()
        answer = await self._transport.get(url, headers, timeout, to)
        if answer.status == 401 and not answer.foreign and await self._credential.renewed(headers):
            answer = await self._transport.get(url, await self._credential.headers(), timeout, to)
        return answer

    async def _post_form(self, url: URL, form: bytes) -> Answer:
        return await self._transport.post(url, form, {}, self._async_timeout, "application/x-www-form-urlencoded")

    def _check_open(self) -> None:
        if self._connections is None or self._connections.closed:
            raise ConfigurationError(
                "this client is not open: async with rf.Client(settings) as client: await client.designs()"
            )


def _wire_form(content: Content | Mapping[str, object]) -> Mapping[str, Any]:
    return content.wire() if isinstance(content, Content) else content


def _body(design_id: str, version: int, **documents: Any) -> bytes:
    if not isinstance(design_id, str) or not design_id:
        raise ConfigurationError(f"design_id={design_id!r}: the design's id, a text")
    try:
        return orjson.dumps({"designId": design_id, "version": _version(version), **documents})
    except orjson.JSONEncodeError as error:
        raise ConfigurationError(f"a document cannot be written as JSON: {error}") from error


def _version(version: int) -> int:
    if isinstance(version, bool) or not isinstance(version, int):
        raise ConfigurationError(f"version={version!r}: a whole number")
    return version


def _segment(what: str, value: str) -> str:
    """Return an opaque id as one piece of a path: it can never lead to another path."""
    if (
        not isinstance(value, str)
        or not value.strip()
        or value == "."
        or ".." in value
        or not value.isprintable()
        or any(sign in value for sign in "/\\?#")
    ):
        raise ConfigurationError(f"{what} {value!r}: not an id that the service could have given")
    return quote(value, safe="")
