"""Time and chance as one object, so that no test has to wait for either."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime

__all__ = ["SYSTEM_CLOCK", "Clock"]


class Clock:
    """The system's clock. Tests pass a subclass with a time of their own."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        return time.monotonic()

    def timestamp(self) -> float:
        """Return seconds since 1970, UTC."""
        return time.time()

    def now(self) -> datetime:
        """Return the time of day, UTC: `timestamp` as a date."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    async def sleep(self, seconds: float) -> None:
        """Pause this task."""
        await asyncio.sleep(seconds)

    def random(self) -> float:
        """Return a number from 0 up to 1, for jitter: nothing secret comes of it."""
        return _CHANCE.random()


_CHANCE = random.SystemRandom()
"""Chance of our own: no seed or fork repeats it, and it disturbs no program's own sequence."""

SYSTEM_CLOCK = Clock()
