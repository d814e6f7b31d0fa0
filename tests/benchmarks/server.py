"""A fast server that answers like the service and has undocumented limits.

It runs in a process of its own. The scenario is the first part of the path, so that one server serves all
contenders and each run has counters of its own::

    /latency-0.2_sigma-1_rate-50_header-1_cap-10_run-7/v1/file/async/single
    /latency-0.2_sigma-1_rate-50_header-1_cap-10_run-7/seen

``latency`` median in seconds, ``sigma`` of the log-normal tail, ``rate`` calls in any second, ``cap`` calls in
flight, ``header`` whether a 429 carries ``Retry-After``, ``run`` any name.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from math import exp
from multiprocessing.connection import Connection
from typing import Any

import orjson

REFUSAL = orjson.dumps({"statusCode": 429, "message": "Too many", "error": "Too Many Requests"})


class Scenario:
    """Rules of one run, and what was seen of it."""

    def __init__(self, text: str) -> None:
        rules = dict(part.split("-", 1) for part in text.split("_"))
        self.latency = float(rules.get("latency", 0))
        self.sigma = float(rules.get("sigma", 0))
        self.rate = int(rules.get("rate", 0))
        self.cap = int(rules.get("cap", 0))
        self.header = rules.get("header") == "1"
        self.random = random.Random(1)  # noqa: S311 - the same tails for every contender
        self.recent: deque[float] = deque()
        self.in_flight = self.peak = self.calls = self.documents = self.refused = 0
        self.first = self.last = self.worked = 0.0

    def refuses(self, now: float) -> bool:
        """Count a call, or say that it is one too many."""
        self.calls += 1
        self.first = self.first or now
        while self.recent and self.recent[0] <= now - 1.0:
            self.recent.popleft()
        if (self.cap and self.in_flight >= self.cap) or (self.rate and len(self.recent) >= self.rate):
            self.refused += 1
            return True
        self.recent.append(now) if self.rate else None
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return False

    def pause(self) -> float:
        """Return how long this call takes."""
        seconds = self.latency * exp(self.sigma * self.random.gauss(0, 1)) if self.sigma else self.latency
        self.worked += seconds
        return seconds

    def seen(self) -> bytes:
        """Return the counters; moments are those of ``time.monotonic()``, one for all processes here."""
        names = ("peak", "calls", "documents", "refused", "first", "last", "worked")
        return orjson.dumps({name: getattr(self, name) for name in names})


class Conversation(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, scenarios: dict[str, Scenario]) -> None:
        self._scenarios = scenarios
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer when a request is whole."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(self._buffer) < end + 4 + length:
            return
        path = self._buffer.split(b" ", 2)[1].decode()
        body, self._buffer = self._buffer[end + 4 : end + 4 + length], b""
        name, _, rest = path.lstrip("/").partition("/")
        scenario = self._scenarios.get(name) or self._scenarios.setdefault(name, Scenario(name))
        if rest == "seen":
            self._write(b"200 OK", scenario.seen())
        elif scenario.refuses(time.monotonic()):
            self._write(b"429 Too Many Requests", REFUSAL, b"Retry-After: 1\r\n" if scenario.header else b"")
        elif pause := scenario.pause():
            asyncio.get_running_loop().call_later(pause, self._accept, scenario, body)
        else:
            self._accept(scenario, body)

    def _accept(self, scenario: Scenario, body: bytes) -> None:
        asked = orjson.loads(body)
        contents = asked.get("contents") or [asked["content"]]
        scenario.in_flight -= 1
        scenario.documents += len(contents)
        scenario.last = time.monotonic()
        request = f"{scenario.calls:016d}"
        files = [
            {
                "fileId": f"{scenario.calls:08d}{place:08d}",
                "fileName": content["fileName"] + ".pdf",
                "share": {"shareType": "workspace", "passcodeEnabled": False},
                "passthrough": content.get("passthrough", {}),
            }
            for place, content in enumerate(contents)
        ]
        url = f"https://example.test/v1/file/download/{request}"
        self._write(b"202 Accepted", orjson.dumps({"requestId": request, "url": url, "files": files}))

    def _write(self, status: bytes, body: bytes, more: bytes = b"") -> None:
        self._transport.write(
            b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n%b"
            % (status, more, len(body), body)
        )


def _serve(told: Connection) -> None:
    async def serve() -> None:
        scenarios: dict[str, Scenario] = {}
        server = await asyncio.get_running_loop().create_server(
            lambda: Conversation(scenarios), "127.0.0.1", 0, backlog=2048
        )
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


class Server:
    """The address of the server, and its counters."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._runs = 0

    def scenario(self, **rules: float) -> str:
        """Return the address of a new run: ``…/v1`` comes behind it."""
        self._runs += 1
        text = "_".join(f"{name}-{value:g}" for name, value in (rules | {"run": self._runs}).items())
        return f"http://127.0.0.1:{self.port}/{text}"

    @staticmethod
    def seen(address: str) -> dict[str, float]:
        """Return the counters of a run."""
        with urllib.request.urlopen(f"{address}/seen") as answer:  # noqa: S310 - our own address
            counters: dict[str, float] = json.load(answer)
        return counters


@contextmanager
def running() -> Iterator[Server]:
    """Start the server, and stop it at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield Server(ours.recv())
    finally:
        process.terminate()
        process.join()
