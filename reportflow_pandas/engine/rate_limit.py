"""The window: at most so many calls in any ``window`` seconds, as the service counts them.

A call takes a slot when it starts and gives it back one window *after its answer*. The service counts a call at
some moment between the two, which is not known. Two calls of which the second took the slot of the first are
therefore counted more than a window apart: no window of the service, fixed at any phase or sliding, holds more
calls than there are slots. So the documented limit is used in full and never exceeded. (A sliding-window log; a
token bucket lets twice the limit through in its first window.)

All runs that use one workspace share one log of slots, and each run compares it with its own `Limits`. Sync
generation has a bucket of its own; everything else shares the other. A 429 closes the bucket for everybody;
nothing else slows it down.

The log is kept in a `Store`: `MemoryStore` here, for one process, and ``queue.rate_limit.RedisStore`` for many
machines. Both follow one algorithm, step by step, and one set of tests is run on both. A slot asks:

1. A call in flight whose time-out has passed counts as answered then: its slot frees itself.
2. A run without a limit gets its slot at once, unless the bucket is closed.
3. Slots that wait stand in the line of their limits, urgent ones before downloads, then by when they came; a run
   with a small limit so blocks no other. One that should have asked `GONE_SECONDS` ago is gone, and leaves the
   line.
4. Free are the limit's slots without those of calls in flight and of answers of the last window.
5. The slot is granted if the bucket is open and fewer than the free ones stand before it.
6. Else it is told when to ask again: when the slot that it needs can be free at the earliest.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable
from math import inf
from typing import Literal, Protocol

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.settings import Limits

__all__ = [
    "GONE_SECONDS",
    "GRAIN_SECONDS",
    "RECHECK_SECONDS",
    "BucketName",
    "MemoryStore",
    "RateLimiter",
    "Slot",
    "Store",
    "rate_limiter_of",
]

BucketName = Literal["sync", "async"]
"""``"sync"``: sync generation. ``"async"``: everything else, look-ups and downloads too."""

GRAIN_SECONDS = 0.001
"""More than a window, not just a window: a service may count both ends of its own."""

RECHECK_SECONDS = 0.05
"""A free slot that belongs to a waiter ahead is looked at again so soon."""

GONE_SECONDS = 5.0
"""A waiter that should have asked so long ago is gone (its loop closed, its process dead): the line moves up."""

SAME_CALL_SECONDS = 0.05
"""The journal and the log note the same answer within this time."""

TIDIED_ANSWERS = 1024
"""A log of more answers is cut when half of them count no more."""


class Slot:
    """The right to make one call; first it waits in line, then it counts. ``waited`` is the seconds in line."""

    __slots__ = (
        "clock",
        "done",
        "expected_at",
        "kind",
        "limit",
        "nudged",
        "number",
        "store",
        "timeout",
        "urgent",
        "waited",
        "wake",
        "window",
    )

    _numbers = itertools.count()

    def __init__(
        self, store: Store, kind: BucketName, limits: Limits, *, clock: Clock, timeout: float, urgent: bool
    ) -> None:
        self.store = store
        self.kind = kind
        self.limit = limits.sync_calls if kind == "sync" else limits.async_calls
        self.window = limits.window
        self.clock = clock
        self.timeout = timeout
        self.urgent = urgent
        self.number = next(Slot._numbers)
        self.wake: Callable[[], None] | None = None
        self.nudged = False
        self.expected_at = inf
        self.waited = 0.0
        self.done = False

    @property
    def rank(self) -> tuple[bool, int]:
        """Place in the line: urgent ones first, then in the order in which they came."""
        return (not self.urgent, self.number)

    def answered(self) -> None:
        """Say that the call was answered, whatever the answer: the slot frees itself one window from now.

        A call that never says so keeps its slot until its time-out and a window have passed; leave it at
        that when a connection is lost or a call is cancelled in the middle, for the service may count it yet.
        """
        if not self.done:
            self.done = True
            self.store.answered(self, self.clock.monotonic())

    def unused(self) -> None:
        """Give the slot back at once: nothing of the call reached the service."""
        if not self.done:
            self.done = True
            self.store.unused(self)


class Store(Protocol):
    """Where the log and the line are kept: here in memory; one Lua script per operation in Redis.

    ``ask`` and ``preload`` may take a round trip. The other operations are told from ``finally`` blocks of
    tasks that may be under cancellation, so they never wait: a store elsewhere sends them behind.
    Moments are those of the caller's clock; a store with a clock of its own takes the differences only.
    """

    longest_sleep: float
    """Seconds after which a waiter looks again in any case: other processes cannot wake it."""

    async def ask(self, slot: Slot, now: float) -> float:
        """Return 0.0 if the call may start now (the slot counts from here), else seconds until the next look."""

    def answered(self, slot: Slot, now: float) -> None:
        """Note the answer."""

    def unused(self, slot: Slot) -> None:
        """Forget a slot that was granted."""

    def leave(self, slot: Slot) -> None:
        """Forget a slot that still waits, or was granted while its caller was being cancelled."""

    def close(self, kind: BucketName, seconds: float, now: float) -> None:
        """Grant nothing for so many seconds, or longer if it is closed for longer already."""

    async def preload(self, kind: BucketName, moments: Iterable[float]) -> None:
        """Put answers from before into the log."""


class RateLimiter:
    """The rate limiter of one workspace. It belongs to no event loop and to no thread.

    Examples
    --------
    >>> async def call(limiter):
    ...     slot = await limiter.slot("async", Limits(), clock=SYSTEM_CLOCK, timeout=60.0)
    ...     ...  # the call itself
    ...     slot.answered()
    >>> asyncio.run(call(RateLimiter(MemoryStore())))
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def slot(
        self,
        kind: BucketName,
        limits: Limits,
        *,
        clock: Clock = SYSTEM_CLOCK,
        timeout: float,  # noqa: ASYNC109 - the call's, noted in its slot; waiting for the slot has none
        urgent: bool = True,
        waiting: Callable[[float], None] | None = None,
    ) -> Slot:
        """Wait until one more call may start, and take its slot; say ``answered()`` on it at the answer.

        ``limits`` are compared with the calls of all runs. ``urgent`` is generation and look-ups; downloads say
        False and let them go first. ``waiting`` is told the seconds until the call can probably start, each time
        that they are known, and 0.0 when the waiting is over; nothing when there was no need to wait.
        """
        slot = Slot(self.store, kind, limits, clock=clock, timeout=timeout, urgent=urgent)
        granted = waited = False
        asked = clock.monotonic()
        try:
            while pause := await self.store.ask(slot, clock.monotonic() if waited else asked):
                waited = True
                if waiting is not None:
                    waiting(max(0.0, slot.expected_at - clock.monotonic()))
                await _sleep(slot, min(pause, self.store.longest_sleep))
            granted = True
        finally:
            if not granted:
                self.store.leave(slot)
            if waited and waiting is not None:
                waiting(0.0)
        if waited:
            slot.waited = clock.monotonic() - asked
        return slot

    def close(self, kind: BucketName, seconds: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Close the bucket for so many seconds after a 429, for all runs, also for those without a limit."""
        self.store.close(kind, seconds, clock.monotonic())

    async def preload(
        self, kind: BucketName, answered_ago: Iterable[float], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Put the last minute of a resumed run into the log: seconds since each answer, 0.0 where there is none.

        Calls that this process made itself are recognised by their moment and not counted twice.
        """
        now = clock.monotonic()
        await self.store.preload(kind, [now - max(0.0, ago) for ago in answered_ago])


async def _sleep(slot: Slot, seconds: float) -> None:
    """Sleep until it is worth asking again, or until a waiter ahead leaves the line."""
    loop = asyncio.get_running_loop()
    sleeper = loop.create_task(slot.clock.sleep(seconds))

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(sleeper.cancel)
        except RuntimeError:  # that loop is closed, and its waiter with it
            return

    slot.wake = wake
    try:
        if not slot.nudged:  # by another thread, before it could be woken
            await asyncio.wait({sleeper})
    finally:
        slot.wake = None
        sleeper.cancel()


class MemoryStore:
    """The log of one process, for any number of threads and event loops."""

    longest_sleep = inf  # waiters are woken when something changes

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[BucketName, _Bucket] = {"sync": _Bucket(), "async": _Bucket()}

    async def ask(self, slot: Slot, now: float) -> float:
        """Grant the slot or say when to look again."""
        with self._lock:
            return self._buckets[slot.kind].ask(slot, now)

    def answered(self, slot: Slot, now: float) -> None:
        """Note the answer."""
        with self._lock:
            self._buckets[slot.kind].answered(slot, now)

    def unused(self, slot: Slot) -> None:
        """Forget a slot that was granted."""
        with self._lock:
            self._buckets[slot.kind].unused(slot)

    def leave(self, slot: Slot) -> None:
        """Forget a slot that still waits."""
        with self._lock:
            self._buckets[slot.kind].leave(slot)

    def close(self, kind: BucketName, seconds: float, now: float) -> None:
        """Close the bucket."""
        with self._lock:
            bucket = self._buckets[kind]
            bucket.closed_until = max(bucket.closed_until, now + seconds)

    async def preload(self, kind: BucketName, moments: Iterable[float]) -> None:
        """Add answers from before."""
        with self._lock:
            self._buckets[kind].preload(sorted(moments))

    def forked(self) -> None:
        """Forget the waiters and the lock in a child process: they live in the parent."""
        self._lock = threading.Lock()
        for bucket in self._buckets.values():
            bucket.lines.clear()
            bucket.due.clear()


class _Bucket:
    """The log and the lines of one kind of call. The store's lock protects it."""

    def __init__(self) -> None:
        self.in_flight: dict[int, float] = {}  # a slot's number -> when its call has timed out
        self.first_timeout = inf
        self.answers = array("d")  # moments of answers, in order: 8 bytes for a call of the last minute
        self.longest_window = Limits().window
        self.lines: dict[tuple[int | None, float], list[Slot]] = {}  # by limit and window, each by rank
        self.due: dict[int, float] = {}  # a waiter's number -> when it will have asked again
        self.closed_until = -inf

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self, slot: Slot, now: float) -> float:
        """Follow the six steps of this module's head."""
        self._tidy(slot, now)
        if slot.limit is None:
            if now >= self.closed_until:
                return self._grant(slot, now)
            slot.expected_at = self.closed_until
            return self.closed_until - now
        limits = slot.limit, slot.window
        line = self.lines.get(limits)
        place, waits = 0, False
        if line:
            self._leave_out_who_is_gone(line, slot, now)
            place = bisect_left(line, slot.rank, key=_rank)
            waits = place < len(line) and line[place] is slot
        free = slot.limit - self._in_use(slot.window, now)
        if place < free and now >= self.closed_until:
            if waits:
                self._drop(slot)
            return self._grant(slot, now)
        if not waits:
            line = self.lines.setdefault(limits, [])
            line.insert(place, slot)
        assert line is not None  # noqa: S101 - the slot waits in it
        look_at = self._next_look(slot, place, free, now)
        if place > 0:  # the first in line may be gone
            look_at = min(look_at, self.due[line[0].number] + GONE_SECONDS + GRAIN_SECONDS)
        self.due[slot.number] = look_at
        slot.nudged = False
        return max(look_at - now, GRAIN_SECONDS)

    def _grant(self, slot: Slot, now: float) -> float:
        self.in_flight[slot.number] = timed_out = now + slot.timeout
        self.first_timeout = min(self.first_timeout, timed_out)
        return 0.0

    def _in_use(self, window: float, now: float) -> int:
        return len(self.in_flight) + len(self.answers) - self._freed(window, now)

    def _freed(self, window: float, now: float) -> int:
        """Answers, the oldest first, that a run with this window no longer counts."""
        if not self.answers or self.answers[0] + window + GRAIN_SECONDS > now:
            return 0
        return bisect_right(self.answers, now, key=lambda answer: answer + window + GRAIN_SECONDS)

    def _next_look(self, slot: Slot, place: int, free: int, now: float) -> float:
        """When the slot could be granted at the earliest, as far as can be known."""
        limit, window = slot.limit or 1, slot.window
        look_at = expected_at = now + RECHECK_SECONDS
        needed = place + 1 - free
        if needed > 0:
            index = self._freed(window, now) + needed - 1
            missing = max(0, index + 1 - len(self.answers))
            # what is not answered yet is answered now at the earliest
            free_at = (now if missing else self.answers[index]) + window + GRAIN_SECONDS
            expected_at = free_at + (max(0, missing - 1) // limit) * window
            look_at = min(free_at, look_at) if free > 0 else free_at
        slot.expected_at = max(expected_at, self.closed_until)
        return max(look_at, self.closed_until)

    # -- what happens to slots ----------------------------------------------------------------------------

    def answered(self, slot: Slot, now: float) -> None:
        self.in_flight.pop(slot.number, None)  # it is no longer there if the answer came after the time-out
        self._log(now)

    def unused(self, slot: Slot) -> None:
        if self.in_flight.pop(slot.number, None) is not None:
            self._wake_all()

    def leave(self, slot: Slot) -> None:
        self.unused(slot)
        if slot.number in self.due:
            self._drop(slot)
            self._wake_all()

    def preload(self, moments: list[float]) -> None:
        known = list(self.answers)
        at = 0
        for moment in moments:
            while at < len(known) and known[at] < moment - SAME_CALL_SECONDS:
                at += 1
            if at < len(known) and known[at] <= moment + SAME_CALL_SECONDS:
                at += 1
            else:
                insort(self.answers, moment)

    def _log(self, moment: float) -> None:
        if self.answers and moment < self.answers[-1]:
            insort(self.answers, moment)
        else:
            self.answers.append(moment)

    def _drop(self, slot: Slot) -> None:
        limits = slot.limit, slot.window
        line = self.lines[limits]
        del line[bisect_left(line, slot.rank, key=_rank)], self.due[slot.number]
        if not line:
            del self.lines[limits]

    def _wake_all(self) -> None:
        """Let the waiters ask again; each is woken once until it has asked."""
        for waiter in itertools.chain.from_iterable(self.lines.values()):
            if not waiter.nudged:
                waiter.nudged = True
                if waiter.wake is not None:
                    waiter.wake()

    def _tidy(self, slot: Slot, now: float) -> None:
        """Count what has timed out as answered; forget what no run counts any more."""
        self.longest_window = max(self.longest_window, slot.window)
        if self.first_timeout <= now:
            for number in [number for number, timed_out in self.in_flight.items() if timed_out <= now]:
                self._log(self.in_flight.pop(number))
            self.first_timeout = min(self.in_flight.values(), default=inf)
        many = len(self.answers)
        if many > TIDIED_ANSWERS and self.answers[many // 2] + self.longest_window + GRAIN_SECONDS < now:
            del self.answers[: self._freed(self.longest_window, now)]

    def _leave_out_who_is_gone(self, line: list[Slot], slot: Slot, now: float) -> None:
        while line and line[0] is not slot and self.due[line[0].number] + GONE_SECONDS < now:
            self._drop(line[0])
            self._wake_all()


def _rank(slot: Slot) -> tuple[bool, int]:
    return slot.rank


class _RateLimiters:
    """The rate limiters of this process, one for each workspace."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_workspace: dict[str, RateLimiter] = {}

    def forked(self) -> None:
        self.lock = threading.Lock()
        for limiter in self.by_workspace.values():
            if isinstance(limiter.store, MemoryStore):
                limiter.store.forked()


_rate_limiters = _RateLimiters()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rate_limiters.forked)


def rate_limiter_of(workspace: str) -> RateLimiter:
    """Return the rate limiter that all runs of a workspace share in this process."""
    with _rate_limiters.lock:
        limiter = _rate_limiters.by_workspace.get(workspace)
        if limiter is None:
            limiter = _rate_limiters.by_workspace[workspace] = RateLimiter(MemoryStore())
        return limiter
