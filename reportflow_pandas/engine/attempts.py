"""The attempts of a call: each takes a slot of the rate limit, and the retry policy says what its answer means."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.circuit_breaker import CircuitBreaker, says_nothing
from reportflow_pandas.engine.concurrency import Gate, LoadSignal
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.rate_limit import BucketName, RateLimiter, Slot, rate_limiter_of
from reportflow_pandas.engine.retry import (
    CallKind,
    Decision,
    Fail,
    Retry,
    RetryPolicy,
    Stop,
    Unknown,
    WaitForLimit,
)
from reportflow_pandas.errors import (
    ApiError,
    ConnectionFailed,
    NotReady,
    OutcomeUnknown,
    RateLimited,
    ReportFlowError,
)
from reportflow_pandas.settings import OUTAGE_SECONDS, Limits, Settings

__all__ = ["Attempts", "Channel", "GivenUp", "Held", "channel_to"]

log = logging.getLogger("reportflow_pandas")

T = TypeVar("T")

START_SECONDS = 5.0
"""A call that begins later than this after its slot was granted (a disk that kept the record of it waiting, a
process that stood still) takes another slot: the time-out of a slot is counted from its grant."""


class GivenUp(Exception):  # noqa: N818 - never leaves the package
    """A call that will not be tried again: what the policy decided, and what the service or the network said."""

    def __init__(self, decision: Fail | Unknown | Stop, error: ReportFlowError) -> None:
        super().__init__(decision.text)
        self.decision = decision
        self.error = error


class Held(Exception):  # noqa: N818 - never leaves the package
    """The service is away and took nothing of the call, which waits with the others until it is back."""


class Attempts:
    """Counts the attempts of one call and the seconds they took; waiting for the rate limit is left out."""

    __slots__ = ("count", "elapsed", "in_flight", "last_at", "previous_at", "probe", "waited")

    def __init__(self) -> None:
        self.count = 0
        self.elapsed = 0.0
        self.waited = 0.0
        self.in_flight = False
        self.previous_at = self.last_at = -inf
        """When the last two attempts began."""
        self.probe = False
        """Whether this call goes ahead to see if an outage is over."""


class Channel:
    """One run's way to the service: whatever is asked of it waits here for its slot, and is tried again from here.

    `send_with_retries` is for calls whose every attempt is recorded, `ask` for look-ups and files, `look` for the
    circuit breaker.

    Parameters
    ----------
    rate_limiter : RateLimiter
        The workspace's slots, shared with every other run.
    limits : Limits
        What this run allows.
    policy : RetryPolicy
        What an error means.
    clock : Clock
        Time and chance.
    progress : Progress
        Told when the run waits.
    timeout, sync_timeout : float
        Seconds after which a call is given up: until then, and a window longer, it keeps its slot.
    patience : float
        Seconds that a service which is away is waited for.
    """

    def __init__(
        self,
        *,
        rate_limiter: RateLimiter,
        limits: Limits,
        policy: RetryPolicy,
        clock: Clock,
        progress: Progress,
        timeout: float = 60.0,
        sync_timeout: float = 130.0,
        patience: float = OUTAGE_SECONDS,
    ) -> None:
        self.rate_limiter = rate_limiter
        self.limits = limits
        self.policy = policy
        self.clock = clock
        self.progress = progress
        self.patience = patience
        self.asked = 0
        """Look-ups made."""
        self.breaker: CircuitBreaker | None = None
        """Told of each answer; holds generation and downloads while the service is away."""
        self._timeouts = {"async": timeout, "sync": sync_timeout}

    async def send_with_retries(
        self,
        send: Callable[[], Awaitable[T]],
        *,
        kind: CallKind,
        attempts: Attempts,
        gate: Gate | None = None,
        sending: Callable[[], Awaitable[None]] | None = None,
        withdraw: Callable[[], None] | None = None,
    ) -> T:
        """Try a call until it is answered or the policy gives up.

        Parameters
        ----------
        send : callable
            One attempt.
        kind : {"async", "sync", "get", "download"}
            What is called; downloads let everything else go first.
        attempts : Attempts
            Counts along, also when this is cancelled.
        gate : Gate, optional
            Entered by the caller for the first attempt; left after each, also when this raises.
        sending : callable, optional
            Awaited before the first byte of each attempt.
        withdraw : callable, optional
            Takes the record of an attempt back: after a definite refusal that will be tried again, and where
            nothing was sent.

        Raises
        ------
        GivenUp
            The policy gave up.
        Held
            The service is away, and the call was not taken.
        """
        own_gate = gate or _NO_GATE
        bucket = _bucket(kind)
        while True:
            signal: LoadSignal = "ok"
            closed = 0.0
            try:
                slot = await self._prepared(kind, bucket, attempts, sending, withdraw)
                started = self.clock.monotonic()
                attempts.previous_at, attempts.last_at = attempts.last_at, started
                attempts.count += 1
                attempts.in_flight = True
                try:
                    answer = await send()
                except ReportFlowError as error:
                    attempts.in_flight = False
                    _give_back(slot, error, kind)
                    signal = _load_signal(error)
                    decision = self.policy.decide(error, kind=kind, attempt=attempts.count, clock=self.clock)
                    closed = self._close(decision, error, bucket)
                    decision = self._in_an_outage(decision, error, kind, attempts, started)
                    if isinstance(decision, Fail | Unknown | Stop):
                        raise GivenUp(decision, error) from error
                    problem = error
                else:
                    attempts.in_flight = False
                    slot.answered()
                    self.policy.answered(kind)
                    if self.breaker is not None:
                        self.breaker.answered()
                    return answer
                finally:
                    attempts.elapsed += self.clock.monotonic() - started
            finally:
                own_gate.leave(signal, closed)
            if withdraw is not None:
                withdraw()
            await self._pause(decision, problem)
            self._check(kind, attempts)
            if isinstance(decision, WaitForLimit):
                attempts.count -= 1
            if not own_gate.try_enter():
                await own_gate.enter()

    async def _prepared(
        self,
        kind: CallKind,
        bucket: BucketName,
        attempts: Attempts,
        sending: Callable[[], Awaitable[None]] | None,
        withdraw: Callable[[], None] | None,
    ) -> Slot:
        """Wait for a slot, and record the attempt that it is for.

        The slot is fresh: what the time-out of the call allows is over when that of the slot is.
        """
        slot = await self._granted(kind, bucket, attempts)
        granted_at = self.clock.monotonic()
        if sending is not None:
            try:
                await sending()
                self._check(kind, attempts)  # an outage may have begun meanwhile
            except BaseException:
                slot.unused()
                raise
        while self.clock.monotonic() - granted_at > START_SECONDS:
            slot.unused()
            try:
                slot = await self._granted(kind, bucket, attempts)
            except BaseException:
                if withdraw is not None:
                    withdraw()
                raise
            granted_at = self.clock.monotonic()
        return slot

    async def _granted(self, kind: CallKind, bucket: BucketName, attempts: Attempts) -> Slot:
        slot = await self.rate_limiter.slot(
            bucket,
            self.limits,
            clock=self.clock,
            timeout=self._timeouts[bucket] + START_SECONDS,
            urgent=kind != "download",
            waiting=self.progress.waiting,
        )
        attempts.waited += slot.waited
        try:
            self._check(kind, attempts)
        except BaseException:
            slot.unused()
            raise
        return slot

    def _check(self, kind: CallKind, attempts: Attempts) -> None:
        """Hold a call while the service is away; the one that goes first has its slot now."""
        if self.breaker is not None and self.breaker.away and kind != "get":
            if not attempts.probe:
                raise Held
            self.breaker.probe_leaves()

    def _in_an_outage(
        self, decision: Decision, error: ReportFlowError, kind: CallKind, attempts: Attempts, started: float
    ) -> Decision:
        """Tell the circuit breaker of an error, and hold a call of which the service took nothing."""
        breaker = self.breaker
        if breaker is None:
            return decision
        if not says_nothing(error):
            breaker.answered()
            return decision
        if kind == "get":
            return decision
        breaker.missed(started, error)
        if isinstance(decision, Retry | Fail) and breaker.away:
            raise Held from error
        # what others were answered before this attempt and the one before it says nothing of them
        since = attempts.previous_at if attempts.count > 1 else started
        if isinstance(decision, Fail) and breaker.nothing_answered_since(since, error):
            return self.policy.pause(attempts.count, self.clock)
        return decision

    async def look(self, fetch: Callable[[], Awaitable[object]]) -> None:
        """Ask once, for the circuit breaker: a call like others, with a slot."""
        timeout = self._timeouts["async"]
        slot = await self.rate_limiter.slot("async", self.limits, clock=self.clock, timeout=timeout)
        try:
            await fetch()
        except OutcomeUnknown:
            raise
        except ConnectionFailed:
            slot.unused()
            raise
        except ReportFlowError:
            slot.answered()
            raise
        slot.answered()

    def _close(self, decision: Decision, error: ReportFlowError, kind: BucketName) -> float:
        """Close the bucket where the service says when to come back; return for how many seconds."""
        if isinstance(decision, WaitForLimit):
            log.warning("throttled by the service, for %.3g s: %s", decision.seconds, error)
            self.rate_limiter.close(kind, decision.seconds, clock=self.clock)
            self.progress.asked_to_wait(getattr(error, "status", 429), decision.seconds)
            return decision.seconds
        if isinstance(error, ApiError) and error.status == 503 and error.retry_after:
            seconds = min(error.retry_after, self.policy.longest_retry_after)
            if seconds < error.retry_after:
                log.warning(
                    "the service is busy (503) and asks to come back in %.0f s: it is asked again in %g s",
                    error.retry_after,
                    seconds,
                )
            self.rate_limiter.close(kind, seconds, clock=self.clock)
            self.progress.asked_to_wait(error.status, seconds)
        return 0.0

    async def _pause(self, decision: Retry | WaitForLimit, error: ReportFlowError) -> None:
        """Wait before the next attempt; for a 429 the closed bucket does."""
        if isinstance(decision, Retry):
            log.warning("%s; tried again in %.1f s", error, decision.seconds)
            await self.clock.sleep(decision.seconds)

    async def ask(self, fetch: Callable[[], Awaitable[T]], *, kind: CallKind = "get") -> T:
        """Read something: a look-up or a file.

        Raises
        ------
        GivenUp
            The policy gave up.
        """
        attempts = Attempts()
        try:
            return await self.send_with_retries(fetch, kind=kind, attempts=attempts)
        finally:
            self.asked += attempts.count


_GENERATION = ("async", "sync")


def _bucket(kind: CallKind) -> BucketName:
    return "sync" if kind == "sync" else "async"


class _NullGate:
    """The gate of calls that have none: look-ups and downloads."""

    def try_enter(self) -> bool:
        return True

    async def enter(self) -> None:
        """Never needed."""

    def leave(self, signal: LoadSignal, closed_seconds: float = 0.0) -> None:
        """Do nothing: no call waits."""


_NO_GATE = _NullGate()


def _give_back(slot: Slot, error: ReportFlowError, kind: CallKind) -> None:
    """Say of a call that failed what becomes of its slot."""
    if isinstance(error, ConnectionFailed):
        if kind in _GENERATION:
            slot.unused()
    elif not isinstance(error, OutcomeUnknown):
        # else the service may count this call later still: its slot stays taken for the time-out and a window
        slot.answered()


def _load_signal(error: ReportFlowError) -> LoadSignal:
    """Return what an error tells about the service's load."""
    if isinstance(error, RateLimited):
        return "throttled"
    if isinstance(error, NotReady):
        return "ok"
    if isinstance(error, OutcomeUnknown | ConnectionFailed):
        return "lost"
    return "lost" if isinstance(error, ApiError) and error.status == 503 else "ok"


def channel_to(
    settings: Settings,
    *,
    limits: Limits | None = None,
    attempts: int = 3,
    backoff: float = 1.0,
    timeout: float = 60.0,
    progress: Progress | None = None,
    rate_limiter: RateLimiter | None = None,
) -> Channel:
    """Return a way to the service that shares the workspace's rate limiter with everything else in this process.

    ``rate_limiter`` is another one in its place: that of all machines.
    """
    effective = limits or Limits()
    return Channel(
        rate_limiter=rate_limiter or rate_limiter_of(settings.workspace_id),
        limits=effective,
        policy=RetryPolicy(attempts, backoff, effective, longest_retry_after=settings.outage / 2),
        clock=settings.clock,
        progress=progress or Progress(settings.clock),
        timeout=timeout,
        patience=settings.outage,
    )
