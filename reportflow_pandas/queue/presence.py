"""Which workers are alive, and which of them get answers of the service: their heartbeats in Redis."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection
from typing import Any, Protocol

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import AuthError
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.connection import seconds_ahead
from reportflow_pandas.queue.messages import WITH_THE_NEW_KEY

__all__ = ["HEARTBEAT_SECONDS", "Presence", "words_of_workers", "workers_alive"]

log = logging.getLogger("reportflow_pandas")

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
if ARGV[3] == '' then redis.call('HDEL', KEYS[3], ARGV[1]) else redis.call('HSET', KEYS[3], ARGV[1], ARGV[3]) end
redis.call('EXPIRE', KEYS[3], 3600)
"""

_OTHERS = """
local since = redis.call('TIME')[1] - ARGV[2]
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], since, '+inf')) do
  local cut_off = tonumber(redis.call('ZSCORE', KEYS[2], name) or '-inf')
  if name ~= ARGV[1] and cut_off < since then return 1 end
end
return 0
"""


_WORDS = """
local found = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], redis.call('TIME')[1] - ARGV[1], '+inf')) do
  local words = redis.call('HGET', KEYS[2], name)
  if words then found[#found + 1] = name; found[#found + 1] = words end
end
return found
"""


async def words_of_workers(client: Any, keys: Keys, workspace: str) -> dict[str, str]:
    """Return what workers say that are there and leave their calls to others."""
    names = keys.cut_off(workspace), keys.words(workspace)
    found = iter(await client.eval(_WORDS, 2, *names, SEEN_SECONDS))
    return dict(zip(found, found, strict=True))


class _Away(Protocol):
    @property
    def away(self) -> bool: ...


class Serving(Protocol):
    """A run that a worker serves.

    Attributes
    ----------
    breaker : CircuitBreaker
        Whether the service is away for it.
    """

    @property
    def breaker(self) -> _Away: ...


class Presence:
    """A worker among the others of its workspace, by the clock of Redis: those of machines may differ.

    ``served`` are the runs that it serves, at any time, ``clock`` is that of its calls.

    Attributes
    ----------
    ahead : float
        Seconds that this clock was ahead of that of Redis at the last sign of life.
    """

    def __init__(  # noqa: PLR0917 - made once, in one place
        self, client: Any, keys: Keys, workspace: str, name: str, served: Collection[Serving], clock: Clock
    ) -> None:
        self.ahead = 0.0
        self._clock = clock
        self._client = client
        self._keys = [keys.workers(workspace), keys.cut_off(workspace), keys.words(workspace)]
        self._served = served
        self._name = name
        self._words = ""
        self._refused: AuthError | None = None

    async def report(self) -> None:
        """Send a heartbeat, and say whether the service cannot be reached from here."""
        cut_off = self._refused is not None or any(run.breaker.away for run in self._served)
        words = self._words if cut_off else ""
        await self._client.eval(_ALIVE, 3, *self._keys, self._name, int(cut_off), words)
        self.ahead = await seconds_ahead(self._client, self._clock)

    async def say(self, words: str) -> None:
        """Tell submitters why this worker leaves its calls to others; nothing: it does not any more."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses a queue has it

        self._words = words
        with contextlib.suppress(RedisError, OSError):
            await self.report()

    async def leave(self) -> None:
        """Be no longer among those that are alive."""
        await self._client.zrem(self._keys[0], self._name)

    async def others_answered(self) -> bool:
        """Tell whether another worker is there that is not cut off; True if Redis is silent.

        It reports first: of two that lose their network together, one knows it of the other.
        """
        from redis.exceptions import RedisError  # noqa: PLC0415 - of the extra `queue`

        try:
            await self.report()
            return bool(await self._client.eval(_OTHERS, 2, *self._keys[:2], self._name, SEEN_SECONDS))
        except (RedisError, OSError):
            return True

    async def leaves_for_its_key(self, error: AuthError) -> bool:
        """Tell whether calls are left to other workers because the service does not take this one's key.

        Keys are renewed: a worker that was not started again since must not end the runs of the others.
        """
        self._refused = error
        return not await self.may_take()

    async def may_take(self) -> bool:
        """Tell whether this worker may take a call: with a refused key only where no other is answered."""
        if self._refused is None or not await self.others_answered():
            return True
        if not self._words:
            words = (
                f"the service does not take its key ({'; '.join(self._refused.messages)}): it takes no calls and "
                f"leaves them to the others. To have it take part: {WITH_THE_NEW_KEY}"
            )
            log.warning("worker %s: %s", self._name, words)
            await self.say(words)
        return False

    def accepted(self) -> None:
        """Say that the service took a call of this worker: its key is good."""
        if self._refused is not None:
            self._refused, self._words = None, ""
