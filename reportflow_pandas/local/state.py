"""Requests and documents of the embedded service and their life: rendering, ready, expired, or failed."""

from __future__ import annotations

import math
import random
import threading
import uuid
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from reportflow_pandas.local.designs import DesignVersion
from reportflow_pandas.local.records import CallRecord, Document, State, WebhookRecord
from reportflow_pandas.local.switches import Switches, seconds
from reportflow_pandas.local.validation import Content, Order

__all__ = ["Entry", "Request", "Workspace", "entry_answer"]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
REMEMBERED_CALLS = 200_000


@dataclass(slots=True, eq=False)
class Entry:
    """One accepted document. Its values are kept as JSON: ten times smaller than as objects."""

    request_id: str
    file_id: str
    file_name: str
    share_type: str
    passcode_enabled: bool
    params: bytes
    passthrough: bytes | None
    ready_from: float
    """Not ready before this time on the clock: the render delay, or infinity until a manual step."""
    rendered: float | None = None
    failing: str | None = None
    """Why its rendering is going to fail; known on acceptance by faults."""
    failure: str | None = None

    def state(self, now: float, retention: float) -> State:
        """Return where in its life the document is."""
        if self.failure is not None and now >= self.ready_from:
            return "failed"
        if self.rendered is None or now < self.ready_from:
            return "rendering"
        return "expired" if now >= max(self.rendered, self.ready_from) + retention else "ready"


@dataclass(slots=True, eq=False)
class Request:
    """What one accepted call made."""

    request_id: str
    endpoint: str
    design_id: str
    version: DesignVersion
    accepted_at: datetime
    entries: dict[str, Entry] = field(default_factory=dict)
    told: bool = False
    """Whether the webhook was sent on its way."""

    def snapshot(self, entry: Entry, now: float, retention: float) -> Document:
        """Return a document as it is now, for people and tests."""
        return Document(
            request_id=self.request_id,
            file_id=entry.file_id,
            file_name=entry.file_name,
            design_id=self.design_id,
            version=self.version.number,
            share_type=entry.share_type,
            passcode_enabled=entry.passcode_enabled,
            accepted_at=self.accepted_at,
            endpoint=self.endpoint,
            state=entry.state(now, retention),
            failure=entry.failure,
            params_json=entry.params,
            passthrough_json=entry.passthrough,
        )


class Workspace:
    """All that the service remembers. Safe to look at from other threads."""

    def __init__(self, switches: Switches) -> None:
        self.switches, self.clock = switches, switches.clock
        self.lock = threading.RLock()
        self._random = random.Random(switches.seed)  # noqa: S311 - ids that can be repeated, nothing secret
        self.requests: dict[str, Request] = {}
        self._calls: deque[tuple[int, CallRecord]] = deque(maxlen=REMEMBERED_CALLS)
        self._under_way: dict[int, CallRecord] = {}
        self._numbers = 0
        self._counts: Counter[str] = Counter()
        self._webhooks: deque[WebhookRecord] = deque(maxlen=REMEMBERED_CALLS)
        self.accepted = 0

    # calls

    def arrive(self, call: CallRecord) -> int:
        """Note a call's arrival and return its number."""
        with self.lock:
            self._numbers += 1
            self._under_way[self._numbers] = call
            self._counts[call.endpoint] += 1
            return self._numbers

    def leave(self, number: int, **outcome: Any) -> None:
        """Note how a call ended."""
        with self.lock:
            call = self._under_way.pop(number, None)
            if call is not None:
                self._calls.append((number, replace(call, ended=self.clock.monotonic(), **outcome)))

    def calls(self) -> tuple[CallRecord, ...]:
        """Return all calls in the order of their arrival."""
        with self.lock:
            numbered = sorted([*self._calls, *self._under_way.items()], key=lambda pair: pair[0])
        return tuple(call for _, call in numbered)

    def counts(self) -> Counter[str]:
        """Return how many calls arrived, by endpoint."""
        with self.lock:
            return Counter(self._counts)

    def webhooks(self) -> tuple[WebhookRecord, ...]:
        """Return all attempts to reach the webhook's address."""
        with self.lock:
            return tuple(self._webhooks)

    def note_webhook(self, record: WebhookRecord) -> None:
        """Note one attempt to reach the webhook's address."""
        with self.lock:
            self._webhooks.append(record)

    # documents

    def new_id(self) -> str:
        """Return an opaque id: 16 letters and digits, or a UUID."""
        if self.switches.id_style == "uuid":
            return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        return "".join(self._random.choices(ALPHABET, k=16))

    def accept(
        self,
        order: Order,
        version: DesignVersion,
        endpoint: str,
        encoded: Sequence[tuple[bytes, bytes | None]],
        failing: Mapping[str, str],
    ) -> Request:
        """Take an order: from here on its documents exist, with their ids."""
        now = self.clock.monotonic()
        waits = self.switches.manual and not endpoint.startswith("sync/")
        with self.lock:
            request = Request(self.new_id(), endpoint, order.design_id, version, self.clock.now())
            for content, (params, passthrough) in zip(order.contents, encoded, strict=True):
                entry = self._entry(request.request_id, content, params, passthrough)
                entry.ready_from = math.inf if waits else now + seconds(self.switches.render_delay)
                entry.failing = failing.get(content.file_name)
                request.entries[entry.file_id] = entry
            self.requests[request.request_id] = request
            self.accepted += len(request.entries)
        return request

    def _entry(self, request_id: str, content: Content, params: bytes, passthrough: bytes | None) -> Entry:
        return Entry(
            request_id=request_id,
            file_id=self.new_id(),
            file_name=content.file_name,
            share_type=content.share_type,
            passcode_enabled=content.passcode_enabled,
            params=params,
            passthrough=passthrough,
            ready_from=0.0,
        )

    def forget(self, request: Request) -> None:
        """Drop a request whose work was given up."""
        with self.lock:
            if self.requests.pop(request.request_id, None) is not None:
                self.accepted -= len(request.entries)

    def rendered(self, entry: Entry, failure: str | None = None) -> None:
        """Note that a document's rendering has ended, well or not."""
        with self.lock:
            entry.rendered = self.clock.monotonic()
            if failure is not None and entry.failure is None:
                entry.failure = failure

    def unrendered(self) -> list[tuple[Request, Entry]]:
        """Return what is still to be rendered, in order of acceptance."""
        with self.lock:
            return [
                (request, entry)
                for request in self.requests.values()
                for entry in request.entries.values()
                if entry.rendered is None
            ]

    def documents(self) -> tuple[Document, ...]:
        """Return all accepted documents in order of acceptance."""
        now, retention = self.clock.monotonic(), self.switches.retention
        with self.lock:
            return tuple(
                request.snapshot(entry, now, retention)
                for request in self.requests.values()
                for entry in request.entries.values()
            )

    def newest(
        self, start: int, count: int, *, state: str = "", design_id: str = ""
    ) -> tuple[tuple[Document, ...], int]:
        """Return some documents of a state and a design, the newest first, and how many there are in all."""
        now, retention = self.clock.monotonic(), self.switches.retention
        found: list[Document] = []
        total = 0
        with self.lock:
            for request in reversed(self.requests.values()):
                if design_id and request.design_id != design_id:
                    continue
                for entry in reversed(request.entries.values()):
                    if state and entry.state(now, retention) != state:
                        continue
                    if start <= total < start + count:
                        found.append(request.snapshot(entry, now, retention))
                    total += 1
        return tuple(found), total

    def designs_used(self) -> Counter[str]:
        """Return how many documents each design has."""
        used: Counter[str] = Counter()
        with self.lock:
            for request in self.requests.values():
                used[request.design_id] += len(request.entries)
        return used

    def states(self) -> Counter[str]:
        """Return how many documents are in each state."""
        now, retention = self.clock.monotonic(), self.switches.retention
        with self.lock:
            return Counter(
                entry.state(now, retention)
                for request in self.requests.values()
                for entry in request.entries.values()
            )

    def step(self, *, failure: str | None = None, request_id: str | None, file_name: str | None) -> list[Request]:
        """Finish documents by hand: ready, or failed for a reason. Return the requests concerned."""
        now = self.clock.monotonic()
        concerned: list[Request] = []
        with self.lock:
            for request in self.requests.values():
                if request_id not in (None, request.request_id):
                    continue
                for entry in request.entries.values():
                    if file_name in (None, entry.file_name):
                        entry.ready_from = min(entry.ready_from, now)
                        if failure is not None:
                            entry.failing = entry.failure = failure
                        if request not in concerned:
                            concerned.append(request)
        return concerned

    def clear(self) -> None:
        """Forget calls, requests, documents and webhooks."""
        with self.lock:
            self.requests.clear()
            self._calls.clear()
            self._counts.clear()
            self._webhooks.clear()
            self.accepted = 0


def entry_answer(request: Request, entry: Entry, switches: Switches, page: str | None = None) -> dict[str, Any]:
    """Return a document's entry as answers, mapping headers and webhooks have it."""
    answer: dict[str, Any] = {"fileId": entry.file_id, "fileName": f"{entry.file_name}.pdf"}
    if entry.passthrough is not None and switches.echo_passthrough:
        answer["passthrough"] = orjson.loads(entry.passthrough)
    share: dict[str, Any] = {"shareType": entry.share_type, "passcodeEnabled": entry.passcode_enabled}
    if page is not None:
        share["url"] = f"{page}/{request.request_id}/{entry.file_id}"
    answer["share"] = share
    if switches.echo_params:
        answer["params"] = orjson.loads(entry.params)
    return answer
