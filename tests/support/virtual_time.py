"""Time that passes only when no task is busy, so that no test waits."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest import mock

from reportflow_pandas.clock import Clock
from reportflow_pandas.journal.commits import Commits

T = TypeVar("T")

LOOPBACK_SECONDS = 0.005
"""Real seconds that the kernel gets to bring bytes from one socket of a loop to another."""

BEGINNING = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

LONGEST_WORK_SECONDS = 10.0
"""Real seconds for which work in a thread keeps time from passing: longer than that it waits for time itself."""


class VirtualClock(Clock):
    """One virtual time for any number of event loops and threads, with real sockets between them.

    ``sleep`` registers a deadline. When no task has asked for the time or gone to sleep for a few real
    milliseconds, every loop answers at once and no thread works for a loop, time jumps to the earliest
    deadline. Real latency becomes a jump at worst, so it is not exact; `SimulatedClock` is.

    Within its ``with``, time stands still while a job of a loop's executor runs (a file that is written, a page
    that is rendered) and while a ledger commits.

    Parameters
    ----------
    seed : int
        For ``random()``.
    quiet : float
        Real seconds without activity before time jumps.

    Examples
    --------
    >>> with VirtualClock() as clock:
    ...     asyncio.run(clock.sleep(3600))
    ...     clock.monotonic() >= 3600
    True
    """

    def __init__(self, seed: int = 0, quiet: float = 0.004) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test's chance
        self._quiet = quiet
        self._time = 0.0
        self._changed = threading.Condition()
        self._sleepers: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._loops: set[asyncio.AbstractEventLoop] = set()
        self._last_activity = time.monotonic()
        self._holds = 0
        self._works: dict[int, float] = {}
        """Work in threads: its number and the real time when it began."""
        self._closed = False
        self._thread: threading.Thread | None = None
        self._patches = ExitStack()

    # -- the clock -----------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        """Return virtual seconds since the beginning; a loop that asks is one that time waits for."""
        self._last_activity = time.monotonic()
        with suppress(RuntimeError):
            self._loops.add(asyncio.get_running_loop())
        return self._time

    def timestamp(self) -> float:
        """Return the virtual time of day."""
        return BEGINNING.timestamp() + self.monotonic()

    def random(self) -> float:
        """Return the next number of the seed's."""
        with self._changed:
            return self._random.random()

    async def sleep(self, seconds: float) -> None:
        """Wait for virtual time."""
        self._last_activity = time.monotonic()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._changed:
            closed = self._closed
            if not closed:
                self._loops.add(loop)
                heapq.heappush(self._sleepers, (self._time + seconds, next(self._numbers), loop, future))
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="virtual-time", daemon=True)
                    self._thread.start()
                self._changed.notify()
        if closed:  # what is still running winds down
            await asyncio.sleep(0.001)
            return
        try:
            await future
        finally:
            self._last_activity = time.monotonic()

    # -- for tests -----------------------------------------------------------------------------------------

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep time from passing, for the while of real work that cannot be seen (a thread that renders)."""
        with self._changed:
            self._holds += 1
        try:
            yield
        finally:
            with self._changed:
                self._holds -= 1
                self._last_activity = time.monotonic()
                self._changed.notify()

    def working(self) -> Callable[[], None]:
        """Keep time from passing until the answer is called, or for `LONGEST_WORK_SECONDS`."""
        with self._changed:
            number = next(self._numbers)
            self._works[number] = time.monotonic()

        def done() -> None:
            with self._changed:
                self._last_activity = time.monotonic()
                self._works.pop(number, None)

        return done

    def close(self) -> None:
        """Stop time and its thread; what still sleeps wakes up."""
        self._patches.close()
        with self._changed:
            self._closed = True
            sleepers, self._sleepers = self._sleepers, []
            self._changed.notify()
        for _, _, loop, future in sleepers:
            _tell(loop, _wake, future)
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        self._patches.enter_context(_work_in_threads_is_told_to(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- its thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (self._holds or not self._sleepers):
                    self._changed.wait()
                if self._closed:
                    return
            seen = self._last_activity
            left = seen + self._quiet - time.monotonic()
            if left > 0:
                time.sleep(left)
            elif self._a_thread_works():
                time.sleep(self._quiet)
            elif not self._loops_are_idle() and time.monotonic() - seen < LONGEST_WORK_SECONDS:
                time.sleep(LOOPBACK_SECONDS / 10)
            elif self._last_activity == seen:
                self._advance(seen)

    def _a_thread_works(self) -> bool:
        with self._changed:
            return any(time.monotonic() - began < LONGEST_WORK_SECONDS for began in self._works.values())

    def _loops_are_idle(self) -> bool:
        """Let every loop go round twice, and find nothing to do in any: no callback, no bytes in its sockets."""
        for _ in range(2):
            for loop in list(self._loops):
                look = _Look(loop)
                if not _tell(loop, look):
                    self._loops.discard(loop)
                elif not look.done.wait(1.0):
                    if not loop.is_running():
                        self._loops.discard(loop)
                    return False
                elif look.found:
                    return False
        return True

    def _advance(self, seen: float) -> None:
        with self._changed:
            while self._sleepers and (self._sleepers[0][3].done() or self._sleepers[0][2].is_closed()):
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._holds or self._last_activity != seen or self._a_thread_works():
                return
            self._time = max(self._time, self._sleepers[0][0])
            due = []
            while self._sleepers and self._sleepers[0][0] <= self._time:
                due.append(heapq.heappop(self._sleepers))
            self._last_activity = time.monotonic()
        for _, _, loop, future in due:
            _tell(loop, _wake, future)


class _Look:
    """A callback that finds out whether its loop has something to do after it."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.done = threading.Event()
        self.found = False

    def __call__(self) -> None:
        self._loop.call_soon(self._look)  # once more round: the loop was woken for this, and reads that first

    def _look(self) -> None:
        loop = self._loop
        if isinstance(loop, asyncio.SelectorEventLoop):
            waiting = {key.fd for key, _ in loop._selector.select(0)}  # type: ignore[attr-defined]
            self.found = bool(loop._ready) or not waiting <= {loop._ssock.fileno()}  # type: ignore[attr-defined]
        self.done.set()


@contextmanager
def _work_in_threads_is_told_to(clock: VirtualClock) -> Iterator[None]:
    """Tell a clock of jobs of executors and of commits, from their beginning until a loop has their end."""
    run, soon = asyncio.BaseEventLoop.run_in_executor, Commits.soon

    def run_in_executor(
        loop: asyncio.BaseEventLoop, executor: Executor | None, work: Callable[..., T], *arguments: Any
    ) -> asyncio.Future[T]:
        done = clock.working()
        try:
            future = run(loop, executor, work, *arguments)
        except BaseException:
            done()
            raise
        future.add_done_callback(lambda _: done())
        return future

    def commit_soon(commits: Commits[Any]) -> None:
        soon(commits)
        done = clock.working()
        commits.tell(lambda _: done())

    with (
        mock.patch.object(asyncio.BaseEventLoop, "run_in_executor", run_in_executor),
        mock.patch.object(Commits, "soon", commit_soon),
    ):
        yield


def _tell(loop: asyncio.AbstractEventLoop, what: Any, *arguments: Any) -> bool:
    try:
        loop.call_soon_threadsafe(what, *arguments)
    except RuntimeError:  # closed
        return False
    return True


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class SimulatedClock(Clock):
    """Exact virtual time for one event loop: an idle loop jumps to its next timer.

    Sockets may connect what runs on this one loop: what one end has sent, the other has a moment later.

    Examples
    --------
    >>> clock = SimulatedClock()
    >>> clock.run(clock.sleep(86400))
    >>> clock.monotonic()
    86400.0
    """

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test's chance
        self.time = 0.0

    def monotonic(self) -> float:
        """Return virtual seconds since the beginning."""
        return self.time

    def timestamp(self) -> float:
        """Return the virtual time of day."""
        return BEGINNING.timestamp() + self.time

    def random(self) -> float:
        """Return the next number of the seed's."""
        return self._random.random()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on a loop that lives in this time: ``asyncio.sleep`` takes none of ours either."""
        with asyncio.Runner(loop_factory=lambda: _SimulatedLoop(self)) as runner:
            return runner.run(work)


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: SimulatedClock) -> None:
        self._simulated = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._simulated.time

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as in asyncio
        """Wait for threads in their own time: Python 3.12 gives up after 300 s, which pass here at once."""
        if self._default_executor is not None:
            self._default_executor.shutdown(wait=True)


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0) or (super().select(LOOPBACK_SECONDS) if len(self.get_map()) > 1 else [])
        if not events and timeout is None:
            events = super().select(5.0)  # a thread may still have something to tell
            if not events:
                raise RuntimeError("all tasks wait and nothing will wake them")
        elif not events and timeout:
            self._clock.time += timeout
        return events
