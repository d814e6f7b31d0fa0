"""A call's way through the line, in simulated time: its slot, the record of it, its first byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest
from engine.conftest import StoreOf
from support.virtual_time import SimulatedClock

from reportflow_pandas.engine.attempts import Attempts, Channel
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.rate_limit import RateLimiter
from reportflow_pandas.engine.retry import RetryPolicy
from reportflow_pandas.settings import Limits

MINUTE = 60.0


class Scene:
    """A line to a service that notes when it counts each call; the journal's disk can be slow."""

    def __init__(self, store_of: StoreOf, *, calls: int, answered_after: float = 0.1) -> None:
        self.clock = SimulatedClock()
        self.counted: list[float] = []
        self.recorded = self.taken_back = 0
        self.answered_after = answered_after
        limits = Limits(async_calls=calls, window=MINUTE)
        self.channel = Channel(
            rate_limiter=RateLimiter(store_of(self.clock)),
            limits=limits,
            policy=RetryPolicy(attempts=1, limits=limits),
            clock=self.clock,
            progress=Progress(self.clock),
            timeout=60.0,
        )

    async def post(self) -> None:
        self.counted.append(self.clock.time)
        await self.clock.sleep(self.answered_after)

    def take_back(self) -> None:
        self.taken_back += 1

    async def call(self, disk: Callable[[int], float]) -> None:
        async def record() -> None:
            self.recorded += 1
            await self.clock.sleep(disk(self.recorded))

        await self.channel.send_with_retries(
            self.post, kind="async", attempts=Attempts(), sending=record, withdraw=self.take_back
        )


@pytest.mark.parametrize("slow", [4.0, 30.0, 61.0, 119.0, 180.0, 600.0])
def test_calls_that_a_slow_disk_kept_waiting_are_within_the_limit(store_of: StoreOf, slow: float) -> None:
    """The first two of twelve are recorded so late that their slots would be free again."""
    scene = Scene(store_of, calls=2)

    async def main() -> None:
        await asyncio.gather(*(scene.call(lambda number: slow if number <= 2 else 0.0) for _ in range(12)))

    scene.clock.run(main())
    assert (len(scene.counted), scene.recorded, scene.taken_back) == (12, 12, 0)
    moments = sorted(scene.counted)
    assert all(third - first > MINUTE for first, third in zip(moments, moments[2:], strict=False))


def test_a_disk_that_is_always_slow_keeps_the_limit_and_sends_all(store_of: StoreOf) -> None:
    scene = Scene(store_of, calls=1)

    async def main() -> None:
        await asyncio.gather(*(scene.call(lambda _: 130.0) for _ in range(4)))

    scene.clock.run(main())
    assert len(scene.counted) == 4
    assert all(later - earlier > MINUTE for earlier, later in pairwise(sorted(scene.counted)))


def test_a_call_that_is_cancelled_while_it_waits_for_another_slot_is_taken_back(store_of: StoreOf) -> None:
    """Its record is on the disk, and nothing of it was sent: it is not in doubt."""
    scene = Scene(store_of, calls=1)

    async def main() -> None:
        late = asyncio.create_task(scene.call(lambda number: 125.0 if number == 1 else 0.0))
        await scene.clock.sleep(124.0)
        await scene.call(lambda _: 0.0)
        await scene.clock.sleep(10.0)
        assert not late.done()
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late

    scene.clock.run(main())
    assert (len(scene.counted), scene.taken_back) == (1, 1)
