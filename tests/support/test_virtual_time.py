from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest
from support.virtual_time import BEGINNING, SimulatedClock, VirtualClock

from reportflow_pandas.errors import JournalError
from reportflow_pandas.journal.commits import Commits


def test_a_day_passes_at_once_and_exactly_on_a_simulated_loop() -> None:
    clock = SimulatedClock()

    async def main() -> None:
        await asyncio.gather(clock.sleep(86_400.0), asyncio.sleep(3_600.0))

    clock.run(main())
    assert clock.monotonic() == 86_400.0
    assert (clock.now() - BEGINNING).days == 1


def test_a_simulated_loop_can_be_run_again_and_time_goes_on() -> None:
    clock = SimulatedClock()
    clock.run(clock.sleep(5.0))
    clock.run(clock.sleep(5.0))
    assert clock.monotonic() == 10.0


def test_virtual_time_is_shared_by_threads_and_passes_in_order() -> None:
    woken: list[tuple[str, float]] = []
    with VirtualClock() as clock:

        async def sleeper(name: str, step: float, times: int) -> None:
            for _ in range(times):
                await clock.sleep(step)
                woken.append((name, clock.monotonic()))

        threads = [
            threading.Thread(target=asyncio.run, args=(sleeper(name, step, times),))
            for name, step, times in (("slow", 100.0, 2), ("fast", 30.0, 6))
        ]
        with clock.hold():
            for thread in threads:
                thread.start()
            while len(clock._sleepers) < 2:
                time.sleep(0.001)
        for thread in threads:
            thread.join()
    assert [name for name, _ in woken] == ["fast"] * 3 + ["slow"] + ["fast"] * 3 + ["slow"]
    assert woken[-1] == ("slow", pytest.approx(200.0, abs=0.01))


def test_virtual_time_waits_for_work_that_is_held() -> None:
    """A thread that renders takes real time and no virtual time."""
    with VirtualClock() as clock:

        def render() -> float:
            with clock.hold():
                time.sleep(0.03)
                return clock.monotonic()

        async def main() -> float:
            timer = asyncio.create_task(clock.sleep(1000.0))
            await asyncio.sleep(0)
            at = await asyncio.to_thread(render)
            await timer
            return at

        assert asyncio.run(main()) == 0.0


def test_virtual_time_stands_still_while_a_thread_works_for_a_loop() -> None:
    """A file that is being written, a ledger that is being opened."""
    with VirtualClock() as clock:

        async def main() -> float:
            timer = asyncio.create_task(clock.sleep(1000.0))
            await asyncio.to_thread(time.sleep, 0.05)
            at = clock.monotonic()
            await timer
            return at

        assert asyncio.run(main()) == 0.0
        assert clock.monotonic() == 1000.0


def test_virtual_time_stands_still_while_a_ledger_commits() -> None:
    """Each call waits for its intent to be on the disk: a slow disk takes real time and no virtual time."""
    with VirtualClock() as clock:

        async def main() -> float:
            commits = Commits(sqlite3.connect(":memory:", check_same_thread=False), Path("ledger"), Slow)
            timer = asyncio.create_task(clock.sleep(1000.0))
            commits.open.written = True
            await commits.committed()
            at = clock.monotonic()
            await timer
            commits.close()
            return at

        assert asyncio.run(main()) == 0.0
        assert clock.monotonic() == 1000.0


class Slow:
    """Records that take their time."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[None]] = []
        self.then: list[Callable[[JournalError | None], None]] = []
        self.written = False

    def __bool__(self) -> bool:
        return self.written or bool(self.then)

    def apply(self, _: sqlite3.Connection) -> None:
        if self.written:
            time.sleep(0.05)

    def complete(self) -> None:
        """Nothing was only noted."""

    def at_the_end(self, *, failed: bool) -> Self:
        del failed
        return self


def test_a_cancelled_sleeper_does_not_move_virtual_time() -> None:
    with VirtualClock() as clock:

        async def main() -> None:
            far = asyncio.create_task(clock.sleep(1_000_000.0))
            await asyncio.sleep(0)
            far.cancel()
            await clock.sleep(10.0)
            await clock.sleep(10.0)

        asyncio.run(main())
        assert clock.monotonic() == 20.0


def test_a_closed_virtual_clock_wakes_all_that_sleep() -> None:
    clock = VirtualClock()

    async def main() -> None:
        with clock.hold():
            sleeper = asyncio.create_task(clock.sleep(1000.0))
            await asyncio.sleep(0)
            await asyncio.to_thread(clock.close)
        await sleeper
        await clock.sleep(1000.0)

    asyncio.run(main())
    assert clock.monotonic() == 0.0
