"""A company's network for tests: an HTTP proxy, and TLS in front of a service that has none."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from support.byte_server import Talk, listening

__all__ = ["Asked", "Proxy", "proxying", "tls_in_front_of"]

Place = tuple[str, int]


@dataclass
class Asked:
    """One request that a proxy got."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass
class Proxy:
    """A running proxy: where it listens, and what it was asked."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def proxying(
    places: Mapping[str, Place],
    *,
    password: tuple[str, str] | None = None,
    status: int | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Proxy]:
    """Run a proxy that knows hosts by their names and ports, such as ``"api.test:443"``.

    ``password`` lets no other client through (407), ``status`` none at all.
    """
    proxy = Proxy()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.splitlines()
        method, target, _ = first.split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
        }
        proxy.asked.append(Asked(method, target, headers))
        expected = "Basic " + base64.b64encode(":".join(password).encode()).decode() if password else None
        refusal = status or (407 if expected and headers.get("proxy-authorization") != expected else None)
        host = target if method == "CONNECT" else target.split("/")[2]
        if refusal is None and (host if ":" in host else f"{host}:80") not in places:
            refusal = 502
        if refusal is not None:
            writer.write(f"HTTP/1.1 {refusal} Refused\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        there, back = await asyncio.open_connection(*places[host if ":" in host else f"{host}:80"])
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = "/" + target.split("/", 3)[3]
                # one request a connection, as some proxies have it
                kept = [line for line in lines if line and not line.lower().startswith(("proxy-", "connection:"))]
                back.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode())
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        finally:
            back.close()

    with _listening(talk, tls) as proxy.port:
        yield proxy


@contextlib.contextmanager
def tls_in_front_of(place: Place, context: ssl.SSLContext) -> Iterator[int]:
    """Speak TLS on a port of its own for a service that speaks plain HTTP."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*place)
        try:
            await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
        finally:
            back.close()

    with _listening(talk, context) as port:
        yield port


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.close()


@contextlib.contextmanager
def _listening(talk: Talk, context: ssl.SSLContext | None) -> Iterator[int]:
    """Serve in a thread of its own, as something that is elsewhere does."""
    started, ended = threading.Event(), asyncio.Event()
    found: list[object] = []

    async def main() -> None:
        async with listening(talk, context) as port:
            found.extend([port, asyncio.get_running_loop()])
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    started.wait()
    port, loop = found
    assert isinstance(port, int)
    assert isinstance(loop, asyncio.AbstractEventLoop)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
