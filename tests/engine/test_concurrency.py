from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import pytest
from virtual import SimulatedClock

from reportflow_pandas.engine.concurrency import Gate

Answer = tuple[int, float | None]


class Rated:
    """A service that takes so many calls a second and refuses the others."""

    def __init__(self, clock: SimulatedClock, *, rate: float, retry_after: float | None) -> None:
        self.clock, self.rate, self.retry_after = clock, rate, retry_after
        self.tokens = rate
        self.at = 0.0

    async def call(self) -> Answer:
        now = self.clock.monotonic()
        self.tokens = min(self.rate, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            await self.clock.sleep(0.005)
            return 429, self.retry_after
        self.tokens -= 1
        await self.clock.sleep(0.1)
        return 202, None


class Windowed:
    """A service that takes so many calls in each second of its own clock."""

    def __init__(self, clock: SimulatedClock, *, rate: int, retry_after: float | None) -> None:
        self.clock, self.rate, self.retry_after = clock, rate, retry_after
        self.second = -1
        self.count = 0

    async def call(self) -> Answer:
        second = int(self.clock.monotonic())
        if second != self.second:
            self.second, self.count = second, 0
        self.count += 1
        if self.count > self.rate:
            await self.clock.sleep(0.005)
            return 429, self.retry_after
        await self.clock.sleep(0.1)
        return 202, None


class Capped:
    """A service that takes so many calls at a time and refuses the others."""

    def __init__(self, clock: SimulatedClock, *, cap: float, retry_after: float | None) -> None:
        self.clock, self.cap, self.retry_after = clock, cap, retry_after
        self.in_flight = 0
        self.most = 0

    async def call(self) -> Answer:
        if self.in_flight >= self.cap:
            await self.clock.sleep(0.005)
            return 429, self.retry_after
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            await self.clock.sleep(0.05 + 0.1 * self.clock.random())
        finally:
            self.in_flight -= 1
        return 202, None


Service = Rated | Windowed | Capped


def simulate(
    service_of: Callable[[SimulatedClock], Service],
    concurrency: int | Literal["auto"],
    *,
    calls: int = 1000,
    ceiling: int = 256,
) -> tuple[float, int]:
    """Return the virtual seconds that all calls took and how many were refused."""
    clock = SimulatedClock(seed=7)
    service = service_of(clock)
    gate = Gate(concurrency, clock=clock, ceiling=ceiling)
    left = iter(range(calls))
    refused = 0

    async def worker() -> None:
        nonlocal refused
        for _ in left:
            while True:
                if not gate.try_enter():
                    await gate.enter()
                status, retry_after = await service.call()
                if status == 202:
                    gate.leave("ok")
                    break
                refused += 1
                gate.close_for(retry_after)
                gate.leave("pushed_back")

    async def main() -> None:
        await asyncio.gather(*(worker() for _ in range(ceiling if concurrency == "auto" else concurrency)))

    clock.run(main())
    assert gate.in_flight == 0
    return clock.time, refused


def best_fixed(service_of: Callable[[SimulatedClock], Service]) -> float:
    return min(simulate(service_of, number)[0] for number in (1, 3, 5, 8, 10, 12, 20, 50))


@pytest.mark.parametrize(
    ("service_of", "most", "most_refused"),
    [
        (lambda clock: Rated(clock, rate=50, retry_after=1.0), 1.15, 100),
        (lambda clock: Rated(clock, rate=50, retry_after=None), 1.15, 100),
        (lambda clock: Windowed(clock, rate=50, retry_after=1.0), 1.15, 200),
        (lambda clock: Windowed(clock, rate=50, retry_after=None), 1.15, 200),
        (lambda clock: Capped(clock, cap=10, retry_after=1.0), 1.7, 10),
        (lambda clock: Capped(clock, cap=10, retry_after=None), 1.7, 10),
    ],
    ids=["50/s", "50/s, no header", "50 each second", "50 each second, no header", "cap 10", "cap 10, no header"],
)
def test_the_limit_that_finds_itself_is_nearly_as_good_as_the_best_number(
    service_of: Callable[[SimulatedClock], Service], most: float, most_refused: int
) -> None:
    wall, refused = simulate(service_of, "auto")
    assert wall / best_fixed(service_of) <= most
    assert refused <= most_refused


def test_without_resistance_the_limit_grows_to_its_ceiling() -> None:
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock, ceiling=20)
    assert gate.limit == 5
    for grown in range(6, 21):
        assert gate.try_enter()
        gate.leave("ok")
        assert gate.limit == grown
    assert gate.try_enter()
    gate.leave("ok")
    assert gate.limit == 20


def test_a_number_is_never_exceeded_and_never_changes() -> None:
    clock = SimulatedClock()
    service = Capped(clock, cap=10**9, retry_after=None)
    gate = Gate(7, clock=clock)

    async def worker() -> None:
        for _ in range(5):
            await gate.enter()
            await service.call()
            gate.leave("lost")

    async def main() -> None:
        await asyncio.gather(*(worker() for _ in range(40)))

    clock.run(main())
    assert service.most == 7
    assert gate.limit == 7


def test_calls_that_were_lost_together_are_one_loss() -> None:
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    for _ in range(15):
        gate.try_enter()
        gate.leave("ok")
    while gate.try_enter():
        pass
    assert gate.in_flight == 20
    for _ in range(20):
        gate.leave("lost")
    assert gate.limit == 14
    gate.try_enter()
    gate.leave("lost")
    assert gate.limit == 9


def test_the_limit_never_falls_below_one_call() -> None:
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    for _ in range(100):
        assert gate.try_enter()
        gate.leave("lost")
    assert gate.limit == 1


def test_after_a_loss_the_limit_comes_back_to_where_it_was_and_then_goes_further() -> None:
    """The cubic curve: 14 of 20 at once, 20 again after its plateau, more later."""
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    for _ in range(15):
        gate.try_enter()
        gate.leave("ok")
    gate.try_enter()
    gate.leave("lost")
    limits = []
    for _ in range(13):
        clock.time += 1.0
        gate.try_enter()
        gate.leave("ok")
        limits.append(gate.limit)
    assert limits == sorted(limits)
    assert limits[0] in range(14, 18)
    assert limits[4] in (19, 20)
    assert limits[-1] > 30


def test_retry_after_closes_the_gate_for_everybody() -> None:
    clock = SimulatedClock()
    gate = Gate(5, clock=clock)
    entered: list[float] = []

    async def worker() -> None:
        await gate.enter()
        entered.append(clock.time)
        gate.leave("ok")

    async def main() -> None:
        gate.close_for(3.0)
        gate.close_for(1.0)
        assert gate.opens_in == 3.0
        await asyncio.gather(*(worker() for _ in range(20)))

    clock.run(main())
    assert set(entered) == {3.0}
    assert len(entered) == 20


def test_without_retry_after_each_storm_doubles_the_closing_up_to_four_seconds() -> None:
    clock = SimulatedClock()
    gate = Gate(50, clock=clock)
    closings = []
    for _ in range(6):
        for _ in range(10):
            gate.close_for(None)
        closings.append(gate.opens_in)
        clock.time += gate.opens_in
    assert closings == [0.25, 0.5, 1.0, 2.0, 4.0, 4.0]
    gate.try_enter()
    gate.leave("ok")
    gate.close_for(None)
    assert gate.opens_in == 0.25


def test_a_cancelled_waiter_hands_its_turn_on() -> None:
    clock = SimulatedClock()
    gate = Gate(1, clock=clock)

    async def main() -> None:
        assert gate.try_enter()
        first = asyncio.create_task(gate.enter())
        second = asyncio.create_task(gate.enter())
        await asyncio.sleep(0)
        gate.leave("ok")
        first.cancel()
        await second
        assert first.cancelled()
        assert gate.in_flight == 1

    clock.run(main())
