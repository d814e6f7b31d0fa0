"""A pool of workers on one event loop: calls are pulled one by one and sent side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from reportflow_pandas.engine.attempts import Attempts
from reportflow_pandas.engine.batching import Call, Feed
from reportflow_pandas.engine.circuit_breaker import CircuitBreaker, RefusalBreaker
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.sender import CallAttempts, Sender, Sent
from reportflow_pandas.errors import ReportFlowError

__all__ = ["SHUTDOWN_GRACE_SECONDS", "Runner"]

SHUTDOWN_GRACE_SECONDS = 5.0
"""Seconds that calls in flight are waited for after a stop; then they are recorded as unknown."""


class Runner:
    """The backend of this process: sends the calls of a feed.

    Parameters
    ----------
    feed : Feed
        Its calls are pulled when there is room for one more: nothing is put together ahead of its turn.
    sender : Sender
        Sends one call.
    record : callable
        ``record(sent)`` takes the outcomes of a call, and counts them when the ledger has them safe; the next call
        does not wait for it.
    gate : Gate
        How many calls are in flight.
    workers : int
        The most that could ever be in flight.
    rows : int
        Of the run.
    stop_on_failure : bool
        End at the first failed row.
    first_alone : bool
        The first call is answered before the second starts: a wrong key costs one call.
    grace : float
        Seconds that calls in flight are waited for after a stop.
    """

    def __init__(
        self,
        feed: Feed,
        sender: Sender,
        record: Callable[[Sent], None],
        *,
        gate: Gate,
        workers: int,
        rows: int,
        stop_on_failure: bool = False,
        first_alone: bool = False,
        grace: float = SHUTDOWN_GRACE_SECONDS,
    ) -> None:
        self._feed = feed
        self._sender = sender
        self._record = record
        self._gate = gate
        self._workers = workers
        self._stop_on_failure = stop_on_failure
        self._first_alone = first_alone
        self._grace = grace
        self._tasks: dict[asyncio.Task[None], Attempts] = {}
        self._stopping = False
        self._refusals = RefusalBreaker(rows)
        self.breaker: CircuitBreaker | None = None
        """Holds the calls while the service is away."""
        self.error: ReportFlowError | None = None
        """What ended the run early, if anything did."""

    @property
    def calls_made(self) -> int:
        """Calls that were sent, or were about to be."""
        return self._sender.calls_made

    async def run(self) -> None:
        """Send all calls. Returns when each was answered, or the run was stopped; see ``error``."""
        try:
            if self._first_alone:
                await self._start(1, only_one=True)
            if not self._stopping:
                await self._start(self._workers)
        finally:
            if self.breaker is not None:
                self.breaker.close()

    def explain(self, not_sent: int) -> None:
        """Say in ``error`` why equal refusals ended the run, and what to do with the rows that were not sent."""
        self.error = self._refusals.explained(self.error, not_sent)

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
        for task, attempts in self._tasks.items():
            if not attempts.in_flight and task is not asyncio.current_task():
                task.cancel()
        if any(attempts.in_flight for attempts in self._tasks.values()):
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
                parts = await self._send(call, task)
                while parts and not self._stopping:
                    if not self._gate.try_enter():
                        await self._gate.enter()
                    parts.extendleft(reversed(await self._send(parts.popleft(), task)))
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

    async def _send(self, call: Call, task: asyncio.Task[None]) -> deque[Call]:
        """Send a call; return the parts that it has to be taken apart into."""
        rest: list[Call] = []
        probe = self.breaker is not None and self.breaker.away and await self.breaker.turn()
        if probe and len(call) > 1:
            rest = [call.part(call.documents[1:])]
            call = call.part(call.documents[:1])
        attempts = self._tasks[task] = CallAttempts(self._sender, call)
        attempts.probe = probe
        try:
            sent = await self._sender.send(call, attempts)
        finally:
            self._tasks[task] = _IDLE  # a call's body is not kept until its worker has another one
            if probe and self.breaker is not None:
                self.breaker.probe_ended()
        if sent.outcomes or sent.known:
            self._record(sent)
        if sent.cancelled is not None:
            raise sent.cancelled
        if sent.stop is not None:
            self.stop(sent.stop)
        elif sent.refusal is not None:
            equal = self._refusals.refused(sent.outcomes[0].error or "", sent.refusal)
            if self._stop_on_failure or (equal and not self._stopping):
                self.stop(sent.refusal)
        elif sent.accepted:
            self._refusals.accepted()
        return deque([*sent.parts, *rest])


_IDLE = Attempts()
"""Of a worker that has no call just now."""
