"""A service that is away is a state of the run: the circuit breaker alone, in virtual time, by a matrix."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from support.virtual_time import SimulatedClock

from reportflow_pandas.engine.attempts import Attempts, Channel, GivenUp, Held
from reportflow_pandas.engine.circuit_breaker import MISSES_IN_A_ROW, CircuitBreaker, says_nothing
from reportflow_pandas.engine.concurrency import Gate
from reportflow_pandas.engine.progress import Progress
from reportflow_pandas.engine.rate_limit import MemoryStore, RateLimiter
from reportflow_pandas.engine.retry import RetryPolicy
from reportflow_pandas.errors import ConnectionFailed, OutcomeUnknown, ReportFlowError, api_error
from reportflow_pandas.settings import Limits

WRONG: dict[str, Callable[[], ReportFlowError]] = {
    "no network": lambda: ConnectionFailed("no route"),
    "no name": lambda: ConnectionFailed("no address"),
    "no file descriptors": lambda: ConnectionFailed("too many open files"),
    "token server": lambda: ConnectionFailed("the token server answered 500"),
    "502": lambda: api_error(502, []),
    "503": lambda: api_error(503, []),
    "504": lambda: OutcomeUnknown("a page", 504),
    "a page with 200": lambda: OutcomeUnknown("a page", 200),
    "dropped": lambda: OutcomeUnknown("no answer came back"),
}
TAKEN_BY_NOBODY = ("no network", "no name", "no file descriptors", "token server", "503")
"""After these nothing becomes of a call's rows."""


class World:
    """A service in virtual time that is away between two moments, and a run of so many calls."""

    def __init__(
        self,
        wrong: str,
        *,
        since: float = 0.35,
        until: float = 30.0,
        looks_until: float | None = None,
        patience: float = 120.0,
        workers: int = 4,
    ) -> None:
        self.clock = SimulatedClock()
        self.wrong, self.since, self.until, self.workers = WRONG[wrong], since, until, workers
        self.looks_until = until if looks_until is None else looks_until
        self.ended: list[ReportFlowError] = []
        self.said: list[float] = []
        self.looks = 0
        self.sent: list[float] = []
        self.probes: list[float] = []
        self.outcomes: dict[str, int] = {"accepted": 0, "unknown": 0, "failed": 0}
        self.channel = Channel(
            rate_limiter=RateLimiter(MemoryStore()),
            limits=Limits.off(),
            policy=RetryPolicy(backoff=0.1),
            clock=self.clock,
            progress=Progress(self.clock),
        )
        self.breaker = self.channel.breaker = CircuitBreaker(
            self.look, end=self.ended.append, say=self.said.append, clock=self.clock, patience=patience
        )

    async def look(self) -> None:
        self.looks += 1
        await self.clock.sleep(0.01)
        if self.since <= self.clock.time < self.looks_until:
            raise self.wrong()

    async def post(self) -> str:
        self.sent.append(self.clock.time)
        await self.clock.sleep(0.1)
        if self.since <= self.clock.time < self.until:
            raise self.wrong()
        return "accepted"

    async def _worker(self, calls: Iterator[int], gate: Gate) -> None:
        for _ in calls:
            while not self.ended:
                probe = self.breaker.away and await self.breaker.turn()
                attempts = Attempts()
                attempts.probe = probe
                if probe:
                    self.probes.append(self.clock.time)
                await gate.enter()
                try:
                    await self.channel.send_with_retries(self.post, kind="async", attempts=attempts, gate=gate)
                except Held:
                    continue
                except GivenUp as refused:
                    word = "unknown" if type(refused.decision).__name__ == "Unknown" else "failed"
                    self.outcomes[word] += 1
                else:
                    self.outcomes["accepted"] += 1
                finally:
                    if probe:
                        self.breaker.probe_ended()
                break

    async def calls(self, calls: int) -> None:
        left = iter(range(calls))
        tasks = [
            asyncio.create_task(self._worker(left, Gate(self.workers, clock=self.clock)))
            for _ in range(self.workers)
        ]
        while not self.ended and not all(task.done() for task in tasks):
            await self.clock.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.breaker.close()

    def run(self, calls: int = 200) -> World:
        self.clock.run(self.calls(calls))
        return self


@pytest.mark.parametrize("workers", [1, 4, 20])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_service_that_comes_back_gets_every_call_and_few_are_unknown(wrong: str, workers: int) -> None:
    """No more become unknown than were in flight when it began, plus the probes; none fails."""
    world = World(wrong, workers=workers).run()
    unknown = world.outcomes["unknown"]
    if wrong in TAKEN_BY_NOBODY:
        assert world.outcomes == {"accepted": 200, "unknown": 0, "failed": 0}
    else:
        assert 0 < unknown <= max(workers, MISSES_IN_A_ROW) + workers + len(world.probes)
        assert world.outcomes == {"accepted": 200 - unknown, "unknown": unknown, "failed": 0}
    assert not world.ended
    assert world.said[0] == pytest.approx(120.0)
    assert world.said[-1] == 0.0


@pytest.mark.parametrize("wrong", WRONG)
def test_a_service_that_stays_away_ends_the_run_once_when_the_patience_is_over(wrong: str) -> None:
    world = World(wrong, until=1e9, patience=60.0).run()
    [error] = world.ended
    assert isinstance(error, ConnectionFailed)
    assert "60 s" in str(error)
    assert "not sent" in str(error)
    assert str(world.wrong()).split(":", maxsplit=1)[0][:10] in str(error)
    assert world.outcomes["failed"] == 0
    assert sum(world.outcomes.values()) < 100
    assert 60.0 < world.clock.time < 70.0


def test_nothing_is_sent_while_only_looks_are_made_and_the_first_call_goes_alone() -> None:
    world = World("no network").run()
    during = [at for at in world.sent if 3.0 < at < 30.0]
    assert not during
    assert world.looks >= 3
    [probe] = world.probes
    after = sorted(at for at in world.sent if at >= probe)
    assert after[0] == probe
    assert after[1] >= probe + 0.1  # the others when it was answered


def test_where_only_generation_is_away_each_look_sends_one_probe_and_the_looks_come_more_and_more_seldom() -> None:
    """A gateway in front of the generation: look-ups are answered all the while."""
    world = World("502", looks_until=0.0).run()
    assert 2 <= len(world.probes) <= 7
    pauses = [after - before for before, after in zip(world.probes, world.probes[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert world.outcomes["accepted"] + world.outcomes["unknown"] == 200


@pytest.mark.parametrize("wrong", ["502", "503", "dropped"])
def test_an_outage_from_the_very_first_call_is_one_too(wrong: str) -> None:
    world = World(wrong, since=0.0).run()
    assert world.outcomes["unknown"] <= 4 + MISSES_IN_A_ROW + len(world.probes)
    assert sum(world.outcomes.values()) == 200


@pytest.mark.parametrize("wrong", ["no network", "no name"])
def test_before_the_first_answer_what_nothing_reached_is_no_outage(wrong: str) -> None:
    """A wrong address or certificate is told after its attempts, not after two minutes."""
    world = World(wrong, since=0.0, until=1e9).run(calls=3)
    assert world.outcomes == {"accepted": 0, "unknown": 0, "failed": 3}
    assert not world.said


def test_answers_between_the_misses_and_misses_begun_before_an_answer_are_no_outage() -> None:
    clock = SimulatedClock()
    outage = CircuitBreaker(_nothing, end=_no_end, say=_no_end, clock=clock, patience=1.0)

    async def main() -> None:
        for _ in range(20):
            for _ in range(MISSES_IN_A_ROW - 1):
                outage.missed(clock.time, OutcomeUnknown("cut"))
            clock.time += 1.0
            outage.answered()
            outage.missed(clock.time - 0.5, OutcomeUnknown("cut"))
            assert not outage.away

    clock.run(main())


@pytest.mark.parametrize(
    ("status", "nothing"), [(400, False), (404, False), (429, False), (500, False), (502, True)]
)
def test_500_and_refusals_are_the_services_own_words(status: int, *, nothing: bool) -> None:
    assert says_nothing(api_error(status, [])) is nothing


async def _nothing() -> None:
    """Look at nothing."""


def _no_end(_: object) -> None:
    raise AssertionError("there was no outage")


def test_a_window_closed_for_an_hour_makes_no_outage_longer_than_it_says() -> None:
    """The look waits for its slot, and is not waited for beyond the patience."""
    world = World("503", until=1e9, looks_until=0.0, patience=60.0)

    async def look() -> None:
        await world.channel.look(world.look)

    world.breaker._look = look

    async def closing() -> None:
        while not world.breaker.away:
            await world.clock.sleep(0.1)
        world.channel.rate_limiter.close("async", 3600.0, clock=world.clock)

    async def main() -> None:
        close = asyncio.create_task(closing())
        calls = asyncio.create_task(world.calls(200))
        await asyncio.wait({close, calls})

    world.clock.run(main())
    [error] = world.ended
    assert "for 60 s" in str(error)
    assert not world.looks
    assert 60.0 < world.clock.time < 62.0


def test_a_probe_that_waits_for_its_slot_is_not_waited_for_beyond_the_patience() -> None:
    world = World("503", until=1e9, looks_until=0.0, patience=60.0)

    async def look_and_close() -> None:
        world.channel.rate_limiter.close("async", 3600.0, clock=world.clock)

    world.breaker._look = look_and_close
    world.run()
    [error] = world.ended
    assert "for 60 s" in str(error)
    assert len(world.probes) == 1
    assert max(world.sent) < 2.0
    assert world.clock.time < 62.0


def test_a_probe_that_has_left_is_waited_for() -> None:
    """Its document is paid for perhaps: the outage ends with its answer, or lasts until there is none."""
    world = World("503", until=1e9, looks_until=0.0, patience=60.0)
    post, slow = world.post, 50.0

    async def post_slowly() -> str:
        if world.probes:
            await world.clock.sleep(slow)
            world.until = 0.0
        return await post()

    world.post = post_slowly  # type: ignore[method-assign]
    world.breaker._look = partial(world.clock.sleep, 30.0)
    world.run()
    assert not world.ended
    assert world.outcomes == {"accepted": 200, "unknown": 0, "failed": 0}
