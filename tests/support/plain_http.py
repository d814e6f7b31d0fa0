"""A clock without waiting and a caller in plain HTTP: the service is tested from outside."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from reportflow_pandas.clock import Clock
from reportflow_pandas.local.designs import Parameter
from reportflow_pandas.local.service import LocalService

T = TypeVar("T")


class HandClock(Clock):
    """Time passes only when a test says so; sleepers of any thread wake when theirs has come."""

    def __init__(self) -> None:
        self._time = 1000.0
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, asyncio.AbstractEventLoop, asyncio.Event]] = []

    def monotonic(self) -> float:
        return self._time

    def timestamp(self) -> float:
        return datetime(2026, 11, 2, 9, 0, tzinfo=UTC).timestamp() + self._time - 1000.0

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        event = asyncio.Event()
        with self._lock:
            self._sleepers.append((self._time + seconds, asyncio.get_running_loop(), event))
        await event.wait()

    def random(self) -> float:
        return 0.5

    @property
    def sleeping(self) -> list[float]:
        """The times that sleepers wait for."""
        with self._lock:
            return sorted(until for until, _, _ in self._sleepers)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._time += seconds
            due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._time]
            self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._time]
        for _, loop, event in due:
            loop.call_soon_threadsafe(event.set)


@dataclass(frozen=True)
class Reply:
    """A whole answer as it came over the wire."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """Speaks plain HTTP with a service, one connection a call."""

    def __init__(self, service: LocalService) -> None:
        self.service = service

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        key: str | None = "",
        root: str = "/v1",
    ) -> Reply:
        parts = urlsplit(self.service.page_url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        sent = {} if key is None else {"appkey": key or self.service.app_key}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, root + path, body=body, headers=sent | (headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Reply:
        return self("GET", path, **options)

    def post(self, endpoint: str, body: Any, **options: Any) -> Reply:
        return self("POST", f"/file/{endpoint}", body, **options)

    def order(self, endpoint: str, *names: str, **fields: Any) -> Reply:
        """Order documents of these names at an endpoint."""
        return self.post(endpoint, ordered(endpoint, *names, **fields))


def content(name: str = "INV-1", **fields: Any) -> dict[str, Any]:
    """Return one document's content."""
    return {"fileName": name, "params": {"Number": name, "Total": 5}} | fields


def ordered(endpoint: str, *names: str, **fields: Any) -> dict[str, Any]:
    """Return a call's body for documents of these names."""
    made = {"designId": "order", "version": 2}
    if endpoint.endswith("multiple"):
        return made | {"contents": [content(name, **fields) for name in names]}
    return made | {"content": content(*names[:1], **fields)}


PARAMETERS = (
    Parameter("Number", "text", "Order number", "printed on top"),
    Parameter("Total", "number", "Total"),
    Parameter("Paid", "boolean", "Paid"),
    Parameter("Day", "date", "Day"),
    Parameter("Logo", "image", "Logo"),
    Parameter(
        "Lines", "array", "Lines", "", (Parameter("Item", "text", "Item"), Parameter("Qty", "number", "Qty"))
    ),
    Parameter("Customer", "collection", "Customer", "", (Parameter("Name", "text", "Name"),)),
)


def until(condition: Callable[[], Any]) -> Any:
    """Wait for another thread to get somewhere; a minute is the end of any patience."""
    for _ in range(6000):
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("waited a minute in vain")


def beside(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread of its own, for calls that wait for the clock."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - told where the result is asked for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
