"""Workers on many machines share one limit: the log of slots in Redis, one Lua script for each operation.

It is the algorithm of ``engine.rate_limit``, step by step, with the log elsewhere. All moments are those of Redis'
own clock: machines need not agree about the time. A slot whose worker died frees itself after the call's time-out
and a window. Scripts run one at a time, so two processes never take one slot.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from reportflow_pandas.clock import Clock
from reportflow_pandas.engine.rate_limit import GONE_SECONDS, GRAIN_SECONDS, RECHECK_SECONDS, BucketName, Slot
from reportflow_pandas.queue.address import Keys

__all__ = ["RedisStore"]

log = logging.getLogger("reportflow_pandas")

Script = Callable[..., Awaitable[Any]]

REDIS_AWAY_SECONDS = 1.0
"""Until the next look when Redis did not answer."""

LOOK_SECONDS = 1.0
"""Between two looks of a waiter, at most: no process can wake the waiters of another one."""

_COMMON = f"""
local GRAIN, RECHECK, GONE = {GRAIN_SECONDS}, {RECHECK_SECONDS}, {GONE_SECONDS}
local answers, flying, line, due, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local now = tonumber(ARGV[1])
if not now then
  local t = redis.call('TIME')
  now = tonumber(t[1]) + tonumber(t[2]) / 1000000
end
local function number(name) return tonumber(redis.call('HGET', state, name) or 0) end
local function exact(value) return string.format('%.17g', value) end
local function keep(seconds)
  for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, math.ceil(1000 * (seconds + 3600))) end
end
"""

_ASK = (
    _COMMON
    + """
local id, limit, window, timeout = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local urgent = ARGV[6] == '1'
-- 1: what has timed out counts as answered then; what no run counts any more is forgotten
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', flying, '-inf', exact(now))) do
  redis.call('ZADD', answers, redis.call('ZSCORE', flying, gone), gone)
  redis.call('ZREM', flying, gone)
end
local longest = math.max(number('longest'), window)
redis.call('HSET', state, 'longest', exact(longest))
redis.call('ZREMRANGEBYSCORE', answers, '-inf', '(' .. exact(now - longest - GRAIN))
keep(longest + timeout)
-- asked again, because the word of it was lost
if redis.call('ZSCORE', flying, id) then return {1, '0', '0'} end
local closed = number('closed')
-- 2: no limit
if limit < 0 then
  if now < closed then return {0, exact(closed - now), exact(closed - now)} end
  redis.call('ZADD', flying, exact(now + timeout), id)
  return {1, '0', '0'}
end
-- 3: the line
while true do
  local first = redis.call('ZRANGE', line, 0, 0)[1]
  if not first or first == id then break end
  if tonumber(redis.call('HGET', due, first) or 0) + GONE >= now then break end
  redis.call('ZREM', line, first)
  redis.call('HDEL', due, first)
end
if not redis.call('ZSCORE', line, id) then
  local number_in_line = redis.call('HINCRBY', state, 'place', 1)
  if not urgent then number_in_line = number_in_line + 1e14 end
  redis.call('ZADD', line, exact(number_in_line), id)
end
local place = redis.call('ZRANK', line, id)
-- 4: free slots
local known = redis.call('ZCARD', answers)
local freed = known - redis.call('ZCOUNT', answers, '(' .. exact(now - window - GRAIN), '+inf')
local free = limit - redis.call('ZCARD', flying) - (known - freed)
-- 5: granted
if now >= closed and place < free then
  redis.call('ZREM', line, id)
  redis.call('HDEL', due, id)
  redis.call('ZADD', flying, exact(now + timeout), id)
  return {1, '0', '0'}
end
-- 6: the next look
local look, expected = now + RECHECK, now + RECHECK
local needed = place + 1 - free
if needed > 0 then
  local index = freed + needed - 1
  local missing = math.max(0, index + 1 - known)
  local at = now
  if missing == 0 then at = tonumber(redis.call('ZRANGE', answers, index, index, 'WITHSCORES')[2]) end
  -- a microsecond later: the same sum the other way round may differ in the last digit of its double
  local free_at = at + window + GRAIN + 0.000001
  expected = free_at + math.floor(math.max(0, missing - 1) / limit) * window
  if free > 0 then look = math.min(free_at, look) else look = free_at end
end
look, expected = math.max(look, closed), math.max(expected, closed)
if place > 0 then
  local first = redis.call('ZRANGE', line, 0, 0)[1]
  look = math.min(look, tonumber(redis.call('HGET', due, first) or 0) + GONE + GRAIN)
end
redis.call('HSET', due, id, exact(look))
return {0, exact(math.max(look - now, GRAIN)), exact(expected - now)}
"""
)

_ANSWERED = (
    _COMMON
    + """
redis.call('ZREM', flying, ARGV[2])
redis.call('ZADD', answers, exact(now), ARGV[2])
keep(number('longest'))
"""
)

_LEAVE = (
    _COMMON
    + """
redis.call('ZREM', flying, ARGV[2])
redis.call('ZREM', line, ARGV[2])
redis.call('HDEL', due, ARGV[2])
"""
)

_CLOSE = (
    _COMMON
    + """
redis.call('HSET', state, 'closed', exact(math.max(number('closed'), now + tonumber(ARGV[2]))))
keep(tonumber(ARGV[2]))
"""
)


class RedisStore:
    """The log of a workspace, in Redis.

    Parameters
    ----------
    client : redis.asyncio.Redis
        The connection; who made it closes it, after `settled`.
    workspace : str
        ``Settings.workspace_id``.
    keys : Keys
        The names of what is kept there.
    clock : Clock, optional
        A time of a test's own, in place of Redis'.
    longest_sleep : float
        Seconds between two looks of a waiter.
    """

    def __init__(
        self,
        client: Any,
        workspace: str,
        *,
        keys: Keys | None = None,
        clock: Clock | None = None,
        longest_sleep: float = LOOK_SECONDS,
    ) -> None:
        self.longest_sleep = longest_sleep
        self._workspace = workspace
        self._names = keys or Keys()
        self._clock = clock
        self._name = secrets.token_hex(4)
        self._ask = client.register_script(_ASK)
        self._answered = client.register_script(_ANSWERED)
        self._leave = client.register_script(_LEAVE)
        self._close = client.register_script(_CLOSE)
        self._behind: set[asyncio.Task[None]] = set()
        self._waiting: set[Slot] = set()

    def _keys(self, kind: BucketName, limit: int | None = None, window: float = 0.0) -> list[str]:
        bucket = (self._workspace, "window", kind)
        limits = f"{limit}-{window:g}"
        return [
            self._names.of(*bucket, "answers"),
            self._names.of(*bucket, "flying"),
            self._names.of(*bucket, "line", limits),
            self._names.of(*bucket, "due", limits),
            self._names.of(*bucket, "state"),
        ]

    def _of(self, slot: Slot) -> list[str]:
        return self._keys(slot.kind, slot.limit, slot.window)

    def _now(self) -> str:
        return "" if self._clock is None else repr(self._clock.monotonic())

    def _id(self, slot: Slot) -> str:
        return f"{self._name}-{slot.number}"

    async def ask(self, slot: Slot, now: float) -> float:
        """Grant the slot or say when to look again."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        limit = -1 if slot.limit is None else slot.limit
        words = [self._now(), self._id(slot), limit, repr(slot.window), repr(slot.timeout), int(slot.urgent)]
        try:
            granted, pause, expected = await self._ask(keys=self._of(slot), args=words)
        except (RedisError, OSError):
            slot.expected_at = now + REDIS_AWAY_SECONDS
            return REDIS_AWAY_SECONDS
        if granted:
            self._waiting.discard(slot)
            return 0.0
        slot.nudged = False
        self._waiting.add(slot)
        slot.expected_at = now + float(expected)
        return float(pause)

    def answered(self, slot: Slot, now: float) -> None:  # noqa: ARG002 - Redis' own clock counts
        """Note the answer."""
        self._send(self._answered, self._of(slot), self._id(slot))

    def unused(self, slot: Slot) -> None:
        """Forget a slot that was granted."""
        self._waiting.discard(slot)
        self._send(self._leave, self._of(slot), self._id(slot), frees=True)

    def leave(self, slot: Slot) -> None:
        """Forget a slot that still waits."""
        self.unused(slot)

    def close(self, kind: BucketName, seconds: float, now: float) -> None:  # noqa: ARG002 - Redis' own clock counts
        """Close the bucket."""
        self._send(self._close, self._keys(kind), repr(seconds))

    async def preload(self, kind: BucketName, moments: Iterable[float]) -> None:
        """Do nothing: the calls of earlier processes are in the log already, for it outlives them."""

    def _send(self, script: Script, keys: list[str], word: str, *, frees: bool = False) -> None:
        """Send something behind: the caller may be under cancellation and cannot wait."""
        task = asyncio.get_running_loop().create_task(_end_noted(script, keys, [self._now(), word]))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)
        if frees:
            task.add_done_callback(self._wake)

    def _wake(self, _task: asyncio.Task[None]) -> None:
        """Let the waiters of this process ask again; those of others look by themselves."""
        for waiter in self._waiting:
            if not waiter.nudged:
                waiter.nudged = True
                if waiter.wake is not None:
                    waiter.wake()

    async def settled(self) -> None:
        """Return when everything that was said is in Redis."""
        while self._behind:
            await asyncio.wait(self._behind)


async def _end_noted(script: Script, keys: list[str], words: list[str]) -> None:
    from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

    try:
        await script(keys=keys, args=words)
    except (RedisError, OSError) as error:
        log.warning("the end of a call could not be noted in Redis (%s): its slot frees itself later", error)
