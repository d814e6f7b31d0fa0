"""The window: at most so many calls in any ``window`` seconds, as the service counts them.

A call takes a slot when it starts and gives it back one window *after its answer*. The service counts a
call at some moment between the two, nobody knows which. Two calls of which the second took the slot of the
first are therefore counted more than a window apart: no window of the service, fixed at any phase or
sliding, holds more calls than there are slots. So the whole documented limit can be used.

All runs of a process that use one workspace share one log of slots, and each run compares the log with its
own `Limits`. Sync generation has a bucket of its own; everything else shares the other.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
from array import array
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from typing import Literal, Protocol

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock
from reportflow_pandas.settings import Limits

__all__ = ["Kind", "MemoryStore", "Slot", "Store", "Window", "reset", "window_of"]

Kind = Literal["sync", "async"]
"""``"sync"``: sync generation. ``"async"``: everything else, look-ups and downloads too."""

GRAIN = 0.001  # "more than a window", not "just a window": a service may count both ends of its own
RECHECK = 0.05  # a free slot that belongs to somebody ahead is looked at again so soon
LATE = 5.0  # a waiter that should have asked so long ago is gone (its loop was closed): the line moves up
SLOWER = 0.9  # a refusal lowers the limit to this share of it ...
SLOWEST = 0.1  # ... but never below this share of what the run asked for
SAME_CALL = 0.05  # the journal and the log note the same answer within this many seconds


class Slot:
    """The right to make one call; first it waits in line, then it counts.

    Attributes
    ----------
    kind : {"sync", "async"}
    limit : int or None
        What the run allows; ``None``: no limit.
    window, timeout : float
        Seconds.
    urgent : bool
        Generation, which goes before polls.
    waited : float
        Seconds in line.
    """

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
        self, store: Store, kind: Kind, limits: Limits, *, clock: Clock, timeout: float, urgent: bool
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
        """Place in the line: generation first, then who came first."""
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

    def pushed_back(self, kind: Kind, seconds: float | None, limits: Limits, now: float) -> None:
        """Close the bucket after a 429 and lower its pace."""

    async def preload(self, kind: Kind, moments: Iterable[float]) -> None:
        """Put answers from before into the log."""


class Window:
    """The window of one workspace. It belongs to no event loop and to no thread.

    Parameters
    ----------
    store : Store
        The log of slots.

    Examples
    --------
    >>> async def call(window):
    ...     slot = await window.slot("async", Limits(), clock=SYSTEM_CLOCK, timeout=60.0)
    ...     ...  # the call itself
    ...     slot.answered()
    >>> asyncio.run(call(Window(MemoryStore())))
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    async def slot(
        self,
        kind: Kind,
        limits: Limits,
        *,
        clock: Clock = SYSTEM_CLOCK,
        timeout: float,  # noqa: ASYNC109 - the call's, noted in its slot; waiting for the slot has none
        urgent: bool = True,
        waiting: Callable[[float], None] | None = None,
    ) -> Slot:
        """Wait until one more call may start, and take its slot.

        Parameters
        ----------
        kind : {"sync", "async"}
            The bucket.
        limits : Limits
            What this run allows; it is compared with the calls of all runs.
        clock : Clock
            Time.
        timeout : float
            Seconds after which the call is given up.
        urgent : bool, default True
            Generation; polls say False and let generation go first. First come, first served among equals.
        waiting : callable, optional
            Told the seconds until the call can probably start, each time they are known anew, and 0.0 when
            the waiting is over. Not told at all when there was no need to wait.

        Returns
        -------
        Slot
            Say ``answered()`` on it when the answer is there.
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

    def pushed_back(
        self, kind: Kind, seconds: float | None, limits: Limits, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        """Say that a 429 arrived: somebody else uses the workspace too.

        The bucket closes for all runs, and nine tenths of the limit are left when it opens again (never less
        than one tenth of what a run asked for). From then on one call a window is added until the limit is
        whole. Refusals that arrive while it is closed belong to the same storm: they may prolong it but take
        nothing away.

        Parameters
        ----------
        kind : {"sync", "async"}
            The bucket.
        seconds : float or None
            ``Retry-After``. ``None``: the service did not say; then a whole window from now, after which the
            service's window has ended wherever it began. A run without a limit in this bucket has no window
            to wait for: only its own gate closes.
        limits : Limits
            Those of the run that was refused.
        clock : Clock
            Time.
        """
        self.store.pushed_back(kind, seconds, limits, clock.monotonic())

    async def preload(self, kind: Kind, answered_ago: Iterable[float], *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Put the last minute of a resumed run into the log.

        Parameters
        ----------
        kind : {"sync", "async"}
            The bucket.
        answered_ago : iterable of float
            For each call, the seconds since its answer; 0.0 for one without an answer. Calls that this
            process made itself are recognised by their moment and not counted twice.
        clock : Clock
            Time.
        """
        now = clock.monotonic()
        await self.store.preload(kind, [now - max(0.0, ago) for ago in answered_ago])


async def _sleep(slot: Slot, seconds: float) -> None:
    """Sleep until it is worth asking again, or until somebody ahead leaves the line."""
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
        self._buckets: dict[Kind, _Bucket] = {"sync": _Bucket(), "async": _Bucket()}

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

    def pushed_back(self, kind: Kind, seconds: float | None, limits: Limits, now: float) -> None:
        """Close the bucket and lower its pace."""
        with self._lock:
            self._buckets[kind].pushed_back(
                seconds, limits.sync_calls if kind == "sync" else limits.async_calls, limits.window, now
            )

    async def preload(self, kind: Kind, moments: Iterable[float]) -> None:
        """Add answers from before."""
        with self._lock:
            self._buckets[kind].preload(sorted(moments))

    def forked(self) -> None:
        """Start anew in a child process: whoever waited or held the lock lives in the parent."""
        self._lock = threading.Lock()
        for bucket in self._buckets.values():
            bucket.line.clear()
            bucket.due.clear()
            bucket.runs.clear()


class _Bucket:
    """The log and the line of one kind of call. The store's lock protects it."""

    def __init__(self) -> None:
        self.in_flight: dict[int, float] = {}  # a slot's number -> when its call has timed out
        self.first_timeout = inf
        self.answers = array("d")  # moments of answers, in order: 8 bytes for a call of the last minute
        self.longest_window = Limits().window
        self.line: list[Slot] = []  # by rank
        self.due: dict[int, float] = {}  # a waiter's number -> when it will have asked again
        self.runs: Counter[tuple[int | None, float]] = Counter()  # (limit, window) of those in line
        self.closed_until = -inf
        self.pace = 1.0  # share of the limit that was left after the last refusal
        self.paced_at = -inf

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self, slot: Slot, now: float) -> float:
        self._tidy(slot, now)
        place = bisect_left(self.line, slot.rank, key=_rank) if self.line else 0
        in_line = place < len(self.line) and self.line[place] is slot
        room = self._room(slot.limit, slot.window, now)
        if now >= self.closed_until and (room == inf or self._taken_ahead(place, room, slot, now) < room):
            if in_line:
                self._drop(place)
            self.in_flight[slot.number] = timed_out = now + slot.timeout
            self.first_timeout = min(self.first_timeout, timed_out)
            return 0.0
        if not in_line:
            self.line.insert(place, slot)
            self.runs[slot.limit, slot.window] += 1
        look_at = self._next_look(slot, place, room, now)
        self.due[slot.number] = look_at
        slot.nudged = False
        return max(look_at - now, GRAIN)

    def _room(self, limit: int | None, window: float, now: float) -> float:
        """Slots that a run with these limits could still take."""
        if limit is None:
            return inf
        return self._allowed(limit, window, now) - self._in_use(window, now)

    def _in_use(self, window: float, now: float) -> int:
        return len(self.in_flight) + len(self.answers) - self._freed(window, now)

    def _freed(self, window: float, now: float) -> int:
        """Answers, the oldest first, that a run with this window no longer counts."""
        if not self.answers or self.answers[0] + window + GRAIN > now:
            return 0
        return bisect_right(self.answers, now, key=lambda answer: answer + window + GRAIN)

    def _taken_ahead(self, place: int, room: float, slot: Slot, now: float) -> float:
        """Slots that will go to those ahead in the line."""
        if len(self.runs) <= 1 and (not self.runs or (slot.limit, slot.window) in self.runs):
            return min(place, max(room, 0))
        rooms = {run: self._room(*run, now) for run in self.runs}
        taken = 0
        for waiter in itertools.islice(self.line, place):
            if taken < rooms[waiter.limit, waiter.window]:  # else it cannot go, and blocks nobody
                taken += 1
        return taken

    def _next_look(self, slot: Slot, place: int, room: float, now: float) -> float:
        """When the slot could be granted at the earliest, as far as can be known."""
        if room == inf:
            slot.expected_at = self.closed_until
            return self.closed_until
        ahead = place if len(self.runs) == 1 else 0  # of runs with other limits not everybody ahead can go
        needed = int(ahead + 1 - room)
        look_at = now + RECHECK
        expected_at = look_at
        if needed > 0:
            index = self._freed(slot.window, now) + needed - 1
            missing = max(0, index + 1 - len(self.answers))
            # What is not answered yet is answered now at the earliest.
            free_at = (now if missing else self.answers[index]) + slot.window + GRAIN
            free_at = min(free_at, self._more_allowed_at(slot.limit, slot.window, now))
            expected_at = free_at + (max(0, missing - 1) // (slot.limit or 1)) * slot.window
            look_at = min(free_at, look_at) if room > 0 else free_at
        slot.expected_at = max(expected_at, self.closed_until)
        look_at = max(look_at, self.closed_until)
        if place > 0:  # the first in line may be gone
            look_at = min(look_at, self.due[self.line[0].number] + LATE + GRAIN)
        return look_at

    # -- what happens to slots ----------------------------------------------------------------------------

    def answered(self, slot: Slot, now: float) -> None:
        self.in_flight.pop(slot.number, None)  # it is no longer there if the answer came after the time-out
        self._log(now)

    def unused(self, slot: Slot) -> None:
        if self.in_flight.pop(slot.number, None) is not None:
            self._wake_all()

    def leave(self, slot: Slot) -> None:
        self.unused(slot)
        place = bisect_left(self.line, slot.rank, key=_rank)
        if place < len(self.line) and self.line[place] is slot:
            self._drop(place)
            self._wake_all(place)

    def preload(self, moments: list[float]) -> None:
        known = list(self.answers)
        at = 0
        for moment in moments:
            while at < len(known) and known[at] < moment - SAME_CALL:
                at += 1
            if at < len(known) and known[at] <= moment + SAME_CALL:
                at += 1
            else:
                insort(self.answers, moment)

    def _log(self, moment: float) -> None:
        if self.answers and moment < self.answers[-1]:
            insort(self.answers, moment)
        else:
            self.answers.append(moment)

    def _drop(self, place: int) -> None:
        slot = self.line.pop(place)
        self.due.pop(slot.number, None)
        run = slot.limit, slot.window
        self.runs[run] -= 1
        if not self.runs[run]:
            del self.runs[run]

    def _wake_all(self, place: int = 0) -> None:
        """Let the waiters from this place on ask again; each is woken once until it has asked."""
        for waiter in itertools.islice(self.line, place, None):
            if not waiter.nudged:
                waiter.nudged = True
                if waiter.wake is not None:
                    waiter.wake()

    def _tidy(self, slot: Slot, now: float) -> None:
        """Forget what no run counts any more, so that memory follows the last minute only."""
        self.longest_window = max(self.longest_window, slot.window)
        if self.first_timeout <= now:
            for number in [number for number, timed_out in self.in_flight.items() if timed_out <= now]:
                self._log(self.in_flight.pop(number))
            self.first_timeout = min(self.in_flight.values(), default=inf)
        if len(self.answers) > 1024 and self.answers[len(self.answers) // 2] + self.longest_window + GRAIN < now:
            del self.answers[: self._freed(self.longest_window, now)]
        while self.line and self.line[0] is not slot and self.due[self.line[0].number] + LATE < now:
            self._drop(0)
            self._wake_all()

    # -- refusals ------------------------------------------------------------------------------------------

    def pushed_back(self, seconds: float | None, limit: int | None, window: float, now: float) -> None:
        if seconds is None and limit is None:
            return
        storm = now < self.closed_until
        if limit is not None and not storm:
            self.pace = max(SLOWEST, self._allowed(limit, window, now) * SLOWER / limit)
        self.closed_until = max(self.closed_until, now + (window if seconds is None else seconds))
        self.paced_at = self.closed_until

    def _allowed(self, limit: int, window: float, now: float) -> int:
        """Return the limit as lowered by refusals: one call a window comes back."""
        if self.pace >= 1.0:
            return limit
        allowed = limit * self.pace + max(0.0, now - self.paced_at) / window
        if allowed >= limit:
            self.pace = 1.0
            return limit
        return max(1, int(allowed + 1e-9))

    def _more_allowed_at(self, limit: int | None, window: float, now: float) -> float:
        if limit is None or self.pace >= 1.0:
            return inf
        return self.paced_at + (self._allowed(limit, window, now) + 1 - limit * self.pace) * window


def _rank(slot: Slot) -> tuple[bool, int]:
    return slot.rank


class _Windows:
    """The windows of this process, one for each workspace."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_workspace: dict[str, Window] = {}

    def forked(self) -> None:
        self.lock = threading.Lock()
        for window in self.by_workspace.values():
            if isinstance(window.store, MemoryStore):
                window.store.forked()


_windows = _Windows()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_windows.forked)


def window_of(workspace: str) -> Window:
    """Return the window that all runs of a workspace share in this process.

    Parameters
    ----------
    workspace : str
        ``Settings.workspace``.
    """
    with _windows.lock:
        window = _windows.by_workspace.get(workspace)
        if window is None:
            window = _windows.by_workspace[workspace] = Window(MemoryStore())
        return window


def reset() -> None:
    """Forget all windows: for tests."""
    with _windows.lock:
        _windows.by_workspace.clear()
