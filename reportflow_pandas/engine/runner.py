"""A run: calls are pulled one by one, carried out side by side, and each row gets its outcome."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from reportflow_pandas.api.models import Accepted, Delivered, FileEntry
from reportflow_pandas.contract import without_pdf
from reportflow_pandas.engine.batching import MAX_BODY, SMALLER, Call, Document
from reportflow_pandas.engine.circuit_breaker import Alike
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.feed import Feed
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.engine.retry import Stop, Unknown
from reportflow_pandas.engine.sender import Line, Refused, Tries
from reportflow_pandas.errors import ApiError, ReportFlowError

__all__ = ["SHUTDOWN_GRACE_SECONDS", "Record", "Run", "Send"]

log = logging.getLogger("reportflow_pandas")

SHUTDOWN_GRACE_SECONDS = 5.0
"""Seconds that calls in flight are waited for after a stop; then they are recorded as unknown."""

Send = Callable[[Call, bytes], Awaitable[Accepted]]
Deliver = Callable[[Delivered, Sequence[tuple[Document, FileEntry | None]]], Awaitable[None]]


class Record(Protocol):
    """Where intents and outcomes are recorded: a run's journal, or another machine's lease of a call."""

    async def intent(self, positions: Sequence[int], endpoint: str) -> int:
        """Record that a call is about to be sent; raise a `ReportFlowError` if it must not be."""

    def clear(self, call: int, positions: Sequence[int]) -> None:
        """Take an intent back after a definite refusal."""

    def note(
        self, call: int | None, positions: Sequence[int], then: Callable[[ReportFlowError | None], None]
    ) -> None:
        """Record outcomes; ``then`` is told when they are safe and may be shown, or why they never will be."""

    async def flush(self) -> None:
        """Return when everything is recorded; raise a `ReportFlowError` if it cannot be."""


class Run:
    """Carries calls out.

    Parameters
    ----------
    feed : Feed
        Its calls are pulled when there is room for one more: nothing is put together ahead of its turn.
    journal : Record
        Told before the first byte of each try, and of each outcome before it is shown.
    outcomes : Outcomes
        Where the outcomes go.
    send : callable
        One try of one call.
    line : Line
        Slots, retries, pauses.
    phase : Phase
        Counted along.
    gate : Gate
        How many calls are in flight.
    workers : int
        The most that could ever be in flight.
    stop_on_failure : bool
        End at the first failed row.
    first_alone : bool
        The first call is answered before the second starts: so a bad key costs one call.
    deliver : callable, optional
        Takes the files that came with a sync answer.
    settled : callable, optional
        Told of each position that has a final outcome.
    alike_ends : bool
        Whether refusals in the same words end the run; not where it has one call of many.
    grace : float
        Seconds that calls in flight are waited for after a stop.
    name : str
        The run's, for the log.
    """

    def __init__(
        self,
        feed: Feed,
        journal: Record,
        outcomes: Outcomes,
        *,
        send: Send,
        line: Line,
        phase: Phase,
        gate: Gate,
        workers: int,
        stop_on_failure: bool = False,
        first_alone: bool = False,
        deliver: Deliver | None = None,
        settled: Callable[[int], None] | None = None,
        alike_ends: bool = True,
        grace: float = SHUTDOWN_GRACE_SECONDS,
        name: str = "",
    ) -> None:
        self._name = name
        self._alike_ends = alike_ends
        self._grace = grace
        self._feed = feed
        self._journal = journal
        self._outcomes = outcomes
        self._send = send
        self._line = line
        self._gate = gate
        self._workers = workers
        self._stop_on_failure = stop_on_failure
        self._first_alone = first_alone
        self._deliver = deliver
        self._settled = settled
        self._phase = phase
        self._tasks: dict[asyncio.Task[None], Tries] = {}
        self._stopping = False
        self._alike = Alike(len(outcomes))
        self.calls_made = 0
        self.error: ReportFlowError | None = None
        """What ended the run early, if anything did."""

    async def carry_out(self) -> None:
        """Carry out all calls. Returns when each row has an outcome or the run was stopped; see ``error``."""
        if self._first_alone:
            await self._start(1, only_one=True)
        if not self._stopping:
            await self._start(self._workers)
        try:
            await self._journal.flush()
        except ReportFlowError as error:
            self.stop(error)
        self.error = self._alike.explained(self.error, self._outcomes.counts()["not_sent"])

    async def _start(self, workers: int, *, only_one: bool = False) -> None:
        tasks = [asyncio.create_task(self._worker(only_one=only_one)) for _ in range(workers)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                if not task.cancelled() and (problem := task.exception()) is not None:
                    raise problem
            await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self, error: ReportFlowError | None = None) -> None:
        """Start no new call. What waits for its turn is not sent; calls in flight get ``grace`` seconds."""
        if error is not None and self.error is None:
            self.error = error
        if self._stopping:
            return
        self._stopping = True
        for task, tries in self._tasks.items():
            if not tries.in_flight and task is not asyncio.current_task():
                task.cancel()
        if any(tries.in_flight for tries in self._tasks.values()):
            asyncio.get_running_loop().call_later(self._grace, self.abandon)

    def abandon(self) -> None:
        """Give the calls in flight up: their rows are unknown."""
        for task in self._tasks:
            task.cancel()

    async def _worker(self, *, only_one: bool) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a worker is a task
        self._tasks[task] = _IDLE
        try:
            while not self._stopping:
                if not self._gate.try_enter():
                    await self._gate.enter()
                call = None if self._stopping else self._feed.at_hand() or await self._feed.next()
                if call is None:
                    self._gate.leave("ok")
                    return
                if parts := await self._try(call, task):
                    await self._carry_parts(parts, task)
                if only_one:
                    return
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        except ReportFlowError as error:
            # the journal cannot be written: nothing is sent without a recorded intent
            self.stop(error)
        finally:
            del self._tasks[task]

    async def _carry_parts(self, calls: Sequence[Call], task: asyncio.Task[None]) -> None:
        """Carry the parts of a refused call out, one after the other, and theirs in their turn."""
        parts = deque(calls)
        while parts and not self._stopping:
            if not self._gate.try_enter():
                await self._gate.enter()
            parts.extendleft(reversed(await self._try(parts.popleft(), task)))

    async def _try(self, call: Call, task: asyncio.Task[None]) -> Sequence[Call]:
        """Send a call; return the parts that it has to be taken apart into."""
        trip = self._tasks[task] = _Trip(call, self._send, self._journal)
        if len(trip.body) > MAX_BODY:
            self._gate.leave("ok")
            text = f"the document is {len(trip.body):,} bytes and a call takes {MAX_BODY:,}: {SMALLER}"
            self._refuse(trip, "failed", "too_large", text, None)
            self._record(trip)
            return ()
        self.calls_made += 1
        try:
            answer = await self._line.tries(
                trip.send,
                kind="sync" if call.sync else "async",
                tries=trip,
                gate=self._gate,
                sending=trip.begin,
                refused=trip.clear,
            )
        except Refused as problem:
            return self._after_refusal(trip, problem)
        except asyncio.CancelledError:
            if trip.in_flight:
                self._refuse(trip, "unknown", "unknown_outcome", _GIVEN_UP, None)
                self._record(trip)
            raise
        finally:
            self._tasks[task] = _IDLE  # a call's body is not kept until its worker has another one
        pairs = self._settle(trip, answer)
        if isinstance(answer, Delivered) and self._deliver is not None:
            await self._deliver(answer, pairs)
        return ()

    def _record(self, trip: _Trip) -> None:
        """Write the outcomes of a call down; the next call does not wait for it, and shares its commit."""
        number, trip.intent = trip.intent, None
        self._journal.note(number, trip.call.positions, partial(self._show, trip.call))

    def _after_refusal(self, trip: _Trip, refused: Refused) -> list[Call]:
        call, decision = trip.call, refused.decision
        request_id = getattr(refused.error, "request_id", None)
        if isinstance(decision, Unknown):
            self._refuse(trip, "unknown", decision.error_kind, decision.text, decision.http_status, request_id)
            self._record(trip)
            return []
        if isinstance(decision, Stop):
            self._refuse(trip, "not_sent", decision.error_kind, decision.text, decision.http_status, request_id)
            trip.clear()
            self.stop(decision.error)
            return []
        if len(call) > 1 and isinstance(refused.error, ApiError) and refused.error.status in (400, 413, 422):
            trip.clear()
            return taken_apart(call, refused.error.messages)
        self._refuse(trip, "failed", decision.error_kind, decision.text, decision.http_status, request_id)
        self._record(trip)
        alike = self._alike.refused(decision.text, refused.error)
        if self._stop_on_failure or (alike and self._alike_ends and not self._stopping):
            self.stop(refused.error)
        return []

    def _settle(self, trip: _Trip, answer: Accepted) -> list[tuple[Document, FileEntry | None]]:
        """Give each row of an accepted call its file, and return which that is."""
        self._alike.accepted()
        at = self._line.clock.timestamp()
        ready = isinstance(answer, Delivered)
        files = answer.files
        pairs = matched(trip.call.documents, files)
        for document, entry in pairs:
            self._outcomes.tried(document.position, trip.count, trip.elapsed)
            if entry is None and files:
                text = f"the answer to request {answer.request_id} does not name this document"
                self._outcomes.refused(document.position, "unknown", "unknown_outcome", text, answer.status)
                self._outcomes.request_id[document.position] = answer.request_id
                self._phase.unknown += 1
                log.warning("run %s, row %d: %s", self._name, document.position, text)
            else:
                self._outcomes.accepted(
                    document.position,
                    request_id=answer.request_id,
                    file_id=entry.file_id if entry is not None else None,
                    file_name=(entry.file_name if entry is not None else "") or None,
                    url=(entry.share_url if entry is not None else None) or answer.url,
                    http_status=answer.status,
                    at=at,
                    ready=ready,
                )
        self._record(trip)
        if len(files) > len(pairs):
            extra = len(files) - sum(entry is not None for _, entry in pairs)
            log.warning(
                "run %s, request %s: the answer names %d files that nobody asked for",
                self._name,
                answer.request_id,
                extra,
            )
        return pairs

    def _refuse(  # noqa: PLR0917 - an outcome has so many parts
        self,
        trip: _Trip,
        status: str,
        kind: str | None,
        text: str,
        http_status: int | None,
        request_id: str | None = None,
    ) -> None:
        told = f" (request {request_id})" if request_id else ""
        for document in trip.call.documents:
            self._outcomes.tried(document.position, trip.count, trip.elapsed)
            self._outcomes.refused(document.position, status, kind, text, http_status)
            if status == "failed":
                self._phase.failed += 1
            elif status == "unknown":
                self._phase.unknown += 1
            log.warning("run %s, row %d: %s, %s: %s%s", self._name, document.position, status, kind, text, told)

    def _show(self, call: Call, problem: ReportFlowError | None) -> None:
        """Show the outcomes of a call, which are on the disk."""
        if problem is not None:
            # without a record nothing more may be sent
            self.stop(problem)
            return
        self._phase.done += len(call)
        if self._settled is not None:
            for document in call.documents:
                self._settled(document.position)


class _Trip(Tries):
    """A call on its way.

    Attributes
    ----------
    intent : int or None
        The number under which the journal knows the try under way.
    """

    __slots__ = ("_journal", "_send", "body", "call", "intent")

    def __init__(self, call: Call, send: Send, journal: Record) -> None:
        super().__init__()
        self.call = call
        self.body = call.body()
        self.intent: int | None = None
        self._send = send
        self._journal = journal

    def send(self) -> Awaitable[Accepted]:
        """Send it once."""
        return self._send(self.call, self.body)

    async def begin(self) -> None:
        """Write down that it is about to be sent."""
        self.intent = await self._journal.intent(self.call.positions, self.call.endpoint)

    def clear(self) -> None:
        """Take the intent back: the service definitely refused the call."""
        number, self.intent = self.intent, None
        if number is not None:
            self._journal.clear(number, self.call.positions)


_IDLE = Tries()
"""Of a worker that has no call just now."""

_ENTRY = re.compile(r"\bcontents(?:\.(\d+)|\[(\d+)\])")
"""How validation messages name an entry of a batch (assumed from the service's framework)."""

_GIVEN_UP = "the run was stopped before the answer came: the service may or may not have accepted it"


def taken_apart(call: Call, messages: Sequence[str]) -> list[Call]:
    """Return a refused batch in parts: rows the message names alone, the rest at once; else two halves.

    One bad row so costs a handful of calls, and every good row is accepted.
    """
    named = _named(call, messages)
    if named and len(named) < len(call):
        rest = [document for number, document in enumerate(call.documents) if number not in named]
        return [call.part(rest), *(call.part([call.documents[number]]) for number in sorted(named))]
    half = len(call) // 2
    return [call.part(call.documents[:half]), call.part(call.documents[half:])]


def _named(call: Call, messages: Sequence[str]) -> set[int]:
    numbers: set[int] = set()
    for message in messages:
        for found in _ENTRY.finditer(message):
            number = int(found[1] or found[2])
            if number < len(call):
                numbers.add(number)
    return numbers


def matched(documents: Sequence[Document], files: Sequence[FileEntry]) -> list[tuple[Document, FileEntry | None]]:
    """Return each document with its entry: by our id, by the name where that is not echoed, never by position."""
    if len(documents) == 1 and len(files) == 1:
        return [(documents[0], files[0])]
    by_id = {entry.passthrough.get("rf"): entry for entry in files if entry.passthrough.get("rf")}
    by_name = {_name_key(entry.file_name): entry for entry in files if not entry.passthrough.get("rf")}
    return [(document, by_id.get(document.id) or by_name.get(_name_key(document.name))) for document in documents]


def _name_key(name: str) -> str:
    return without_pdf(name).casefold()
