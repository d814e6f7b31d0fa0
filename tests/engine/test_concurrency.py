from __future__ import annotations

import asyncio
import statistics
from collections import deque
from collections.abc import Callable
from typing import Literal

import pytest
from support.virtual_time import SimulatedClock

from reportflow_pandas.engine.attempts import Attempts, Channel
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.rate_limit import MemoryStore, RateLimiter
from reportflow_pandas.engine.retry import RetryPolicy
from reportflow_pandas.errors import RateLimited
from reportflow_pandas.settings import Limits

Answer = tuple[int, float | None]


class Rated:
    """A service that takes so many calls a second and refuses the others, which may cost something too."""

    def __init__(
        self, clock: SimulatedClock, *, rate: float, retry_after: float | None, refusal_costs: float = 0.0
    ) -> None:
        self.clock, self.rate, self.retry_after = clock, rate, retry_after
        self.refusal_costs = refusal_costs
        self.tokens = rate
        self.at = 0.0

    async def call(self) -> Answer:
        now = self.clock.monotonic()
        self.tokens = min(self.rate, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            self.tokens = max(-self.rate, self.tokens - self.refusal_costs)
            await self.clock.sleep(0.005)
            return 429, self.retry_after
        self.tokens -= 1
        await self.clock.sleep(0.1)
        return 202, None


class Sliding:
    """A service that takes so many calls in any second and refuses the others."""

    def __init__(self, clock: SimulatedClock, *, rate: int, retry_after: float | None) -> None:
        self.clock, self.rate, self.retry_after = clock, rate, retry_after
        self.taken: deque[float] = deque()

    async def call(self) -> Answer:
        now = self.clock.monotonic()
        while self.taken and self.taken[0] <= now - 1.0:
            self.taken.popleft()
        if len(self.taken) >= self.rate:
            await self.clock.sleep(0.005)
            return 429, self.retry_after
        self.taken.append(now)
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


class Shut:
    """A service that takes nothing for a while and names a time that is too short; then it takes everything."""

    def __init__(self, clock: SimulatedClock, *, opens_at: float, retry_after: float | None) -> None:
        self.clock, self.opens_at, self.retry_after = clock, opens_at, retry_after

    async def call(self) -> Answer:
        await self.clock.sleep(0.005)
        if self.clock.monotonic() < self.opens_at:
            return 429, self.retry_after
        await self.clock.sleep(0.1)
        return 202, None


Service = Rated | Sliding | Windowed | Capped | Shut
ServiceOf = Callable[[SimulatedClock], Service]


def simulate(
    service_of: ServiceOf,
    concurrency: int | Literal["auto"],
    *,
    calls: int = 1000,
    ceiling: int = 256,
    seed: int = 7,
    journal: float = 0.003,
) -> tuple[float, int]:
    """Return the virtual seconds that all calls took and how many were refused.

    The calls go through the line, as a run's do: who entered the gate writes its intent down first, for
    ``journal`` seconds more or less, and is on its way when the gate closes. One attempt: a call that were
    refused for good would raise.
    """
    clock = SimulatedClock(seed=seed)
    service = service_of(clock)
    gate = Gate(concurrency, clock=clock, ceiling=ceiling)
    channel = Channel(
        rate_limiter=RateLimiter(MemoryStore()),
        limits=Limits.off(),
        policy=RetryPolicy(attempts=1, limits=Limits.off()),
        clock=clock,
        progress=Progress(clock),
    )
    left = iter(range(calls))
    refused = 0

    async def send() -> int:
        nonlocal refused
        status, retry_after = await service.call()
        if status != 202:
            refused += 1
            raise RateLimited(status, ["too many"], retry_after=retry_after)
        return status

    async def sending() -> None:
        await clock.sleep(journal * 2 * clock.random())

    async def worker() -> None:
        for _ in left:
            if not gate.try_enter():
                await gate.enter()
            await channel.send_with_retries(send, kind="async", attempts=Attempts(), gate=gate, sending=sending)

    async def main() -> None:
        await asyncio.gather(*(worker() for _ in range(ceiling if concurrency == "auto" else concurrency)))

    clock.run(main())
    assert gate.in_flight == 0
    return clock.time, refused


def best_fixed(service_of: ServiceOf, calls: int = 1000) -> float:
    return min(simulate(service_of, number, calls=calls)[0] for number in (1, 3, 5, 8, 10, 12, 20, 50))


SERVICES: dict[str, ServiceOf] = {
    "50/s": lambda clock: Rated(clock, rate=50, retry_after=1.0),
    "50/s, no header": lambda clock: Rated(clock, rate=50, retry_after=None),
    "50/s, a refusal costs too": lambda clock: Rated(clock, rate=50, retry_after=1.0, refusal_costs=1),
    "50/s, a refusal costs too, no header": lambda clock: Rated(clock, rate=50, retry_after=None, refusal_costs=1),
    "50 in any second": lambda clock: Sliding(clock, rate=50, retry_after=1.0),
    "50 in any second, no header": lambda clock: Sliding(clock, rate=50, retry_after=None),
    "50 each second": lambda clock: Windowed(clock, rate=50, retry_after=1.0),
    "50 each second, no header": lambda clock: Windowed(clock, rate=50, retry_after=None),
    "5/s": lambda clock: Rated(clock, rate=5, retry_after=1.0),
    "cap 10": lambda clock: Capped(clock, cap=10, retry_after=1.0),
    "cap 10, no header": lambda clock: Capped(clock, cap=10, retry_after=None),
}


@pytest.mark.parametrize(
    ("service", "most", "most_refused"),
    [
        ("50/s", 1.15, 150),
        ("50/s, no header", 1.15, 150),
        ("50/s, a refusal costs too", 1.15, 150),
        ("50/s, a refusal costs too, no header", 1.15, 150),
        ("50 in any second", 1.15, 150),
        ("50 in any second, no header", 1.15, 150),
        ("50 each second", 1.15, 150),
        ("50 each second, no header", 1.15, 150),
        ("5/s", 1.15, 150),
        ("cap 10", 1.6, 12),
        ("cap 10, no header", 1.6, 12),
    ],
)
def test_the_cubic_limit_is_nearly_as_good_as_the_best_number(
    service: str, most: float, most_refused: int
) -> None:
    """A thousand calls, the median of three seeds; that none is refused for good, `simulate` proves."""
    runs = [simulate(SERVICES[service], "auto", seed=seed) for seed in (7, 8, 9)]
    assert statistics.median(wall for wall, _ in runs) / best_fixed(SERVICES[service]) <= most
    assert max(refused for _, refused in runs) <= most_refused


@pytest.mark.parametrize(
    ("service", "most"),
    [
        ("50/s", 1.15),
        ("50 in any second", 1.15),
        ("50 in any second, no header", 1.15),
        ("50 each second", 1.15),
        ("cap 10", 1.6),
        ("cap 10, no header", 1.6),
    ],
)
def test_in_a_short_run_the_limit_pays_for_the_start_and_no_more(service: str, most: float) -> None:
    """Two hundred calls, the median of five seeds."""
    walls = [simulate(SERVICES[service], "auto", calls=200, seed=seed)[0] for seed in range(5)]
    assert statistics.median(walls) / best_fixed(SERVICES[service], calls=200) <= most


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


def test_after_a_loss_the_limit_comes_back_to_nearly_where_it_was_and_then_goes_further() -> None:
    """The cubic curve with fast convergence: 14 of 20 at once, a plateau at 17, more later."""
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    for _ in range(15):
        gate.try_enter()
        gate.leave("ok")
    gate.try_enter()
    gate.leave("lost")
    limits = []
    for _ in range(30):
        clock.time += 1.0
        gate.try_enter()
        gate.leave("ok")
        limits.append(gate.limit)
    assert limits == sorted(limits)
    assert limits[0] == 14
    assert limits[7] in (16, 17)
    assert limits[-1] > 50


def test_a_refusal_holds_back_neither_a_place_nor_a_fixed_number() -> None:
    """Closing is the window's: the gate lets in each call that has a place, also right after a 429."""
    gate = Gate(2, clock=SimulatedClock())
    assert gate.try_enter()
    gate.leave("throttled", 60.0)
    assert gate.try_enter()
    assert gate.try_enter()
    assert not gate.try_enter()
    assert gate.limit == 2


def fill(gate: Gate) -> int:
    """Let in as many as there is room for, and return how many are in flight."""
    while gate.try_enter():
        pass
    return gate.in_flight


def refuse(gate: Gate, calls: int, seconds: float = 1.0) -> None:
    for _ in range(calls):
        gate.leave("throttled", seconds)


def take(gate: Gate, calls: int) -> None:
    for _ in range(calls):
        gate.leave("ok")


def doubled(gate: Gate, rounds: int) -> int:
    """Answer so many rounds, and return how many calls are in flight in the next one."""
    for _ in range(rounds):
        take(gate, fill(gate))
    return fill(gate)


def test_what_was_in_flight_beside_the_refused_calls_is_the_limit() -> None:
    """A cap of 10, met when the limit doubled from 10 to 20: one event, and not 14, 10, 7."""
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    assert doubled(gate, 2) == 20
    refuse(gate, 10)
    take(gate, 10)
    assert gate.limit == 10
    clock.time += 3.0
    take(gate, fill(gate))
    assert gate.limit == 10


def test_a_slow_start_of_which_the_smaller_part_was_taken_falls_by_the_factor_of_the_rfc() -> None:
    gate = Gate("auto", clock=SimulatedClock())
    assert doubled(gate, 3) == 40
    refuse(gate, 25)
    take(gate, 15)
    assert gate.limit == 28


def test_a_service_that_counts_by_time_leaves_the_limit_where_it_is() -> None:
    """Fifty calls, then none until a second is over: the closed window is the remedy, again and again."""
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    doubled(gate, 3)
    refuse(gate, 25)
    take(gate, 15)
    for _ in range(5):
        clock.time += 1.1
        take(gate, fill(gate))
        assert fill(gate) == 28
        refuse(gate, 6)
        take(gate, 22)
        assert gate.limit == 28


def test_a_cap_that_is_met_again_is_not_taken_for_a_count_by_time() -> None:
    """The limit signal its way to 11 of a cap of 10, hundreds of calls later: it is 10 again."""
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    doubled(gate, 2)
    refuse(gate, 10)
    take(gate, 10)
    while gate.limit == 10:
        clock.time += 0.1
        take(gate, fill(gate))
    assert fill(gate) == 11
    refuse(gate, 1)
    take(gate, 10)
    assert gate.limit == 10


def test_a_service_that_takes_nothing_is_asked_by_one_call_and_the_limit_comes_back_in_slow_start() -> None:
    clock = SimulatedClock()
    gate = Gate("auto", clock=clock)
    doubled(gate, 2)
    refuse(gate, 10)
    take(gate, 10)
    for _ in range(3):
        clock.time += 2.0
        refuse(gate, fill(gate))
        assert gate.limit == 1
    clock.time += 2.0
    grown = []
    for _ in range(5):
        take(gate, fill(gate))
        grown.append(gate.limit)
    assert grown == [2, 4, 8, 10, 10]


def test_a_retry_after_that_was_too_short_costs_one_call_each_time_and_nothing_of_the_limit() -> None:
    wall, refused = simulate(lambda clock: Shut(clock, opens_at=20.0, retry_after=1.0), "auto", calls=500)
    assert wall < 22.5
    assert refused < 5 + 22


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
