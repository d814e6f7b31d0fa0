"""The window in Redis over several processes; tests/engine runs what it has in common with the one in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from support.byte_server import HandClock
from support.queue_workers import RedisServer

from reportflow_pandas.clock import SYSTEM_CLOCK
from reportflow_pandas.engine.rate_limit import Slot
from reportflow_pandas.queue.address import RedisAddress
from reportflow_pandas.queue.connection import connect
from reportflow_pandas.queue.rate_limit import RedisStore
from reportflow_pandas.settings import Limits

TWO = Limits(async_calls=2, window=30.0)


def with_stores(
    redis: RedisServer,
    play: Callable[[RedisStore, RedisStore], Awaitable[None]],
    clock: HandClock | None = None,
) -> None:
    """Play with two stores of one workspace, as two processes have them; by Redis' clock if there is no other."""

    async def playing() -> None:
        clients = [await connect(RedisAddress.of(redis.url)) for _ in range(2)]
        one, other = (RedisStore(client, "workspace", clock=clock) for client in clients)
        await play(one, other)
        for store, client in zip((one, other), clients, strict=True):
            await store.settled()
            await client.aclose()

    asyncio.run(playing())


def slot(store: RedisStore, limits: Limits = TWO, *, urgent: bool = True, timeout: float = 60.0) -> Slot:
    return Slot(store, "async", limits, clock=SYSTEM_CLOCK, timeout=timeout, urgent=urgent)


async def granted(one: Slot) -> bool:
    store: Any = one.store
    return await store.ask(one, 0.0) == 0.0


def test_slots_of_one_process_count_for_all(redis: RedisServer) -> None:
    async def play(one: RedisStore, other: RedisStore) -> None:
        assert await granted(slot(one))
        assert await granted(slot(other))
        assert not await granted(slot(one))
        assert not await granted(slot(other))

    with_stores(redis, play)


def test_a_slot_that_was_granted_is_granted_again_when_the_word_of_it_was_lost(redis: RedisServer) -> None:
    async def play(one: RedisStore, other: RedisStore) -> None:
        first = slot(one)
        assert await granted(first)
        assert await granted(first)
        assert await granted(slot(other))
        assert not await granted(slot(other))

    with_stores(redis, play)


def test_an_answered_call_counts_for_a_window_more_and_an_unused_slot_is_free_at_once(redis: RedisServer) -> None:
    async def play(one: RedisStore, other: RedisStore) -> None:
        first, second = slot(one), slot(other)
        assert await granted(first)
        assert await granted(second)
        first.answered()
        await one.settled()
        assert not await granted(slot(one, Limits(async_calls=2, window=30.0), urgent=False))
        second.unused()
        await other.settled()
        assert await granted(slot(other))

    with_stores(redis, play)


def test_the_slot_of_a_process_that_died_frees_itself_after_time_out_and_window(redis: RedisServer) -> None:
    clock = HandClock()

    async def play(one: RedisStore, other: RedisStore) -> None:
        single = Limits(async_calls=1, window=30.0)
        assert await granted(slot(one, single, timeout=60.0))
        waiting = slot(other, single)
        clock.seconds += 89.0
        assert not await granted(waiting)
        clock.seconds += 2.0
        assert await granted(waiting)

    with_stores(redis, play, clock)


def test_generation_goes_before_polls_also_those_of_other_processes(redis: RedisServer) -> None:
    async def play(one: RedisStore, other: RedisStore) -> None:
        single = Limits(async_calls=1, window=30.0)
        first, poll, call = slot(one, single), slot(one, single, urgent=False), slot(other, single)
        assert await granted(first)
        assert not await granted(poll)
        assert not await granted(call)
        first.unused()
        await one.settled()
        assert not await granted(poll)
        assert await granted(call)

    with_stores(redis, play)


def test_a_429_closes_the_window_for_all_processes_and_lowers_no_pace(redis: RedisServer) -> None:
    clock = HandClock()

    async def play(one: RedisStore, other: RedisStore) -> None:
        ten = Limits(async_calls=10, window=30.0)
        one.close("async", 7.0, 0.0)
        await one.settled()
        waiting = slot(other, ten)
        clock.seconds += 6.0
        assert not await granted(waiting)
        clock.seconds += 2.0
        assert await granted(waiting)
        more = [await granted(slot(other, ten)) for _ in range(10)]
        assert more == [True] * 9 + [False]

    with_stores(redis, play, clock)


def test_sync_calls_and_another_workspace_have_windows_of_their_own(redis: RedisServer) -> None:
    async def play(one: RedisStore, other: RedisStore) -> None:
        assert await granted(slot(one))
        assert await granted(slot(one))
        sync = Slot(other, "sync", TWO, clock=SYSTEM_CLOCK, timeout=60.0, urgent=True)
        assert await granted(sync)
        client = await connect(RedisAddress.of(redis.url))
        assert await granted(slot(RedisStore(client, "another")))
        await client.aclose()

    with_stores(redis, play)
