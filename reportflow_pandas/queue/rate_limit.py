"""The window of a workspace over all machines: the log of slots in Redis, one Lua script for each operation.

It is `engine.limits.MemoryStore` with the log elsewhere: a call takes a slot when it starts and gives it back one
window after its answer; who waits stands in a line, generation first. All moments are those of Redis' own clock:
machines need not agree about the time. A slot whose worker died frees itself after the call's time-out and a
window.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterable
from typing import Any

from reportflow_pandas.engine.rate_limit import Kind, Slot
from reportflow_pandas.queue.connection import key
from reportflow_pandas.settings import Limits

__all__ = ["RedisStore"]

log = logging.getLogger("reportflow_pandas")

AWAY = 1.0
"""Seconds until the next look when Redis did not answer."""

_COMMON = """
local GRAIN, RECHECK, LATE, SLOWER, SLOWEST = 5, 50, 5000, 0.9, 0.1
local answers, flying, line, due, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local t = redis.call('TIME')
local at = t[1] * 1000 + math.floor(t[2] / 1000)
local function number(name, default)
  return tonumber(redis.call('HGET', state, name) or default) or default
end
local function allowed(limit, window)
  local pace = number('pace', 1)
  if pace >= 1 then return limit end
  local some = limit * pace + math.max(0, at - number('paced', at)) / window
  if some >= limit then
    redis.call('HDEL', state, 'pace')
    return limit
  end
  return math.max(1, math.floor(some + 1e-9))
end
local function keep(window, timeout)
  local life = 10 * window + timeout + 3600000
  for _, name in ipairs(KEYS) do redis.call('PEXPIRE', name, life) end
end
"""

_ASK = (
    _COMMON
    + """
local id, urgent = ARGV[1], ARGV[5]
local limit, window, timeout = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', flying, '-inf', at)) do
  redis.call('ZADD', answers, redis.call('ZSCORE', flying, gone), gone)
  redis.call('ZREM', flying, gone)
end
local longest = math.max(number('longest', 0), window)
redis.call('HSET', state, 'longest', longest)
redis.call('ZREMRANGEBYSCORE', answers, '-inf', '(' .. (at - longest - GRAIN))
keep(longest, timeout)
if redis.call('ZSCORE', flying, id) then return {1, 0, 0} end
local closed = number('closed', 0)
if limit < 0 then
  if at < closed then return {0, closed - at, closed - at} end
  redis.call('ZADD', flying, at + timeout, id)
  return {1, 0, 0}
end
-- those ahead who have not asked for long are gone: their process died
while true do
  local first = redis.call('ZRANGE', line, 0, 0)[1]
  if not first or first == id then break end
  if tonumber(redis.call('HGET', due, first) or 0) + LATE >= at then break end
  redis.call('ZREM', line, first)
  redis.call('HDEL', due, first)
end
if not redis.call('ZSCORE', line, id) then
  local place = redis.call('HINCRBY', state, 'place', 1)
  if urgent ~= '1' then place = place + 1e14 end
  redis.call('ZADD', line, place, id)
end
local place = redis.call('ZRANK', line, id)
local after = '(' .. (at - window - GRAIN)
local room = allowed(limit, window) - redis.call('ZCARD', flying) - redis.call('ZCOUNT', answers, after, '+inf')
if at >= closed and place < room then
  redis.call('ZREM', line, id)
  redis.call('HDEL', due, id)
  redis.call('ZADD', flying, at + timeout, id)
  return {1, 0, 0}
end
local look, expected = at + RECHECK, at + RECHECK
local needed = place + 1 - room
if needed > 0 then
  local found = redis.call('ZRANGEBYSCORE', answers, after, '+inf', 'WITHSCORES', 'LIMIT', needed - 1, 1)
  local free = (found[2] and tonumber(found[2]) or at) + window + GRAIN
  look, expected = free, free
end
look, expected = math.max(look, closed), math.max(expected, closed)
if place > 0 or room > 0 then look = math.min(look, at + 1000) end
redis.call('HSET', due, id, look)
return {0, math.max(1, look - at), expected - at}
"""
)

_ANSWERED = (
    _COMMON
    + """
redis.call('ZREM', flying, ARGV[1])
redis.call('ZADD', answers, at, ARGV[1])
"""
)

_LEAVE = (
    _COMMON
    + """
redis.call('ZREM', flying, ARGV[1])
redis.call('ZREM', line, ARGV[1])
redis.call('HDEL', due, ARGV[1])
"""
)

_PUSHED_BACK = (
    _COMMON
    + """
local seconds, limit, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if seconds < 0 and limit < 0 then return end
local closed = number('closed', 0)
if limit >= 0 and at >= closed then
  redis.call('HSET', state, 'pace', tostring(math.max(SLOWEST, allowed(limit, window) * SLOWER / limit)))
end
closed = math.max(closed, at + (seconds < 0 and window or seconds))
redis.call('HSET', state, 'closed', closed, 'paced', closed)
keep(window, 0)
"""
)


class RedisStore:
    """The log of a workspace, in Redis.

    Parameters
    ----------
    client : redis.asyncio.Redis
        The connection; whoever made it closes it, after `settled`.
    workspace : str
        ``Settings.workspace``: a hash of address and key.
    """

    longest_sleep = 1.0
    """Seconds: nobody can wake a waiter of another process."""

    def __init__(self, client: Any, workspace: str) -> None:
        self._workspace = workspace
        self._name = secrets.token_hex(4)
        self._ask = client.register_script(_ASK)
        self._answered = client.register_script(_ANSWERED)
        self._leave = client.register_script(_LEAVE)
        self._pushed_back = client.register_script(_PUSHED_BACK)
        self._behind: set[asyncio.Task[None]] = set()

    def _keys(self, kind: Kind, limit: int | None, window: float) -> list[str]:
        room = (self._workspace, "window", kind)
        # runs with other limits have a line of their own, so that a slow one blocks nobody
        line = f"{limit}-{window:g}"
        return [
            key(*room, "answers"),
            key(*room, "flying"),
            key(*room, "line", line),
            key(*room, "due", line),
            key(*room, "state"),
        ]

    def _of(self, slot: Slot) -> list[str]:
        return self._keys(slot.kind, slot.limit, slot.window)

    def _id(self, slot: Slot) -> str:
        return f"{self._name}-{slot.number}"

    async def ask(self, slot: Slot, now: float) -> float:
        """Grant the slot or say when to look again."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses a queue has it

        limit = -1 if slot.limit is None else slot.limit
        words = [
            self._id(slot),
            limit,
            round(slot.window * 1000),
            round(slot.timeout * 1000),
            int(slot.urgent),
        ]
        try:
            granted, pause, expected = await self._ask(keys=self._of(slot), args=words)
        except (RedisError, OSError):
            slot.expected_at = now + AWAY
            return AWAY
        if granted:
            return 0.0
        slot.expected_at = now + int(expected) / 1000
        return max(0.001, int(pause) / 1000)

    def answered(self, slot: Slot, now: float) -> None:  # noqa: ARG002 - Redis' own clock counts
        """Note the answer."""
        self._send(self._answered(keys=self._of(slot), args=[self._id(slot)]))

    def unused(self, slot: Slot) -> None:
        """Forget a slot that was granted."""
        self._send(self._leave(keys=self._of(slot), args=[self._id(slot)]))

    def leave(self, slot: Slot) -> None:
        """Forget a slot that still waits."""
        self.unused(slot)

    def pushed_back(self, kind: Kind, seconds: float | None, limits: Limits, now: float) -> None:  # noqa: ARG002
        """Close the bucket and lower its pace."""
        limit = limits.sync_calls if kind == "sync" else limits.async_calls
        words = [
            -1 if seconds is None else round(seconds * 1000),
            -1 if limit is None else limit,
            round(limits.window * 1000),
        ]
        self._send(self._pushed_back(keys=self._keys(kind, limit, limits.window), args=words))

    async def preload(self, kind: Kind, moments: Iterable[float]) -> None:
        """Do nothing: the calls of earlier processes are in the log already, for it outlives them."""

    def _send(self, work: Coroutine[Any, Any, Any]) -> None:
        """Send something behind: whoever says it may be under cancellation and cannot wait."""
        task = asyncio.get_running_loop().create_task(_told(work))
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def settled(self) -> None:
        """Return when everything that was said is in Redis."""
        while self._behind:
            await asyncio.wait(self._behind)


async def _told(work: Coroutine[Any, Any, Any]) -> None:
    from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses a queue has it

    try:
        await work
    except (RedisError, OSError) as error:
        log.warning("the end of a call could not be noted in Redis (%s): its slot frees itself later", error)
