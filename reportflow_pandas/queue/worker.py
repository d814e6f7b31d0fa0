"""The worker: takes calls out of the queues of its workspace and carries each out with the one engine.

It uses the scripts, locks and stalled checks of BullMQ's ``Worker``, and not its loop, for three reasons measured
with bullmq 3.4.4 and Redis 7.0.15:

- Answers are lost. Where storing an answer is refused (READONLY for 2 s, in a fail-over), ``processJob`` gives up:
  the call, paid for, stays active without its answer, and fails as stalled later. Here it is stored later.
- A ``Worker`` serves one queue. With 20 runs and 16 calls in flight allowed, 20 of them claimed 320 calls, locked
  away from other machines, and opened 320 connections. Here one loop gives each run its share of the 16.
- A job that cannot be read stays active, with one error and no way to see it. Here it is set aside and told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from typing import Any

from reportflow_pandas.api.client import Client
from reportflow_pandas.api.models import Accepted
from reportflow_pandas.engine.attempts import channel_to
from reportflow_pandas.engine.batching import Call
from reportflow_pandas.engine.concurrency import Gate, within_descriptors
from reportflow_pandas.engine.outcomes import Outcomes
from reportflow_pandas.engine.rate_limit import RateLimiter
from reportflow_pandas.engine.sender import CallAttempts, Sender, Sent
from reportflow_pandas.errors import ReportFlowError
from reportflow_pandas.printable import counted
from reportflow_pandas.queue.address import RedisAddress
from reportflow_pandas.queue.connection import Replicas, closed, connect_when_there, ended, watch
from reportflow_pandas.queue.messages import CANCELLED, SET_ASIDE, SetAside, Terms, answer_of, call_in
from reportflow_pandas.queue.presence import HEARTBEAT_SECONDS, Presence
from reportflow_pandas.queue.rate_limit import RedisStore
from reportflow_pandas.queue.served_run import Lease, LeaseLost, ServedRun
from reportflow_pandas.queue.submitter import TERMS
from reportflow_pandas.settings import Settings

__all__ = ["CONCURRENCY", "LEASE_SECONDS", "WORKER_GRACE_SECONDS", "Worker"]

log = logging.getLogger("reportflow_pandas")

CONCURRENCY = 16
"""Calls in flight of one worker."""

WORKER_GRACE_SECONDS = 60.0
"""Seconds that calls in flight get when the worker is told to end: the time-out of a call."""

LEASE_SECONDS = 60.0
"""Without a sign of life, after which a worker's calls are given up: longer than any restart of Redis."""

RUNS_LOOK_SECONDS = 0.5
"""Between two looks for new runs."""

IDLE_LOOK_SECONDS = 0.05
"""Between two looks for calls when there was none; twice as long each time, up to `RUNS_LOOK_SECONDS`."""

LOST_LOOK_SECONDS = 5.0
"""Between two looks for calls whose reply was lost on the way to this worker."""

HEALTH_LINE_SECONDS = 30.0
"""Between two lines that tell the worker's health."""

STALLED_ONCE_MORE = 2
"""With ``on_crash="retry"``: a call whose worker died so many times is given up, for it may be what kills them."""


class Worker:
    """Carries calls out until it is told to end: 0 of `run` means that all that was begun is finished.

    ``settings`` are this machine's own: the queues of its workspace are served, and no others; no key travels
    through Redis. ``concurrency`` counts calls in flight over all runs, ``grace`` the seconds that they get after
    `stop`, ``lease`` the seconds without a sign of life after which the calls of a worker are given up.

    Examples
    --------
    >>> worker = Worker(settings, "redis://localhost:6379/0")            # doctest: +SKIP
    >>> asyncio.run(worker.run())                                        # doctest: +SKIP
    0
    """

    def __init__(
        self,
        settings: Settings,
        address: str | RedisAddress,
        *,
        concurrency: int = CONCURRENCY,
        grace: float = WORKER_GRACE_SECONDS,
        lease: float = LEASE_SECONDS,
    ) -> None:
        self._settings = settings.checked()
        self._address = address if isinstance(address, RedisAddress) else RedisAddress.of(address)
        self._keys = self._address.keys
        self._concurrency = concurrency
        self._grace = grace
        self._lease = lease
        self._gate = Gate(concurrency, clock=settings.clock)
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._served: dict[str, ServedRun] = {}
        self._refused: set[str] = set()
        self._clients: dict[float, Client] = {}
        self._sending: dict[asyncio.Task[Sent], CallAttempts] = {}
        self._ending = asyncio.Event()
        self._free = asyncio.Event()
        self._tokens = 0
        self.calls = 0
        self.rows = 0
        self.cut_off = 0
        self._redis: Any = None
        self._replicas = Replicas()
        self._looked_at = time.monotonic()
        self._store: RedisStore
        self._presence: Presence

    @property
    def in_flight(self) -> int:
        """Calls that this worker has."""
        return sum(len(served.in_flight) for served in self._served.values())

    def stop(self) -> None:
        """Take no more calls; finish what is in flight, and end."""
        if not self._ending.is_set():
            log.info("told to end: up to %g s for %s in flight", self._grace, counted(self.in_flight, "call"))
            self._ending.set()
            self._free.set()
            for task, attempts in self._sending.items():
                if attempts.in_flight:  # its sender returns its rows as unknown when it is given up
                    asyncio.get_running_loop().call_later(self._grace, task.cancel)
                else:
                    task.cancel()

    async def run(self) -> int:
        """Work until `stop`.

        Returns
        -------
        int
            0: all that was begun is finished. 1: calls had to be cut off, their rows are unknown.

        Raises
        ------
        ConfigurationError
            Redis refuses for good; one that is away is waited for.
        """
        self._redis = await connect_when_there(self._address, self._ending)
        if self._redis is None:
            return 0
        # beside its own connection, a call has one to Redis
        self._concurrency = within_descriptors(self._concurrency, for_each=2)
        workspace = self._settings.workspace_id
        self._store = RedisStore(self._redis, workspace, keys=self._keys)
        clock, served = self._settings.clock, self._served.values()
        self._presence = Presence(self._redis, self._keys, workspace, self.name, served, clock)
        await self._replicas.look(self._redis)
        await self._presence.report()
        log.info(
            "worker %s serves workspace %s of %s from %s, %s at a time",
            self.name,
            self._settings.workspace_id,
            self._settings.host,
            self._address,
            counted(self._concurrency, "call"),
        )
        beside = [asyncio.create_task(work) for work in (watch(self._address), self._live(), self._discover())]
        try:
            await self._work()
            await self._finish()
        finally:
            await ended(*beside)
            await self._close()
        calls, rows = counted(self.calls, "call"), counted(self.rows, "row")
        log.info("worker %s ended: %s, %s, %d cut off", self.name, calls, rows, self.cut_off)
        return 1 if self.cut_off else 0

    # -- runs ------------------------------------------------------------------------------------------------

    async def _discover(self) -> None:
        """Follow which runs there are; look after calls of workers that died."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        while True:
            try:
                await self._follow()
            except (RedisError, OSError) as error:
                log.debug("the runs could not be listed: %s", error)
            await asyncio.sleep(RUNS_LOOK_SECONDS)

    async def _follow(self) -> None:
        names = await self._redis.zrange(self._keys.queues(self._settings.workspace_id), 0, -1)
        for name in names:
            if name not in self._served and name not in self._refused:
                await self._open(name)
        for name, served in list(self._served.items()):
            if (name not in names or served.given_up) and not served.in_flight:
                await self._served.pop(name).close()
                log.info("run %s has ended", name)
        self._refused &= set(names)
        for served in list(self._served.values()):
            if served.name in names and time.monotonic() > served.checked_at + self._lease / 2:
                served.checked_at = time.monotonic()
                await served.bull.runStalledJobsCheck()

    async def _open(self, name: str) -> None:
        import bullmq  # noqa: PLC0415 - of the extra `queue`

        text = await self._redis.get(self._keys.of(name, TERMS))
        try:
            terms = Terms.read(text or "")
        except SetAside as problem:
            self._refused.add(name)
            log.warning("queue %s is left alone: %s", name, problem)
            return
        lease = round(self._lease * 1000)
        bull = bullmq.Worker(
            name,
            None,
            {
                "connection": self._redis,
                "prefix": self._keys.prefix,
                "skipVersionCheck": True,
                "name": self.name,
                "autorun": False,
                "lockDuration": lease,
                "stalledInterval": lease // 2,
                # at most once, unless the submitter wants it otherwise
                "maxStalledCount": STALLED_ONCE_MORE if terms.on_crash == "retry" else 0,
            },
        )
        bull.on("stalled", lambda job: log.warning("call %s: its worker gave no sign of life", job))
        bull.on("lockRenewalFailed", lambda jobs: log.warning("calls %s were given up meanwhile", jobs))
        bull.on("error", lambda error, *_: log.warning("BullMQ: %s", error))
        bull.lockManager.start()
        channel = channel_to(
            self._settings,
            limits=terms.limits,
            attempts=terms.attempts,
            backoff=terms.backoff,
            timeout=terms.timeout,
            rate_limiter=RateLimiter(self._store),
        )
        client = await self._client(terms.timeout)
        self._served[name] = ServedRun(
            name,
            terms,
            redis=self._redis,
            keys=self._keys,
            bull=bull,
            channel=channel,
            client=client,
            presence=self._presence,
        )
        self._free.set()
        log.info("run %s: serving it", terms.run)

    async def _client(self, timeout: float) -> Client:  # noqa: ASYNC109 - of its calls
        if timeout not in self._clients:
            self._clients[timeout] = await Client(self._settings, timeout=timeout).__aenter__()
        return self._clients[timeout]

    # -- calls -----------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Give each run its share: the one with the fewest calls here is asked first."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        pause = IDLE_LOOK_SECONDS
        while not self._ending.is_set():
            found = False
            self._free.clear()
            try:
                await self._take_back_lost()
                for served in sorted(self._served.values(), key=lambda served: len(served.in_flight)):
                    if self.in_flight >= self._concurrency or self._ending.is_set():
                        break
                    found |= served.takes and await self._presence.may_take() and await self._take(served)
            except (RedisError, OSError) as error:
                log.debug("no call could be taken: %s", error)
            if found:
                pause = IDLE_LOOK_SECONDS
                continue
            full = self.in_flight >= self._concurrency
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._free.wait(), LOST_LOOK_SECONDS if full else pause)
            pause = min(RUNS_LOOK_SECONDS, 2 * pause)

    async def _take_back_lost(self) -> None:
        if time.monotonic() > self._looked_at + LOST_LOOK_SECONDS:
            self._looked_at = time.monotonic()
            for served in list(self._served.values()):
                await served.take_back_lost()

    async def _take(self, served: ServedRun) -> bool:
        """Take one call of a run, if one waits."""
        self._tokens += 1
        token = f"{served.bull.id}:{self._tokens}"
        raw, identity, *_ = await served.bull.backend.moveToActive(token, served.bull.opts) or [None, None]
        if not raw or not identity:
            return False
        task = asyncio.create_task(self._carry(served, identity, raw, token))
        served.in_flight.add(task)
        served.held.add(identity)
        task.add_done_callback(lambda done: self._done(served, identity, done))
        return True

    def _done(self, served: ServedRun, identity: str, task: asyncio.Task[None]) -> None:
        served.in_flight.discard(task)
        self._free.set()
        if task.cancelled():
            return
        if (problem := task.exception()) is None:
            served.held.discard(identity)
        else:
            log.error("a call ended in an unforeseen way: %r", problem)

    async def _carry(self, served: ServedRun, identity: str, raw: dict[str, str], token: str) -> None:
        """Carry one call out and store what came of it."""
        from bullmq.job import Job  # noqa: PLC0415 - of the extra `queue`

        served.bull.lockManager.track_job(identity, token, round(time.time() * 1000))
        try:
            try:
                job = Job.fromJSON(served.bull, raw, identity)
                if job.deferredFailure:
                    await served.fail(job, token, job.deferredFailure)
                    return
                call = call_in(job.data)
            except (SetAside, ValueError, TypeError, AttributeError) as problem:
                log.warning("job %s of queue %s is set aside: %s", identity, served.name, problem)
                aside = Job(served.bull, "set aside", {}, {"attempts": 1, "jobId": identity, "stackTraceLimit": 0})
                await served.fail(aside, token, f"{SET_ASIDE}: {problem}")
                return
            await self._carry_call(served, job, call, token)
        finally:
            served.bull.lockManager.untrack_job(identity)

    async def _carry_call(self, served: ServedRun, job: Any, call: Call, token: str) -> None:
        lease = served.lease(job.id, token, self._replicas)
        outcomes = Outcomes([document.name for document in call.documents])
        ids = [document.id for document in call.documents]
        error = await self._send(served, lease, call, outcomes)
        self.rows += len(call)
        if isinstance(error, LeaseLost) and not error.cancelled:
            log.warning("call %s is not sent: %s", job.id, error)
            if lease.attempts:
                await served.note_late(job.id, answer_of(outcomes, ids, None, ahead=self._presence.ahead))
            return
        if isinstance(error, LeaseLost):
            error = None
        places = range(len(call))
        left = await served.leaves(lease, outcomes, error)
        if left or (self._ending.is_set() and error is None and not lease.attempts):
            await served.give_back(job, token)
            return
        if error is not None:
            # every other call would be refused as this one was; the submitter does the rest
            served.say_that_it_ends(error)
            await self._redis.set(self._keys.of(served.name, CANCELLED), "1", ex=86400)
        if self._ending.is_set() and any(outcomes.status_of(place) == "unknown" for place in places):
            self.cut_off += 1
        await served.keep(job, answer_of(outcomes, ids, error, self.name, self._presence.ahead), token)

    async def _send(
        self, served: ServedRun, lease: Lease, call: Call, outcomes: Outcomes
    ) -> ReportFlowError | None:
        """Send a call, or the parts that it is taken apart into; return what ends the run, if anything does."""

        def post(part: Call, body: bytes) -> Awaitable[Accepted]:
            return served.client.send(part.endpoint, body)

        sender = Sender(
            served.channel,
            post,
            intend=lease.intend,
            withdraw=lease.withdraw,
            gate=self._gate,
            run=served.terms.run,
        )
        parts = deque([call])
        try:
            while parts and not self._ending.is_set():
                sent = await self._send_part(served, sender, parts.popleft())
                for outcome in sent.outcomes:
                    outcomes.put(outcome)
                if sent.stop is not None:
                    return sent.stop
                if sent.accepted:
                    self._presence.accepted()
                parts.extendleft(reversed(sent.parts))
        except asyncio.CancelledError:  # it waited when the worker was told to end, or others got its call
            if not self._ending.is_set() and not served.left_to_others:
                raise
        except ReportFlowError as lost:
            return lost
        finally:
            self.calls += sender.calls_made
        return None

    async def _send_part(self, served: ServedRun, sender: Sender, part: Call) -> Sent:
        attempts = CallAttempts(sender, part)
        task = asyncio.create_task(self._in_turn(served, sender, part, attempts))
        self._sending[task] = attempts
        try:
            return await task
        finally:
            task.cancel()
            del self._sending[task]

    async def _in_turn(self, served: ServedRun, sender: Sender, part: Call, attempts: CallAttempts) -> Sent:
        attempts.probe = await served.turn()
        try:
            if attempts.probe and len(part) > 1:  # after an outage one document goes first
                return Sent([], parts=[part.part(part.documents[:1]), part.part(part.documents[1:])])
            if not self._gate.try_enter():
                await self._gate.enter()
            return await sender.send(part, attempts)
        finally:
            if attempts.probe:
                served.breaker.probe_ended()

    # -- its end -----------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Wait for what is in flight, as long as the grace lasts."""
        tasks: Sequence[asyncio.Task[None]] = [
            task for served in self._served.values() for task in served.in_flight
        ]
        if not tasks:
            return
        # the engine records as unknown what has no answer by then; a moment more to store that
        _, late = await asyncio.wait(tasks, timeout=self._grace + 5.0)
        self.cut_off += len(late)
        await ended(*late)

    async def _close(self) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(5.0):
                for served in self._served.values():
                    await served.take_back_lost()
        for served in self._served.values():
            await served.close()
        for client in self._clients.values():
            await client.close()
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(5.0):
                await self._store.settled()
                await self._presence.leave()
        await closed(self._redis)

    # -- its health ----------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Send heartbeats, and a line to the log now and then."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        said_at = time.monotonic()
        while True:
            with contextlib.suppress(RedisError, OSError):
                await self._presence.report()
                await self._replicas.look(self._redis)
            if time.monotonic() >= said_at + HEALTH_LINE_SECONDS:
                said_at = time.monotonic()
                log.info(
                    "alive: %s, %s in flight, %s and %s so far",
                    counted(len(self._served), "run"),
                    counted(self.in_flight, "call"),
                    counted(self.calls, "call"),
                    counted(self.rows, "row"),
                )
            await asyncio.sleep(HEARTBEAT_SECONDS)
