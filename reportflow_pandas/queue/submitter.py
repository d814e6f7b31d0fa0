"""The submitting side: puts a run's calls into the queue and waits until their outcomes are in its journal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.batching import Call, Feed
from reportflow_pandas.engine.outcomes import AcceptedMeanwhile, Outcomes
from reportflow_pandas.engine.progress import Phase
from reportflow_pandas.engine.runner import SHUTDOWN_GRACE_SECONDS
from reportflow_pandas.errors import JournalError, ReportFlowError
from reportflow_pandas.journal.journal import Journal
from reportflow_pandas.next_steps import line_that_goes_on
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.collector import AHEAD, LATE, Collection, Enqueued, some
from reportflow_pandas.queue.connection import ended, seconds_ahead
from reportflow_pandas.queue.messages import (
    AWAY,
    CANCELLED,
    INTENTS,
    WENT_BACK,
    SetAside,
    Terms,
    part_of,
    written,
)
from reportflow_pandas.queue.presence import words_of_workers, workers_alive

__all__ = ["TERMS", "Dispatch"]

log = logging.getLogger("reportflow_pandas")

TERMS = "terms"
"""The key of a queue that holds its run's `Terms`."""

CHUNK_CALLS, CHUNK_BYTES = 100, 4_000_000
"""Calls that are added at a time, and their bytes."""

SHORTEST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.02, 0.5
"""Seconds between two looks: short while answers come."""

WITHOUT_WORKER_SECONDS, WORKER_SEEN_SECONDS = 10.0, 20.0
"""Seconds without a worker until people are told; since one was last seen."""

WORDS_SECONDS = 1.0
"""Between two looks for what workers say of themselves."""

STOPPED_PATIENCE_SECONDS = 2.0
"""Seconds that a stopped run waits for Redis."""


class Dispatch:
    """Carries a run out on other machines; the backend in place of the engine's `Runner`.

    Parameters
    ----------
    feed : Feed
        The calls.
    journal : Journal
        The truth: an intent when a call is put into the queue, its outcome when it is collected.
    outcomes : Outcomes
        Where the outcomes go.
    client : redis.asyncio.Redis
        The connection.
    keys : Keys
        The names of what is kept there.
    queue : str
        Name of the run's queue.
    workspace : str
        ``Settings.workspace``: its workers serve this queue, and no others.
    terms : Terms
        For the workers.
    phase : Phase
        Counted along.
    told : dict
        What the journal keeps of the queue, for a process that goes on.
    clock : Clock
        By which the journal tells moments.
    stop_on_failure, settled
        As for `Runner`.
    warn : callable, optional
        Told what people should know.
    away : callable, optional
        Told for how many seconds workers wait at most for a service that is away; 0.0 when they do not.
    """

    def __init__(
        self,
        feed: Feed,
        journal: Journal,
        outcomes: Outcomes,
        *,
        client: Any,
        keys: Keys,
        queue: str,
        workspace: str,
        terms: Terms,
        phase: Phase,
        told: dict[str, Any],
        clock: Clock,
        stop_on_failure: bool = False,
        settled: Callable[[int], None] | None = None,
        warn: Callable[[str], None] | None = None,
        away: Callable[[float], None] = lambda _: None,
    ) -> None:
        import bullmq  # noqa: PLC0415 - of the extra `queue`

        self._feed = feed
        self._journal = journal
        self._outcomes = outcomes
        self._client = client
        self._keys = keys
        self._name = queue
        self._workspace = workspace
        self._terms = terms
        self._phase = phase
        self._told = told
        self._clock = clock
        self._warn = warn or (lambda text: log.warning("%s", text))
        self._away = away
        self._is_away = False
        self._queue = bullmq.Queue(queue, {"connection": client, "prefix": keys.prefix, "skipVersionCheck": True})
        self._calls = Collection(
            queue,
            client,
            keys=keys,
            run=terms.run,
            journal=journal,
            outcomes=outcomes,
            phase=phase,
            stop=self.stop,
            put_back=self._put_back,
            warn=self._warn,
            settled=settled,
            stop_on_failure=stop_on_failure,
        )
        self._stopping_since: float | None = None
        self._patience: asyncio.Timeout | None = None
        self._wake = asyncio.Event()
        self._feeding: asyncio.Task[None] | None = None
        self._adding = self._fed = False
        self._alone_since: float | None = None
        self._heard: dict[str, str] = {}
        self._heard_at = time.monotonic()
        self.calls_made = 0
        self.error: ReportFlowError | None = None
        """What ended the run early, if anything did."""

    def _id(self, number: int) -> str:
        return f"{self._terms.run}-{number}"

    @property
    def fed(self) -> bool:
        """Whether all calls are in the queue."""
        return self._fed and self._stopping_since is None

    @property
    def awaited(self) -> int:
        """Rows that are in the queue, or with a worker, and have no outcome here yet."""
        return sum(len(entry.positions) for entry in list(self._calls.open.values()) if entry.added)

    # -- its life ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Put all calls into the queue and collect until each row has an outcome, or the run was stopped."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        self._calls.ahead = await seconds_ahead(self._client, self._clock)
        await self._announce()
        await self._look_whether_redis_went_back()
        self._feeding = asyncio.create_task(self._feed_all())
        try:
            await self._collect_all(self._feeding)
            # Redis may be away: the run ends all the same
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(STOPPED_PATIENCE_SECONDS):
                    await self._look_for_words(at_once=True)
        finally:
            self._away(0.0)
            await ended(self._feeding)
            await self._calls.give_up()
        await self._tidy()

    def explain(self, not_sent: int) -> None:
        """Say in ``error`` why equal refusals ended the run, and what to do with the rows that were not sent."""
        self.error = self._calls.breaker.explained(self.error, not_sent)

    def stop(self, error: ReportFlowError | None = None) -> None:
        """Put nothing more into the queue and take back what waits there; calls in flight get a few seconds."""
        if error is not None and self.error is None:
            self.error = error
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            self._calls.stopping = True
            if self._feeding is not None and not self._adding:
                self._feeding.cancel()
            if self._patience is not None:
                # a look that waits for Redis just now must not outlast the few seconds
                with contextlib.suppress(RuntimeError):
                    self._patience.reschedule(asyncio.get_running_loop().time() + SHUTDOWN_GRACE_SECONDS)
        self._wake.set()

    async def _announce(self) -> None:
        """Let the workers of the workspace find the queue, and a process after this one too."""
        if self._journal.meta.get("queue") != self._told:
            await self._journal.tell(queue=self._told)
        cancelled, terms = (self._keys.of(self._name, name) for name in (CANCELLED, TERMS))
        told, known = await self._client.mget(cancelled, terms)
        async with self._client.pipeline(transaction=True) as together:
            if told != WENT_BACK:  # which is looked into first
                together.delete(cancelled)
            if known is None:
                together.eval(AHEAD, 1, self._keys.of(self._name, INTENTS))
            together.set(terms, self._terms.text())
            together.zadd(self._keys.queues(self._workspace), {self._name: 0})
            await together.execute()

    async def _tidy(self) -> None:
        """Leave nothing in Redis of a run that has all its answers."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        if self._calls.given_up:
            return  # their answers may come yet, to a process that looks for them
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(STOPPED_PATIENCE_SECONDS if self._stopping_since is not None else None):
                await self._client.zrem(self._keys.queues(self._workspace), self._name)
                await self._queue.obliterate(force=True)
                await self._client.delete(*[self._keys.of(self._name, name) for name in (TERMS, LATE, INTENTS)])

    def await_again(self, awaited: Mapping[int, list[tuple[int, str]]]) -> None:
        """Await what an earlier process put into the queue: as `Journal.awaited` has it."""
        for number, positions, ids in self._journal.reopen(awaited):
            self._calls.open[self._id(number)] = Enqueued(number, positions, ids)
            self._phase.done -= len(positions)

    # -- putting in ---------------------------------------------------------------------------------------------

    async def _feed_all(self) -> None:
        room = 1  # the first call leaves at once
        while self._stopping_since is None:
            chunk: list[Call] = []
            size = 0
            while len(chunk) < room and size < CHUNK_BYTES and (call := await self._feed.next()) is not None:
                chunk.append(call)
                size += sum(len(document.content) for document in call.documents)
            if not chunk:
                break
            await self._enqueue([(call.positions, call.endpoint, written(call)) for call in chunk])
            room = min(CHUNK_CALLS, 2 * room)
        if self._stopping_since is None:
            if not self._journal.created:
                self.await_again(await asyncio.to_thread(self._journal.awaited))
            self._fed = True

    async def _enqueue(self, calls: Sequence[tuple[Sequence[int], str, dict[str, Any]]], times: int = 1) -> None:
        """Record the intents, then add the calls; adding one twice is harmless."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        self._adding = True
        try:
            intended = [
                intent for intent in await asyncio.gather(*[self._intend(*call) for call in calls]) if intent
            ]
            if not intended:
                return
            entries = {
                self._id(number): Enqueued(number, positions, _ids(message), added=False, times=times)
                for number, positions, message in intended
            }
            self._calls.open.update(entries)
            self.calls_made += len(entries)
            jobs = [_job(identity, message) for identity, (_, _, message) in zip(entries, intended, strict=True)]
            while True:
                try:
                    await self._queue.addBulk(jobs)
                    break
                except (RedisError, OSError) as error:
                    log.debug("calls could not be put into the queue (%s); tried again", error)
                    if self._stopping_since is not None:
                        return
                    await asyncio.sleep(LONGEST_LOOK_SECONDS)
            for entry in entries.values():
                entry.added = True
            self._wake.set()
        finally:
            self._adding = False

    async def _intend(
        self, positions: Sequence[int], endpoint: str, message: dict[str, Any]
    ) -> tuple[int, Sequence[int], dict[str, Any]] | None:
        """Record an intent; rows that were accepted meanwhile leave the call, None if none is left."""
        try:
            return await self._journal.intent(positions, endpoint), positions, message
        except AcceptedMeanwhile as meanwhile:
            self._calls.finish(meanwhile.positions)
            left = [place for place, position in enumerate(positions) if position not in meanwhile.positions]
        if not left:
            return None
        rest = {**message, "documents": [message["documents"][place] for place in left]}
        return await self._intend([positions[place] for place in left], endpoint, rest)

    async def _put_back(self, text: str, entry: Enqueued, offsets: Sequence[int]) -> None:
        """Put documents that were certainly not sent into the queue again, as a call of its own."""
        positions = entry.part(offsets)
        try:
            message = part_of(text, [entry.ids[offset] for offset in offsets])
        except SetAside as problem:
            self._calls.mark(positions, "failed", "invalid", f"nothing was sent for it: {problem}")
            await self._journal.answered(None, self._outcomes.as_answered(positions))
            return
        log.info("rows %s were not sent and go back into the queue", some(positions))
        await self._enqueue([(positions, message["endpoint"], message)], times=entry.times + 1)

    # -- collecting ---------------------------------------------------------------------------------------------

    async def _collect_all(self, feeding: asyncio.Task[None]) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        pause = SHORTEST_LOOK_SECONDS
        called_back = False
        while True:
            fed = feeding.done()
            if fed and not feeding.cancelled() and (problem := feeding.exception()) is not None:
                if not isinstance(problem, ReportFlowError):
                    raise problem
                self.stop(problem)
            if fed and not self._calls.open:
                return
            found = 0
            try:
                async with asyncio.timeout(self._left()) as self._patience:
                    await self._look_whether_redis_went_back()
                    if self._stopping_since is not None and fed and not called_back:
                        await self._calls.call_back()
                        called_back = True
                    found = await self._collect()
            except TimeoutError:
                return
            except (RedisError, OSError) as error:  # the watch tells people, once
                log.debug("answers could not be collected (%s); the run goes on when Redis is there", error)
            pause = SHORTEST_LOOK_SECONDS if found else min(LONGEST_LOOK_SECONDS, pause * 1.5)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    def _left(self) -> float | None:
        """Return the seconds that a stopped run has left; None for one that goes on."""
        return (
            None
            if self._stopping_since is None
            else max(0.0, self._stopping_since + SHUTDOWN_GRACE_SECONDS - time.monotonic())
        )

    async def _collect(self) -> int:
        known = {identity for identity, entry in self._calls.open.items() if entry.added}
        counts = await self._queue.getJobCounts()
        lost = len(self._calls.given_up)
        found = await self._calls.collect(counts, known)
        if len(self._calls.given_up) > lost:
            await self._announce_again()
        await self._look_for_workers(counts)
        await self._look_for_words()
        if self._is_away or not found:
            await self._look_for_outage()
        return found

    async def _look_whether_redis_went_back(self) -> None:
        """End the run where a worker found that Redis has forgotten what was sent: it could be sent once more."""
        if await self._client.get(self._keys.of(self._name, CANCELLED)) != WENT_BACK:
            return
        rows = await self._calls.redis_went_back()
        self.stop(
            JournalError(
                "Redis has gone back to an earlier state (a snapshot was restored, or its last writes are lost) "
                f"and no longer knows which calls were sent since: {rows:,} rows that were in the queue are "
                "unknown, and the rest was not sent. Look these up in the web app, then .results.reportflow."
                f"settle(rows) or .retry(unknown=True); rf.resume({self._terms.run!r}) sends the rest"
            )
        )

    async def _look_for_outage(self) -> None:
        """Learn from the workers that the service is away, and that it is back."""
        async with self._client.pipeline(transaction=False) as together:
            together.get(self._keys.of(self._name, AWAY))
            together.pttl(self._keys.of(self._name, AWAY))
            why, left = await together.execute()
        is_away = why is not None and left > 0
        if is_away and not self._is_away:
            self._warn(
                f"the workers get no answer of the service's own ({why}): they send nothing and wait for it, at "
                f"most {left / 1000:.0f} s more"
            )
        if is_away or self._is_away:
            self._away(left / 1000 if is_away else 0.0)
        self._is_away = is_away

    async def _look_for_words(self, *, at_once: bool = False) -> None:
        """Learn why workers leave their calls to others: of a machine that is cut off, people hear here."""
        now = time.monotonic()
        if now < self._heard_at + WORDS_SECONDS and not at_once:
            return
        self._heard_at = now
        told = await words_of_workers(self._client, self._keys, self._workspace)
        for name, words in told.items():
            if self._heard.get(name) != words:
                self._heard[name] = words
                self._warn(f"worker {name}: {words}")

    async def _announce_again(self) -> None:
        """Put up the sign again if Redis was emptied."""
        if self._stopping_since is None and not await self._client.exists(self._keys.of(self._name, TERMS)):
            await self._announce()

    async def _look_for_workers(self, counts: dict[str, int]) -> None:
        """Say when calls wait and no worker is there to carry them out."""
        if not counts.get("waiting"):
            self._alone_since = None
            return
        now = time.monotonic()
        self._alone_since = now if self._alone_since is None else self._alone_since
        if now < self._alone_since + WITHOUT_WORKER_SECONDS:
            return
        self._alone_since = now + 60.0
        if not await workers_alive(self._client, self._keys, self._workspace, WORKER_SEEN_SECONDS):
            self._warn(
                f"{counts['waiting']} calls wait and no worker serves this workspace. Start one with the same key "
                "and address in its environment: reportflow-pandas worker --queue redis://…. If the key was "
                "renewed and workers have the new one, this process needs it too: job.cancel(), "
                f"rf.configure(app_key='ak_…'), {line_that_goes_on({'run': self._terms.run})}"
            )


def _ids(message: dict[str, Any]) -> list[str]:
    return [identity for identity, _, _ in message["documents"]]


def _job(identity: str, message: dict[str, Any]) -> dict[str, Any]:
    # one attempt: BullMQ would repeat a call whose answer it could not store
    options = {
        "jobId": identity,
        "attempts": 1,
        "removeOnComplete": False,
        "removeOnFail": False,
        "stackTraceLimit": 0,
    }
    return {"name": "call", "data": message, "opts": options}
