"""What a worker knows of one run, and how it stores what became of the run's calls."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import orjson

from reportflow_pandas.api.client import Client
from reportflow_pandas.engine.attempts import Line
from reportflow_pandas.queue.address import Keys
from reportflow_pandas.queue.collector import LATE
from reportflow_pandas.queue.messages import Terms

__all__ = ["Lane"]

log = logging.getLogger("reportflow_pandas")

STORE_AGAIN_SECONDS = 0.5
"""Until an answer that could not be stored is stored again."""


class Lane:
    """One run at a worker."""

    def __init__(
        self, name: str, terms: Terms, *, redis: Any, keys: Keys, bull: Any, line: Line, client: Client
    ) -> None:
        self.name = name
        self.terms = terms
        self.bull = bull
        self.line = line
        self.client = client
        self.in_flight: set[asyncio.Task[None]] = set()
        self.checked_at = time.monotonic()
        self._redis = redis
        self._keys = keys

    async def close(self) -> None:
        """End what looks after its calls."""
        await self.bull.lockManager.close()
        if self.line.outage is not None:
            self.line.outage.close()

    async def keep(self, job: Any, answer: dict[str, Any], token: str) -> None:
        """Store an answer; it was paid for, so Redis is waited for."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who uses a queue has it

        while True:
            try:
                await self.bull.backend.moveToCompleted(job, answer, False, token, fetch_next=False)
            except (RedisError, OSError) as error:
                log.warning("the answer to call %s could not be stored (%s); tried again", job.id, error)
                await asyncio.sleep(STORE_AGAIN_SECONDS)
            except TypeError as problem:
                # BullMQ's words for: this worker no longer has the call. Or the answer is stored already, and only
                # Redis' word of it was lost
                if await self._redis.hexists(self._keys.of(self.name, job.id), "returnvalue"):
                    return
                log.warning(
                    "call %s was given up before its answer came (%s); it is noted as late", job.id, problem
                )
                await self.note_late(job.id, answer)
                return
            else:
                return

    async def note_late(self, identity: str, answer: dict[str, Any]) -> None:
        """Store an answer beside a call that was given up."""
        late = self._keys.of(self.name, LATE)
        await self._redis.hset(late, identity, orjson.dumps(answer).decode())
        await self._redis.expire(late, 30 * 86400)

    async def fail(self, job: Any, token: str, reason: str) -> None:
        """Store that a call failed."""
        try:
            await self.bull.backend.moveToFailed(job, reason, False, token, fetch_next=False)
        except TypeError as problem:
            log.warning("call %s: %s", job.id, problem)

    async def give_back(self, job: Any, token: str) -> None:
        """Let another worker have a call of which nothing was sent."""
        try:
            await self.bull.backend.retryJob(job.id, True, token)
        except TypeError as problem:
            log.warning("call %s could not be given back: %s", job.id, problem)
