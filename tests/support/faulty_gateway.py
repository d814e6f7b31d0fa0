"""A gateway before the embedded service that spoils one call, to the byte or before it has a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import trustme
from support.byte_server import listening
from support.queue_workers import free_port
from yarl import URL

from reportflow_pandas.api.transport import Exchange

MEGABYTE = 1 << 20
PAGE = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
UNREACHED = ("refused", "dns", "tls")
"""Faults of which no gateway hears: the connector meets the real thing at another address."""


@dataclass
class Fault:
    """One fault, its call, and what it met.

    ``where`` begins the path of the calls that are counted, ``at`` is the number of the one that is met.
    """

    kind: str
    where: str
    at: int = 1
    slow_seconds: float = 20.0
    retry_after: int = 7
    counted: int = 0
    met: list[tuple[str, bytes]] = field(default_factory=list)
    """Path and body of the call."""

    def takes(self, path: str, body: bytes) -> bool:
        """Count a call; tell whether it is the one."""
        if not path.startswith(self.where):
            return False
        self.counted += 1
        if self.counted != self.at:
            return False
        self.met.append((path, body))
        return True


class Gateway:
    """Passes calls on to the embedded service, but for one; runs in a thread of its own.

    Parameters
    ----------
    port : int
        Of the service.
    fault : Fault
        What is played.
    clock : VirtualClock, optional
        Held while a call is passed on.
    """

    def __init__(self, port: int, fault: Fault, clock: Any = None) -> None:
        self.service_port = port
        self.fault = fault
        self.port = 0
        self.strangers: list[bytes] = []
        """Heads of the requests that reached the other host, to which a redirect leads."""
        self._clock = clock
        self._tls = trustme.CA().issue_cert("127.0.0.1")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @contextlib.contextmanager
    def running(self) -> Iterator[Gateway]:
        """Listen, and let connections of this process meet what no gateway hears of."""
        started = threading.Event()
        loop = asyncio.new_event_loop()
        ending = asyncio.Event()

        async def serve() -> None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.configure_cert(context)
            async with (
                listening(self._talk) as self.port,
                listening(self._stranger) as self.other_port,
                listening(self._stranger, context) as self.tls_port,
            ):
                started.set()
                await ending.wait()

        def run() -> None:
            loop.set_exception_handler(lambda *_: None)  # a refused handshake is what is asked for
            loop.run_until_complete(serve())
            loop.close()

        thread = threading.Thread(target=run, name="faulty-gateway", daemon=True)
        thread.start()
        assert started.wait(10)
        try:
            with mock.patch.object(Exchange, "answer", self._answers(Exchange.answer)):
                yield self
        finally:
            loop.call_soon_threadsafe(ending.set)
            thread.join(10)

    # -- before there is a connection ----------------------------------------------------------------------

    def _answers(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        async def met(
            exchange: Any, method: str, url: URL, headers: Any, body: bytes = b"", content_type: str = ""
        ) -> Any:
            ours = self.fault.kind in UNREACHED and url.port == self.port
            if ours and self.fault.takes(url.raw_path, body):
                elsewhere = {
                    "refused": URL(f"http://127.0.0.1:{free_port()}"),
                    "dns": URL(f"http://no-such-host.invalid:{self.port}"),
                    "tls": URL(f"https://127.0.0.1:{self.tls_port}"),
                }[self.fault.kind]
                return await answer(exchange, method, elsewhere.join(url.relative()), headers, body, content_type)
            return await answer(exchange, method, url, headers, body, content_type)

        return met

    # -- on the wire ---------------------------------------------------------------------------------------

    async def _stranger(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.strangers.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(_answer(200, PAGE, "text/html"))
        await writer.drain()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path, length = _request(head)
            body = await reader.readexactly(length)
            hit = self.fault.kind not in UNREACHED and self.fault.takes(path, body)
            with self._held():
                raw = b"" if hit and self.fault.kind in _NOT_CARRIED_OUT else await self._passed_on(head + body)
                ends = False
                if hit:
                    raw, ends = self._spoilt(path, raw)
            if hit and self.fault.kind == "hang":
                await reader.read()
                return
            if hit and self.fault.kind == "slow":
                await (self._clock or asyncio).sleep(self.fault.slow_seconds)
            with self._held():
                writer.write(raw)
                await writer.drain()
            if hit and self.fault.kind.startswith("reset"):
                line = writer.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            if ends:
                return

    def _held(self) -> contextlib.AbstractContextManager[None]:
        return self._clock.hold() if self._clock is not None else contextlib.nullcontext()

    async def _passed_on(self, request: bytes) -> bytes:
        """Return the service's answer to the byte."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service_port, limit=1 << 26)
        try:
            writer.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = await reader.read()
        finally:
            writer.close()
        return answer.replace(b"Connection: close\r\n", b"", 1)

    def _spoilt(self, path: str, raw: bytes) -> tuple[bytes, bool]:
        """Return what goes out in an answer's place, and whether the connection ends with it."""
        kind = self.fault.kind
        head, _, body = raw.partition(b"\r\n\r\n")
        if kind == "half an answer":
            return raw[: len(raw) - max(1, len(body) // 2)], True
        if kind == "wrong length":
            short = f"Content-Length: {max(1, len(body) - 10)}".encode()
            return head.replace(f"Content-Length: {len(body)}".encode(), short) + b"\r\n\r\n" + body, False
        if kind == "slow":
            return raw, False
        success = 200 if "download" in path else 202 if "async" in path else 201
        answers = {
            "429 with header": (429, "Rate limit exceeded", f"Retry-After: {self.fault.retry_after}\r\n"),
            "429 without header": (429, "Rate limit exceeded", ""),
            "500": (500, "内部エラーです", ""),
            "503": (503, "ただいま混み合っています", ""),
            "huge error": (400, "あ" * (32 * MEGABYTE // 3), ""),
        }
        if kind in answers:
            status, message, more = answers[kind]
            told = {"statusCode": status, "message": message, "error": "Whatever"}
            return _answer(status, json.dumps(told, ensure_ascii=False).encode(), more=more), False
        return {
            "502": _answer(502, PAGE, "text/html"),
            "504": _answer(504, PAGE, "text/html"),
            "html with 200": _answer(200, PAGE, "text/html"),
            "wrong json": _answer(success, b'{"surprise": [1, 2]}'),
            "redirect": _answer(307, b"", more=f"Location: http://127.0.0.1:{self.other_port}/elsewhere\r\n"),
        }.get(kind, b""), False


_NOT_CARRIED_OUT = (
    *("reset before", "hang", "429 with header", "429 without header", "500", "502", "503", "504"),
    *("html with 200", "wrong json", "huge error", "redirect"),
)


def _answer(status: int, body: bytes, kind: str = "application/json; charset=utf-8", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def _request(head: bytes) -> tuple[str, int]:
    first, *lines = head.decode().strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return first.split(" ")[1], int(headers.get("content-length", 0))
