from __future__ import annotations

import asyncio
import heapq
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from support.virtual_time import SimulatedClock, VirtualClock

from reportflow_pandas.engine.rate_limit import (
    GRAIN_SECONDS as GRAIN,
    RECHECK_SECONDS as RECHECK,
    BucketName,
    MemoryStore,
    RateLimiter,
    Slot,
    Store,
    rate_limiter_of,
)
from reportflow_pandas.queue.rate_limit import RedisStore
from reportflow_pandas.settings import Limits

MINUTE = 60.0

StoreOf = Callable[[SimulatedClock], Store]


def limits(calls: int | None, window: float = MINUTE) -> Limits:
    return Limits(async_calls=calls, sync_calls=calls, window=window)


async def work(
    limiter: RateLimiter, clock: SimulatedClock, latencies: Sequence[float], allowed: Limits, workers: int
) -> list[tuple[float, float]]:
    """Make one call for each latency and return when each began and was answered, in order of the beginning."""
    calls: list[tuple[float, float]] = []
    left = iter(latencies)

    async def worker() -> None:
        for latency in left:
            slot = await limiter.slot("async", allowed, clock=clock, timeout=60.0)
            began = clock.monotonic()
            await clock.sleep(latency)
            slot.answered()
            calls.append((began, clock.monotonic()))

    await asyncio.gather(*(worker() for _ in range(workers)))
    return sorted(calls)


def fullest_sliding(moments: Iterable[float], width: float) -> int:
    """Return the most moments that any closed window of this width holds."""
    ordered = sorted(moments)
    first = 0
    most = 0
    for last, moment in enumerate(ordered):
        while moment - ordered[first] > width:
            first += 1
        most = max(most, last - first + 1)
    return most


def fullest_fixed(moments: Iterable[float], width: float, phase: float) -> int:
    counts: dict[int, int] = {}
    for moment in moments:
        number = int((moment + phase) // width)
        counts[number] = counts.get(number, 0) + 1
    return max(counts.values())


def least_beginnings(latencies: Sequence[float], limit: int, width: float, workers: int) -> list[float]:
    """Return when calls begin at the earliest under the rule: worked out, not simulated."""
    free_workers = [0.0] * workers
    taken: list[float] = []
    beginnings = []
    begin = 0.0
    for latency in latencies:
        begin = max(begin, heapq.heappop(free_workers))
        if len(taken) == limit:
            begin = max(begin, heapq.heappop(taken))
        heapq.heappush(taken, begin + latency + width + GRAIN)
        heapq.heappush(free_workers, begin + latency)
        beginnings.append(begin)
    return beginnings


latency = st.floats(0.0, 50.0) | st.floats(0.0, 0.3) | st.just(0.2)


@settings(deadline=None, max_examples=150)
@given(
    calls=st.lists(st.tuples(latency, st.floats(0.0, 1.0)), min_size=1, max_size=60),
    limit=st.integers(1, 12),
    phase=st.floats(0.0, MINUTE),
    workers=st.integers(1, 40),
)
def test_no_window_of_the_service_holds_more_than_the_limit_and_no_slot_stays_unused(
    store_of: StoreOf,
    calls: list[tuple[float, float]],
    limit: int,
    phase: float,
    workers: int,
) -> None:
    """Whenever within a call the service counts it, the limit holds; and every call begins as early as it may."""
    clock = SimulatedClock()
    made = clock.run(
        work(RateLimiter(store_of(clock)), clock, [latency for latency, _ in calls], limits(limit), workers)
    )
    counted = [began + (answered - began) * when for (began, answered), (_, when) in zip(made, calls, strict=True)]
    assert fullest_sliding(counted, MINUTE) <= limit
    assert fullest_fixed(counted, MINUTE, phase) <= limit
    least = least_beginnings([latency for latency, _ in calls], limit, MINUTE, workers)
    assert [began for began, _ in made] == pytest.approx(least, abs=GRAIN * (len(calls) + 1))


def test_an_answer_just_after_another_frees_its_slot_no_sooner_than_a_window_after_it(store_of: StoreOf) -> None:
    """Two answers 1.5 ms apart, and two calls that come when the first slot is free: the second waits its time."""
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> list[tuple[float, float]]:
        made = await work(limiter, clock, [1.0, 1.0015], limits(2), workers=2)
        await clock.sleep(1.0 + MINUTE + GRAIN - clock.time + 1e-6)
        return made + await work(limiter, clock, [1.0, 1.0], limits(2), workers=2)

    made = clock.run(main())
    counted = [answered for _, answered in made[:2]] + [began for began, _ in made[2:]]
    assert fullest_sliding(counted, MINUTE) == 2


@settings(deadline=None, max_examples=60)
@given(
    runs=st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([5.0, 20.0, 60.0]), st.lists(latency, max_size=20)),
        min_size=2,
        max_size=4,
    ),
)
def test_runs_with_other_limits_and_windows_each_keep_their_own(
    store_of: StoreOf,
    runs: list[tuple[int, float, list[float]]],
) -> None:
    """A call of a run begins only if fewer than the run's limit are counted, of all runs."""
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    made: list[tuple[float, float, int, float]] = []

    async def main() -> None:
        async def one(limit: int, width: float, latencies: list[float]) -> None:
            calls = await work(limiter, clock, latencies, limits(limit, width), workers=6)
            made.extend((*call, limit, width) for call in calls)

        await asyncio.gather(*(one(*run) for run in runs))

    clock.run(main())
    assert len(made) == sum(len(latencies) for *_, latencies in runs)
    for began, answered, limit, width in made:
        in_use = [call for call in made if call[0] < began and call[1] + width + GRAIN > began]
        assert len(in_use) < limit, (began, answered)


arrival = st.tuples(
    st.floats(0.0, 90.0),  # when it comes
    latency,
    st.booleans(),  # urgent
    st.none() | st.floats(0.0, 150.0),  # when it is cancelled, waiting or in the middle of its call
)


@settings(deadline=None, max_examples=150)
@given(arrivals=st.lists(arrival, min_size=1, max_size=40), limit=st.integers(1, 6))
def test_a_waiting_call_that_leaves_leaves_no_free_slot_behind(
    store_of: StoreOf, arrivals: list[tuple[float, float, bool, float | None]], limit: int
) -> None:
    """While a call waits, a slot that frees is taken; a cancelled call keeps its own, a waiter has none."""
    clock = SimulatedClock()
    store = store_of(clock)
    waits: list[tuple[float, float]] = []  # came, went into its call or left
    calls: list[tuple[float, float]] = []  # began, slot free again

    async def one(comes: float, lasts: float, *, urgent: bool) -> None:
        await clock.sleep(comes)
        came = clock.time
        began = None
        freed = None
        try:
            slot = await RateLimiter(store).slot("async", limits(limit), clock=clock, timeout=50.0, urgent=urgent)
            began = clock.time
            freed = began + 50.0 + MINUTE + GRAIN
            await clock.sleep(lasts)
            slot.answered()
            freed = clock.time + MINUTE + GRAIN
        finally:
            waits.append((came, clock.time if began is None else began))
            if began is not None and freed is not None:
                calls.append((began, freed))

    async def main() -> None:
        async def ended(task: asyncio.Task[None], at: float) -> None:
            await clock.sleep(at)
            task.cancel()

        tasks = []
        for comes, lasts, urgent, cancelled in arrivals:
            task = asyncio.create_task(one(comes, lasts, urgent=urgent))
            tasks.append(task)
            if cancelled is not None:
                tasks.append(asyncio.create_task(ended(task, cancelled)))
        await asyncio.gather(*tasks, return_exceptions=True)

    clock.run(main())
    in_use = lambda at: sum(began <= at < freed for began, freed in calls)  # noqa: E731 - said once
    assert all(in_use(began) <= limit for began, _ in calls)
    for moment in [freed for _, freed in calls] + [went for _, went in waits]:
        later = moment + RECHECK + 3 * GRAIN
        if any(came < moment and went > later for came, went in waits):
            assert in_use(later) >= limit or in_use(moment) >= limit
    assert not in_line(store)


def in_line(store: Store) -> int:
    """Return how many wait, as the store has it."""
    if isinstance(store, MemoryStore):
        bucket = store._buckets["async"]
        assert sum(map(len, bucket.lines.values())) == len(bucket.due)
        return len(bucket.due)
    assert isinstance(store, RedisStore)
    client: Any = store._ask.client
    return sum(
        client.zcard(name) for name in client.scan_iter(f"*:{store._workspace}:window:*:line:*", count=1000)
    )


def test_the_documented_limit_is_used_whole(store_of: StoreOf) -> None:
    """1,000 calls at 200 ms take nine windows and ten latencies, and nothing else."""
    clock = SimulatedClock()
    clock.run(work(RateLimiter(store_of(clock)), clock, [0.2] * 1000, Limits(), workers=256))
    assert clock.time == pytest.approx(9 * 60.0 + 10 * 0.2, rel=0.001)


def test_sync_generation_has_a_bucket_of_its_own(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        for kind, count in (("sync", 30), ("async", 100)):
            for _ in range(count):
                await limiter.slot(kind, Limits(), clock=clock, timeout=60.0)  # type: ignore[arg-type]

    clock.run(main())
    assert clock.time == 0.0


def test_generation_goes_before_polls_and_the_first_first(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    order: list[str] = []

    async def call(name: str, *, urgent: bool) -> None:
        slot = await limiter.slot("async", limits(1), clock=clock, timeout=60.0, urgent=urgent)
        order.append(name)
        slot.answered()

    async def main() -> None:
        tasks = [asyncio.create_task(call("first", urgent=True))]
        for name, urgent in (("poll 1", False), ("call 1", True), ("poll 2", False), ("call 2", True)):
            await clock.sleep(1.0)
            tasks.append(asyncio.create_task(call(name, urgent=urgent)))
        await asyncio.gather(*tasks)

    clock.run(main())
    assert order == ["first", "call 1", "call 2", "poll 1", "poll 2"]


def test_a_run_with_a_small_limit_does_not_block_one_with_a_large_limit(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        for _ in range(2):
            (await limiter.slot("async", limits(10), clock=clock, timeout=60.0)).answered()
        small = asyncio.create_task(limiter.slot("async", limits(1), clock=clock, timeout=60.0))
        await clock.sleep(1.0)
        for _ in range(8):
            await limiter.slot("async", limits(10), clock=clock, timeout=60.0)
        assert clock.time == 1.0
        assert not small.done()
        small.cancel()

    clock.run(main())


def test_a_run_without_a_limit_never_waits_and_is_counted_by_the_others(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        for _ in range(500):
            (await limiter.slot("async", limits(None), clock=clock, timeout=60.0)).answered()
        assert clock.time == 0.0
        await limiter.slot("async", limits(400), clock=clock, timeout=60.0)
        assert clock.time == pytest.approx(60.0, abs=0.01)

    clock.run(main())


def test_the_log_forgets_what_nobody_counts() -> None:
    """A million calls without a limit leave no more than the last window's in memory."""
    clock = SimulatedClock()
    store = MemoryStore()

    async def main() -> None:
        for _ in range(20_000):
            slot = await RateLimiter(store).slot("async", limits(None), clock=clock, timeout=60.0)
            slot.answered()
            clock.time += 0.1

    clock.run(main())
    bucket = store._buckets["async"]
    assert len(bucket.answers) <= 2 * 1024
    assert not bucket.in_flight


def test_a_cancelled_waiter_leaves_the_line_clean(store_of: StoreOf) -> None:
    """The call behind goes when the slot frees, as if the other had never been there."""
    clock = SimulatedClock()
    store = store_of(clock)
    limiter = RateLimiter(store)

    async def main() -> None:
        for _ in range(3):
            (await limiter.slot("async", limits(3), clock=clock, timeout=60.0)).answered()
            await clock.sleep(10.0)
        waits = [limiter.slot("async", limits(3), clock=clock, timeout=60.0) for _ in range(5)]
        ahead = [asyncio.create_task(wait) for wait in waits]
        await clock.sleep(1.0)
        behind = asyncio.create_task(limiter.slot("async", limits(3), clock=clock, timeout=60.0))
        await clock.sleep(1.0)
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)
        await behind
        assert clock.time == pytest.approx(60.0, abs=0.01)

    clock.run(main())
    assert not in_line(store)


class DistantStore(MemoryStore):
    """A store that takes a round trip, as Redis would."""

    def __init__(self, clock: SimulatedClock, *, looks_every: float) -> None:
        super().__init__()
        self.clock = clock
        self.longest_sleep = looks_every

    async def ask(self, slot: Slot, now: float) -> float:
        pause = await super().ask(slot, now)
        await self.clock.sleep(0.002)
        return pause


def test_a_caller_cancelled_while_the_store_answers_loses_no_slot() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(DistantStore(clock, looks_every=1.0))

    async def main() -> None:
        task = asyncio.create_task(limiter.slot("async", limits(1), clock=clock, timeout=60.0))
        await clock.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await limiter.slot("async", limits(1), clock=clock, timeout=60.0)
        assert clock.time < 0.01

    clock.run(main())


def test_a_store_elsewhere_keeps_the_same_rule() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(DistantStore(clock, looks_every=1.0))
    made = clock.run(work(limiter, clock, [0.2] * 25, limits(10), workers=25))
    assert fullest_sliding([began for began, _ in made], MINUTE) <= 10
    assert clock.time == pytest.approx(120.6, abs=0.5)


@pytest.mark.parametrize("says_when", [True, False], ids=["Retry-After", "no header"])
def test_a_run_beside_another_user_of_the_workspace_gets_through(store_of: StoreOf, *, says_when: bool) -> None:
    """Another program takes 30 of 100 a minute: all calls get through, a refusal in fifteen calls at most."""
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    counted: list[float] = []
    refused = accepted = 0

    def refusal() -> float | None:
        while counted and counted[0] <= clock.time - MINUTE:
            counted.pop(0)
        if len(counted) >= 100:
            return counted[0] + MINUTE - clock.time
        counted.append(clock.time)
        return None

    async def another_program() -> None:
        while True:
            refusal()
            await clock.sleep(2.0)

    async def worker() -> None:
        nonlocal refused, accepted
        while accepted < 600:
            slot = await limiter.slot("async", Limits(), clock=clock, timeout=60.0)
            await clock.sleep(0.2)
            retry_after = refusal()
            slot.answered()
            if retry_after is None:
                accepted += 1
            else:
                refused += 1
                limiter.close("async", retry_after if says_when else MINUTE, clock=clock)

    async def main() -> None:
        other = asyncio.create_task(another_program())
        await asyncio.gather(*(worker() for _ in range(10)))
        other.cancel()

    clock.run(main())
    assert accepted >= 600
    assert 0 < refused <= 40
    assert clock.time <= (10 if says_when else 14) * MINUTE


def test_a_child_process_starts_without_the_line_of_its_parent_but_with_the_log() -> None:
    clock = SimulatedClock()
    store = MemoryStore()

    async def parent() -> None:
        (await RateLimiter(store).slot("async", limits(1), clock=clock, timeout=60.0)).answered()
        waiter = Slot(store, "async", limits(1), clock=clock, timeout=60.0, urgent=True)
        assert await store.ask(waiter, clock.monotonic()) > 0

    clock.run(parent())
    store._lock.acquire()
    store.forked()

    async def child() -> None:
        await RateLimiter(store).slot("async", limits(1), clock=clock, timeout=60.0)
        assert clock.time == pytest.approx(60.0, abs=0.01)

    clock.run(child())


def test_a_call_that_is_never_answered_keeps_its_slot_until_its_time_out_and_a_window(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        await limiter.slot("async", limits(1), clock=clock, timeout=130.0)
        await limiter.slot("async", limits(1), clock=clock, timeout=130.0)

    clock.run(main())
    assert clock.time == pytest.approx(190.0, abs=0.1)


def test_an_answer_after_the_time_out_counts_from_the_answer(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        slot = await limiter.slot("async", limits(2), clock=clock, timeout=10.0)
        await clock.sleep(50.0)
        slot.answered()
        slot.answered()
        await limiter.slot("async", limits(2), clock=clock, timeout=10.0)
        await clock.sleep(30.0)
        second = await limiter.slot("async", limits(2), clock=clock, timeout=10.0)
        assert clock.time == pytest.approx(110.0, abs=0.1)
        second.answered()

    clock.run(main())


def test_a_slot_that_was_not_used_is_free_at_once(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        slot = await limiter.slot("async", limits(1), clock=clock, timeout=60.0)
        next_slot = asyncio.create_task(limiter.slot("async", limits(1), clock=clock, timeout=60.0))
        await clock.sleep(5.0)
        slot.unused()
        await next_slot
        assert clock.time == 5.0

    clock.run(main())


def test_the_bar_is_told_how_long_the_wait_is_and_when_it_is_over(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    told: list[float] = []

    async def main() -> None:
        for _ in range(2):
            slot = await limiter.slot("async", limits(1), clock=clock, timeout=60.0, waiting=told.append)
            slot.answered()
            await clock.sleep(20.0)

    clock.run(main())
    assert told == [pytest.approx(40.0, abs=0.01), 0.0]


def test_the_wait_is_over_for_the_bar_when_the_waiter_is_cancelled(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    told: list[float] = []

    async def main() -> None:
        await limiter.slot("async", limits(1), clock=clock, timeout=60.0)
        wait = limiter.slot("async", limits(1), clock=clock, timeout=60.0, waiting=told.append)
        task = asyncio.create_task(wait)
        await clock.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    clock.run(main())
    assert told[-1] == 0.0
    assert told[0] > 0


def test_a_429_closes_the_window_for_everybody(store_of: StoreOf) -> None:
    """For as long as it is told to, whatever the limits of those who wait; the other bucket stays open."""
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        await clock.sleep(1000.0)
        slot = await limiter.slot("async", Limits(), clock=clock, timeout=60.0)
        limiter.close("async", 7.0, clock=clock)
        slot.answered()
        await clock.sleep(0.001)
        await limiter.slot("sync", Limits(), clock=clock, timeout=60.0)
        assert clock.time < 1000.01
        await asyncio.gather(
            *(
                limiter.slot("async", some, clock=clock, timeout=60.0)
                for some in (Limits(), limits(None), limits(50, 20.0))
            )
        )
        assert clock.time == pytest.approx(1007.0, abs=0.01)

    clock.run(main())


def test_refusals_of_one_storm_prolong_the_closing_and_never_cut_it_short(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        for seconds in (5.0, 20.0, 1.0):
            limiter.close("async", seconds, clock=clock)
            await clock.sleep(1.0)
        await limiter.slot("async", Limits(), clock=clock, timeout=60.0)

    clock.run(main())
    assert clock.time == pytest.approx(21.0, abs=0.01)


def test_a_429_lowers_no_pace(store_of: StoreOf) -> None:
    """After twenty refusals the whole limit may be used as soon as the window is open again."""
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def main() -> None:
        for _ in range(20):
            limiter.close("async", 1.0, clock=clock)
        await clock.sleep(0.001)
        for _ in range(100):
            await limiter.slot("async", Limits(), clock=clock, timeout=60.0)

    clock.run(main())
    assert clock.time == pytest.approx(1.0, abs=0.01)


def test_the_bar_is_told_until_when_the_window_is_closed(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    told: list[float] = []

    async def main() -> None:
        limiter.close("async", 30.0, clock=clock)
        await clock.sleep(0.001)
        await limiter.slot("async", Limits(), clock=clock, timeout=60.0, waiting=told.append)

    clock.run(main())
    assert told[0] == pytest.approx(30.0, abs=0.01)
    assert told[-1] == 0.0


def test_a_resumed_run_starts_from_the_last_minute_of_its_journal() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(MemoryStore())

    async def main() -> None:
        await limiter.preload("async", [50.0, 0.0, 70.0], clock=clock)
        await limiter.slot("async", limits(2), clock=clock, timeout=60.0)

    clock.run(main())
    assert clock.time == pytest.approx(10.0, abs=0.01)


def test_calls_of_this_process_are_not_counted_again_from_the_journal() -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(MemoryStore())

    async def main() -> None:
        for _ in range(3):
            (await limiter.slot("async", limits(4), clock=clock, timeout=60.0)).answered()
            await clock.sleep(1.0)
        await limiter.preload("async", [3.01, 2.01, 1.01], clock=clock)
        await limiter.slot("async", limits(4), clock=clock, timeout=60.0)

    clock.run(main())
    assert clock.time == 3.0


def test_of_many_calls_in_the_journal_only_those_of_other_processes_are_added() -> None:
    """One that is counted twice would cost a slot for a whole window."""
    clock = SimulatedClock()
    limiter = RateLimiter(MemoryStore())

    async def main() -> None:
        for _ in range(4):
            (await limiter.slot("async", limits(6), clock=clock, timeout=60.0)).answered()
            await clock.sleep(1.0)
        # the last of ours, and one of another process
        await limiter.preload("async", [1.01, 0.5], clock=clock)
        for _ in range(2):
            await limiter.slot("async", limits(6), clock=clock, timeout=60.0)
            await clock.sleep(1.0)

    clock.run(main())
    assert clock.time == pytest.approx(60.0, abs=2.0), (
        "five are counted: one slot is free, the next a window later"
    )


def test_a_second_run_on_a_new_event_loop_knows_the_calls_of_the_first(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))
    first = clock.run(work(limiter, clock, [0.1] * 5, limits(5), workers=5))
    second = clock.run(work(limiter, clock, [0.1] * 5, limits(5), workers=5))
    assert first[0][0] == 0.0
    assert second[0][0] == pytest.approx(60.1, abs=0.01)


def test_a_waiter_whose_loop_was_closed_does_not_block_the_line(store_of: StoreOf) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(store_of(clock))

    async def abandoned() -> None:
        (await limiter.slot("async", limits(1), clock=clock, timeout=60.0)).answered()

    clock.run(abandoned())
    waiter = limiter.slot("async", limits(1), clock=clock, timeout=60.0)
    store = limiter.store
    ghost = Slot(store, "async", limits(1), clock=clock, timeout=60.0, urgent=True)
    asyncio.run(store.ask(ghost, clock.monotonic()))
    clock.run(_result(waiter))
    assert clock.time < 70.0


async def _result(waiter: object) -> None:
    await waiter  # type: ignore[misc]


def test_event_loops_in_several_threads_share_one_window() -> None:
    """Thirty calls from three threads at a limit of ten take three windows, and none is lost."""
    limiter = RateLimiter(MemoryStore())
    calls: list[tuple[float, float]] = []
    with VirtualClock() as clock:

        async def run() -> None:
            async def call() -> None:
                slot = await limiter.slot("async", limits(10), clock=clock, timeout=60.0)
                began = clock.monotonic()
                await clock.sleep(0.5 * clock.random())
                calls.append((began, clock.monotonic()))
                slot.answered()

            await asyncio.gather(*(call() for _ in range(10)))

        threads = [threading.Thread(target=asyncio.run, args=(run(),)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(calls) == 30
    for which in (0, 1):
        assert fullest_sliding([call[which] for call in calls], MINUTE) <= 10
    assert 2 * MINUTE < max(began for began, _ in calls) < 3 * MINUTE


def test_a_workspace_has_one_window_in_a_process() -> None:
    assert rate_limiter_of("a") is rate_limiter_of("a")
    assert rate_limiter_of("a") is not rate_limiter_of("b")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_resumed_run_is_counted_in_its_own_bucket(kind: BucketName) -> None:
    clock = SimulatedClock()
    limiter = RateLimiter(MemoryStore())

    async def main() -> None:
        await limiter.preload(kind, [0.0], clock=clock)
        other: BucketName = "async" if kind == "sync" else "sync"
        await limiter.slot(other, limits(1), clock=clock, timeout=60.0)
        assert clock.time == 0.0
        await limiter.slot(kind, limits(1), clock=clock, timeout=60.0)
        assert clock.time == pytest.approx(60.0, abs=0.01)

    clock.run(main())
