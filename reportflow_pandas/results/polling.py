"""How long, and how often, one request is asked for until its PDFs are ready."""

from __future__ import annotations

from collections.abc import Callable

from reportflow_pandas.clock import Clock
from reportflow_pandas.errors import NotReady
from reportflow_pandas.next_steps import ASK_AGAIN, MAKE_IT_AGAIN

__all__ = ["Polling"]

SOONEST_SECONDS, LONGEST_SECONDS = 0.4, 30.0
"""Bounds of the pauses between asking; nothing is published."""

SHARE_OF_AGE, FETCHING_SECONDS = 0.25, 0.2
"""A pause is this share of the time since acceptance, less what fetching takes: so a PDF is on the disk no later
than a quarter of the time that it took, or half a second, after it was ready."""

JITTER = 0.15
"""Part of a pause that chance may take away."""

OLD_SECONDS = 900.0
"""Seconds after which a document that the service does not know is more likely expired than still being made."""

NOT_WORTH_A_CALL_SECONDS = 0.05
"""Seconds of waiting that are not worth another call."""

STUCK_SECONDS = 30.0
"""Pauses of one request after which it keeps no other waiting."""


class Polling:
    """How long, and how often, one request is asked for."""

    def __init__(
        self, clock: Clock, accepted_at: float, *, wait: float, expected: float, stuck: Callable[[], None]
    ) -> None:
        self.is_stuck = False
        self._clock = clock
        self._wait = wait
        self._expected = expected
        self._stuck = stuck
        self._paused = 0.0
        # from here on the steady clock counts: the time of day may be set meanwhile
        self._age_then = max(0.0, clock.timestamp() - accepted_at)
        self._then = clock.monotonic()
        self._old = self._age_then >= max(wait, OLD_SECONDS)

    def _age(self) -> float:
        return self._age_then + self._clock.monotonic() - self._then

    def _left(self) -> float:
        return self._wait - self._age()

    def waited(self, seconds: float) -> None:
        """Take time in line for our own rate limit out of the account."""
        self._wait += seconds

    def took(self, waited: float) -> float:
        """Return how long the document took, now that it is there."""
        return max(0.0, self._age() - waited)

    async def before_first(self) -> None:
        """Wait until it is worth asking at all: as long as the last request took, within bounds."""
        pause = min(max(SOONEST_SECONDS, self._expected) - self._age(), LONGEST_SECONDS, self._left())
        if pause > 0:
            await self._clock.sleep(pause)

    async def again(self, error: NotReady) -> bool:
        """Pause before asking again, longer the older the request is; False when the time is up."""
        left = self._left()
        if left < NOT_WORTH_A_CALL_SECONDS:
            return False
        own = SHARE_OF_AGE * self._age() - FETCHING_SECONDS
        own = min(max(SOONEST_SECONDS, own), LONGEST_SECONDS)
        pause = min(error.retry_after or own * (1.0 - JITTER * self._clock.random()), left)
        if self._paused > STUCK_SECONDS and not self.is_stuck:
            self.is_stuck = True
            self._stuck()
        self._paused += pause
        await self._clock.sleep(pause)
        return True

    def verdict(self, error: NotReady) -> tuple[str, str]:
        """Return the error kind and a text for a document that is not there."""
        if error.gone:
            return "expired", (
                "the embedded service has this document no more: it keeps what it made while it runs, for a day. "
                f"{MAKE_IT_AGAIN}"
            )
        if self._old and error.status == 404:
            return "expired", (
                "the service does not have this file (404), and it was accepted so long ago that it has probably "
                "expired. Download PDFs soon after generating; the web app may still have it"
            )
        return "not_ready", f"still not ready (the last answer was {error.status}). {ASK_AGAIN}"
