"""Which workers are alive, and which of them get answers of the service: their heartbeats in Redis."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.served_run import ServedRun

__all__ = ["HEARTBEAT_SECONDS", "Presence", "workers_alive"]

HEARTBEAT_SECONDS = 5.0
"""Between two signs of life to submitters and other workers."""

SEEN_SECONDS = 15.0
"""Without a sign of life, after which another worker is thought to be gone."""

_WORKERS = """
return redis.call('ZCOUNT', KEYS[1], redis.call('TIME')[1] - ARGV[1], '+inf')
"""


async def workers_alive(client: Any, keys: Keys, workspace: str, seconds: float) -> int:
    """Return how many workers gave a sign of life within so many seconds."""
    return int(await client.eval(_WORKERS, 1, keys.workers(workspace), seconds))


_ALIVE = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 3600)
if ARGV[2] == '1' then redis.call('ZADD', KEYS[2], now, ARGV[1]) else redis.call('ZREM', KEYS[2], ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 3600)
"""

_OTHERS = """
local since = redis.call('TIME')[1] - ARGV[2]
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], since, '+inf')) do
  local cut_off = tonumber(redis.call('ZSCORE', KEYS[2], name) or '-inf')
  if name ~= ARGV[1] and cut_off < since then return 1 end
end
return 0
"""


class Presence:
    """A worker among the others of its workspace, by the clock of Redis: those of machines may differ.

    ``served`` are the runs that it serves, at any time.
    """

    def __init__(self, client: Any, keys: Keys, workspace: str, name: str, served: Collection[ServedRun]) -> None:
        self._client = client
        self._keys = [keys.workers(workspace), keys.cut_off(workspace)]
        self._name = name
        self._served = served

    async def report(self) -> None:
        """Send a heartbeat, and say whether the service cannot be reached from here."""
        cut_off = any(run.outage.away for run in self._served)
        await self._client.eval(_ALIVE, 2, *self._keys, self._name, int(cut_off))

    async def leave(self) -> None:
        """Be no longer among those that are alive."""
        await self._client.zrem(self._keys[0], self._name)

    async def others_answered(self) -> bool:
        """Tell whether another worker is there that is not cut off; True if Redis is silent.

        It reports first: of two that lose their network together, one knows it of the other.
        """
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses a queue has it

        try:
            await self.report()
            return bool(await self._client.eval(_OTHERS, 2, *self._keys, self._name, SEEN_SECONDS))
        except (RedisError, OSError):
            return True
