"""A server on a real socket that answers what it is told to, to the byte, or breaks off where it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from support.virtual_time import SimulatedClock

from reportflow_pandas.api.client import Client
from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import ApiError, AuthError, NotFoundError, RateLimited
from reportflow_pandas.settings import Settings

KEY = "ak_test_key_0123456789"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
ZIP = b"PK\x03\x04" + bytes(60) + b"PK\x05\x06" + bytes(18)


@dataclass
class Request:
    """What reached the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """What the server does with a request.

    ``then``: "keep" the line, "close" it, "reset" it, or "hang" and never say more.
    """

    raw: bytes = b""
    then: Literal["keep", "close", "reset", "hang"] = "keep"


def reply(status: int = 200, body: bytes | Any = b"", **headers: str) -> Reply:
    """Return a whole answer; a body that is no bytes becomes JSON, `content_type=` the header Content-Type."""
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
        headers.setdefault("content_type", "application/json; charset=utf-8")
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()]
    return Reply("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def pdf(status: int = 201, body: bytes = PDF, **headers: str) -> Reply:
    return reply(status, body, content_type="application/pdf", **headers)


def archive(status: int = 200, body: bytes = ZIP, **headers: str) -> Reply:
    return reply(status, body, content_type="application/zip", **headers)


def broken(whole: Reply, missing: int = 5, then: Literal["close", "reset", "hang"] = "close") -> Reply:
    """Return an answer without its last bytes."""
    return Reply(whole.raw[:-missing], then)


Script = Callable[[Request], Reply]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
Call = Callable[[Client], Coroutine[Any, Any, Any]]


@dataclass
class Stub:
    """Answers by a script; counts what reached it."""

    script: Script
    requests: list[Request] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while (request := await self._read(reader)) is not None:
            self.requests.append(request)
            self.reached.set()
            answer = self.script(request)
            writer.write(answer.raw)
            await writer.drain()
            if answer.then == "hang":
                await reader.read()
            if answer.then == "reset":
                endpoint = writer.get_extra_info("socket")
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            if answer.then != "keep":
                break

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.decode().strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, path, headers, body)


@contextlib.asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Have ``talk`` hold every conversation on a port, which is given back; leave none behind.

    Connections are taken and closed here, also those whose TLS handshake fails, of which a server of asyncio's
    tells nothing: their sockets would be left to the garbage collector of whatever test runs next.
    """
    loop = asyncio.get_running_loop()
    endpoints: dict[asyncio.Task[None], socket.socket] = {}

    def begin() -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            endpoint, _ = listener.accept()
            endpoint.setblocking(False)
            task = loop.create_task(_held(talk, endpoint, tls))
            endpoints[task] = endpoint
            task.add_done_callback(endpoints.pop)

    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener:
        listener.setblocking(False)
        loop.add_reader(listener, begin)
        try:
            yield listener.getsockname()[1]
        finally:
            loop.remove_reader(listener)
            left = dict(endpoints)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for endpoint in left.values():
                endpoint.close()  # a task that is cancelled before it began closes nothing


async def _held(talk: Talk, endpoint: socket.socket, tls: ssl.SSLContext | None) -> None:
    reader = asyncio.StreamReader(limit=1 << 22)
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    with contextlib.closing(endpoint), contextlib.suppress(OSError, asyncio.IncompleteReadError):
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, endpoint, ssl=tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await talk(reader, writer)
            writer.close()
            await writer.wait_closed()
        finally:
            transport.abort()


@contextlib.asynccontextmanager
async def serving(script: Script | Reply) -> AsyncIterator[Stub]:
    """Run a stub for a test."""
    stub = Stub(script if callable(script) else lambda _: script)
    async with listening(stub.serve) as stub.port:
        yield stub


class HandClock(Clock):
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def timestamp(self) -> float:
        return datetime(2026, 8, 3, 4, 5, 6, tzinfo=UTC).timestamp()


def asked(
    script: Script | Reply,
    call: Call,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Any, Stub]:
    """Return what a call gave, value or error, and the stub that counted it."""

    async def main() -> tuple[Any, Stub]:
        async with serving(script) as stub:
            own = {"app_key": KEY, "base_url": stub.origin, **settings}
            if "token_path" in own:
                own["token_url"] = stub.origin + own.pop("token_path")
            async with Client(Settings(**own), **(options or {})) as client:
                try:
                    return await call(client), stub
                except Exception as error:  # noqa: BLE001 - the tests look at it
                    return error, stub

    return SimulatedClock().run(main())


ACCEPTED = {
    "requestId": "Q7mW2xkP9tLr4BzE",
    "url": "http://127.0.0.1:1/never",
    "files": [
        {
            "fileId": "T4hZ8qLm1VxC6yRd",
            "fileName": "注文書_0007.pdf",
            "passthrough": {"rf": "a1"},
            "share": {"shareType": "workspace", "passcodeEnabled": False},
        }
    ],
}
BODY = b'{"designId":"Zk3PpV0aNq8sUe5J","version":2,"content":{"fileName":"a","params":{}}}'


def sent(endpoint: str, answer: Reply, **options: Any) -> tuple[Any, Any]:
    return asked(answer, lambda client: client.send(endpoint, BODY), options)


def success(endpoint: str) -> Reply:
    if endpoint == "sync/single":
        return pdf(request_id="Q7")
    if endpoint == "sync/multiple":
        return archive(201, request_id="Q7")
    return reply(202, ACCEPTED)


def problem(status: int, message: Any = "設計が見つかりません", **headers: str) -> Reply:
    return reply(status, {"statusCode": status, "message": message, "error": "Whatever"}, **headers)


REFUSALS = {
    400: ApiError,
    401: AuthError,
    402: ApiError,
    403: AuthError,
    404: NotFoundError,
    405: ApiError,
    409: ApiError,
    412: AuthError,
    413: ApiError,
    415: ApiError,
    422: ApiError,
    429: RateLimited,
    500: ApiError,
}

DOWNLOADS: list[Call] = [lambda client: client.download_zip("Q7"), lambda client: client.download_file("Q7", "T4")]
READS: list[Call] = [*DOWNLOADS, lambda client: client.designs(), lambda client: client.parameters("d")]
